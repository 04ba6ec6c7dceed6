import {
  CancellationScope,
  ChildWorkflowCancellationType,
  ParentClosePolicy,
  allHandlersFinished,
  condition,
  continueAsNew,
  executeChild,
  log,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { ReviewWork } from '../activities/contract.js';
import { stepsOf } from './activity-options.js';
import type { Steps } from './activity-options.js';
import { failureOf } from './failures.js';
import { reviewProgress, searchAttributesOf, summaries, wake, workflowIds } from './messages.js';
import type { FailedBatch, ReviewInput, ReviewResult } from './messages.js';
import { settleRun } from './settle-run.js';

type Batch = ReviewWork['batches'][number];

const minute = 60_000;
const hour = 60 * minute;
/* A batch that failed is tried again after these, then every few hours until somebody mends its cause. */
const backoff = [minute, 5 * minute, 30 * minute, 4 * hour];
/* Looked at again though nobody woke us and nothing is due: a lost signal costs a day, not a decision. */
const longestWait = 24 * hour;
const shortestWaitAfterReminder = hour;
const longHistory = 2_000;
const never = Number.MAX_SAFE_INTEGER;

/** Looks after the open questions of a job: has decisions carried out, reminds when they are due, and ends when nothing is open.
 *  Whoever decides wakes it, and so starts it where it is not there. */
export async function review(input: ReviewInput): Promise<ReviewResult> {
  return await new Review(input).run();
}

class Review {
  private readonly steps: Steps;
  private readonly failed: Map<string, FailedBatch>;
  /* What follows our id. Not taken from the task queue: a replay has another, and ids of children must not change. */
  private readonly scope: string;
  private settled: number;
  private remindAt: number;
  private woken = false;
  private work: ReviewWork = { batches: [], open: 0, nextDue: null };

  constructor(private readonly input: ReviewInput) {
    this.steps = stepsOf(input.pace);
    this.scope = workflowInfo().workflowId.slice(workflowIds.review(input.jobId).length);
    this.failed = new Map((input.failed ?? []).map((batch) => [batch.batchId, batch]));
    this.settled = input.settled ?? 0;
    this.remindAt = input.remindAt ?? never;
    setHandler(wake, () => void (this.woken = true));
    setHandler(reviewProgress, () => {
      const { open, nextDue } = this.work;
      return { open, nextDue, settled: this.settled, failed: [...this.failed.values()] };
    });
  }

  async run(): Promise<ReviewResult> {
    for (;;) {
      await this.settleAll();
      const reminded = await this.remindWhereDue();
      if (this.work.open === 0 && this.work.batches.length === 0 && !this.woken) return { settled: this.settled };
      await this.waitFor(reminded);
      if (this.isLong()) await this.beginAfresh();
    }
  }

  /* Pulls again after each round: more may have been decided meanwhile. */
  private async settleAll(): Promise<void> {
    const done = new Set<string>();
    for (;;) {
      this.woken = false;
      const { institutionId, jobId } = this.input;
      this.work = await this.steps.books.pendingReview(institutionId, jobId);
      this.forgetMended();
      const ready = this.work.batches.filter(({ batchId }) => (this.failed.get(batchId)?.notBefore ?? 0) <= Date.now());
      this.tell();
      if (ready.length === 0) return;
      for (const batch of ready) await this.settleOnce(batch, done);
      if (this.isLong()) await this.beginAfresh();
    }
  }

  /* One that was carried out and is pending still must not be carried out for ever. */
  private async settleOnce(batch: Batch, done: Set<string>): Promise<void> {
    if (done.has(batch.batchId)) this.note(batch, 'internal');
    else await this.settle(batch);
    done.add(batch.batchId);
  }

  private async settle(batch: Batch): Promise<void> {
    const code = await this.codeOfSettling(batch);
    if (code !== null) {
      this.note(batch, code);
      return;
    }
    this.failed.delete(batch.batchId);
    this.settled += 1;
  }

  /* null: the batch was carried out; else why it was not. */
  private async codeOfSettling(batch: Batch): Promise<string | null> {
    try {
      const { state } = await this.settleAsChild(batch);
      if (state === 'skipped') return 'job_occupied';
      return state.startsWith('completed') ? null : 'state_forbids';
    } catch (error) {
      // Begun by a review that is gone.
      if (error instanceof Error && error.name === 'WorkflowExecutionAlreadyStartedError') return 'job_occupied';
      return failureOf(error).code;
    }
  }

  /* The child outlives us, and a cancellation of the review: a decision is carried out whole. */
  private async settleAsChild(batch: Batch): ReturnType<typeof settleRun> {
    const { institutionId, jobId, timeZone, pace } = this.input;
    const attempt = (this.failed.get(batch.batchId)?.attempts ?? 0) + 1;
    const key = attempt === 1 ? batch.batchId : `${batch.batchId}/${attempt}`;
    const attributes = { institutionId, jobId, kind: batch.kind };
    const known = workflowInfo().typedSearchAttributes.getAll().length > 0;
    return await CancellationScope.nonCancellable(() =>
      executeChild(settleRun, {
        workflowId: workflowIds.settleRun(key, this.scope),
        parentClosePolicy: ParentClosePolicy.ABANDON,
        cancellationType: ChildWorkflowCancellationType.ABANDON,
        staticSummary: summaries.settleRun(batch.batchId),
        ...(known ? { typedSearchAttributes: searchAttributesOf(attributes) } : {}),
        args: [
          {
            ...{ institutionId, jobId, kind: batch.kind, batchId: batch.batchId, actor: 'review', asOf: null },
            ...(timeZone === undefined ? {} : { timeZone }),
            ...(pace === undefined ? {} : { pace }),
          },
        ],
      }),
    );
  }

  private note(batch: Batch, code: string): void {
    const attempts = (this.failed.get(batch.batchId)?.attempts ?? 0) + 1;
    const pause = backoff[Math.min(attempts, backoff.length) - 1] ?? hour;
    log.warn('a decision batch could not be carried out', { batchId: batch.batchId, attempts, code });
    this.failed.set(batch.batchId, { batchId: batch.batchId, attempts, notBefore: Date.now() + pause, code });
  }

  private forgetMended(): void {
    const pending = new Set(this.work.batches.map(({ batchId }) => batchId));
    for (const batchId of this.failed.keys()) if (!pending.has(batchId)) this.failed.delete(batchId);
  }

  /* Due is what is due now, and what was to be due by now when we last looked. */
  private async remindWhereDue(): Promise<boolean> {
    const { nextDue } = this.work;
    const due = Math.min(this.remindAt, nextDue === null ? never : Date.parse(nextDue));
    if (this.work.open === 0 || due > Date.now()) return false;
    const { institutionId, jobId } = this.input;
    this.remindAt = never;
    await this.steps.books.remindReview(institutionId, jobId);
    this.work = await this.steps.books.pendingReview(institutionId, jobId);
    this.tell();
    return true;
  }

  private async waitFor(reminded: boolean): Promise<void> {
    const { nextDue } = this.work;
    const moments = [...this.failed.values()].map(({ notBefore }) => notBefore);
    if (nextDue !== null) {
      const due = Date.parse(nextDue);
      this.remindAt = reminded ? Math.max(due, Date.now() + shortestWaitAfterReminder) : due;
      moments.push(this.remindAt);
    }
    const wait = Math.min(longestWait, ...moments.map((moment) => moment - Date.now()));
    await condition(() => this.woken, Math.max(wait, 1_000));
  }

  private isLong(): boolean {
    const { continueAsNewSuggested, historyLength } = workflowInfo();
    return continueAsNewSuggested || historyLength > (this.input.pace?.historyEvents ?? longHistory);
  }

  private async beginAfresh(): Promise<void> {
    await condition(allHandlersFinished);
    const { settled, remindAt } = this;
    await continueAsNew<typeof review>({ ...this.input, failed: [...this.failed.values()], settled, remindAt });
  }

  private tell(): void {
    const { open, nextDue, batches } = this.work;
    const due = nextDue === null ? 'none is due' : `the next is due ${nextDue}`;
    const failed = [...this.failed.values()].map(
      ({ batchId, code }) => `batch ${batchId} failed (${code}) and is tried again`,
    );
    const lines = [
      `Looks after job ${this.input.jobId}`,
      `${open} open, ${due}.`,
      `${batches.length} to carry out.`,
      ...failed,
    ];
    setCurrentDetails(lines.join('\n\n'));
  }
}
