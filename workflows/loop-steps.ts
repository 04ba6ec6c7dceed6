import { isCancellation } from '@temporalio/workflow';
import type { PreparedRun, RunFailure, TargetRef } from '../activities/contract.js';
import { failureOf } from './failures.js';
import { inParallel } from './parallel.js';
import { withStaging } from './run-frame.js';
import type { RunAtWork } from './run-frame.js';

/* The second half of the loop, the same for every run that changes golden records. */

/** match → merge → apply, type by type: a type finds the golden records of those that it refers to. */
export async function applyTypes(run: RunAtWork, prepared: PreparedRun): Promise<void> {
  const { ref, steps, progress } = run;
  for (const [index, entityType] of prepared.entityTypes.entries()) {
    const where = `entity type ${index + 1} of ${prepared.entityTypes.length}`;
    await progress.begin('match', where);
    progress.count('match', await steps.work.match(ref, entityType));
    await progress.begin('merge', where);
    progress.count('merge', await steps.work.merge(ref, entityType));
    await progress.begin('apply', where);
    run.written = true;
    progress.count('apply', await steps.work.apply(ref, entityType));
  }
}

/** Tells every target. One that is down or refuses us delays itself alone; those that were told are returned. */
export async function publishTo(run: RunAtWork, targets: readonly TargetRef[]): Promise<readonly TargetRef[]> {
  const told = await eachTarget(run, targets, 'publish');
  return targets.filter((target) => told.has(target));
}

/** Reads back what was written to them. */
export async function verifyAt(run: RunAtWork, targets: readonly TargetRef[]): Promise<void> {
  await eachTarget(run, targets, 'verify');
}

const systemsAtOnce = 3;

/* Systems side by side; within a system in the given order (referred-to types first), ending where it does not answer. */
async function eachTarget(
  run: RunAtWork,
  targets: readonly TargetRef[],
  step: 'publish' | 'verify',
): Promise<ReadonlySet<TargetRef>> {
  const reached = new Set<TargetRef>();
  if (targets.length === 0) return reached;
  await run.progress.begin(step);
  await inParallel([...bySystem(targets).values()], systemsAtOnce, async (ofOneSystem) => {
    for (const [index, target] of ofOneSystem.entries()) {
      const failure = await reach(run, target, step);
      if (failure === null) {
        reached.add(target);
        continue;
      }
      run.progress.delayed.push({ name: target.name, ...failure });
      if (failure.code === 'target_unreachable') {
        run.progress.delayed.push(...ofOneSystem.slice(index + 1).map(({ name }) => ({ name, ...failure })));
        return;
      }
    }
  });
  return reached;
}

/* null, or why the target is left to a later run. */
async function reach(run: RunAtWork, target: TargetRef, step: 'publish' | 'verify'): Promise<RunFailure | null> {
  const call = run.steps.telling[step];
  try {
    const summary = `${step} ${target.name}`;
    const counts = await withStaging(run, () => call.executeWithOptions({ summary }, [run.ref, target]));
    run.progress.count(step, counts);
    return null;
  } catch (error) {
    const failure = failureOf(error);
    if (isCancellation(error) || !failure.code.startsWith('target_')) throw error;
    return failure;
  }
}

/* Mappings are named `system.entity`. */
function bySystem(targets: readonly TargetRef[]): Map<string, TargetRef[]> {
  const systems = new Map<string, TargetRef[]>();
  for (const target of targets) {
    const system = target.name.split('.')[0] ?? target.name;
    systems.set(system, [...(systems.get(system) ?? []), target]);
  }
  return systems;
}
