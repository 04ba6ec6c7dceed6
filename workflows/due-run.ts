import { asOfDate } from './dates.js';
import { publishTo, verifyAt } from './loop-steps.js';
import type { DueRunInput, RunResult } from './messages.js';
import { carryOut } from './run-frame.js';

/** Tells targets what holds from this date on though no source changed: accounts that begin, names and places that end. */
export async function dueRun(input: DueRunInput): Promise<RunResult> {
  const { institutionId, actor } = input;
  const open = { institutionId, jobId: null, kind: 'due' as const, actor, asOf: asOfDate(input) };
  const task = `Tells targets what falls due up to ${open.asOf}`;
  return await carryOut({ open, task, rollsBack: false, pace: input.pace }, async (run) => {
    const told = await publishTo(run, await run.steps.books.dueTargets(run.ref));
    await verifyAt(run, told);
  });
}
