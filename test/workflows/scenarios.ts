import { Context } from '@temporalio/activity';
import type { Workflow, WorkflowHandleWithFirstExecutionRunId } from '@temporalio/client';
import type { ReviewWork } from '../../activities/contract.js';
import type { WorkflowActivities } from '../../workflows/activity-options.js';
import { cancelRun, pause, progress, resume, wake, workflowIds } from '../../workflows/messages.js';
import type { Pace, RunProgress, SyncRunInput } from '../../workflows/messages.js';
import {
  dueRun,
  indexNames,
  liveSync,
  recoverRun,
  review,
  rollbackRun,
  settleRun,
  syncRun,
} from '../../workflows/index.js';
import { fakeActivities, partitions, refusal, summaryOf } from './fake-activities.js';
import type { FakeActivities } from './fake-activities.js';

/* Every interesting way in which a workflow can end. The tests run them; their histories are recorded from them. */

type Handle = WorkflowHandleWithFirstExecutionRunId;

/** Where a scenario runs. */
export interface Stage {
  readonly scope: string;
  /** A number of its own for each scenario: its institution and its job. */
  readonly number: number;
  /** Starts a workflow of ours on its queue. */
  start<T extends Workflow>(
    workflow: T,
    options: { workflowId: string; queue: string; args: Parameters<T> },
  ): Promise<Handle>;
}

export interface Scenario {
  readonly name: string;
  readonly fake: () => FakeActivities;
  /** Starts it and does what people do meanwhile; resolves once it is started and they have done it. */
  readonly play: (stage: Stage, fake: FakeActivities) => Promise<Handle>;
}

const pace = { heartbeatSeconds: 5, retrySeconds: 0.02 };

const ours = ({ number }: Stage): { institutionId: number; jobId: number; pace: Pace } => ({
  ...{ institutionId: number, jobId: number, pace },
});

const startSync = (stage: Stage, input: Partial<SyncRunInput> = {}): Promise<Handle> =>
  stage.start(syncRun, {
    workflowId: workflowIds.syncRun(stage.number, 'key', stage.scope),
    queue: 'sync-io',
    args: [{ ...ours(stage), actor: 'key:1', asOf: '2026-09-01', ...input }],
  });

const startLive = (stage: Stage): Promise<Handle> =>
  stage.start(liveSync, {
    workflowId: workflowIds.liveSync('5012', `key-${stage.number}`, stage.scope),
    queue: 'sync-interactive',
    args: [{ ...ours(stage), subjectKey: '5012', actor: 'key:1', asOf: '2026-09-01' }],
  });

const startReview = (stage: Stage, historyEvents = 2_000): Promise<Handle> =>
  stage.start(review, {
    workflowId: workflowIds.review(stage.number, stage.scope),
    queue: 'sync-interactive',
    args: [{ ...ours(stage), timeZone: 'Europe/Paris', pace: { ...pace, historyEvents } }],
  });

const sync = (
  name: string,
  scripted: () => Partial<WorkflowActivities>,
  input: Partial<SyncRunInput> = {},
): Scenario => ({
  ...{ name, fake: () => fakeActivities(scripted()), play: (stage) => startSync(stage, input) },
});

/* Resolves once the activity was asked for. */
async function until(fake: FakeActivities, call: string): Promise<void> {
  while (!fake.calls.includes(call)) await new Promise((resolve) => setTimeout(resolve, 5));
}

/* An activity at work until it is cancelled, heard of all the while. */
async function untilCancelled(): Promise<never> {
  const context = Context.current();
  const beat = setInterval(() => {
    context.heartbeat();
  }, 20);
  try {
    return await context.cancelled;
  } finally {
    clearInterval(beat);
  }
}

/* Fails so often, then does. */
function failingTimes<T>(times: number, code: string, result: T): () => Promise<T> {
  let left = times;
  return async () => {
    left -= 1;
    if (left >= 0) throw refusal(code);
    return Promise.resolve(result);
  };
}

const answering = (...answers: ReviewWork[]): (() => Promise<ReviewWork>) => {
  let next = 0;
  return () => {
    const answer = answers[Math.min(next, answers.length - 1)] ?? { batches: [], open: 0, nextDue: null };
    next += 1;
    return Promise.resolve(answer);
  };
};

const nothingOpen: ReviewWork = { batches: [], open: 0, nextDue: null };
const batch = (batchId: string): ReviewWork['batches'][number] => ({ batchId, kind: 'decision' });

export const scenarios = listed([
  sync('completed', () => ({})),
  sync('completed-with-questions', () => ({
    closeRun: () => Promise.resolve(summaryOf('completed_with_questions', 2)),
  })),
  sync('nothing-to-do', () => ({ standardize: () => Promise.resolve({ entityTypes: [], nothingToDo: true }) })),
  sync('skipped', () => ({ openRun: () => Promise.resolve({ skipped: { runId: '6' } }) })),
  sync('posted', () => ({
    planExtract: () => Promise.resolve({ partitions: [], posted: partitions(1), dropped: [] }),
    standardize: () => Promise.resolve({ entityTypes: [], nothingToDo: true }),
  })),
  sync('source-dropped', () => ({
    extract: (_run, { mappingId }) =>
      mappingId === 1 ? Promise.reject(refusal('source_schema_changed')) : Promise.resolve({ rows: 5 }),
  })),
  sync('no-source-left', () => ({ extract: () => Promise.reject(refusal('delivery_incomplete')) })),
  sync('failed-before-apply', () => ({ standardize: () => Promise.reject(refusal('configuration_invalid')) })),
  sync('failed-after-apply', () => ({
    apply: (_run, type) => (type === 12 ? Promise.reject(refusal('internal')) : Promise.resolve({ rows: 1 })),
  })),
  sync(
    'failed-after-apply-held',
    () => ({
      apply: (_run, type) => (type === 12 ? Promise.reject(refusal('internal')) : Promise.resolve({ rows: 1 })),
    }),
    { onFailure: 'hold' },
  ),
  sync('failed-and-not-taken-back', () => ({
    merge: (_run, type) => (type === 12 ? Promise.reject(refusal('internal')) : Promise.resolve({ rows: 1 })),
    rollBackTargets: () => Promise.reject(refusal('target_forbidden')),
  })),
  sync('sums-do-not-balance', () => ({
    closeRun: (_run, outcome) =>
      outcome === 'completed' ? Promise.reject(refusal('internal')) : Promise.resolve(summaryOf(outcome)),
  })),
  sync('target-down', () => ({
    publish: (_run, { name }) =>
      name === 'finance.person' ? Promise.reject(refusal('target_unreachable')) : Promise.resolve({ rows: 1 }),
  })),
  sync('staging-lost', () => ({ merge: failingTimes(2, 'staging_lost', { rows: 1 }) })),
  sync('staging-lost-after-apply', () => {
    const afterFirst = failingTimes(1, 'staging_lost', { rows: 1 });
    return { match: (_run, type) => (type === 12 ? afterFirst() : Promise.resolve({ rows: 1 })) };
  }),
  sync('staging-lost-for-ever', () => ({ diff: () => Promise.reject(refusal('staging_lost')) })),
  {
    name: 'cancelled-before-apply',
    fake: () => fakeActivities({ diff: untilCancelled }),
    play: async (stage, fake) => {
      const handle = await startSync(stage);
      await until(fake, 'diff');
      await handle.cancel();
      return handle;
    },
  },
  {
    name: 'cancelled-after-apply',
    fake: () => fakeActivities({ publish: untilCancelled }),
    play: async (stage, fake) => {
      const handle = await startSync(stage);
      await until(fake, 'publish(finance.person)');
      await handle.cancel();
      return handle;
    },
  },
  {
    name: 'cancelled-by-update',
    fake: () => fakeActivities({ publish: untilCancelled }),
    play: async (stage, fake) => {
      const handle = await startSync(stage);
      await until(fake, 'publish(finance.person)');
      await handle.executeUpdate(cancelRun);
      return handle;
    },
  },
  {
    name: 'paused-and-resumed',
    fake: () => {
      const fake: { resume?: () => void } = {};
      const held = new Promise<{ rows: number }>((resolve) => {
        fake.resume = () => {
          resolve({ rows: 1 });
        };
      });
      return { ...fakeActivities({ diff: () => held, forgetStaging: async () => Promise.resolve(fake.resume?.()) }) };
    },
    play: async (stage, fake) => {
      const handle = await startSync(stage);
      await until(fake, 'diff');
      const paused = await handle.executeUpdate(pause);
      if (!paused.paused) throw new Error('not paused');
      await fake.activities.forgetStaging({ runId: '', institutionId: 0, jobId: 0, kind: 'sync' }); // lets diff end
      await new Promise((resolve) => setTimeout(resolve, 200));
      const standing: RunProgress = await handle.query(progress);
      if (standing.state !== 'diff' || fake.calls.includes('guard')) throw new Error('did not pause');
      await handle.signal(resume);
      return handle;
    },
  },
  {
    name: 'settled',
    fake: () => fakeActivities(),
    play: (stage) =>
      stage.start(settleRun, {
        workflowId: workflowIds.settleRun('4', stage.scope),
        queue: 'sync-interactive',
        args: [{ ...ours(stage), kind: 'release', batchId: '4', actor: 'review', asOf: null }],
      }),
  },
  {
    name: 'rolled-back',
    fake: () => fakeActivities(),
    play: (stage) => startRollback(stage),
  },
  {
    name: 'rollback-refused',
    fake: () => fakeActivities({ planRollback: () => Promise.reject(refusal('preview_outdated')) }),
    play: (stage) => startRollback(stage),
  },
  {
    name: 'recovered',
    fake: () => fakeActivities(),
    play: (stage) =>
      stage.start(recoverRun, {
        workflowId: workflowIds.recoverRun('7', stage.scope),
        queue: 'sync-rollback',
        args: [
          {
            ...ours(stage),
            ...{ runId: '7', kind: 'sync' as const },
            failure: { code: 'internal', detail: 'Its workflow was terminated.' },
          },
        ],
      }),
  },
  {
    name: 'due',
    fake: () => fakeActivities(),
    play: (stage) =>
      stage.start(dueRun, {
        workflowId: workflowIds.dueRun(stage.number, '2026-09-04', stage.scope),
        queue: 'sync-io',
        args: [{ institutionId: stage.number, actor: 'schedule', asOf: '2026-09-04', pace }],
      }),
  },
  {
    name: 'live',
    fake: () => fakeActivities(),
    play: (stage) => startLive(stage),
  },
  {
    name: 'live-nobody-asked',
    fake: () =>
      fakeActivities({
        planLive: () =>
          Promise.resolve({ rows: 0, sources: 0, dropped: [{ name: 'hr.staff', code: 'source_reads_no_keys' }] }),
      }),
    play: (stage) => startLive(stage),
  },
  {
    name: 'names-indexed',
    fake: () => fakeActivities(),
    play: (stage) =>
      stage.start(indexNames, {
        workflowId: workflowIds.indexNames(stage.number, '7', stage.scope),
        queue: 'sync-io',
        args: [{ institutionId: stage.number, runId: '7', pace }],
      }),
  },
  {
    name: 'review-settles',
    fake: () =>
      fakeActivities({
        pendingReview: answering({ batches: [batch('1'), batch('2')], open: 1, nextDue: null }, nothingOpen),
      }),
    play: (stage) => startReview(stage),
  },
  {
    name: 'review-woken',
    fake: () => {
      const quiet = { batches: [], open: 1, nextDue: '2099-01-01T00:00:00Z' };
      return fakeActivities({
        pendingReview: answering(quiet, { batches: [batch('3')], open: 0, nextDue: null }, nothingOpen),
      });
    },
    play: async (stage, fake) => {
      const handle = await startReview(stage);
      await until(fake, `pendingReview(${stage.number})`);
      await handle.signal(wake);
      return handle;
    },
  },
  {
    name: 'review-begins-afresh',
    fake: () =>
      fakeActivities({
        pendingReview: answering(
          { batches: [batch('6'), batch('7')], open: 0, nextDue: null },
          { batches: [batch('8')], open: 0, nextDue: null },
          nothingOpen,
        ),
      }),
    play: (stage) => startReview(stage, 10),
  },
]);

/** Those that wait for days: on the server that skips time. */
export const patientScenarios = listed([
  {
    name: 'review-expired',
    fake: () => {
      let due = 0;
      let reminded = false;
      return fakeActivities({
        // Tells what is still ahead, as the real one does: at the due date it tells nothing.
        pendingReview: () => {
          const now = Context.current().info.currentAttemptScheduledTimestampMs;
          due ||= now + 30 * 86_400_000;
          const nextDue = due > now ? new Date(due).toISOString() : null;
          return Promise.resolve(reminded ? nothingOpen : { batches: [], open: 1, nextDue });
        },
        remindReview: () => Promise.resolve(void (reminded = true)),
      });
    },
    play: (stage) => startReview(stage),
  },
  {
    name: 'review-batch-fails-then-settles',
    fake: () => {
      let failures = 2;
      let settled = false;
      return fakeActivities({
        pendingReview: () => Promise.resolve(settled ? nothingOpen : { batches: [batch('5')], open: 0, nextDue: null }),
        stageBatch: () => {
          failures -= 1;
          if (failures >= 0) throw refusal('internal');
          settled = true;
          return Promise.resolve({ entityTypes: [], nothingToDo: true });
        },
      });
    },
    play: (stage) => startReview(stage),
  },
]);

function listed(all: readonly Scenario[]): readonly Scenario[] {
  return all;
}

function startRollback(stage: Stage): Promise<Handle> {
  return stage.start(rollbackRun, {
    workflowId: workflowIds.rollbackRun('5', 'key', stage.scope),
    queue: 'sync-rollback',
    args: [
      {
        ...ours(stage),
        ...{ actor: 'key:1', asOf: '2026-09-01' },
        ...{ rollbackOf: '5', previewHash: 'abc' },
      },
    ],
  });
}
