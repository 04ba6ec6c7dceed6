import type { CanonicalRecord, CompiledSource } from '../domain/mapping.js';
import type { RawRow, RowProblem } from '../domain/rows.js';
import { stagingOf } from '../database/staging.js';
import type { RunRef } from '../domain/run.js';
import { copyTextArray } from '../platform/copy-sink.js';
import { copyCell, encodeCopyLine } from '../platform/copy-text.js';
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
}

/** Takes lines of COPY text. Null: go on; a promise: the server lags. */
export interface LineSink {
  addLine(line: string): Promise<void> | null;
}

export const copyCanon = (run: RunRef): string =>
  `copy ${stagingOf(run.runId).canon} (mapping_id, entity_type_id, key, sub_key, main, op, values, refs, identifiers,
     match_name, match_birth, effective_at, raw, hash, scope) from stdin`;

export const copyProblem = (run: RunRef): string =>
  `copy ${stagingOf(run.runId).problem} (mapping_id, key, kind, entity_type_id, sub_key, field, reason, detail, raw, hash) from stdin`;

const nothing = copyCell(null);
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

  constructor(
    private readonly canon: LineSink,
    private readonly problem: LineSink,
    private readonly context: InstitutionContext,
    private readonly mapping: MappingRef,
    private readonly source: CompiledSource,
  ) {}

  /** Null: go on; a promise: the server lags. */
  add(row: StagedRow): Promise<unknown> | null {
    const standardized = this.source.standardize(row.cells);
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
        wait(this.canon.addLine(this.lineOf(row, record, main)));
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

  private lineOf(row: StagedRow, record: CanonicalRecord, main: boolean): string {
    const { name, birthDate } = record.corroboration;
    return (
      `${this.openingOf(record.entityType)}${copyCell(row.key)}\t${copyCell(record.subKey)}\t` +
      `${main ? 't' : 'f'}\tu\t${copyTextArray(record.values)}\t` +
      `${record.references.length === 0 ? nothing : copyTextArray(this.references(record))}\t` +
      `${record.identifiers.length === 0 ? nothing : copyTextArray(identifierItems(record))}\t` +
      `${copyCell(name)}\t${copyCell(birthDate)}\t${copyCell(record.effectiveAt)}\t` +
      `${main ? copyCell(row.raw) : nothing}\t${main ? row.hash : nothing}\t${copyCell(row.scope)}\n`
    );
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
    return this.problem.addLine(
      encodeCopyLine([
        ...[String(this.mapping.id), row.key, kind, ...cells],
        ...(keep ? [row.raw, row.hash] : [null, null]),
      ]),
    );
  }
}

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
