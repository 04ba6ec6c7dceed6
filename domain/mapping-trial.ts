import { fromStated } from './canonical.js';
import { isSame } from './differences.js';
import type { EntityTypeDefinition } from './entity-type.js';
import type { Configuration } from './job-definition.js';
import { compileSource, reorderRow, type CompiledSource, type StandardizedRow } from './mapping.js';
import type { MappingDefinition } from './mapping-definition.js';
import type { RawRow } from './rows.js';

type Parts = Pick<Configuration, 'entityTypes' | 'codeTables'>;

/** What a row says: its records with their values by group, or why it makes none. */
export interface TrialReading {
  readonly outcome: 'read' | 'rejected' | 'filtered';
  readonly records: readonly {
    readonly entityType: string;
    readonly subKey: string;
    readonly values: Readonly<Record<string, unknown>>;
  }[];
  readonly problems: readonly { readonly field: string | null; readonly reason: string; readonly detail: string }[];
}

export interface TrialRow {
  readonly sourceKey: string | null;
  /** By the mapping as it stands; null: it stands nowhere yet, or reads no rows. */
  readonly before: TrialReading | null;
  readonly after: TrialReading;
  readonly changed: boolean;
}

/** What a mapping makes of some rows. */
export interface MappingTrial {
  readonly rows: readonly TrialRow[];
  readonly counts: {
    readonly rows: number;
    readonly read: number;
    readonly rejected: number;
    readonly filtered: number;
    readonly changed: number;
  };
  /** How often each problem occurs, by field. */
  readonly byField: readonly { readonly field: string | null; readonly reason: string; readonly count: number }[];
}

/** The columns that have to be read to try a mapping beside the one that stands. */
export const trialColumns = (before: MappingDefinition | null, after: MappingDefinition): readonly string[] => [
  ...new Set([...(after.source?.columns ?? []), ...(before?.source?.columns ?? [])]),
];

/** Reads rows, which have these columns, by a mapping as it stands and as it would be.
 *  @throws SyncError configuration_invalid where a mapping cannot be compiled */
export const tryMapping = (
  parts: Parts,
  before: MappingDefinition | null,
  after: MappingDefinition,
  given: { readonly columns: readonly string[]; readonly rows: readonly RawRow[] },
): MappingTrial => {
  const was = before?.source === undefined ? null : readerOf(parts, before, given.columns);
  const will = readerOf(parts, after, given.columns);
  const rows = given.rows.map((row): TrialRow => {
    const { key, reading } = will(row);
    const former = was?.(row).reading ?? null;
    return { sourceKey: key, before: former, after: reading, changed: former !== null && !isSame(former, reading) };
  });
  const count = (outcome: TrialReading['outcome']): number =>
    rows.filter(({ after: reading }) => reading.outcome === outcome).length;
  return {
    rows,
    counts: {
      ...{ rows: rows.length, read: count('read'), rejected: count('rejected'), filtered: count('filtered') },
      changed: rows.filter(({ changed }) => changed).length,
    },
    byField: byField(rows),
  };
};

const readerOf = (
  parts: Parts,
  mapping: MappingDefinition,
  columns: readonly string[],
): ((row: RawRow) => { readonly key: string | null; readonly reading: TrialReading }) => {
  const source: CompiledSource = compileSource(mapping, parts.entityTypes, parts.codeTables);
  const reorder = reorderRow(columns, source.columns);
  return (row) => {
    const read = source.standardize(reorder(row));
    return { key: read.key, reading: readingOf(read, parts.entityTypes) };
  };
};

const readingOf = (read: StandardizedRow, types: readonly EntityTypeDefinition[]): TrialReading => {
  const problems = [...(read.rejected === null ? [] : [read.rejected]), ...read.problems];
  return {
    outcome: read.filtered ? 'filtered' : read.rejected === null ? 'read' : 'rejected',
    records: read.records.map(({ entityType, subKey, values }) => ({
      ...{ entityType, subKey },
      values: Object.fromEntries(
        (types.find(({ name }) => name === entityType)?.groups ?? []).flatMap(({ name }, index) => {
          const value = values[index] ?? null;
          return value === null ? [] : [[name, fromStated(value)]];
        }),
      ),
    })),
    problems: problems.map(({ field, reason, detail }) => ({ field, reason, detail })),
  };
};

const byField = (rows: readonly TrialRow[]): MappingTrial['byField'] => {
  const counts = new Map<string, { field: string | null; reason: string; count: number }>();
  for (const { field, reason } of rows.flatMap(({ after }) => after.problems)) {
    const key = JSON.stringify([field, reason]);
    const known = counts.get(key) ?? { field, reason, count: 0 };
    counts.set(key, { ...known, count: known.count + 1 });
  }
  return [...counts.values()].sort((left, right) => right.count - left.count);
};
