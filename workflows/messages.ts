import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { SearchAttributePair } from '@temporalio/common';
import type { EndState, RunKind, RunState } from '../domain/run.js';
import type { RunFailure } from '../activities/contract.js';

/* What travels between the workflows and those who start, wake and watch them. Every name here stands in stored histories:
   frozen by a snapshot test. */

/** Names of the workflow types. */
export const workflowTypes = {
  syncRun: 'syncRun',
  settleRun: 'settleRun',
  rollbackRun: 'rollbackRun',
  recoverRun: 'recoverRun',
  review: 'review',
  dueRun: 'dueRun',
  inquiry: 'inquiry',
  liveSync: 'liveSync',
  indexNames: 'indexNames',
} as const;

/** Ids of workflows. `scope` separates installations that share a Temporal namespace: it is the same text that follows the
 *  names of their task queues, by default none. */
export const workflowIds = {
  syncRun: (jobId: number, runKey: string, scope = ''): string => `sync-run/${jobId}/${runKey}${scope}`,
  settleRun: (batchId: string, scope = ''): string => `settle-run/${batchId}${scope}`,
  rollbackRun: (runId: string, key: string, scope = ''): string => `rollback-run/${runId}/${key}${scope}`,
  recoverRun: (runId: string, scope = ''): string => `recover-run/${runId}${scope}`,
  review: (jobId: number, scope = ''): string => `review/${jobId}${scope}`,
  /** `date`: of the daily run; of one that is wanted at once, what it is for. */
  dueRun: (institutionId: number, date: string, scope = ''): string => `due-run/${institutionId}/${date}${scope}`,
  inquiry: (inquiryId: string, scope = ''): string => `inquiry/${inquiryId}${scope}`,
  liveSync: (goldenId: string, key: string, scope = ''): string => `live-sync/${goldenId}/${key}${scope}`,
  indexNames: (institutionId: number, runId: string, scope = ''): string =>
    `maintenance/names/${institutionId}/${runId}${scope}`,
} as const;

/** Ids of schedules. The runs that a schedule starts have an id that ends with `-` and its nominal time. */
export const scheduleIds = {
  job: (institutionId: number, jobId: number, scope = ''): string => `schedule/${institutionId}/${jobId}${scope}`,
  due: (institutionId: number, scope = ''): string => `schedule/${institutionId}/due${scope}`,
} as const;

/** In place of a run's key or date, in ids that Temporal completes with a schedule's nominal time. */
export const scheduledKey = 'scheduled';

/** The header in which a trace travels, as Temporal's SDKs name it. */
export const traceHeader = '_tracer-data';

/** How patient a run is. Left out: as in production. Tests that kill workers or take targets down cannot wait so long. */
export interface Pace {
  /** A work activity whose worker has not been heard of for so long is given to another. */
  readonly heartbeatSeconds?: number;
  /** Wait before the second attempt of a step; it doubles from there. */
  readonly retrySeconds?: number;
  /** A review begins afresh (continue-as-new) once its history has so many events. */
  readonly historyEvents?: number;
}

export interface SyncRunInput {
  readonly institutionId: number;
  readonly jobId: number;
  readonly actor: string;
  /** Targets are projected as of this date (YYYY-MM-DD). null: the date of the schedule's nominal time in `timeZone`. */
  readonly asOf: string | null;
  readonly timeZone?: string;
  /** Default: a run that fails or is cancelled after it began to apply rolls itself back. */
  readonly onFailure?: 'roll_back' | 'hold';
  /** Partitions read at once. */
  readonly partitions?: number;
  readonly parentRunId?: string;
  readonly pace?: Pace;
}

export interface SettleRunInput {
  readonly institutionId: number;
  readonly jobId: number | null;
  readonly kind: RunKind;
  /** The decision batch that is carried out. */
  readonly batchId: string;
  readonly actor: string;
  readonly asOf: string | null;
  readonly timeZone?: string;
  readonly onFailure?: 'roll_back' | 'hold';
  readonly pace?: Pace;
}

export interface RollbackRunInput {
  readonly institutionId: number;
  readonly jobId: number | null;
  readonly actor: string;
  readonly asOf: string | null;
  readonly timeZone?: string;
  /** The run that is rolled back, and the hash of the preview that the person saw. */
  readonly rollbackOf: string;
  readonly previewHash: string;
  readonly pace?: Pace;
}

/** A run whose own workflow is gone (terminated, or its server lost) after it began to apply. */
export interface RecoverRunInput {
  readonly institutionId: number;
  readonly jobId: number | null;
  readonly runId: string;
  readonly kind: RunKind;
  readonly failure: RunFailure;
  readonly pace?: Pace;
}

export interface ReviewInput {
  readonly institutionId: number;
  readonly jobId: number;
  readonly timeZone?: string;
  readonly pace?: Pace;
  /** Batches whose settling failed, handed on at continue-as-new. */
  readonly failed?: readonly FailedBatch[];
  /** Batches settled before continue-as-new. */
  readonly settled?: number;
  /** When somebody is to be reminded (milliseconds since 1970), handed on at continue-as-new. */
  readonly remindAt?: number;
}

export interface FailedBatch {
  readonly batchId: string;
  readonly attempts: number;
  /** Not tried again before (milliseconds since 1970). */
  readonly notBefore: number;
  readonly code: string;
}

export interface DueRunInput {
  readonly institutionId: number;
  readonly actor: string;
  /** null: the date of the schedule's nominal time in `timeZone`. */
  readonly asOf: string | null;
  readonly timeZone?: string;
  readonly pace?: Pace;
}

/** What a person asked a system: the id of the row that holds question and answer. */
export interface InquiryInput {
  readonly institutionId: number;
  readonly inquiryId: string;
  readonly pace?: Pace;
}

/** Synchronizes one person now. */
export interface LiveSyncInput {
  readonly institutionId: number;
  /** The job whose targets are told and whose review asks. */
  readonly jobId: number;
  /** The golden record of the person. */
  readonly subjectKey: string;
  readonly actor: string;
  readonly asOf: string | null;
  readonly timeZone?: string;
  readonly onFailure?: 'roll_back' | 'hold';
  readonly pace?: Pace;
}

/** Keeps the words by which records are found up with what a run wrote (null: with everything). */
export interface IndexNamesInput {
  readonly institutionId: number;
  readonly runId: string | null;
  readonly pace?: Pace;
}

/** A source or a target that a run had to leave out, and why. */
export interface LeftOut {
  readonly name: string;
  readonly code: string;
}

/** What a run's workflow returns. A run that failed fails its workflow instead, with this in the failure's details. */
export interface RunResult {
  /** null where the run was skipped. */
  readonly runId: string | null;
  readonly state: EndState;
  readonly questions: number;
  readonly held: number;
  readonly rejected: number;
  readonly goldenWrites: number;
  readonly targetWrites: number;
  /** Sources that dropped out alone. */
  readonly dropped: readonly LeftOut[];
  /** Targets that are told by a later run. */
  readonly delayed: readonly LeftOut[];
  /** For a skipped run: the run that occupies the job. */
  readonly occupiedBy?: string;
  readonly failure?: RunFailure;
}

export interface ReviewResult {
  readonly settled: number;
}

/** Where a run stands, for whoever asks. Counts are named `step.count`. */
export interface RunProgress {
  readonly runId: string | null;
  readonly state: RunState;
  readonly paused: boolean;
  readonly cancelling: boolean;
  readonly counts: Readonly<Record<string, number>>;
  readonly dropped: readonly LeftOut[];
  readonly delayed: readonly LeftOut[];
}

export interface ReviewProgress {
  readonly open: number;
  readonly nextDue: string | null;
  readonly settled: number;
  readonly failed: readonly FailedBatch[];
}

/** Of every run. */
export const progress = defineQuery<RunProgress>('progress');
/** Of a review. */
export const reviewProgress = defineQuery<ReviewProgress>('reviewProgress');

/** Tells a review that there may be something to do. It carries nothing: the review looks for itself. */
export const wake = defineSignal('wake');
/** Lets a paused run go on. */
export const resume = defineSignal('resume');

/** Lets the step at hand end and begins no other until `resume`. Refused by a run that is over or takes itself back. */
export const pause = defineUpdate<RunProgress>('pause');
/** Stops the run; what it has applied is rolled back. Refused by a run that is over or takes itself back. */
export const cancelRun = defineUpdate<RunProgress>('cancelRun');

/** Search attributes that a workflow is started with. One that is started without them does without. */
export const searchAttributesOf = (run: {
  readonly institutionId: number;
  readonly jobId: number | null;
  readonly kind: RunKind | 'review' | 'inquiry' | 'maintenance';
}): SearchAttributePair[] => [
  { key: { name: 'ConcordInstitution', type: 'KEYWORD' }, value: String(run.institutionId) },
  ...(run.jobId === null ? [] : [{ key: { name: 'ConcordJob', type: 'KEYWORD' } as const, value: String(run.jobId) }]),
  { key: { name: 'ConcordRunKind', type: 'KEYWORD' }, value: run.kind },
];

/** Starts a workflow with its search attributes and, where the namespace refuses them, without. */
export async function withSearchAttributes<T>(
  attributes: SearchAttributePair[],
  start: (options: { readonly typedSearchAttributes?: SearchAttributePair[] }) => Promise<T>,
): Promise<T> {
  try {
    return await start({ typedSearchAttributes: attributes });
  } catch (error) {
    if (!refusesSearchAttributes(error)) throw error;
    return await start({});
  }
}

/* The server says INVALID_ARGUMENT (3) and names the attribute; the client wraps it. */
function refusesSearchAttributes(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const details = 'details' in error && typeof error.details === 'string' ? error.details : error.message;
  return /search attribute/i.test(details) || refusesSearchAttributes(error.cause);
}

/** One line that tells an operator in Temporal's Web UI what a workflow is for. */
export const summaries = {
  syncRun: (job: string): string => `Synchronizes job ${job}`,
  settleRun: (batchId: string): string => `Carries out decision batch ${batchId}`,
  rollbackRun: (runId: string): string => `Rolls back run ${runId}`,
  recoverRun: (runId: string): string => `Rolls back run ${runId}, whose workflow was lost`,
  review: (jobId: number): string => `Waits for the decisions and due dates of job ${jobId}`,
  inquiry: (kind: string, subject: string): string => `Answers a ${kind.replaceAll('_', ' ')} of ${subject}`,
  liveSync: (goldenId: string): string => `Synchronizes what is known of golden record ${goldenId}`,
  indexNames: (institutionId: number): string => `Keeps the names of institution ${institutionId} findable`,
  dueRun: (institutionId: number): string => `Tells targets what falls due for institution ${institutionId}`,
} as const;

/** What Temporal's Web UI shows of a workflow beside its summary: where its run is told in words. null: nobody said where we are. */
export const pageOf = (publicUrl: string | null, query: string): { readonly staticDetails?: string } =>
  publicUrl === null
    ? {}
    : { staticDetails: `[Its run in Concord](${publicUrl}/api/secretary/data-sync/runs?${query})` };
