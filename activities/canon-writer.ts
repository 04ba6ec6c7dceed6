import type { CopiedGroup } from '../domain/copied-groups.js';
import type { CanonicalRecord, CompiledSource } from '../domain/mapping.js';
import type { RawRow, RowProblem } from '../domain/rows.js';
import { stagingOf } from '../database/staging.js';
import type { RunRef } from '../domain/run.js';
import type { CopyLine } from '../platform/copy-line.js';
import { CopyEncoder } from '../platform/copy-text.js';
import type { InstitutionContext, MappingRef } from './context.js';

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
}

/** Takes lines of COPY text: cells into `bytes`, then their end. Null: go on; a promise: the server lags. */
export interface LineSink {
  readonly bytes: CopyEncoder;
  endLine(): Promise<void> | null;
}

export const copyCanon = (run: RunRef): string =>
  `copy ${stagingOf(run.runId).canon} (mapping_id, entity_type_id, key, sub_key, main, op, values, refs, identifiers,
     match_name, match_birth, effective_at, raw, hash, scope) from stdin`;

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
  /** What a line of each kind of record begins with. */
  private readonly openings = new Map<string, string>();
  private readonly copied: readonly (CopiedGroup | null)[] | null;
  /** Whether the row that was added last has a main record, which keeps its text. */
  wroteMain = false;

  constructor(
    private readonly canon: LineSink,
    private readonly problem: LineSink,
    private readonly context: InstitutionContext,
    private readonly mapping: MappingRef,
    private readonly source: CompiledSource,
  ) {
    this.copied = source.copied?.groups.map(withEscapes) ?? null;
  }

  /** Null: go on; a promise: the server lags. */
  add(row: StagedRow): Promise<unknown> | null {
    const standardized = this.source.standardize(row.cells);
    this.wroteMain = false;
    const lagging: Promise<void>[] = [];
    const wait = (sent: Promise<void> | null): void => {
      if (sent !== null) lagging.push(sent);
    };
    for (const { entityType, subKey, recipientClass } of standardized.restrictions) {
      const type = this.context.entityTypeNamed(entityType).id;
      wait(this.addProblem(row, 'restriction', { ...untold, type, subKey, reason: recipientClass }));
    }
    const rejected = standardized.rejected ?? brokenRule(this.source, row);
    if (rejected !== null) wait(this.addRowProblem(row, 'rejected', rejected));
    else if (standardized.filtered) wait(this.addProblem(row, 'filtered', { ...untold, reason: 'filtered' }));
    else {
      for (const problem of standardized.problems) wait(this.addRowProblem(row, 'finding', problem));
      let main = true;
      for (const record of standardized.records) {
        wait(this.addRecord(row, record, main));
        main = false;
      }
    }
    return lagging.length === 0 ? null : Promise.all(lagging);
  }

  private openingOf(entityType: string): string {
    const known = this.openings.get(entityType);
    if (known !== undefined) return known;
    const opening = `${this.mapping.id}\t${this.context.entityTypeNamed(entityType).id}\t`;
    this.openings.set(entityType, opening);
    return opening;
  }

  private addRecord(row: StagedRow, record: CanonicalRecord, main: boolean): Promise<void> | null {
    const { bytes } = this.canon;
    const { name, birthDate } = record.corroboration;
    this.wroteMain ||= main;
    bytes.addText(this.openingOf(record.entityType));
    bytes.addCell(row.key);
    bytes.separate();
    bytes.addCell(record.subKey);
    bytes.addText(main ? '\tt\tu\t' : '\tf\tu\t');
    if (row.place === null || this.copied === null) bytes.addList(record.values);
    else addValues(bytes, record.values, this.copied, row.place.line);
    bytes.separate();
    if (record.references.length === 0) bytes.addCell(null);
    else bytes.addList(this.references(record));
    bytes.separate();
    if (record.identifiers.length === 0) bytes.addCell(null);
    else bytes.addList(identifierItems(record));
    bytes.separate();
    bytes.addCell(name);
    bytes.separate();
    bytes.addCell(birthDate);
    bytes.separate();
    bytes.addCell(record.effectiveAt);
    bytes.separate();
    if (!main) bytes.addCell(null);
    else if (row.place === null) bytes.addCell(row.raw);
    else bytes.addFrom(row.place.json, 0, row.place.json.size);
    bytes.separate();
    bytes.addCell(main ? row.hash : null);
    bytes.separate();
    bytes.addCell(row.scope);
    return this.canon.endLine();
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

/** What stands before the values, as it stands in an item of a list. */
const withEscapes = (group: CopiedGroup | null): CopiedGroup | null => {
  if (group === null) return null;
  const escaped = (opening: string): string => {
    const bytes = new CopyEncoder();
    bytes.addItem(opening);
    return bytes.take().toString('utf8').slice(1, -1);
  };
  return { ...group, members: group.members.map((one) => ({ ...one, opening: escaped(`${one.opening}"`) })) };
};

/** The values of a record, those of copied groups from the bytes of its line. As `addList` writes the list of all. */
const addValues = (
  bytes: CopyEncoder,
  values: CanonicalRecord['values'],
  copied: readonly (CopiedGroup | null)[],
  line: CopyLine,
): void => {
  for (let index = 0; index < values.length; index += 1) {
    bytes.addText(index === 0 ? '{' : ',');
    const group = copied[index] ?? null;
    if (group !== null && addCopied(bytes, group, line)) continue;
    const value = group === null ? (values[index] ?? null) : group.blank;
    if (value === null) bytes.addText('NULL');
    else bytes.addItem(value);
  }
  bytes.addText(values.length === 0 ? '{}' : '}');
};

const isBlank = (line: CopyLine, cell: number): boolean => line.isNull(cell) || line.startOf(cell) === line.endOf(cell);

/** An item of the list, of cells that nothing escapes; false where all are blank. */
const addCopied = (bytes: CopyEncoder, { members, object }: CopiedGroup, line: CopyLine): boolean => {
  let said = false;
  for (const { opening, column } of members) {
    if (isBlank(line, column)) continue;
    bytes.addText(object ? (said ? ',' : '"{') : '"');
    bytes.addText(opening);
    bytes.addBytes(line.bytes, line.startOf(column), line.endOf(column));
    bytes.addText(object ? '\\\\"' : '\\\\""');
    said = true;
  }
  if (said && object) bytes.addText('}"');
  return said;
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
