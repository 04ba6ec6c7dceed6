import { CancellationScope } from '@temporalio/workflow';
import { asOfDate } from './dates.js';
import type { RollbackRunInput, RunResult } from './messages.js';
import { carryOut } from './run-frame.js';

/** Rolls a run back, and the runs of its decisions and releases before it. Refused where the preview that the person saw no
 *  longer holds. Once it has begun it cannot be cancelled: half a rollback is nothing that anybody asked for. */
export async function rollbackRun(input: RollbackRunInput): Promise<RunResult> {
  const { institutionId, jobId, actor, rollbackOf, previewHash } = input;
  const open = {
    institutionId,
    jobId,
    kind: 'rollback' as const,
    actor,
    asOf: asOfDate(input),
    rollbackOf,
    previewHash,
  };
  const task = `Rolls back run ${rollbackOf}`;
  return await carryOut({ open, task, rollsBack: false, pace: input.pace }, async ({ ref, steps, progress }) => {
    const { runIds } = await steps.undoing.planRollback(ref);
    await progress.begin('rollback', `${runIds.length} runs`);
    progress.rollingBack();
    await CancellationScope.nonCancellable(async () => {
      for (const runId of runIds) {
        progress.count('rollback', await steps.undoing.rollBackTargets(ref, runId));
        progress.count('rollback', await steps.undoing.rollBackGolden(ref, runId));
      }
    });
  });
}
