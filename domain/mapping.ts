import type { CanonicalRecord, PlacedRestriction } from './canonical-record.js';
import { copiedGroups, type CopiedGroups } from './copied-groups.js';
import { compileRowCondition } from './condition.js';
import type { EntityTypeDefinition } from './entity-type.js';
import { SyncError } from './errors.js';
import type { CodeTableDefinition } from './job-definition.js';
import type { MappingDefinition, SourceMapping } from './mapping-definition.js';
import { columnIndex, noteProblem, type RowReading } from './mapping-fields.js';
import { compileTemplate, type CompiledTemplate } from './mapping-records.js';
import { keyOf, keySeparator, type RawRow, type RowProblem } from './rows.js';
import { compileRules, type RowRule, type SetRule } from './rules.js';
import type { StepContext, StepProblem } from './standardizer-options.js';

export type { CanonicalRecord, CorroborationKeys, PlacedRestriction, RecordReference } from './canonical-record.js';

export interface StandardizedRow {
  /** Null where a key column is blank: the row is then rejected. */
  readonly key: string | null;
  /** The row's part of each declared scope; '' where the mapping declares none. */
  readonly scope: Readonly<Record<string, string>> | '';
  /** The mapping says that the row is not its own: there are no records. */
  readonly filtered: boolean;
  /** Why the row became no record: the first reason. */
  readonly rejected: RowProblem | null;
  /** Values that were blanked, and warnings. */
  readonly problems: readonly RowProblem[];
  readonly records: readonly CanonicalRecord[];
  /** Given for rejected and filtered rows too: a restriction is never lost for another column's fault. */
  readonly restrictions: readonly PlacedRestriction[];
}

export interface CompiledSource {
  readonly mapping: MappingDefinition;
  readonly columns: readonly string[];
  /** Positions of the key columns. */
  readonly keyColumns: readonly number[];
  readonly templates: readonly { readonly entityType: string; readonly subKey: string }[];
  readonly setRules: readonly SetRule[];
  /** Null where the rows become several records. Its `standardize` is that of what is not copied. */
  readonly copied: (CopiedGroups & Pick<CompiledSource, 'standardize'>) | null;
  /** What a row says. Pure: stored raw gives the same again. `position`: a line or ordinal number, for problems. */
  readonly standardize: (row: RawRow, position?: string) => StandardizedRow;
}

const none: readonly never[] = [];
const badKey = new RegExp(`[\\u0000${keySeparator}]`);

const fieldCount: StepProblem = {
  reason: 'field_count',
  detail: 'the row does not have the declared number of fields',
};
const keyMissing: StepProblem = { reason: 'key_missing', detail: 'a key column is blank' };
const keyInvalid: StepProblem = { reason: 'key_invalid', detail: 'the key holds a control character' };

const compileKey = (columns: readonly string[], key: readonly string[]): ((row: RawRow) => string | null) => {
  const indexes = key.map((column) => columnIndex(columns, column));
  const [only, another] = indexes;
  if (only !== undefined && another === undefined) return (row) => row[only] || null;
  return (row) => keyOf(indexes.map((index) => row[index] ?? null));
};

const compileScope = (source: SourceMapping): ((row: RawRow) => StandardizedRow['scope']) => {
  if (source.scope === undefined) return () => '';
  const parts = Object.entries(source.scope).map(
    ([name, column]) => [name, columnIndex(source.columns, column)] as const,
  );
  return (row) => Object.fromEntries(parts.map(([name, index]) => [name, (row[index] ?? '').trim()]));
};

const problemOf = (at: RowReading, field: string | null, problem: StepProblem): RowProblem => ({
  row: at.position,
  key: at.key,
  field,
  ...problem,
});

/** Runs the rules of a row: the first one that rejects it, or null. Blanked values and warnings are noted. */
const applyRules = (rules: readonly RowRule[], at: RowReading): RowProblem | null => {
  for (const rule of rules) {
    const broken = rule.broken(at.row);
    if (broken === null) continue;
    const problem = { reason: rule.name, detail: broken };
    if (rule.severity === 'reject') return problemOf(at, rule.field, problem);
    noteProblem(at, rule.field, problem);
    if (rule.severity === 'blank_and_warn') (at.blanked ??= new Set()).add(rule.column);
  }
  return null;
};

/** A separator or NUL would make two keys one, or be refused by the database. Several key cells are joined by it. */
const isBadKey = (row: RawRow, keyColumns: readonly number[]): boolean =>
  keyColumns.some((index) => badKey.test(row[index] ?? ''));

interface Readers {
  readonly source: SourceMapping;
  readonly keyColumns: readonly number[];
  readonly keyOfRow: (row: RawRow) => string | null;
  readonly scopeOf: (row: RawRow) => StandardizedRow['scope'];
  readonly isOurs: ((row: RawRow) => boolean) | null;
  readonly rules: readonly RowRule[];
  readonly templates: readonly CompiledTemplate[];
  readonly placesRestrictions: boolean;
}

const restrictionsOf = (readers: Readers, row: RawRow): readonly PlacedRestriction[] =>
  readers.placesRestrictions ? readers.templates.flatMap((template) => template.restrictionsOf(row)) : none;

/** Reads the records of a row that is ours: the first reason to reject it, or null. */
const readRecords = (readers: Readers, at: RowReading, records: CanonicalRecord[]): RowProblem | null => {
  if (at.row.length !== readers.source.columns.length) return problemOf(at, null, fieldCount);
  if (at.key === null) return problemOf(at, readers.source.key.join(' + '), keyMissing);
  if (isBadKey(at.row, readers.keyColumns)) return problemOf(at, readers.source.key.join(' + '), keyInvalid);
  const rejected = readers.rules.length === 0 ? null : applyRules(readers.rules, at);
  if (rejected !== null) return rejected;
  for (const template of readers.templates) {
    const record = template.read(at);
    if (record === null) continue;
    if ('reason' in record) return problemOf(at, null, record);
    records.push(record);
  }
  return null;
};

const standardizer =
  (readers: Readers): CompiledSource['standardize'] =>
  (row, position = '') => {
    const key = readers.keyOfRow(row);
    const scope = readers.scopeOf(row);
    const restrictions = restrictionsOf(readers, row);
    if (readers.isOurs !== null && !readers.isOurs(row)) {
      return { key, scope, filtered: true, rejected: null, problems: none, records: none, restrictions };
    }
    const at: RowReading = { row, position, key, blanked: null, problems: null };
    const records: CanonicalRecord[] = [];
    const rejected = readRecords(readers, at, records);
    const problems = at.problems ?? none;
    return {
      key,
      scope,
      filtered: false,
      rejected,
      problems,
      records: rejected === null ? records : none,
      restrictions,
    };
  };

/** Compiles the source part of a mapping once, so that each row costs little.
 *  @throws SyncError configuration_invalid (nothing else: rows never throw) */
export const compileSource = (
  mapping: MappingDefinition,
  entityTypes: readonly EntityTypeDefinition[],
  codeTables: readonly CodeTableDefinition[],
): CompiledSource => {
  const { source } = mapping;
  if (source === undefined) throw new SyncError('configuration_invalid', `mapping ${mapping.name} has no source part`);
  const context = contextOf(mapping, codeTables);
  const { rowRules, setRules } = compileRules(source.rules ?? [], source.columns, context);
  const readersOf = (read: SourceMapping, rules: readonly RowRule[]): Readers => ({
    source: read,
    keyColumns,
    keyOfRow: compileKey(read.columns, read.key),
    scopeOf: compileScope(read),
    isOurs: read.filter === undefined ? null : compileRowCondition(read.filter, read.columns),
    rules,
    templates: read.records.map((template) =>
      compileTemplate(template, { mapping, source: read, entityTypes, context }),
    ),
    placesRestrictions: read.records.some((record) => (record.restrictions ?? []).length > 0),
  });
  const keyColumns = source.key.map((column) => columnIndex(source.columns, column));
  const readers = readersOf(source, rowRules);
  const copied = copiedGroups(source, entityTypes, rowRules);
  const restRules = copied === null ? [] : compileRules(copied.rest.rules ?? [], source.columns, context).rowRules;
  return {
    mapping,
    columns: source.columns,
    keyColumns,
    templates: readers.templates.map(({ entityType, subKey }) => ({ entityType, subKey })),
    setRules,
    copied: copied === null ? null : { ...copied, standardize: standardizer(readersOf(copied.rest, restRules)) },
    standardize: standardizer(readers),
  };
};

/** What steps and rules of a mapping are compiled against. */
export const contextOf = (mapping: MappingDefinition, codeTables: readonly CodeTableDefinition[]): StepContext => ({
  codeTables: new Map(codeTables.map((table) => [table.name, table])),
  system: mapping.system,
  codeTable: null,
});

/** The statements of one image derived again from its stored raw row; null where the row makes no such record (any more). */
export const deriveRecord = (
  source: CompiledSource,
  raw: RawRow,
  entityType: string,
  subKey: string,
): CanonicalRecord | null =>
  source.standardize(raw).records.find((record) => record.entityType === entityType && record.subKey === subKey) ??
  null;

/** Brings a raw row that was stored under other columns into the order of these: what is new is null, what is gone is left out. */
export const reorderRow = (from: readonly string[], to: readonly string[]): ((row: RawRow) => RawRow) => {
  const indexes = to.map((column) => from.indexOf(column));
  return (row) => indexes.map((index) => (index < 0 ? null : (row[index] ?? null)));
};
