import { EMPTY } from './canonical.js';
import type { CanonicalRecord } from './canonical-record.js';
import { compileRecordCondition, fieldsOf } from './condition.js';
import { copiedColumn, type CopiedColumn } from './copied-columns.js';
import type { EntityTypeDefinition } from './entity-type.js';
import { SyncError } from './errors.js';
import type { CodeTableDefinition } from './job-definition.js';
import { compileSource, contextOf } from './mapping.js';
import type { MappingDefinition, TargetColumn, TargetKey, TargetMapping } from './mapping-definition.js';
import { compilePath, type RecordPath } from './paths.js';
import { compileColumn, type ColumnSite, type CompiledColumn, type Projected } from './projection-columns.js';
import type { NeededPaths, NeededReference, ProjectedPath, ReferencedValues, Values } from './projection-paths.js';
import type { Cell, RawRow } from './rows.js';
import { compilePeriod, standingOn, type PeriodReader, type Standing } from './validity.js';

/** Why a row cannot be written as it should be. `detail` never holds a value. */
export interface ProjectionProblem {
  readonly column: string | null;
  readonly reason: string;
  readonly detail: string;
}

export interface Projection {
  /** The cells in the order of `columns`; null: there is to be no row (or, where there are problems, none is written). */
  readonly row: Cell[] | null;
  /** The next date on which the projection changes though nothing was changed. */
  readonly nextDue: string | null;
  readonly problems: readonly ProjectionProblem[];
}

/** The part of a target's rows that is copied, and what makes the rest. */
export interface CopiedColumns {
  /** In the order of the target's columns; null: to be written. */
  readonly columns: readonly (CopiedColumn | null)[];
  /** Positions of the root's groups of which the rest is made. */
  readonly needed: readonly number[];
  /** As `project` of those groups alone, copied cells being null whatever they should be. Null where there is no rest: all
   *  columns are copied, and each record has its row always. */
  readonly rest: CompiledTarget['project'] | null;
}

export interface CompiledTarget {
  readonly mapping: MappingDefinition;
  readonly target: TargetMapping;
  /** All columns of a row, in the order in which they are written. */
  readonly columns: readonly string[];
  readonly keyColumns: readonly string[];
  /** Where the cells of the key columns come from, in their order; those with `from` are filled by `project`. */
  readonly keys: readonly TargetKey[];
  readonly createOnlyColumns: readonly string[];
  readonly root: string;
  /** Positions of the root's groups that are read. */
  readonly rootGroups: readonly number[];
  /** The other records that are read; a parent comes before what is reached through it. */
  readonly references: readonly NeededReference[];
  /** The target row of a record on a date. Pure. `keyCells`: in the order of `keyColumns`; `current`: the target's row as it
   *  is now in the order of `columns`, so that its own code for the same concept stays. */
  readonly project: (
    root: Values,
    referenced: ReferencedValues,
    asOf: string,
    keyCells: readonly Cell[],
    current?: RawRow | null,
  ) => Projection;
  /** Null where nothing is copied, or other records are read. */
  readonly copied: CopiedColumns | null;
  /** A target row as the source part of the mapping reads it; what is not written stays as in `current` (a raw row in the
   *  source's column order). Null where the mapping has no source part. */
  readonly toSourceRow: (row: RawRow, current?: RawRow | null) => RawRow | null;
  /** What the target states of the root after it holds the row: in(out(golden)). Null where it is not read, or reads nothing. */
  readonly statedFromTarget: (row: RawRow, current?: RawRow | null) => CanonicalRecord | null;
}

const invalid = (message: string): SyncError => new SyncError('configuration_invalid', message);

/** Columns in the order of writing: as listed; key columns that are not listed come first. */
const orderedColumns = (target: TargetMapping): TargetColumn[] => {
  const listed = new Set(target.columns.map(({ column }) => column));
  return [
    ...target.key.filter(({ column }) => !listed.has(column)).map(({ column }) => ({ column })),
    ...target.columns,
  ];
};

const withKeySource = (column: TargetColumn, keys: readonly TargetKey[]): TargetColumn => {
  const from = keys.find((key) => key.column === column.column)?.from;
  if (from === undefined) return column;
  if (column.from !== undefined && column.from !== from) throw invalid(`key column ${column.column} has two origins`);
  return { ...column, from };
};

const earlier = (left: string | null, right: string | null): string | null =>
  left === null ? right : right === null || left <= right ? left : right;

interface Parts {
  readonly target: TargetMapping;
  readonly columns: readonly CompiledColumn[];
  /** For each column its position among the key columns, or -1. */
  readonly keyPositions: readonly number[];
  readonly references: readonly NeededReference[];
  readonly readPeriod: PeriodReader | null;
  readonly isWanted: ((values: Values, asOf: string) => boolean) | null;
  /** Paths into groups whose values hold for a time. */
  readonly timed: readonly ProjectedPath[];
}

const always: Standing = { holds: true, nextChange: null };
const absent: Projection = { row: null, nextDue: null, problems: [] };

const standingOf = ({ readPeriod, target }: Parts, root: Values, asOf: string): Standing | null => {
  if (readPeriod === null) return always;
  const period = readPeriod(root);
  return period === null ? null : standingOn(period.from, period.to, asOf, target.leadDays, target.lagDays);
};

const missingReference = (parts: Parts, from: Projected): ProjectionProblem | null => {
  for (const reference of parts.references) {
    const parent = reference.parent === '' ? from.root : from.referenced[reference.parent];
    const stated = parent?.[reference.group] ?? null;
    const values = from.referenced[reference.path] ?? null;
    if (stated !== null && stated !== EMPTY && values === null && saysReference(stated, reference)) {
      return { column: null, reason: 'reference_missing', detail: `the record under ${reference.path} is not there` };
    }
  }
  return null;
};

/** Within canonical text a quoted name before a colon and a quote can only be a member: quotes in texts are escaped. */
const saysReference = (stated: string, { attribute }: NeededReference): boolean =>
  attribute === null || stated.includes(`${JSON.stringify(attribute)}:"`);

const writeCells = (parts: Parts, from: Projected, keyCells: readonly Cell[], current: RawRow | null): Projection => {
  const row: Cell[] = [];
  const problems: ProjectionProblem[] = [];
  for (let index = 0; index < parts.columns.length; index += 1) {
    const column = parts.columns[index];
    if (column === undefined) continue;
    const keyPosition = parts.keyPositions[index] ?? -1;
    const cell = column.write === null ? (keyCells[keyPosition] ?? null) : column.write(from, current?.[index] ?? null);
    if (cell !== null && typeof cell !== 'string') problems.push({ column: column.column, ...cell });
    else if (keyPosition >= 0 && (cell === null || cell === '')) {
      problems.push({ column: column.column, reason: 'key_missing', detail: 'the key of the target row has no value' });
    } else row.push(cell);
  }
  return { row: problems.length > 0 ? null : row, nextDue: null, problems };
};

const nextChangeOf = (parts: Parts, from: Projected): string | null =>
  parts.timed.reduce<string | null>((next, { reference, leaf }) => {
    const values = reference === '' ? from.root : (from.referenced[reference] ?? []);
    return earlier(next, leaf.nextChange(values, from.asOf));
  }, null);

const projector =
  (parts: Parts): CompiledTarget['project'] =>
  (root, referenced, asOf, keyCells, current = null) => {
    const from: Projected = { root, referenced, asOf };
    const standing = standingOf(parts, root, asOf);
    if (standing === null) {
      const problem = { column: null, reason: 'validity_unreadable', detail: 'the dates of the record are no dates' };
      return { ...absent, problems: [problem] };
    }
    const nextDue =
      parts.timed.length === 0 ? standing.nextChange : earlier(standing.nextChange, nextChangeOf(parts, from));
    const wanted = standing.holds && (parts.isWanted === null || parts.isWanted(root, asOf));
    if (!wanted) return nextDue === null ? absent : { ...absent, nextDue };
    const missing = parts.references.length === 0 ? null : missingReference(parts, from);
    if (missing !== null) return { row: null, nextDue, problems: [missing] };
    const written = writeCells(parts, from, keyCells, current);
    return nextDue === null ? written : { ...written, nextDue };
  };

const notCopied: CompiledColumn['write'] = () => null;

const compileCopied = (
  parts: Parts,
  copied: CopiedColumns['columns'],
  conditional: readonly number[],
): CopiedColumns | null => {
  if (parts.references.length > 0 || copied.every((column) => column === null)) return null;
  const written = parts.columns.filter((_, index) => copied[index] === null);
  const groups = new Set([...conditional, ...written.flatMap(({ paths }) => paths.map(({ leaf }) => leaf.group))]);
  const isAlways = parts.readPeriod === null && parts.isWanted === null && parts.timed.length === 0;
  const rest = {
    ...parts,
    columns: parts.columns.map((column, index) => (copied[index] === null ? column : { ...column, write: notCopied })),
    keyPositions: parts.keyPositions.map((position, index) => (copied[index] === null ? position : -1)),
  };
  return {
    columns: copied,
    needed: [...groups].sort((left, right) => left - right),
    rest: isAlways && written.length === 0 ? null : projector(rest),
  };
};

/** How target rows are read back by the source part of the same mapping. */
const compileReadBack = (
  mapping: MappingDefinition,
  columns: readonly string[],
  entityTypes: readonly EntityTypeDefinition[],
  codeTables: readonly CodeTableDefinition[],
): Pick<CompiledTarget, 'toSourceRow' | 'statedFromTarget'> => {
  if (mapping.source === undefined) return { toSourceRow: () => null, statedFromTarget: () => null };
  const source = compileSource(mapping, entityTypes, codeTables);
  const written = source.columns.map((column) => columns.indexOf(column));
  const toSourceRow = (row: RawRow, current: RawRow | null = null): RawRow =>
    written.map((index, position) => (index < 0 ? (current?.[position] ?? null) : (row[index] ?? null)));
  return {
    toSourceRow,
    statedFromTarget: (row, current = null) => {
      const { records } = source.standardize(toSourceRow(row, current));
      return records.find(({ entityType, subKey }) => entityType === mapping.target?.root && subKey === '') ?? null;
    },
  };
};

const checkKeys = (mapping: MappingDefinition, target: TargetMapping, columns: readonly CompiledColumn[]): void => {
  if (target.key.length === 0) throw invalid(`target ${mapping.name} has no key`);
  const keys = new Set(target.key.map(({ column }) => column));
  const idle = columns.find(({ column, write }) => write === null && !keys.has(column));
  if (idle !== undefined) throw invalid(`column ${idle.column} of target ${mapping.name} has no origin`);
  const names = columns.map(({ column }) => column);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw invalid(`column ${twice} of target ${mapping.name} is listed twice`);
};

const rootOf = (target: TargetMapping, entityTypes: readonly EntityTypeDefinition[]): EntityTypeDefinition => {
  const root = entityTypes.find(({ name }) => name === target.root);
  if (root === undefined) throw invalid(`there is no entity type ${target.root}`);
  return root;
};

/** The filter, its groups noted as needed and its timed paths added. */
const compileFilter = (target: TargetMapping, root: EntityTypeDefinition, needed: NeededPaths): RecordPath[] => {
  const paths = target.filter === undefined ? [] : fieldsOf(target.filter).map((field) => compilePath(root, field));
  for (const { group } of paths) needed.rootGroups.add(group);
  return paths;
};

const timedPaths = (columns: readonly CompiledColumn[], filterPaths: readonly RecordPath[]): ProjectedPath[] =>
  [...columns.flatMap(({ paths }) => paths), ...filterPaths.map((leaf) => ({ reference: '', leaf }))].filter(
    ({ leaf }) => leaf.timed,
  );

/** Compiles the target part of a mapping. @throws SyncError configuration_invalid */
export const compileTarget = (
  mapping: MappingDefinition,
  entityTypes: readonly EntityTypeDefinition[],
  codeTables: readonly CodeTableDefinition[],
): CompiledTarget => {
  const { target } = mapping;
  if (target === undefined) throw invalid(`mapping ${mapping.name} has no target part`);
  const root = rootOf(target, entityTypes);
  const needed: NeededPaths = { rootGroups: new Set(), references: new Map() };
  const site: ColumnSite = { root, entityTypes, context: contextOf(mapping, codeTables), needed };
  const declared = orderedColumns(target).map((column) => withKeySource(column, target.key));
  const columns = declared.map((column) => compileColumn(column, site));
  checkKeys(mapping, target, columns);
  const period = compilePeriod(root);
  for (const group of period?.groups ?? []) needed.rootGroups.add(group);
  const filterPaths = compileFilter(target, root, needed);
  const filter = target.filter === undefined ? null : compileRecordCondition(target.filter, root);
  const names = columns.map(({ column }) => column);
  const keyColumns = target.key.map(({ column }) => column);
  const references = [...needed.references.values()];
  const parts: Parts = {
    target,
    columns,
    keyPositions: names.map((name) => keyColumns.indexOf(name)),
    references,
    readPeriod: period?.read ?? null,
    isWanted: filter === null ? null : (values, asOf) => filter({ values, asOf }),
    timed: timedPaths(columns, filterPaths),
  };
  return {
    mapping,
    target,
    columns: names,
    keyColumns,
    keys: target.key,
    createOnlyColumns: columns.filter(({ createOnly }) => createOnly).map(({ column }) => column),
    root: root.name,
    rootGroups: [...needed.rootGroups].sort((left, right) => left - right),
    references,
    project: projector(parts),
    copied: compileCopied(
      parts,
      declared.map((column) => copiedColumn(column, root)),
      [...(period?.groups ?? []), ...filterPaths.map(({ group }) => group)],
    ),
    ...compileReadBack(mapping, names, entityTypes, codeTables),
  };
};
