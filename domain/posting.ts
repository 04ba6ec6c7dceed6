import { encodeScalar } from './canonical-text.js';
import { compileRowCondition, fieldsOf } from './condition.js';
import type { AttributeDefinition, AttributeType, EntityTypeDefinition } from './entity-type.js';
import type { CodeTableDefinition } from './job-definition.js';
import { contextOf, type CompiledSource } from './mapping.js';
import type {
  FieldMapping,
  RecordTemplate,
  SourceMapping,
  StandardizerStep,
  TargetColumn,
  TargetMapping,
} from './mapping-definition.js';
import { columnIndex, compileField, noteProblem, type RowReading } from './mapping-fields.js';
import { isFieldMapping } from './mapping-groups.js';
import { resolvePath } from './paths.js';
import {
  compileLines,
  type FieldForm,
  type PostedLines,
  type StraightColumn,
  type StraightField,
} from './posting-lines.js';
import type { CompiledTarget, ProjectionProblem } from './projection.js';
import { quickDate, quickDecimal, quickScaled, quickTimestamp } from './quick-forms.js';
import { compileRules, type RowRule } from './rules.js';
import { keyOf, keySeparator, type Cell, type RawRow, type RowProblem } from './rows.js';
import type { StepContext, StepProblem, TextStep } from './standardizer-options.js';
import { compileSteps, stepProblems } from './standardizers.js';

/** What a source row of a posted type becomes in each of the targets. */
export interface Posting {
  readonly key: string | null;
  readonly filtered: boolean;
  readonly rejected: RowProblem | null;
  /** Values that were blanked, and warnings. */
  readonly problems: readonly RowProblem[];
  /** A row a target, in their order: null where that target does not want it, or has a problem with it. */
  readonly rows: readonly (Cell[] | null)[];
  /** A problem a target; null where there is none. */
  readonly unwritable: readonly (ProjectionProblem | null)[];
}

export type Poster = (row: RawRow, position?: string) => Posting;

export interface CompiledPosting {
  /** Whether rows go straight from cells to cells. */
  readonly straight: boolean;
  readonly post: Poster;
  /** The same for lines of text; null where rows do not go straight. */
  readonly lines: PostedLines | null;
}

const none: readonly never[] = [];

/** Compiles what `standardize` and `project` do one after the other into one step, for types without golden records. Where
 *  every group is one attribute read from one field, no canonical record is made in between (four times as fast); all else
 *  goes the long way. Both ways give the same (a property test).
 *  @throws SyncError configuration_invalid */
export const compilePosting = (
  source: CompiledSource,
  targets: readonly CompiledTarget[],
  entityTypes: readonly EntityTypeDefinition[],
  codeTables: readonly CodeTableDefinition[],
  asOf: string,
): CompiledPosting => {
  const straight = compileStraight(source, targets, entityTypes, codeTables, asOf);
  return straight ?? { straight: false, post: compileLong(source, targets, asOf), lines: null };
};

const compileLong = (source: CompiledSource, targets: readonly CompiledTarget[], asOf: string): Poster => {
  const main = source.mapping.source?.records.findIndex((record) => (record.subKey ?? '') === '') ?? 0;
  const entityType = source.templates[main]?.entityType;
  return (row, position) => {
    const { key, filtered, rejected, problems, records } = source.standardize(row, position);
    const record = records.find((one) => one.entityType === entityType && one.subKey === '');
    const rows: (Cell[] | null)[] = [];
    const unwritable: (ProjectionProblem | null)[] = [];
    if (record !== undefined) {
      for (const target of targets) {
        const keyCells = target.keys.map((declared): Cell => {
          if (declared.identifier === undefined || declared.of !== undefined) return null;
          return record.identifiers.find(({ scheme }) => scheme === declared.identifier)?.value ?? null;
        });
        const projected = target.project(record.values, {}, asOf, keyCells);
        rows.push(projected.row);
        unwritable.push(projected.problems[0] ?? null);
      }
    }
    return {
      key,
      filtered: filtered || (rejected === null && record === undefined),
      rejected,
      problems,
      rows,
      unwritable,
    };
  };
};

const isPlainTemplate = (template: RecordTemplate): boolean =>
  (template.subKey ?? '') === '' &&
  template.when === undefined &&
  template.effectiveAt === undefined &&
  Object.keys(template.identifiers ?? {}).length === 0 &&
  Object.keys(template.references ?? {}).length === 0 &&
  (template.restrictions ?? []).length === 0;

const isPlainType = (type: EntityTypeDefinition): boolean =>
  type.validity === undefined && (type.naturalKey ?? []).length === 0 && type.corroboration === undefined;

const straightFields = (
  template: RecordTemplate,
  type: EntityTypeDefinition,
  source: SourceMapping,
  context: StepContext,
): StraightField[] | null => {
  const fields: StraightField[] = [];
  for (const [index, group] of type.groups.entries()) {
    const mapped = template.groups[group.name];
    if (mapped === undefined) continue;
    const [attribute, another] = group.attributes;
    if (attribute === undefined || another !== undefined || group.multiValued === true) return null;
    if (attribute.type === 'reference' || !isFieldMapping(mapped) || mapped.separator !== undefined) return null;
    const { read } = compileField(mapped, attribute, source.columns, context);
    const quick = quickOf(mapped, attribute, source);
    const named = mapped.fromAll ?? (mapped.from === undefined ? [] : [mapped.from]);
    fields.push({
      ...{ group: index, attribute, label: labelOf(mapped), read, quick },
      columns: mapped.constant === undefined ? named.map((column) => columnIndex(source.columns, column)) : [],
      form: quick === null ? textForm(mapped, attribute) : quick.form,
    });
  }
  return fields;
};

const quickReadings = { date: quickDate, decimal: quickDecimal, timestamp: quickTimestamp } as const;
const hasQuickReading = (type: AttributeType): type is keyof typeof quickReadings => Object.hasOwn(quickReadings, type);

/** Only where the steps are the type's own in their default form. */
const quickOf = (
  field: FieldMapping,
  attribute: AttributeDefinition,
  source: SourceMapping,
): (StraightField['quick'] & { readonly form: keyof typeof quickReadings }) | null => {
  const form = attribute.type;
  if (!hasQuickReading(form) || field.from === undefined || !isOneColumn(field)) return null;
  if (!isDefaultStep(field, form)) return null;
  return { index: source.columns.indexOf(field.from), read: quickReadings[form], form };
};

const isOneColumn = ({ from, fromAll, constant }: FieldMapping): boolean =>
  from !== undefined && fromAll === undefined && constant === undefined;

/** No step at all, or only this one without options. */
const isDefaultStep = ({ steps = [] }: FieldMapping, use: string): boolean =>
  steps.length <= 1 && steps.every((step) => step.use === use && Object.keys(step).length === 1);

/** The texts of attributes that take them as they come. */
const textForm = (field: FieldMapping, { type, codeTable }: AttributeDefinition): FieldForm | null => {
  const isText = type === 'text' || (type === 'code' && codeTable === undefined);
  if (!isText || !isOneColumn(field) || !isDefaultStep(field, 'trim')) return null;
  return (field.steps ?? []).length === 0 ? 'copied' : 'trimmed';
};

const labelOf = (field: FieldMapping): string | null => field.from ?? field.fromAll?.join(' + ') ?? null;

const orderedColumns = (target: TargetMapping): TargetColumn[] => {
  const listed = new Map(target.columns.map((column) => [column.column, column]));
  const own = target.key.filter(({ column }) => !listed.has(column)).map(({ column }): TargetColumn => ({ column }));
  return [...own, ...target.columns].map((column) => {
    const from = target.key.find((key) => key.column === column.column)?.from;
    return from === undefined ? column : { ...column, from };
  });
};

/** A code is written in the system's own codes where its table has such and no step says otherwise. */
const writingSteps = (
  column: TargetColumn,
  attribute: AttributeDefinition,
  context: StepContext,
): readonly StandardizerStep[] => {
  const steps = column.steps ?? [];
  if (attribute.type !== 'code' || attribute.codeTable === undefined || steps.some(({ use }) => use === 'code'))
    return steps;
  const own: StandardizerStep = { use: 'code' };
  return stepProblems(own, { ...context, codeTable: attribute.codeTable }).length === 0 ? [own, ...steps] : steps;
};

interface StraightPath {
  readonly group: number;
  readonly steps: TextStep | null;
}

const straightPath = (
  path: string,
  column: TargetColumn,
  type: EntityTypeDefinition,
  context: StepContext,
): StraightPath | null => {
  const resolved = resolvePath(type, path);
  if (typeof resolved === 'string' || resolved.rest !== null || resolved.selector !== null) return null;
  const { attribute, group } = resolved;
  if (attribute === null || type.groups[group]?.multiValued === true) return null;
  const steps = writingSteps(column, attribute, context);
  if (steps.length === 0) return { group, steps: null };
  return { group, steps: compileSteps(steps, 'write', { ...context, codeTable: attribute.codeTable ?? null }) };
};

const fits = (cell: Cell | StepProblem, maxLength: number | undefined): boolean =>
  maxLength === undefined ||
  typeof cell !== 'string' ||
  cell.length <= maxLength ||
  Array.from(cell).length <= maxLength;

/** The places that a decimal is written with, where that is all that is done to it. */
const quickScaleOf = ({ steps = [], maxLength }: TargetColumn): number | null => {
  const [step, another] = steps;
  if (step?.use !== 'decimal' || another !== undefined || maxLength !== undefined) return null;
  return typeof step['scale'] === 'number' && Object.keys(step).length === 2 ? step['scale'] : null;
};

const straightColumn = (
  column: TargetColumn,
  site: {
    readonly key: boolean;
    readonly type: EntityTypeDefinition;
    readonly context: StepContext;
    readonly asOf: string;
  },
): StraightColumn | null => {
  const { key, type, context, asOf } = site;
  const { maxLength } = column;
  const moment = { asOf, own: null };
  const scale = quickScaleOf(column);
  const asWritten = { places: scale, maxLength: maxLength ?? null };
  const written = (steps: TextStep | null, text: string): Cell | StepProblem => {
    const quick = scale === null ? null : quickScaled(text, scale);
    if (quick !== null) return quick;
    const cell = (steps === null ? text : steps(text, moment)) || null;
    return fits(cell, maxLength)
      ? cell
      : { reason: 'value_too_long', detail: `the target takes ${String(maxLength)} characters` };
  };
  if (column.constant !== undefined) {
    const constant = written(compileSteps(column.steps ?? [], 'write', context), column.constant);
    return { column: column.column, key, groups: [], plain: -1, ...asWritten, bare: true, write: () => constant };
  }
  const named = column.from === undefined ? (column.firstOf ?? []) : [column.from];
  const paths = named.map((path) => straightPath(path, column, type, context));
  const straight = paths.filter((path): path is StraightPath => path !== null);
  const [only, another] = straight;
  if (only === undefined || straight.length < paths.length) return null;
  const plain = another === undefined && only.steps === null && maxLength === undefined ? only.group : -1;
  const write: StraightColumn['write'] = (texts) => {
    for (const { group, steps } of straight) {
      const text = texts[group] ?? null;
      const cell = text === null ? null : written(steps, text);
      if (cell !== null) return cell;
    }
    return null;
  };
  const groups = straight.map(({ group }) => group);
  return { column: column.column, key, groups, plain, ...asWritten, bare: only.steps === null, write };
};

const straightTarget = (
  target: CompiledTarget,
  type: EntityTypeDefinition,
  codeTables: readonly CodeTableDefinition[],
  asOf: string,
): readonly StraightColumn[] | null => {
  if (target.target.filter !== undefined || target.references.length > 0 || target.root !== type.name) return null;
  if (target.keys.some((key) => key.from === undefined)) return null;
  const context = contextOf(target.mapping, codeTables);
  const keys = new Set(target.keyColumns);
  const columns = orderedColumns(target.target).map((column) =>
    straightColumn(column, { key: keys.has(column.column), type, context, asOf }),
  );
  const straight = columns.filter((column): column is StraightColumn => column !== null);
  return straight.length < columns.length ? null : straight;
};

const isTimed = (type: EntityTypeDefinition): boolean => type.groups.some((group) => group.validity !== undefined);

const badKey = new RegExp(`[\\u0000${keySeparator}]`);
const fieldCount: StepProblem = {
  reason: 'field_count',
  detail: 'the row does not have the declared number of fields',
};
const keyMissing: StepProblem = { reason: 'key_missing', detail: 'a key column is blank' };
const keyInvalid: StepProblem = { reason: 'key_invalid', detail: 'the key holds a control character' };
const unstorable: StepProblem = {
  reason: 'character_invalid',
  detail: 'the value holds a character that cannot be stored',
};
const keyUnwritable = (column: string): ProjectionProblem => ({
  column,
  reason: 'key_missing',
  detail: 'the key of the target row has no value',
});

const problemOf = (at: RowReading, field: string | null, problem: StepProblem): RowProblem => ({
  row: at.position,
  key: at.key,
  field,
  ...problem,
});

const brokenRule = (rules: readonly RowRule[], at: RowReading): RowProblem | null => {
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

/** A NUL, or half of a pair: `encodeScalar` says whether the text can be stored. */
const suspicious = /[^\t-\ud7ff\ue000-\uffff]/;

/** Fills `texts`: what each group says, null where it says nothing. */
const readTexts = (fields: readonly StraightField[], at: RowReading, texts: (string | null)[]): void => {
  for (let index = 0; index < fields.length; index += 1) {
    const field = fields[index];
    if (field === undefined) continue;
    texts[field.group] = readText(field, at);
  }
};

const readText = (field: StraightField, at: RowReading): string | null => {
  const { quick } = field;
  return (quick === null || at.blanked !== null ? null : quick.read(at.row[quick.index] ?? '')) ?? fullText(field, at);
};

const fullText = ({ attribute, label, read }: StraightField, at: RowReading): string | null => {
  const text = read(at);
  if (text === null || text === '') return null;
  if (!suspicious.test(text) || encodeScalar(attribute.type, text) !== null) return text;
  noteProblem(at, label, unstorable);
  return null;
};

/** What a column that is written takes: a problem is told, and there is no row. */
const projectTexts = (
  columns: readonly StraightColumn[],
  texts: readonly (string | null)[],
  row: Cell[],
): ProjectionProblem | null => {
  for (let index = 0; index < columns.length; index += 1) {
    const column = columns[index];
    if (column === undefined) continue;
    const cell = column.plain >= 0 ? (texts[column.plain] ?? null) : column.write(texts);
    if (cell !== null && typeof cell !== 'string') return { column: column.column, ...cell };
    if (column.key && (cell === null || cell === '')) return keyUnwritable(column.column);
    row.push(cell);
  }
  return null;
};

const compileStraight = (
  source: CompiledSource,
  targets: readonly CompiledTarget[],
  entityTypes: readonly EntityTypeDefinition[],
  codeTables: readonly CodeTableDefinition[],
  asOf: string,
): CompiledPosting | null => {
  const declared = source.mapping.source;
  const [template, another] = declared?.records ?? [];
  if (declared === undefined || template === undefined || another !== undefined || !isPlainTemplate(template))
    return null;
  const type = entityTypes.find(({ name }) => name === template.entityType);
  if (type === undefined || !isPlainType(type) || isTimed(type)) return null;
  const context = contextOf(source.mapping, codeTables);
  const fields = straightFields(template, type, declared, context);
  if (fields === null) return null;
  const compiled = targets.map((target) => straightTarget(target, type, codeTables, asOf));
  const straight = compiled.filter((target): target is readonly StraightColumn[] => target !== null);
  if (straight.length < targets.length) return null;

  const rowRules = compileRules(declared.rules ?? [], declared.columns, context).rowRules;
  const isOurs = declared.filter === undefined ? null : compileRowCondition(declared.filter, declared.columns);
  const writable: readonly (ProjectionProblem | null)[] = straight.map(() => null);
  // Used again for every row: nothing of it outlives the row.
  const texts = new Array<string | null>(type.groups.length).fill(null);
  const keyName = declared.key.join(' + ');
  const [onlyKey, secondKey] = source.keyColumns;
  const keyIn = (row: RawRow): string | null =>
    onlyKey !== undefined && secondKey === undefined
      ? row[onlyKey] || null
      : keyOf(source.keyColumns.map((index) => row[index] ?? null));
  const reject = (at: RowReading): RowProblem | null => {
    if (at.row.length !== declared.columns.length) return problemOf(at, null, fieldCount);
    if (at.key === null) return problemOf(at, keyName, keyMissing);
    if (source.keyColumns.some((index) => badKey.test(at.row[index] ?? ''))) return problemOf(at, keyName, keyInvalid);
    return brokenRule(rowRules, at);
  };
  const aside = (at: RowReading, filtered: boolean, rejected: RowProblem | null): Posting => ({
    ...{ key: at.key, filtered, rejected, problems: at.problems ?? none, rows: none, unwritable: none },
  });
  const post: Poster = (row, position = '') => {
    const at: RowReading = { row, position, key: keyIn(row), blanked: null, problems: null };
    if (isOurs !== null && !isOurs(row)) return aside(at, true, null);
    const rejected = reject(at);
    if (rejected !== null) return aside(at, false, rejected);
    readTexts(fields, at, texts);
    const rows: (Cell[] | null)[] = [];
    let unwritable = writable;
    for (const [place, target] of straight.entries()) {
      const cells: Cell[] = [];
      const problem = projectTexts(target, texts, cells);
      rows.push(problem === null ? cells : null);
      if (problem !== null) unwritable = unwritable.with(place, problem);
    }
    return { key: at.key, filtered: false, rejected: null, problems: at.problems ?? none, rows, unwritable };
  };
  const needs =
    declared.filter === undefined ? [] : fieldsOf(declared.filter).map((name) => declared.columns.indexOf(name));
  const lines = compileLines({
    columns: declared.columns.length,
    keys: source.keyColumns,
    filter: isOurs === null ? null : { needs, isOurs },
    rules: rowRules,
    fields,
    targets: straight,
    textOf: readText,
  });
  return { straight: true, post, lines };
};
