import type { CanonicalRecord, CompiledSource } from '../domain/mapping.js';
import type { RawRow, RowProblem } from '../domain/rows.js';
import { stagingOf } from '../database/staging.js';
import type { RunRef } from '../domain/run.js';
import type { CopyLine } from '../platform/copy-line.js';
import { BinaryRows } from '../platform/copy-binary.js';
import type { CopyEncoder } from '../platform/copy-text.js';
import type { InstitutionContext, MappingRef } from './context.js';
import { CopiedValues } from './copied-values.js';

/** A source row as it is standardized. */
export interface StagedRow {
  readonly key: string;
  /** As it is kept: a JSON array in the order of the columns. */
  readonly raw: string;
  readonly cells: RawRow;
  readonly hash: string;
  readonly scope: string | null;
  /** Names of set-based rules that the row breaks. */
  readonly broken: readonly string[];
  /** Null: `cells` are all there is of it. */
  readonly place: StagedPlace | null;
}

/** Where the bytes of a row lie: those of its cells, and all of `raw`. Cells that are only copied are null in `cells`. */
export interface StagedPlace {
  readonly line: CopyLine;
  readonly json: CopyEncoder;
  /** Of the row's hash (`sha256Octets`). */
  readonly octets: string;
}

/** Takes binary rows, told as by `LineSink`. */
export interface RowSink {
  readonly bytes: BinaryRows;
  endRow(): Promise<void> | null;
}

/** Takes lines of COPY text: cells into `bytes`, then their end. Null: go on; a promise: the server lags. */
export interface LineSink {
  readonly bytes: CopyEncoder;
  endLine(): Promise<void> | null;
}

export const copyCanon = (run: RunRef): string =>
  `copy ${stagingOf(run.runId).canon} (mapping_id, entity_type_id, key, sub_key, main, op, values, refs, identifiers,
     match_name, match_birth, effective_at, raw, hash, scope) from stdin (format binary)`;
const canonFields = 15;

export const copyProblem = (run: RunRef): string =>
  `copy ${stagingOf(run.runId).problem} (mapping_id, key, kind, entity_type_id, sub_key, field, reason, detail, raw, hash) from stdin`;

const untold = { type: null, subKey: null, field: null, detail: '' };

interface Told {
  readonly type: number | null;
  readonly subKey: string | null;
  readonly reason: string;
  readonly detail: string;
  readonly field: string | null;
}

/** Writes the canonical records and problems of one source's rows. */
export class CanonWriter {
  /** What the row of each kind of record begins with. */
  private readonly openings = new Map<string, Buffer>();
  private readonly copied: CopiedValues | null;
  /** Whether the row that was added last has a main record, which keeps its text. */
  wroteMain = false;
  private lagging: Promise<void>[] = [];

  constructor(
    private readonly canon: RowSink,
    private readonly problem: LineSink,
    private readonly context: InstitutionContext,
    private readonly mapping: MappingRef,
    private readonly source: CompiledSource,
  ) {
    this.copied = source.copied === null ? null : new CopiedValues(source.copied);
  }

  /** Whether a row may be added by its line, and needs the strings of few cells. */
  copies(line: CopyLine): boolean {
    return this.copied !== null && this.copied.fits(line);
  }

  /** Null: go on; a promise: the server lags. */
  add(row: StagedRow): Promise<unknown> | null {
    const { source } = this;
    const standardized = (row.place === null ? source : (source.copied ?? source)).standardize(row.cells);
    this.wroteMain = false;
    for (const { entityType, subKey, recipientClass } of standardized.restrictions) {
      const type = this.context.entityTypeNamed(entityType).id;
      this.wait(this.addProblem(row, 'restriction', { ...untold, type, subKey, reason: recipientClass }));
    }
    const rejected = standardized.rejected ?? brokenRule(this.source, row);
    if (rejected !== null) this.wait(this.addRowProblem(row, 'rejected', rejected));
    else if (standardized.filtered) this.wait(this.addProblem(row, 'filtered', { ...untold, reason: 'filtered' }));
    else {
      for (const problem of standardized.problems) this.wait(this.addRowProblem(row, 'finding', problem));
      let main = true;
      for (const record of standardized.records) {
        this.wait(this.addRecord(row, record, main));
        main = false;
      }
    }
    if (this.lagging.length === 0) return null;
    const all = Promise.all(this.lagging);
    this.lagging = [];
    return all;
  }

  private openingOf(entityType: string): Buffer {
    const bytes = new BinaryRows();
    bytes.beginRow(canonFields);
    bytes.addInteger(this.mapping.id);
    bytes.addInteger(this.context.entityTypeNamed(entityType).id);
    const opening = bytes.take();
    this.openings.set(entityType, opening);
    return opening;
  }

  private wait(sent: Promise<void> | null): void {
    if (sent !== null) this.lagging.push(sent);
  }

  private addRecord(row: StagedRow, record: CanonicalRecord, main: boolean): Promise<void> | null {
    const { bytes } = this.canon;
    const { name, birthDate } = record.corroboration;
    this.wroteMain ||= main;
    const opening = this.openings.get(record.entityType) ?? this.openingOf(record.entityType);
    bytes.addBytes(opening, 0, opening.length);
    bytes.addText(row.key);
    bytes.addText(record.subKey);
    bytes.addBoolean(main);
    bytes.addLetter('u');
    if (row.place === null || this.copied === null) bytes.addList(record.values);
    else this.copied.add(bytes, record.values, row.place.line);
    if (record.references.length === 0) bytes.addNull();
    else bytes.addList(this.references(record));
    if (record.identifiers.length === 0) bytes.addNull();
    else bytes.addList(identifierItems(record));
    bytes.addText(name);
    bytes.addText(birthDate);
    bytes.addText(record.effectiveAt);
    if (main) {
      addRaw(bytes, row);
      addHash(bytes, row);
    } else {
      bytes.addNull();
      bytes.addNull();
    }
    bytes.addText(row.scope);
    return this.canon.endRow();
  }

  /** Six items a reference: group, attribute, mapping, entity type, key, sub-key. */
  private references(record: CanonicalRecord): string[] {
    const definition = this.context.entityTypeNamed(record.entityType).definition;
    return record.references.flatMap(({ group, attribute, mapping, key, subKey }) => {
      const attributes = definition.groups[group]?.attributes ?? [];
      const meant = attribute === null ? attributes[0] : attributes.find(({ name }) => name === attribute);
      const type = this.context.entityTypeNamed(meant?.references ?? '');
      const to = this.context.mappingNamed(mapping).id;
      return [String(group), attribute ?? '', String(to), String(type.id), key, subKey];
    });
  }

  private addRowProblem(row: StagedRow, kind: 'rejected' | 'finding', problem: RowProblem): Promise<void> | null {
    const { reason, detail, field } = problem;
    return this.addProblem(row, kind, { ...untold, reason, detail, field });
  }

  private addProblem(
    row: StagedRow,
    kind: 'rejected' | 'finding' | 'filtered' | 'restriction',
    { type, subKey, field, reason, detail }: Told,
  ): Promise<void> | null {
    const keep = kind === 'rejected';
    const cells = [type === null ? null : String(type), subKey, field, reason, detail];
    this.problem.bytes.addCells([
      ...[String(this.mapping.id), row.key, kind, ...cells],
      ...(keep ? [row.raw, row.hash] : [null, null]),
    ]);
    return this.problem.endLine();
  }
}

/** The hash of a row, as a field. (A row that has octets makes a text of them only where it is asked.) */
export const addHash = (bytes: BinaryRows, row: StagedRow): void => {
  if (row.place === null) bytes.addUuid(row.hash);
  else bytes.addUuidOctets(row.place.octets);
};

/** The text of a row, as a field. */
export const addRaw = (bytes: BinaryRows, row: StagedRow): void => {
  if (row.place === null) {
    bytes.addText(row.raw);
    return;
  }
  const { json } = row.place;
  const start = bytes.beginField();
  bytes.addFrom(json, 0, json.size);
  bytes.endField(start);
};

const identifierItems = ({ identifiers }: CanonicalRecord): string[] => {
  const items: string[] = [];
  for (const { scheme, value } of identifiers) items.push(scheme, value);
  return items;
};

const brokenRule = (source: CompiledSource, row: StagedRow): RowProblem | null => {
  if (row.broken.length === 0) return null;
  const rule = source.setRules.find(({ name, severity }) => severity === 'reject' && row.broken.includes(name));
  if (rule === undefined) return null;
  return {
    row: '',
    key: row.key,
    field: rule.field,
    reason: rule.name,
    detail: rule.check === 'unique' ? 'the value occurs in several rows' : 'no such record is known',
  };
};
