import { asOfDate } from './dates.js';
import { asApplicationFailure } from './failures.js';
import { applyTypes, publishTo, verifyAt } from './loop-steps.js';
import type { LiveSyncInput, RunResult } from './messages.js';
import { carryOut, withStaging } from './run-frame.js';
import type { RunAtWork } from './run-frame.js';

/** Synchronizes one person now: reads their rows alone, by their keys, and goes through the same steps as every run. A system that
 *  cannot be asked for single rows is left out, and nothing is concluded from that. */
export async function liveSync(input: LiveSyncInput): Promise<RunResult> {
  const { institutionId, jobId, actor, subjectKey } = input;
  const open = { institutionId, jobId, kind: 'sync' as const, actor, asOf: asOfDate(input), subjectKey };
  const task = `Synchronizes golden record ${subjectKey} as of ${open.asOf}`;
  return await carryOut({ open, task, rollsBack: input.onFailure !== 'hold', pace: input.pace }, async (run) => {
    const { ref, steps, progress } = run;
    await withStaging(run, async () => {
      await read(run);
      await progress.begin('diff');
      progress.count('diff', await steps.work.diff(ref));
      await progress.begin('guard');
      progress.count('guard', await steps.work.guard(ref));
      await progress.begin('standardize');
      await applyTypes(run, await steps.work.standardize(ref));
    });
    const told = await publishTo(run, await steps.books.listTargets(ref));
    await verifyAt(run, told);
  });
}

async function read({ ref, steps, progress }: RunAtWork): Promise<void> {
  await progress.begin('extract', 'the rows of one person');
  const { rows, sources, dropped } = await steps.reading.planLive(ref);
  progress.count('extract', { rows });
  progress.dropped = [...dropped];
  if (sources > 0) return;
  const [first] = dropped;
  const names = dropped.map(({ name, code }) => `${name} (${code})`).join(', ');
  const detail = first === undefined ? 'No source knows this person.' : `No source could be asked: ${names}.`;
  throw asApplicationFailure({ code: first?.code ?? 'not_found', detail });
}
