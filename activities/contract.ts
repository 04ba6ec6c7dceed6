import type { EndState, RunKind, RunRef } from '../domain/run.js';

/** What the workflows see of the activities: ids and counts travel, rows never. Every activity is idempotent: a retry takes up
 *  where the last chunk was committed, and a stale attempt is refused by its lease. */
export interface OpenRunInput {
  readonly institutionId: number;
  readonly jobId: number | null;
  readonly kind: RunKind;
  readonly actor: string;
  /** The date as of which targets are projected (YYYY-MM-DD); a schedule's nominal date. */
  readonly asOf: string;
  readonly parentRunId?: string;
  /** For settle runs: the decision batch that is carried out. For rollbacks: the run that is rolled back. */
  readonly batchId?: string;
  readonly rollbackOf?: string;
  /** The hash of the preview that the person saw; the rollback is refused where it no longer holds. */
  readonly previewHash?: string;
  /** For a live synchronization: the person whose records alone are read. */
  readonly subjectKey?: string;
}

/** `skipped`: the job is occupied by the run that is named. */
export type OpenedRun = { readonly opened: RunRef } | { readonly skipped: { readonly runId: string } };

export interface PartitionRef {
  readonly mappingId: number;
  readonly name: string;
  readonly ordinal: number;
}

/** What a run is to read. A source that failed drops out alone, with its error recorded as a finding. */
export interface ExtractPlan {
  readonly partitions: readonly PartitionRef[];
  /** Posted entity types: read, checked and written in chunks, mapping by mapping. */
  readonly posted: readonly PartitionRef[];
  readonly dropped: readonly { readonly name: string; readonly code: string }[];
}

/** What a live synchronization has read: rows by key, and the sources that were left out. */
export interface LiveReading {
  readonly rows: number;
  readonly sources: number;
  readonly dropped: readonly { readonly name: string; readonly code: string }[];
}

export interface PreparedRun {
  /** Entity types with something to do, in dependency order (referred-to types first). */
  readonly entityTypes: readonly number[];
  /** Nothing is new, changed or missing. */
  readonly nothingToDo: boolean;
}

export interface StepCounts {
  readonly [name: string]: number;
}

export interface TargetRef {
  readonly mappingId: number;
  readonly name: string;
}

export interface RunSummary {
  readonly state: EndState;
  readonly questions: number;
  readonly held: number;
  readonly rejected: number;
  readonly goldenWrites: number;
  readonly targetWrites: number;
}

export interface RunFailure {
  readonly code: string;
  readonly detail: string;
}

/** A target that could not be told, and why. */
export interface DelayedTarget extends RunFailure {
  readonly name: string;
}

/** Work that waits for the review of a job. */
export interface ReviewWork {
  /** Batches to carry out, oldest first. */
  readonly batches: readonly { readonly batchId: string; readonly kind: RunKind }[];
  /** Open questions and held changes, and when the next one is due (RFC 3339), null where none is. */
  readonly open: number;
  readonly nextDue: string | null;
}

/** What a person asked a system; the row of `inquiries`. */
export interface InquiryRef {
  readonly institutionId: number;
  readonly inquiryId: string;
}

export interface InquiryActivities {
  /** Asks the system and writes the answer, or why there is none, to the row. Idempotent: an answer is written once. */
  answerInquiry(inquiry: InquiryRef): Promise<void>;
}

export interface SyncActivities {
  // bookkeeping (short, idempotent: local activities)
  openRun(input: OpenRunInput & { readonly workflowId: string }): Promise<OpenedRun>;
  closeRun(
    run: RunRef,
    outcome: 'completed' | 'cancelled' | 'failed' | 'rolled_back',
    failure?: RunFailure,
    delayed?: readonly DelayedTarget[],
  ): Promise<RunSummary>;

  // extract … guard: staging only
  planExtract(run: RunRef): Promise<ExtractPlan>;
  extract(run: RunRef, partition: PartitionRef): Promise<StepCounts>;
  /** In place of `planExtract` and `extract`: reads the rows of one person by their keys. */
  planLive(run: RunRef): Promise<LiveReading>;
  /** After lost staging: forgets every chunk of this reading of the run, so that it is extracted again. Returns the reading that the
   *  run is at from then on, with which it goes on; forgetting the same one twice is forgetting it once. */
  forgetStaging(run: RunRef): Promise<number>;
  diff(run: RunRef): Promise<StepCounts>;
  /** Judges source rows against limits and rolled back inputs; what is over is held in logged rows and leaves the run. */
  guard(run: RunRef): Promise<StepCounts>;
  standardize(run: RunRef): Promise<PreparedRun>;
  /** A settle run stages its batch in place of an extraction. */
  stageBatch(run: RunRef): Promise<PreparedRun>;

  // per entity type
  match(run: RunRef, entityTypeId: number): Promise<StepCounts>;
  merge(run: RunRef, entityTypeId: number): Promise<StepCounts>;
  apply(run: RunRef, entityTypeId: number): Promise<StepCounts>;

  // per target
  listTargets(run: RunRef): Promise<readonly TargetRef[]>;
  publish(run: RunRef, target: TargetRef): Promise<StepCounts>;
  verify(run: RunRef, target: TargetRef): Promise<StepCounts>;

  // posted types: source → checks → target in chunks
  post(run: RunRef, partition: PartitionRef): Promise<StepCounts>;

  // rollback
  /** Runs to roll back, children first, ending with the run itself. @throws preview_outdated */
  planRollback(run: RunRef): Promise<{ readonly runIds: readonly string[] }>;
  rollBackTargets(run: RunRef, runId: string): Promise<StepCounts>;
  rollBackGolden(run: RunRef, runId: string): Promise<StepCounts>;

  // dry runs
  /** Makes the copy of the stores over which the steps of a dry run are carried out; what an earlier attempt did is forgotten. */
  copyStores(run: RunRef): Promise<void>;
  /** Counts what the run would do and keeps samples, with the run. `leftOut`: sources and targets that could not be asked. */
  notePlan(run: RunRef, leftOut: readonly { readonly name: string; readonly code: string }[]): Promise<void>;

  // review
  pendingReview(institutionId: number, jobId: number): Promise<ReviewWork>;
  remindReview(institutionId: number, jobId: number): Promise<void>;

  // search
  /** Keeps the words by which records are found: of those that a run wrote (null: of all). Returns how many records it looked at. */
  indexNames(institutionId: number, runId: string | null): Promise<number>;

  // due
  dueTargets(run: RunRef): Promise<readonly TargetRef[]>;
  /** Jobs of the outbox are woken elsewhere; this drops the staging tables of the run. */
  dropStaging(run: RunRef): Promise<void>;
}
