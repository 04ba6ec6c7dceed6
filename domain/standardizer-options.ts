import type { Cell } from './rows.js';
import type { StandardizerStep } from './mapping-definition.js';
import type { CodeTableDefinition } from './job-definition.js';

/** Why a value could not be standardized. `detail` says what was expected and never holds the value: it may be personal. */
export interface StepProblem {
  readonly reason: string;
  readonly detail: string;
}

/** What a step may need to know besides the text: the date for which a target row is written (null while reading) and the
 *  cell that the target now holds. */
export interface StepMoment {
  readonly asOf: string | null;
  readonly own: Cell;
}

/** A compiled step. The empty text is a blank, and stays one. */
export type TextStep = (text: string, moment: StepMoment) => string | StepProblem;

/** What steps are compiled against: the code tables, the system that is read or written, and the attribute's own table. */
export interface StepContext {
  readonly codeTables: ReadonlyMap<string, CodeTableDefinition>;
  readonly system: string;
  readonly codeTable: string | null;
}

export type OptionKind = 'text' | 'texts' | 'flag' | 'count' | readonly string[];

/** A named standardizer: its options, and how it is compiled for reading from a source and for writing to a target. */
export interface Standardizer {
  readonly options: Readonly<Record<string, OptionKind>>;
  readonly required?: readonly string[];
  readonly read: (options: StepOptions, context: StepContext) => TextStep;
  /** Absent: writing does the same as reading. */
  readonly write?: (options: StepOptions, context: StepContext) => TextStep;
  /** What is wrong with the options beyond their kinds. */
  readonly check?: (options: StepOptions, context: StepContext) => string[];
}

const isTexts = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'string');

/** Typed access to the options of a step; what has another type counts as absent (`optionProblems` says so). */
export class StepOptions {
  constructor(private readonly step: StandardizerStep) {}

  text(name: string): string | undefined {
    const value = this.step[name];
    return typeof value === 'string' ? value : undefined;
  }

  /** A list of texts; a lone text is a list of one. */
  texts(name: string): readonly string[] | undefined {
    const value = this.step[name];
    if (typeof value === 'string') return [value];
    return isTexts(value) ? value : undefined;
  }

  flag(name: string): boolean {
    return this.step[name] === true;
  }

  count(name: string): number | undefined {
    const value = this.step[name];
    return typeof value === 'number' ? value : undefined;
  }
}

const fits = (value: unknown, kind: OptionKind): boolean => {
  if (kind === 'text') return typeof value === 'string';
  if (kind === 'texts') return typeof value === 'string' || (isTexts(value) && value.length > 0);
  if (kind === 'flag') return typeof value === 'boolean';
  if (kind === 'count') return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
  return typeof value === 'string' && kind.includes(value);
};

const kindWords = (kind: OptionKind): string => {
  if (kind === 'text') return 'a text';
  if (kind === 'texts') return 'a list of texts';
  if (kind === 'flag') return 'true or false';
  if (kind === 'count') return 'a whole number, 0 or more';
  return `one of ${kind.join(', ')}`;
};

/** What is wrong with the options of a step, in words; nothing where it can be compiled. */
export const optionProblems = (step: StandardizerStep, standardizer: Standardizer): string[] => {
  const problems: string[] = [];
  for (const [name, value] of Object.entries(step)) {
    const kind = Object.hasOwn(standardizer.options, name) ? standardizer.options[name] : undefined;
    if (name === 'use') continue;
    if (kind === undefined) problems.push(`${step.use} has no option ${name}`);
    else if (!fits(value, kind)) problems.push(`${name} of ${step.use} must be ${kindWords(kind)}`);
  }
  for (const name of standardizer.required ?? []) {
    if (step[name] === undefined) problems.push(`${step.use} needs ${name}`);
  }
  return problems;
};
