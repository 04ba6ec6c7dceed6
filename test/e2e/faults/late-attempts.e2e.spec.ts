import { execFileSync } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import type { ChildProgram } from '../../harness/processes.js';
import { forgetKilledWorker, resultOf } from '../worker-child.js';
import { Lane } from './lane.js';

/* A worker falls asleep in the middle of an activity, as a machine that is suspended; it is thought lost, and another one takes the
   run over. Then the first one wakes and goes on where it was: what it writes now is refused. Side by side: it is mostly waiting. */

jest.setTimeout(600_000);

interface Nap {
  readonly place: string;
  /** What our database says when it is time to wake: `from` and `where` of a count that is not zero. */
  readonly wake: string;
  readonly wakes: string;
  /** Null: that depends on what else it was handed before it was missed, or it may be through before its successor begins. */
  readonly refused: boolean | null;
}

const over = 'concord.sync_runs where id = (select max(id) from concord.sync_runs) and finished_at is not null';
const naps: readonly Nap[] = [
  {
    place: 'planExtract:before',
    wakes: 'when its run is about to match',
    wake: `concord.run_leases where run_id = (select max(id) from concord.sync_runs) and step = 'match'`,
    refused: null,
  },
  {
    place: 'apply:mid',
    wakes: 'beside its successor',
    wake: `concord.run_leases where run_id = (select max(id) from concord.sync_runs) and step = 'apply' and token > 1`,
    refused: true,
  },
  { place: 'merge:before', wakes: 'when its run is over', wake: over, refused: true },
  // Other targets are told at the same time: it may sleep amid a transaction for which its successor waits.
  {
    place: 'publish:mid',
    wakes: 'beside its successor',
    wake: `concord.run_leases where run_id = (select max(id) from concord.sync_runs) and step = 'publish' and token > 1`,
    refused: null,
  },
];

async function untilAsleep({ pid }: ChildProgram): Promise<void> {
  while (!execFileSync('ps', ['-o', 'state=', '-p', String(pid)], { encoding: 'utf8' }).startsWith('T'))
    await pause(100);
}

async function takeNap(lane: Lane, { place, wake, refused }: Nap): Promise<void> {
  const { campus, client, conductor } = lane;
  await campus.change();
  const sleeper = await lane.workUntilAsleep(place);
  const handle = await conductor.start(campus.institutionId, campus.job(), '2 s');
  await untilAsleep(sleeper);
  await forgetKilledWorker(client, handle.workflowId);
  await lane.work();
  while ((await campus.count(wake)) === 0) await pause(50);
  process.kill(sleeper.pid, 'SIGCONT');
  const result = await resultOf(handle);
  // It ends what it has at hand.
  await sleeper.stop();
  expect(await sleeper.exited).toBe(0);
  // Refused, or told before that that it is no longer wanted, or without the connection that its successor ended.
  const [activity = ''] = place.split(':');
  const turnedAway = sleeper
    .output()
    .split('\n')
    .some((line) => line.includes(`"activity":"${activity}"`) && /"step (failed|cancelled)"/.test(line));
  if (refused !== null) expect([place, turnedAway]).toEqual([place, refused]);
  expect(result).toMatchObject({ state: 'completed', dropped: [], delayed: [] });
  const { wanted, found } = await campus.compare();
  expect(found).toEqual(wanted);
  expect(await campus.countsOf(result.runId ?? '')).toMatchObject({ balanced: true, held: 0, rejected: 0 });
  expect(await campus.stagingTables()).toEqual([]);
}

const lanes: Lane[] = [];
const outcomes = new Map<Nap, Promise<void>>();

beforeAll(async () => {
  lanes.push(...(await Promise.all(naps.map(() => Lane.open({ students: 120, employees: 60, both: 30 })))));
  await Promise.all(
    lanes.map(async (lane) => {
      await lane.work();
      await lane.conductor.sync(lane.campus.institutionId, lane.campus.job());
    }),
  );
  for (const [index, lane] of lanes.entries()) {
    const nap = naps[index];
    if (nap === undefined) continue;
    const outcome = takeNap(lane, nap);
    outcome.catch(() => undefined);
    outcomes.set(nap, outcome);
  }
});
afterAll(async () => {
  await Promise.allSettled(outcomes.values());
  for (const lane of lanes) await lane.close();
});

test.each(naps)('one that sleeps at $place and wakes $wakes', async (nap) => {
  await outcomes.get(nap);
});
