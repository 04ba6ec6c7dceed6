import { asOfDate } from './dates.js';
import { applyTypes, publishTo } from './loop-steps.js';
import type { DryRunInput, RunResult } from './messages.js';
import { carryOut, withStaging } from './run-frame.js';
import { planReading, post, prepare, readSources } from './source-steps.js';

/** Tells what a run of a job would do now: the steps of that run, over a copy of the stores and with targets that only look. It
 *  changes nothing but its own row, and goes on beside other runs of the job. */
export async function dryRun(input: DryRunInput): Promise<RunResult> {
  const { institutionId, jobId, actor } = input;
  const open = { institutionId, jobId, kind: 'dry_run' as const, actor, asOf: asOfDate(input) };
  const task = `Works out what a run of job ${jobId} as of ${open.asOf} would do`;
  return await carryOut({ open, task, rollsBack: false, pace: input.pace }, async (run) => {
    const { ref, steps, progress } = run;
    await withStaging(run, async () => {
      progress.delayed = [];
      await progress.begin('extract', 'copies the stores');
      await steps.work.copyStores(ref);
      const plan = await planReading(run);
      await readSources(run, plan, input.partitions);
      await applyTypes(run, await prepare(run));
      await publishTo(run, await steps.books.listTargets(ref));
      await post(run, plan.posted);
      const { dropped, delayed } = progress.leftOut();
      await steps.work.notePlan(ref, [...dropped, ...delayed]);
    });
  });
}
