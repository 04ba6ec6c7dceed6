import { isCancellation } from '@temporalio/workflow';
import type { ExtractPlan, PartitionRef, PreparedRun } from '../activities/contract.js';
import { asApplicationFailure, failureOf } from './failures.js';
import { inParallel } from './parallel.js';
import { withStaging } from './run-frame.js';
import type { RunAtWork } from './run-frame.js';

/* The first half of the loop, and posted types: what reads whole sources. */

const partitionsAtOnce = 3;

/** What there is to read. */
export async function planReading(run: RunAtWork): Promise<ExtractPlan> {
  await run.progress.begin('extract', 'what there is to read');
  const plan = await run.steps.reading.planExtract(run.ref);
  run.progress.dropped = [...plan.dropped];
  return plan;
}

/** Reads every partition. Of a source that drops out the others are not read; the rest goes on without it. */
export async function readSources(run: RunAtWork, plan: ExtractPlan, most = partitionsAtOnce): Promise<void> {
  const dropped = new Set<number>();
  let read = 0;
  await inParallel(plan.partitions, most, async (partition) => {
    if (dropped.has(partition.mappingId)) return;
    await run.progress.begin('extract', `${read} of ${plan.partitions.length} partitions are read`);
    try {
      const summary = `extract ${nameOf(partition)}`;
      run.progress.count(
        'extract',
        await run.steps.reading.extract.executeWithOptions({ summary }, [run.ref, partition]),
      );
      read += 1;
    } catch (error) {
      await dropOut(run, partition, 'extract', error, dropped);
    }
  });
  if (leavesNothing(plan, dropped)) throw noSourceLeft(run);
}

/** diff → guard → standardize, over all sources. */
export async function prepare(run: RunAtWork): Promise<PreparedRun> {
  const { ref, steps, progress } = run;
  await progress.begin('diff');
  progress.count('diff', await steps.work.diff(ref));
  await progress.begin('guard');
  progress.count('guard', await steps.work.guard(ref));
  await progress.begin('standardize');
  return await steps.work.standardize(ref);
}

/** Posted types come last but for reading back: what they wrote is the least that can be taken back. */
export async function post(run: RunAtWork, partitions: readonly PartitionRef[]): Promise<void> {
  const dropped = new Set<number>();
  await inParallel(partitions, partitionsAtOnce, async (partition) => {
    if (dropped.has(partition.mappingId)) return;
    await run.progress.begin('publish', nameOf(partition));
    run.written = true;
    try {
      const summary = `post ${nameOf(partition)}`;
      const posting = (): ReturnType<typeof run.steps.reading.post> =>
        run.steps.reading.post.executeWithOptions({ summary }, [run.ref, partition]);
      run.progress.count('post', await withStaging(run, posting));
    } catch (error) {
      await dropOut(run, partition, 'post', error, dropped);
    }
  });
}

/* A source, and the target of a posted type, may fail for good alone; anything else is the run's failure. */
async function dropOut(
  run: RunAtWork,
  partition: PartitionRef,
  step: 'extract' | 'post',
  error: unknown,
  dropped: Set<number>,
): Promise<void> {
  const failure = failureOf(error);
  if (isCancellation(error) || !/^(source|delivery|target)_|^configuration_invalid$/.test(failure.code)) throw error;
  if (dropped.has(partition.mappingId)) return;
  dropped.add(partition.mappingId);
  run.progress.dropped.push({ name: partition.name, code: failure.code });
  await run.steps.books.dropSource(run.ref, partition, step, failure);
}

const leavesNothing = (plan: ExtractPlan, dropped: ReadonlySet<number>): boolean =>
  plan.posted.length === 0 &&
  plan.dropped.length + dropped.size > 0 &&
  plan.partitions.every(({ mappingId }) => dropped.has(mappingId));

/* The codes of the others stand in `dropped`; the run carries the first. */
function noSourceLeft(run: RunAtWork): Error {
  const names = run.progress.dropped.map(({ name, code }) => `${name} (${code})`).join(', ');
  const code = run.progress.dropped[0]?.code ?? 'internal';
  return asApplicationFailure({ code, detail: `No source could be read: ${names}.` });
}

const nameOf = (partition: PartitionRef): string => `${partition.name} #${partition.ordinal + 1}`;
