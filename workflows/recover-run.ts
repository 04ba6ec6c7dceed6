import { CancellationScope } from '@temporalio/workflow';
import { stepsOf } from './activity-options.js';
import { asApplicationFailure } from './failures.js';
import type { RecoverRunInput, RunResult } from './messages.js';
import { neitherWay, takeBack, tidy } from './run-frame.js';

/** Ends a run whose workflow was lost after it had begun to apply, as that workflow would have: rolls it back and closes it. */
export async function recoverRun(input: RecoverRunInput): Promise<RunResult> {
  const { runId, institutionId, jobId, kind, failure } = input;
  const ref = { runId, institutionId, jobId, kind };
  const steps = stepsOf(input.pace);
  return await CancellationScope.nonCancellable(async () => {
    const rollback = await takeBack(steps, ref);
    const cause = rollback.failure === null ? failure : neitherWay(failure, rollback.failure);
    const summary = await steps.books.closeRun(ref, rollback.failure === null ? 'rolled_back' : 'failed', cause);
    await tidy(steps, ref);
    const result: RunResult = { ...summary, runId, dropped: [], delayed: [], failure: cause };
    if (rollback.failure !== null) throw asApplicationFailure(cause, result);
    return result;
  });
}
