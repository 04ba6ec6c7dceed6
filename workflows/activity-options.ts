import { ActivityCancellationType, proxyActivities, proxyLocalActivities, workflowInfo } from '@temporalio/workflow';
import type { ActivityInterfaceFor, ActivityOptions, LocalActivityInterfaceFor } from '@temporalio/workflow';
import type { InquiryActivities, PartitionRef, RunFailure, SyncActivities } from '../activities/contract.js';
import { taskQueues } from '../domain/run.js';
import type { RunRef } from '../domain/run.js';
import type { Pace } from './messages.js';

/** What a run does about a source that failed for good, beside its steps. */
export interface DroppingActivities {
  /** Records why a source dropped out. `extract`: nothing of what was read of it counts, and no absence is concluded from it;
   *  `post`: what was posted of it stands. Idempotent. */
  dropSource(run: RunRef, partition: PartitionRef, step: 'extract' | 'post', failure: RunFailure): Promise<void>;
}

type Bookkeeping = DroppingActivities &
  Pick<
    SyncActivities,
    | 'openRun'
    | 'closeRun'
    | 'forgetStaging'
    | 'listTargets'
    | 'pendingReview'
    | 'remindReview'
    | 'dueTargets'
    | 'dropStaging'
  >;
type Reading = Pick<SyncActivities, 'planExtract' | 'extract' | 'planLive' | 'post'>;
type Work = Pick<
  SyncActivities,
  'diff' | 'guard' | 'standardize' | 'stageBatch' | 'match' | 'merge' | 'apply' | 'indexNames'
>;
type Telling = Pick<SyncActivities, 'publish' | 'verify'>;
type Undoing = Pick<SyncActivities, 'planRollback' | 'rollBackTargets' | 'rollBackGolden'>;

/** Every activity that a workflow may ask for. */
export type WorkflowActivities = SyncActivities & DroppingActivities & InquiryActivities;

/** The activities, by how patient a workflow is with them. */
export interface Steps {
  /** Short and idempotent: run inside the workflow task, tried for ever. */
  readonly books: LocalActivityInterfaceFor<Bookkeeping>;
  readonly reading: ActivityInterfaceFor<Reading>;
  readonly work: ActivityInterfaceFor<Work>;
  readonly telling: ActivityInterfaceFor<Telling>;
  readonly undoing: ActivityInterfaceFor<Undoing>;
}

/* Budgets. A worker may stop earlier for an error of which it knows that more attempts do not help (worker/activity-errors.ts);
   what counts here is any failure, lost workers included. */
const attempts = { reading: 20, work: 30, telling: 20, undoing: 60 };

/** The activities of this workflow, with its patience. Call it in a workflow. */
export function stepsOf(pace: Pace = {}): Steps {
  const initialInterval = (pace.retrySeconds ?? 1) * 1000;
  const maximumInterval = Math.max(30_000, initialInterval);
  const options = (maximumAttempts: number): ActivityOptions => ({
    startToCloseTimeout: '12 hours',
    heartbeatTimeout: (pace.heartbeatSeconds ?? 60) * 1000,
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    retry: { initialInterval, maximumInterval, backoffCoefficient: 2, maximumAttempts },
  });
  return {
    books: proxyLocalActivities<Bookkeeping>({
      startToCloseTimeout: '1 minute',
      retry: { initialInterval: '200 ms', maximumInterval: '20 s', backoffCoefficient: 2 },
    }),
    reading: proxyActivities<Reading>(options(attempts.reading)),
    work: proxyActivities<Work>(options(attempts.work)),
    telling: proxyActivities<Telling>(options(attempts.telling)),
    undoing: proxyActivities<Undoing>({ ...options(attempts.undoing), taskQueue: siblingQueue('rollback') }),
  };
}

/* The same installation's queue of another name: what follows the name of ours (its scope) follows that one too. */
function siblingQueue(name: keyof typeof taskQueues): string {
  const { taskQueue } = workflowInfo();
  const base = Object.values(taskQueues).find((known) => taskQueue.startsWith(known));
  return taskQueues[name] + (base === undefined ? '' : taskQueue.slice(base.length));
}
