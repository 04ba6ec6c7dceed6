import { CancellationScope, isCancellation, log, workflowInfo } from '@temporalio/workflow';
import type { OpenRunInput, RunFailure, RunSummary } from '../activities/contract.js';
import type { RunRef } from '../domain/run.js';
import { stepsOf } from './activity-options.js';
import type { Steps } from './activity-options.js';
import { asApplicationFailure, failedWith, failureOf } from './failures.js';
import type { Pace, RunResult } from './messages.js';
import { RunProgressKeeper } from './run-progress.js';

/** A run at work: what its procedure is given. */
export interface RunAtWork {
  /** Changes where the run begins to read again. */
  ref: RunRef;
  readonly steps: Steps;
  readonly progress: RunProgressKeeper;
  /** Set before anything is written that a rollback would have to take back. */
  written: boolean;
}

export interface Frame {
  readonly open: OpenRunInput;
  /** What the run is for, in words without personal data. */
  readonly task: string;
  /** Whether a run that fails or is cancelled after it wrote takes itself back. */
  readonly rollsBack: boolean;
  readonly pace: Pace | undefined;
}

/** Opens a run, carries its procedure out and closes it, however it ends. What was begun is never left open: closing is
 *  beyond cancellation, and tried for ever. */
export async function carryOut(frame: Frame, procedure: (run: RunAtWork) => Promise<void>): Promise<RunResult> {
  const steps = stepsOf(frame.pace);
  const progress = new RunProgressKeeper(frame.task);
  const workflow = CancellationScope.current();
  const opened = await CancellationScope.nonCancellable(() => open(steps, frame.open));
  if ('skipped' in opened) return skipped(progress, opened.skipped.runId);
  const run: RunAtWork = { ref: opened.opened, steps, progress, written: false };
  progress.opened(run.ref.runId);
  try {
    await progress.cancellable(() => procedure(run));
    return await CancellationScope.nonCancellable(async () => resultOf(run, await close(run, 'completed')));
  } catch (error) {
    const result = await CancellationScope.nonCancellable(() => endBadly(run, frame, error));
    if (result.failure !== undefined) throw asApplicationFailure(result.failure, result);
    // Temporal shows a workflow as cancelled where it was asked to cancel it.
    if (workflow.consideredCancelled) throw error;
    return result;
  }
}

/* A crash of the database empties unlogged staging. So often a run begins again before it gives up. */
const mostLosses = 5;

/** Does `work`, and does it again from its beginning where the run's staging was lost. */
export async function withStaging<T>(run: RunAtWork, work: () => Promise<T>): Promise<T> {
  for (let losses = 1; ; losses += 1) {
    try {
      return await work();
    } catch (error) {
      if (!failedWith(error, 'staging_lost') || losses === mostLosses) throw error;
      log.warn('staging lost, begins again', { runId: run.ref.runId, losses });
      // Of workers before the readings were counted there is no answer.
      const reading = (await run.steps.books.forgetStaging(run.ref)) as number | undefined;
      if (reading !== undefined) run.ref = { ...run.ref, reading };
    }
  }
}

/** Rolls a run back that did not end well, by the activities of every rollback: targets first, while golden values still
 *  tell what this run wrote. Never throws: what it could not take back is told with the failure. */
export async function takeBack(steps: Steps, ref: RunRef): Promise<{ readonly failure: RunFailure | null }> {
  try {
    await steps.undoing.rollBackTargets(ref, ref.runId);
    await steps.undoing.rollBackGolden(ref, ref.runId);
    return { failure: null };
  } catch (error) {
    return { failure: failureOf(error) };
  }
}

/** Drops the run's staging. The run is closed by then: a failure here changes nothing of its outcome. */
export async function tidy(steps: Steps, ref: RunRef): Promise<void> {
  try {
    await steps.books.dropStaging(ref);
  } catch (error) {
    log.warn('staging tables are left behind', { runId: ref.runId, code: failureOf(error).code });
  }
}

/** Said with the cause of a run's failure where it could not be taken back either. */
export const neitherWay = (cause: RunFailure, rollback: RunFailure): RunFailure => ({
  code: cause.code,
  detail: `${cause.detail} Rolling back failed too (${rollback.code}): ${rollback.detail} What was written stands until the run is rolled back.`,
});

/* A job that was released between the claim and the look at who holds it is claimed again. */
async function open(steps: Steps, input: OpenRunInput): ReturnType<Steps['books']['openRun']> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await steps.books.openRun({ ...input, workflowId: workflowInfo().workflowId });
    } catch (error) {
      if (!failedWith(error, 'job_occupied') || attempt === 5) throw asApplicationFailure(failureOf(error));
    }
  }
}

async function endBadly(run: RunAtWork, frame: Frame, error: unknown): Promise<RunResult> {
  const failure = isCancellation(error) ? undefined : failureOf(error);
  if (!run.written || !frame.rollsBack) {
    return resultOf(run, await close(run, failure === undefined ? 'cancelled' : 'failed', failure), failure);
  }
  run.progress.rollingBack();
  const rollback = await takeBack(run.steps, run.ref);
  if (rollback.failure === null) return resultOf(run, await close(run, 'rolled_back', failure), failure);
  const cause = failure ?? { code: rollback.failure.code, detail: 'The run was cancelled.' };
  const both = neitherWay(cause, rollback.failure);
  return resultOf(run, await close(run, 'failed', both), both);
}

type Outcome = Parameters<Steps['books']['closeRun']>[1];

async function close(run: RunAtWork, outcome: Outcome, failure?: RunFailure): Promise<RunSummary> {
  run.progress.closes();
  const summary = await run.steps.books.closeRun(run.ref, outcome, failure, run.progress.delayed);
  run.progress.ended(summary);
  await tidy(run.steps, run.ref);
  return summary;
}

function resultOf(run: RunAtWork, summary: RunSummary, failure?: RunFailure): RunResult {
  return { ...summary, runId: run.ref.runId, ...run.progress.leftOut(), ...(failure === undefined ? {} : { failure }) };
}

function skipped(progress: RunProgressKeeper, occupiedBy: string): RunResult {
  const nothing = { questions: 0, held: 0, rejected: 0, goldenWrites: 0, targetWrites: 0 };
  progress.ended({ state: 'skipped', ...nothing });
  return { runId: null, state: 'skipped', ...nothing, dropped: [], delayed: [], occupiedBy };
}
