import type { AttributeDefinition } from './entity-type.js';
import { SyncError } from './errors.js';
import type { FieldMapping } from './mapping-definition.js';
import type { RawRow, RowProblem } from './rows.js';
import type { StepContext, StepProblem, TextStep } from './standardizer-options.js';
import { compileSteps, reading, stepsFor } from './standardizers.js';

/** What is found out about a row while it is read. One object a row, filled by the readers of its fields. */
export interface RowReading {
  readonly row: RawRow;
  readonly position: string;
  readonly key: string | null;
  /** Columns whose value a rule took away. */
  blanked: Set<number> | null;
  /** Null until there is one: most rows have none. */
  problems: RowProblem[] | null;
}

/** Reads a text: '' for a blank; null where a value is there but cannot be used, so that nothing may be said about it. */
export type FieldReader = (reading: RowReading) => string | null;

export interface CompiledField {
  readonly read: FieldReader;
  readonly constant: boolean;
  /** A blank says that the value is explicitly empty. */
  readonly emptyWhenBlank: boolean;
}

/** Adds a problem of a row, once for each field and reason: several attributes may read one column. */
export const noteProblem = (at: RowReading, field: string | null, problem: StepProblem): void => {
  at.problems ??= [];
  if (at.problems.some((noted) => noted.field === field && noted.reason === problem.reason)) return;
  at.problems.push({ row: at.position, key: at.key, field, ...problem });
};

/** The position of a column. @throws SyncError configuration_invalid where the mapping does not list it */
export const columnIndex = (columns: readonly string[], column: string): number => {
  const index = columns.indexOf(column);
  if (index < 0)
    throw new SyncError('configuration_invalid', `the column ${column} is not among the columns of the source`);
  return index;
};

const settle = (result: string | StepProblem, at: RowReading, field: string): string | null => {
  if (typeof result === 'string') return result;
  noteProblem(at, field, result);
  return null;
};

const columnReader = (index: number, column: string, steps: TextStep | null): FieldReader => {
  if (steps === null) return (at) => (at.blanked?.has(index) === true ? null : (at.row[index] ?? ''));
  return (at) => {
    if (at.blanked !== null && at.blanked.has(index)) return null;
    const cell = at.row[index];
    if (cell === null || cell === undefined || cell === '') return '';
    const result = steps(cell, reading);
    return typeof result === 'string' ? result : settle(result, at, column);
  };
};

const joinedReader = (indexes: readonly number[], columns: readonly string[], steps: TextStep): FieldReader => {
  const field = columns.join(' + ');
  return (at) => {
    const { blanked, row } = at;
    if (blanked !== null && indexes.some((index) => blanked.has(index))) return null;
    const text = indexes
      .map((index) => (row[index] ?? '').trim())
      .filter((part) => part !== '')
      .join(' ');
    return text === '' ? '' : settle(steps(text, reading), at, field);
  };
};

const constantReader = (constant: string, steps: TextStep): FieldReader => {
  const text = steps(constant, reading);
  if (typeof text !== 'string')
    throw new SyncError('configuration_invalid', `the constant ${constant}: ${text.detail}`);
  return () => text;
};

const textAttribute: AttributeDefinition = { name: '', type: 'text' };

/** Compiles the reader of one field. Without an attribute it reads a text (an identifier).
 *  @throws SyncError configuration_invalid */
export const compileField = (
  field: FieldMapping,
  attribute: AttributeDefinition | null,
  columns: readonly string[],
  context: StepContext,
): CompiledField => {
  const own = attribute ?? textAttribute;
  const declared = stepsFor(own, field.steps ?? []);
  const steps = compileSteps(declared, 'read', { ...context, codeTable: own.codeTable ?? null });
  return {
    read: fieldReader(field, columns, steps, declared.length === 0),
    constant: field.constant !== undefined,
    emptyWhenBlank: field.blank === 'empty',
  };
};

const fieldReader = (field: FieldMapping, columns: readonly string[], steps: TextStep, bare: boolean): FieldReader => {
  if (field.constant !== undefined) return constantReader(field.constant, steps);
  if (field.fromAll !== undefined) {
    return joinedReader(
      field.fromAll.map((column) => columnIndex(columns, column)),
      field.fromAll,
      steps,
    );
  }
  if (field.from === undefined) throw new SyncError('configuration_invalid', 'a field needs from, fromAll or constant');
  return columnReader(columnIndex(columns, field.from), field.from, bare ? null : steps);
};

/** A reader for cells that hold several values with a separator between them; each goes through the steps. Null as above;
 *  an empty list for a blank. */
export const compileSeparatedField = (
  field: FieldMapping,
  attribute: AttributeDefinition,
  columns: readonly string[],
  context: StepContext,
): ((reading: RowReading) => readonly string[] | null) => {
  const { separator, from } = field;
  if (from === undefined || separator === undefined || separator === '') {
    throw new SyncError('configuration_invalid', 'a field with a separator needs from');
  }
  const index = columnIndex(columns, from);
  const declared = stepsFor(attribute, field.steps ?? []);
  const steps = compileSteps(declared, 'read', { ...context, codeTable: attribute.codeTable ?? null });
  return (at) => {
    if (at.blanked?.has(index) === true) return null;
    const values = (at.row[index] ?? '').split(separator).map((part) => part.trim());
    const read = values.filter((value) => value !== '').map((value) => settle(steps(value, reading), at, from));
    return read.every((value) => value !== null) ? read.filter((value) => value !== '') : null;
  };
};
