import type { RunKind, RunState } from '../../domain/run.js';
import { errorCodes, type ErrorCode } from '../../domain/errors.js';

/** What a run is, said to a person: what happened, what it means for the data, and who acts next. */
export interface RunWords {
  readonly happened: string;
  readonly means: string;
  readonly next: string;
}

export interface RunFacts {
  readonly kind: RunKind;
  readonly state: RunState;
  readonly errorCode: string | null;
  readonly applyStarted: boolean;
  readonly openQuestions: number;
  readonly held: number;
  /** Held changes of earlier runs of its job that are still held. */
  readonly heldBefore: number;
  readonly rejected: number;
  readonly rolledBackBy: string | null;
  readonly unusable: readonly UnusableMapping[];
}

/** A source that could not be read or a target that could not be written in a run. */
export interface UnusableMapping {
  readonly name: string;
  readonly code: string;
  /** In words, without personal data. */
  readonly detail: string;
}

const kinds: Readonly<Record<RunKind, string>> = {
  sync: 'synchronization',
  decision: 'carrying out of decisions',
  release: 'carrying out of a release',
  rollback: 'rollback',
  due: 'publication of what fell due',
  remap: 'reading anew after a mapping change',
  dry_run: 'dry run',
};

const stepsInWords: Readonly<Record<string, string>> = {
  opened: 'It was opened and begins.',
  extract: 'It reads the sources.',
  diff: 'It looks for what changed.',
  guard: 'It checks that the change is not too large.',
  standardize: 'It cleans and checks the records.',
  match: 'It finds which records are the same.',
  merge: 'It works out what is true.',
  apply: 'It writes golden records.',
  publish: 'It writes to the target systems.',
  verify: 'It reads back what it wrote.',
  rollback: 'It takes back what was written.',
};

const nobody = 'Nobody has to act.';

/** Words for a state; pure. */
export const runWords = (run: RunFacts): RunWords => {
  const what = `The ${kinds[run.kind]}`;
  if (run.rolledBackBy !== null) {
    return {
      happened: `${what} was done, and later rolled back by run ${run.rolledBackBy}.`,
      means: 'Its changes no longer stand, but for what was changed again since.',
      next: nobody,
    };
  }
  switch (run.state) {
    case 'completed':
    case 'completed_with_questions':
      return run.kind === 'dry_run' ? planned(what) : completed(what, run);
    case 'failed':
      return failed(what, run);
    case 'cancelled':
      return { happened: `${what} was cancelled.`, means: 'It changed nothing that still stands.', next: nobody };
    case 'rolled_back':
      return {
        happened: `${what} was rolled back.`,
        means: 'Its changes no longer stand.',
        next: run.errorCode === null ? nobody : remedy(run.errorCode),
      };
    case 'skipped':
      return {
        happened: `${what} was skipped.`,
        means: 'Another run of the job was at work; nothing was read.',
        next: nobody,
      };
    default:
      return {
        happened: `${what} is at work. ${stepsInWords[run.state] ?? ''}`.trim(),
        means: run.applyStarted ? 'Some of its changes are written already.' : 'It has changed nothing yet.',
        next: nobody,
      };
  }
};

const completed = (what: string, run: RunFacts): RunWords => {
  const open = [
    counted(run.openQuestions, 'question waits', 'questions wait'),
    counted(run.held, 'held change waits', 'held changes wait'),
    counted(run.heldBefore, 'held change of an earlier run waits', 'held changes of earlier runs wait'),
  ].filter((text) => text !== null);
  const aside = counted(run.rejected, 'record was set aside', 'records were set aside');
  const happened = `${what} is done.${aside === null ? '' : ` ${aside}, with reasons.`}`;
  const waits = open.length === 0 ? null : `${open.join(' and ')} for the secretary.`;
  if (run.unusable.length > 0) {
    return {
      happened: `${happened} It went on without ${listed(run.unusable)}.`,
      means: 'The other systems are as far as they can be without.',
      next: [...(waits === null ? [] : [waits]), remedies(run.unusable)].join(' '),
    };
  }
  return {
    happened,
    means: waits === null ? 'The systems agree.' : 'Everything that raises no question is published.',
    next: waits ?? nobody,
  };
};

const listed = (unusable: readonly UnusableMapping[]): string =>
  unusable.map(({ name, code, detail }) => `${name} (${code}${detail === '' ? '' : `: ${detail}`})`).join('; ');

const remedies = (unusable: readonly UnusableMapping[]): string => {
  const actors = new Set(unusable.map(({ code }) => (isCode(code) ? errorCodes[code].actor : 'operator')));
  return [...[...actors].map((actor) => `The ${actor} acts.`), 'The next run tries again.'].join(' ');
};

const planned = (what: string): RunWords => ({
  happened: `${what} is done.`,
  means: 'It changed nothing. Its plan says what a run would do now.',
  next: nobody,
});

const failed = (what: string, run: RunFacts): RunWords => ({
  happened: `${what} failed${run.errorCode === null ? '' : ` (${run.errorCode})`}.${
    run.unusable.length === 0 ? '' : ` It could not use ${listed(run.unusable)}.`
  }`,
  means: run.applyStarted ? 'What it had written before stands until it is rolled back.' : 'It changed nothing.',
  next: remedy(run.errorCode),
});

const isCode = (code: string): code is ErrorCode => code in errorCodes;

const remedy = (code: string | null): string => {
  if (code === null || !isCode(code)) return 'The operator looks into it.';
  const { actor, retryable } = errorCodes[code];
  if (actor === 'nobody') return nobody;
  return `The ${actor} acts${retryable ? '; it is tried again meanwhile' : ''}.`;
};

const counted = (count: number, one: string, many: string): string | null =>
  count === 0 ? null : `${count} ${count === 1 ? one : many}`;
