import { asOfDate } from './dates.js';
import { applyTypes, publishTo, verifyAt } from './loop-steps.js';
import type { RunResult, SyncRunInput } from './messages.js';
import { carryOut, withStaging } from './run-frame.js';
import { planReading, post, prepare, readSources } from './source-steps.js';

/** One synchronization of a job: read, compare, clean, match, merge, apply, publish, verify. It ends then, perhaps with open
 *  questions: it never waits for people. */
export async function syncRun(input: SyncRunInput): Promise<RunResult> {
  const { institutionId, jobId, actor, parentRunId } = input;
  const open = {
    ...{ institutionId, jobId, kind: 'sync' as const, actor, asOf: asOfDate(input) },
    ...(parentRunId === undefined ? {} : { parentRunId }),
  };
  const task = `Synchronizes job ${jobId} as of ${open.asOf}`;
  return await carryOut({ open, task, rollsBack: input.onFailure !== 'hold', pace: input.pace }, async (run) => {
    const posted = await withStaging(run, async () => {
      const plan = await planReading(run);
      await readSources(run, plan, input.partitions);
      await applyTypes(run, await prepare(run));
      return plan.posted;
    });
    const targets = await run.steps.books.listTargets(run.ref);
    const told = await publishTo(run, targets);
    await post(run, posted);
    await verifyAt(run, told);
  });
}
