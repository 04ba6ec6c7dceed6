import type { EntityTypeDefinition } from './entity-type.js';
import { SyncError } from './errors.js';
import type { StandardizerStep, TargetColumn } from './mapping-definition.js';
import {
  compileProjectedPath,
  type NeededPaths,
  type ProjectedPath,
  type ReferencedValues,
  type Values,
} from './projection-paths.js';
import type { Cell } from './rows.js';
import type { StepContext, StepMoment, StepProblem, TextStep } from './standardizer-options.js';
import { compileSteps, stepProblems } from './standardizers.js';

/** What a target row is made of. */
export interface Projected {
  readonly root: Values;
  readonly referenced: ReferencedValues;
  readonly asOf: string;
}

/** The cell of a column, or why there is none. `own`: what the target holds there now. */
export type CellWriter = (from: Projected, own: Cell) => Cell | StepProblem;

export interface ColumnSite {
  readonly root: EntityTypeDefinition;
  readonly entityTypes: readonly EntityTypeDefinition[];
  readonly context: StepContext;
  readonly needed: NeededPaths;
}

export interface CompiledColumn {
  readonly column: string;
  readonly createOnly: boolean;
  readonly paths: readonly ProjectedPath[];
  /** Null for a key column that the caller fills. */
  readonly write: CellWriter | null;
}

const noValues: Values = [];

const valuesAt = (path: ProjectedPath, from: Projected): Values =>
  path.reference === '' ? from.root : (from.referenced[path.reference] ?? noValues);

/** Characters are counted as databases count them: a letter outside the basic plane is one. */
const isTooLong = (text: string, maxLength: number): boolean =>
  text.length > maxLength && Array.from(text).length > maxLength;

/** A code attribute is written in the system's own codes where its table has such and no step says otherwise. */
const writingSteps = (
  column: TargetColumn,
  attribute: { readonly type: string; readonly codeTable?: string },
  context: StepContext,
): readonly StandardizerStep[] => {
  const steps = column.steps ?? [];
  if (attribute.type !== 'code' || attribute.codeTable === undefined || steps.some(({ use }) => use === 'code'))
    return steps;
  const own: StandardizerStep = { use: 'code' };
  return stepProblems(own, { ...context, codeTable: attribute.codeTable }).length === 0 ? [own, ...steps] : steps;
};

interface CompiledSource {
  readonly path: ProjectedPath;
  readonly steps: TextStep | null;
}

const compileSourcePath = (path: string, column: TargetColumn, site: ColumnSite): CompiledSource => {
  const { attribute, ...projected } = compileProjectedPath(site.root, path, site.entityTypes, site.needed);
  const steps = writingSteps(column, attribute, site.context);
  const context = { ...site.context, codeTable: attribute.codeTable ?? null };
  return { path: projected, steps: steps.length === 0 ? null : compileSteps(steps, 'write', context) };
};

const writeText = (steps: TextStep | null, text: string, moment: StepMoment): Cell | StepProblem => {
  const written = steps === null ? text : steps(text, moment);
  return written === '' ? null : written;
};

const joined = (
  steps: TextStep | null,
  texts: readonly string[],
  separator: string,
  moment: StepMoment,
): Cell | StepProblem => {
  const cells: string[] = [];
  for (const text of texts) {
    const cell = writeText(steps, text, moment);
    if (cell !== null && typeof cell !== 'string') return cell;
    if (cell !== null) cells.push(cell);
  }
  return cells.length === 0 ? null : cells.join(separator);
};

const writerOf =
  ({ path, steps }: CompiledSource, separator: string | undefined): CellWriter =>
  (from, own) => {
    const values = valuesAt(path, from);
    if (separator !== undefined)
      return joined(steps, path.leaf.texts(values, from.asOf), separator, { asOf: from.asOf, own });
    const text = path.leaf.text(values, from.asOf);
    if (text === null) return null;
    return steps === null ? text : writeText(steps, text, { asOf: from.asOf, own });
  };

const firstWritten =
  (writers: readonly CellWriter[]): CellWriter =>
  (from, own) => {
    for (const writer of writers) {
      const cell = writer(from, own);
      if (cell !== null) return cell;
    }
    return null;
  };

const constantWriter = (constant: string, column: TargetColumn, context: StepContext): CellWriter => {
  const steps = compileSteps(column.steps ?? [], 'write', context);
  return (from, own) => writeText(steps, constant, { asOf: from.asOf, own });
};

const withinLength = (write: CellWriter, column: TargetColumn): CellWriter => {
  const { maxLength } = column;
  if (maxLength === undefined) return write;
  const problem: StepProblem = { reason: 'value_too_long', detail: `the target takes ${String(maxLength)} characters` };
  return (from, own) => {
    const cell = write(from, own);
    return typeof cell === 'string' && isTooLong(cell, maxLength) ? problem : cell;
  };
};

/** Compiles one column of a target. @throws SyncError configuration_invalid */
export const compileColumn = (column: TargetColumn, site: ColumnSite): CompiledColumn => {
  const declared = [column.from, column.firstOf, column.constant].filter((source) => source !== undefined);
  if (declared.length > 1) {
    throw new SyncError(
      'configuration_invalid',
      `column ${column.column} has more than one of from, firstOf and constant`,
    );
  }
  const paths = column.from === undefined ? (column.firstOf ?? []) : [column.from];
  const sources = paths.map((path) => compileSourcePath(path, column, site));
  const writers = sources.map((source) => writerOf(source, column.separator));
  const [only, another] = writers;
  const fromPaths = only === undefined ? null : another === undefined ? only : firstWritten(writers);
  const write = column.constant === undefined ? fromPaths : constantWriter(column.constant, column, site.context);
  return {
    column: column.column,
    createOnly: column.createOnly === true,
    paths: sources.map(({ path }) => path),
    write: write === null ? null : withinLength(write, column),
  };
};
