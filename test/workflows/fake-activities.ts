import { ApplicationFailure } from '@temporalio/common';
import type { EndState } from '../../domain/run.js';
import type { RunSummary } from '../../activities/contract.js';
import type { WorkflowActivities } from '../../workflows/activity-options.js';

/** Activities that do nothing but tell what they were asked, in order. */
export interface FakeActivities {
  readonly activities: WorkflowActivities;
  /** `name(what)` of every call, in the order in which they began. */
  readonly calls: string[];
}

/** A failure as the worker makes it of a SyncError. */
export const refusal = (code: string, retryable = false): ApplicationFailure =>
  ApplicationFailure.create({ type: code, message: `Told by a test: ${code}.`, nonRetryable: !retryable });

export const summaryOf = (state: EndState, questions = 0): RunSummary => ({
  ...{ state, questions, held: 0, rejected: 0, goldenWrites: 3, targetWrites: 2 },
});

/** Two sources, two entity types, two targets; every run is run 7. `scripted` replaces what a scenario is about. */
export function fakeActivities(scripted: Partial<WorkflowActivities> = {}): FakeActivities {
  const calls: string[] = [];
  const done = { rows: 1 };
  const tell = <T>(name: string, what: string | number, result: T): Promise<T> => {
    calls.push(what === '' ? name : `${name}(${what})`);
    return Promise.resolve(result);
  };
  const defaults: WorkflowActivities = {
    openRun: ({ kind, jobId, institutionId }) =>
      tell('openRun', kind, { opened: { runId: '7', institutionId, jobId, kind } }),
    closeRun: (_run, outcome, _failure, delayed = []) =>
      tell('closeRun', [outcome, ...delayed.map(({ name }) => name)].join(' without '), summaryOf(outcome)),
    planExtract: () => tell('planExtract', '', { partitions: partitions(3), posted: [], dropped: [] }),
    extract: (_run, partition) => tell('extract', `${partition.name}/${partition.ordinal}`, done),
    planLive: () =>
      tell('planLive', '', { rows: 3, sources: 2, dropped: [{ name: 'hr.staff', code: 'source_reads_no_keys' }] }),
    indexNames: (_institution, runId) => tell('indexNames', runId ?? 'all', 5),
    forgetStaging: () => tell('forgetStaging', '', 2),
    dropSource: (_run, partition, step, { code }) => tell('dropSource', `${partition.name} ${step} ${code}`, undefined),
    diff: () => tell('diff', '', done),
    guard: () => tell('guard', '', done),
    standardize: () => tell('standardize', '', { entityTypes: [11, 12], nothingToDo: false }),
    stageBatch: () => tell('stageBatch', '', { entityTypes: [11], nothingToDo: false }),
    match: (_run, type) => tell('match', type, done),
    merge: (_run, type) => tell('merge', type, done),
    apply: (_run, type) => tell('apply', type, done),
    listTargets: () => tell('listTargets', '', targets),
    publish: (_run, target) => tell('publish', target.name, done),
    verify: (_run, target) => tell('verify', target.name, done),
    post: (_run, partition) => tell('post', partition.name, done),
    planRollback: () => tell('planRollback', '', { runIds: ['9', '5'] }),
    rollBackTargets: (_run, runId) => tell('rollBackTargets', runId, done),
    rollBackGolden: (_run, runId) => tell('rollBackGolden', runId, done),
    copyStores: () => tell('copyStores', '', undefined),
    notePlan: (_run, leftOut) =>
      tell('notePlan', leftOut.length === 0 ? '' : leftOut.map(({ name }) => name).join(), undefined),
    pendingReview: () => tell('pendingReview', '', { batches: [], open: 0, nextDue: null }),
    remindReview: () => tell('remindReview', '', undefined),
    dueTargets: () => tell('dueTargets', '', targets),
    dropStaging: () => tell('dropStaging', '', undefined),
    answerInquiry: ({ inquiryId }) => tell('answerInquiry', inquiryId, undefined),
  };
  return { activities: { ...defaults, ...noted(scripted, calls) }, calls };
}

export const partitions = (ofFirst: number): { mappingId: number; name: string; ordinal: number }[] => [
  ...Array.from({ length: ofFirst }, (_, ordinal) => ({ mappingId: 1, name: 'sis.students', ordinal })),
  { mappingId: 2, name: 'hr.staff', ordinal: 0 },
];

export const targets = [
  { mappingId: 21, name: 'finance.person' },
  { mappingId: 22, name: 'finance.account' },
  { mappingId: 23, name: 'academic.people' },
];

/* What a scenario replaces is noted too, with its name and the first plain thing among its arguments. */
function noted(scripted: Partial<WorkflowActivities>, calls: string[]): Partial<WorkflowActivities> {
  const entries = Object.entries(scripted) as [string, (...args: unknown[]) => unknown][];
  return Object.fromEntries(
    entries.map(([name, activity]) => [
      name,
      (...args: unknown[]) => {
        calls.push(`${name}${whatOf(args)}`);
        return activity(...args);
      },
    ]),
  );
}

function whatOf(args: readonly unknown[]): string {
  for (const arg of args.slice(1)) {
    if (typeof arg === 'string' || typeof arg === 'number') return `(${arg})`;
    if (typeof arg === 'object' && arg !== null && 'name' in arg) return `(${String(arg.name)})`;
  }
  return '';
}
