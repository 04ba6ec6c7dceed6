import type { WorkflowHandle } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import type { RunResult } from '../../../workflows/messages.js';
import { attemptsOf, forgetKilledWorker } from '../worker-child.js';
import { Lane } from './lane.js';

/* The worker is killed before, amid and after each activity that has work, once in each run. Another one is started, and the run
   ends as if nothing had been: nothing lost, nothing doubled, nothing left behind. Lanes run side by side: most of the time is
   spent in waiting for a killed worker to be missed. */

jest.setTimeout(600_000);

type Moment = 'before' | 'mid' | 'after';

/* As a run passes them. The short bookkeeping runs inside workflow tasks and has no middle. */
const order = [
  ...['openRun', 'planExtract', 'extract', 'diff', 'guard', 'standardize', 'match', 'merge', 'apply'],
  ...['listTargets', 'publish', 'post', 'verify', 'planRollback', 'rollBackTargets', 'rollBackGolden'],
  ...['closeRun', 'dropStaging'],
];
const bookkeeping = ['openRun', 'listTargets', 'closeRun', 'dropStaging'];
const withoutMiddle = [...bookkeeping, 'planExtract', 'planRollback'];
const ofRollbacks = ['planRollback', 'rollBackTargets', 'rollBackGolden'];
const ofSyncs = order.filter((activity) => activity !== 'post' && !ofRollbacks.includes(activity));

/* From the end to the beginning: the worker that takes a run over may be told then where to die in the next one, for it does not
   pass there any more. */
const places = (activities: readonly string[], moment: Moment): string[] =>
  activities
    .filter((activity) => moment !== 'mid' || !withoutMiddle.includes(activity))
    .map((activity) => `${activity}:${moment}`)
    .reverse();

/* Before places in the rollback of a run that posted payments, and has no golden records. */
const ofPayments = 'payments, ';

/* Side by side, each with a campus of its own. */
const lanesOfPlaces: readonly (readonly string[])[] = [
  [...places(ofSyncs, 'before'), 'publish:mid:2', 'publish:mid:3', 'publish:mid:4'],
  [...places(ofSyncs, 'mid'), 'post:before', 'post:mid', 'post:after', 'stageBatch:before', 'stageBatch:after'],
  places(ofSyncs, 'after'),
  (['before', 'mid', 'after'] as const).flatMap((moment) => places(ofRollbacks, moment)),
  [
    ...(['before', 'after'] as const).flatMap((moment) => places(ofRollbacks, moment)),
    ...['rollBackTargets:mid', 'rollBackTargets:mid:2'],
  ].map((place) => ofPayments + place),
];

const activityOf = (place: string): string => place.split(':')[0] ?? '';

/** Whether a run that goes on from one place does not come to the other any more. Short bookkeeping one after the other is one
 *  workflow task, which is done again as a whole. */
const isBehind = (other: string, place: string): boolean => {
  const [there, here] = [activityOf(other), activityOf(place)];
  return order.indexOf(there) < order.indexOf(here) && !(bookkeeping.includes(there) && bookkeeping.includes(here));
};

/** A run whose worker is killed at a place, and is taken over by the next one. */
async function killed(
  lane: Lane,
  place: string,
  next: string | undefined,
  start: () => Promise<WorkflowHandle>,
): Promise<RunResult> {
  const doomed = await lane.work(place);
  const handle = await start();
  const ended = handle.result() as Promise<RunResult>;
  const met = await Promise.race([doomed.exited, ended.then(({ state }) => `the run ended before it: ${state}`)]);
  expect(met).toBe('SIGKILL');
  await forgetKilledWorker(lane.client, handle.workflowId);
  await lane.work(next !== undefined && isBehind(next, place) ? next : null);
  const result = await ended;
  const attempts = await attemptsOf(lane.client, handle.workflowId);
  const own = attempts[activityOf(place)];
  if (own !== undefined) expect(own).toBeGreaterThan(1);
  expect(await lane.campus.stagingTables()).toEqual([]);
  return result;
}

async function expectRight(lane: Lane, runId: string): Promise<void> {
  const { wanted, found } = await lane.campus.compare();
  expect(found).toEqual(wanted);
  expect(await lane.campus.countsOf(runId)).toMatchObject({ balanced: true, held: 0, rejected: 0 });
}

async function inSync(lane: Lane, place: string, next: string | undefined): Promise<void> {
  const { campus, conductor } = lane;
  await campus.change();
  const result = await killed(lane, place, next, () => conductor.start(campus.institutionId, campus.job(), '2 s'));
  expect(result).toMatchObject({ state: 'completed', dropped: [], delayed: [] });
  await expectRight(lane, result.runId ?? '');
}

async function inPost(lane: Lane, place: string): Promise<void> {
  const { campus, conductor } = lane;
  await campus.pay(200);
  const result = await killed(lane, place, undefined, () =>
    conductor.start(campus.institutionId, campus.job('payments'), '2 s'),
  );
  expect(result).toMatchObject({ state: 'completed', dropped: [], delayed: [] });
  const { source, target } = await campus.payments();
  expect(target).toEqual(source);
}

/** What was posted is taken out again, once. */
async function inPostedRollback(lane: Lane, place: string): Promise<void> {
  const { campus, conductor } = lane;
  const { target: before } = await campus.payments();
  await campus.pay(200);
  await lane.work();
  const run = await conductor.sync(campus.institutionId, campus.job('payments'));
  const { source, target } = await campus.payments();
  expect(target).toEqual(source);
  const result = await killed(lane, place, undefined, () =>
    conductor.startRollback(campus.institutionId, campus.job('payments'), run),
  );
  expect(result.state).toBe('completed');
  expect((await campus.payments()).target).toEqual(before);
  await campus.cancelUnposted();
}

/** There and back: each case undoes the one before it. */
class Undoing {
  private stores: readonly Record<string, readonly string[]>[] = [];
  private last = '';

  async in(lane: Lane, place: string, next: string | undefined): Promise<void> {
    const { campus, conductor } = lane;
    if (this.stores.length === 0) {
      this.stores = [await campus.stores()];
      await campus.change();
      this.last = await conductor.sync(campus.institutionId, campus.job());
      this.stores = [...this.stores, await campus.stores()];
    }
    const result = await killed(lane, place, next, () =>
      conductor.startRollback(campus.institutionId, campus.job(), this.last),
    );
    expect(result.state).toBe('completed');
    this.last = result.runId ?? '';
    this.stores = [...this.stores].reverse();
    expect(await campus.stores()).toEqual(this.stores[1]);
  }
}

async function inSettling(lane: Lane, place: string): Promise<void> {
  const { campus, conductor } = lane;
  const [student] = campus.students.values();
  const phone = `decided ${place}`;
  const batchId = await campus.override(student?.nid ?? '', 'phone', phone);
  const { state } = await killed(lane, place, undefined, () =>
    conductor.startSettling(campus.institutionId, campus.job(), batchId),
  );
  expect(state).toBe('completed');
  const told = (await campus.tableRows()).find(([nid]) => nid === student?.nid);
  expect(told?.[3]).toBe(phone);
}

/** Each case in its turn; one that fails does not end the others. */
function inTurn(
  cases: readonly string[],
  play: (one: string, next: string | undefined) => Promise<void>,
): Map<string, Promise<void>> {
  let turn: Promise<unknown> = Promise.resolve();
  return new Map(
    cases.map((one, index) => {
      const mine = turn.then(() => play(one, cases[index + 1]));
      turn = mine.catch(() => undefined);
      return [one, mine];
    }),
  );
}

describe('a killed worker', () => {
  const lanes: Lane[] = [];
  let outcomes = new Map<string, Promise<void>>();

  beforeAll(async () => {
    const undoing = new Undoing();
    lanes.push(...(await Promise.all(lanesOfPlaces.map(() => Lane.open({ students: 120, employees: 60, both: 30 })))));
    await Promise.all(
      lanes.map(async (lane) => {
        await lane.work(null);
        await lane.conductor.sync(lane.campus.institutionId, lane.campus.job());
        await expectRight(lane, '1');
      }),
    );
    const turns = lanesOfPlaces.flatMap((cases, index) => {
      const lane = lanes[index];
      if (lane === undefined) return [];
      const play = async (place: string, next: string | undefined): Promise<void> => {
        const activity = activityOf(place);
        if (place.startsWith(ofPayments)) await inPostedRollback(lane, place.slice(ofPayments.length));
        else if (ofRollbacks.includes(activity)) await undoing.in(lane, place, next);
        else if (activity === 'post') await inPost(lane, place);
        else if (activity === 'stageBatch') await inSettling(lane, place);
        else await inSync(lane, place, next);
      };
      return [...inTurn(cases, play)];
    });
    outcomes = new Map(turns);
  });
  afterAll(async () => {
    await Promise.allSettled(outcomes.values());
    for (const lane of lanes) await lane.close();
  });

  test.each(lanesOfPlaces.flat())('at %s: the run ends as if nothing had been', async (place) => {
    await outcomes.get(place);
  });
});
