import { asOfDate } from './dates.js';
import { applyTypes, publishTo, verifyAt } from './loop-steps.js';
import type { RunResult, SettleRunInput } from './messages.js';
import { carryOut, withStaging } from './run-frame.js';

/** Carries out what people decided: the values of a decision batch, or the rows of a released change. A run of its own, with
 *  the run that asked as its parent. */
export async function settleRun(input: SettleRunInput): Promise<RunResult> {
  const { institutionId, jobId, kind, actor, batchId } = input;
  const open = { institutionId, jobId, kind, actor, asOf: asOfDate(input), batchId };
  const task = `Carries out decision batch ${batchId} as of ${open.asOf}`;
  return await carryOut({ open, task, rollsBack: input.onFailure !== 'hold', pace: input.pace }, async (run) => {
    const { steps, progress } = run;
    await withStaging(run, async () => {
      await progress.begin('standardize', `batch ${batchId}`);
      await applyTypes(run, await steps.work.stageBatch(run.ref));
    });
    const told = await publishTo(run, await steps.books.listTargets(run.ref));
    await verifyAt(run, told);
  });
}
