import { SyncError } from './errors.js';
import type { AttributeDefinition } from './entity-type.js';
import type { StandardizerStep } from './mapping-definition.js';
import { code } from './standardize-codes.js';
import { date, timestamp } from './standardize-dates.js';
import { boolean, decimal, integer } from './standardize-numbers.js';
import {
  digits,
  email,
  letterCase,
  name,
  nfc,
  padLeft,
  phone,
  replaceBlank,
  trim,
  truncate,
} from './standardize-text.js';
import {
  optionProblems,
  StepOptions,
  type Standardizer,
  type StepContext,
  type StepMoment,
  type StepProblem,
  type TextStep,
} from './standardizer-options.js';

/** The standardizers by the names that mappings use. Each says at its definition what it does and which options it has. */
export const standardizers: ReadonlyMap<string, Standardizer> = new Map([
  ['trim', trim],
  ['case', letterCase],
  ['nfc', nfc],
  ['name', name],
  ['date', date],
  ['timestamp', timestamp],
  ['decimal', decimal],
  ['integer', integer],
  ['boolean', boolean],
  ['code', code],
  ['email', email],
  ['phone', phone],
  ['digits', digits],
  ['replace_blank', replaceBlank],
  ['pad', padLeft],
  ['truncate', truncate],
]);

export type Direction = 'read' | 'write';

/** While reading from a source there is no date and no own cell. */
export const reading: StepMoment = { asOf: null, own: null };

/** What is wrong with a step, in words; nothing where it can be compiled. */
export const stepProblems = (step: StandardizerStep, context: StepContext): string[] => {
  const standardizer = standardizers.get(step.use);
  if (standardizer === undefined) return [`there is no standardizer ${step.use}`];
  const problems = optionProblems(step, standardizer);
  return problems.length > 0 ? problems : (standardizer.check?.(new StepOptions(step), context) ?? []);
};

/** Compiles one step. @throws SyncError configuration_invalid */
export const compileStep = (step: StandardizerStep, direction: Direction, context: StepContext): TextStep => {
  const standardizer = standardizers.get(step.use);
  const problems = stepProblems(step, context);
  if (standardizer === undefined || problems.length > 0)
    throw new SyncError('configuration_invalid', problems.join('; '));
  const options = new StepOptions(step);
  return direction === 'write' && standardizer.write !== undefined
    ? standardizer.write(options, context)
    : standardizer.read(options, context);
};

export const isProblem = (result: string | StepProblem): result is StepProblem => typeof result !== 'string';

const identity: TextStep = (text) => text;

/** Compiles steps into one that applies them in order and ends at the first problem. @throws SyncError configuration_invalid */
export const compileSteps = (
  steps: readonly StandardizerStep[],
  direction: Direction,
  context: StepContext,
): TextStep => {
  const compiled = steps.map((step) => compileStep(step, direction, context));
  const [first, second] = compiled;
  if (first === undefined) return identity;
  if (second === undefined) return first;
  return (text, moment) => {
    let result: string | StepProblem = text;
    for (const step of compiled) {
      result = step(result, moment);
      if (typeof result !== 'string') return result;
    }
    return result;
  };
};

/** The steps of an attribute with what its type demands: where no declared step gives the canonical form of a date, timestamp,
 *  decimal, boolean or code, that step in its default form is added, so that a wrong value can never become canonical. */
export const stepsFor = (
  attribute: AttributeDefinition,
  steps: readonly StandardizerStep[],
): readonly StandardizerStep[] => {
  const accepted: readonly string[] = {
    text: [],
    reference: [],
    date: ['date'],
    timestamp: ['timestamp'],
    decimal: ['decimal', 'integer'],
    boolean: ['boolean'],
    code: ['code'],
  }[attribute.type];
  const demanded = accepted[0];
  // A code without a table is a text that is its own concept.
  if (demanded === undefined || (demanded === 'code' && attribute.codeTable === undefined)) return steps;
  return steps.some((step) => accepted.includes(step.use)) ? steps : [...steps, { use: demanded }];
};
