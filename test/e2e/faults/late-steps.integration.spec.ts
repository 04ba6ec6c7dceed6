import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import type { Hub } from '../../../database/hub.js';
import { SyncError } from '../../../domain/errors.js';
import type { RunRef } from '../../../domain/run.js';
import { DirectConductor, directActivities } from '../../merge/database-world.js';
import type { Activities } from '../../merge/database-world.js';
import { Campus } from '../campus.js';

/* Every activity, asleep before each of its transactions, and awake when its run is at a later step: it goes on by one transaction
   before each step that follows, so that what it would leave half done is there to be met. The run must end as if it had not been.
   Without workflows, so that every moment can be tried. */

jest.setTimeout(300_000);

/** One attempt that sleeps before its transactions, and is told when it may go on. Two that begin side by side sleep and wake together. */
class Sleeper {
  private left: number;
  private depth = 0;
  private wakes: (() => void)[] = [];
  private fallAsleep: () => void = () => undefined;
  private rest: Promise<void> = Promise.resolve();
  slept = false;
  over = false;
  transactions = 0;
  error: unknown = null;

  /** @param left so many transactions come before the first sleep */
  constructor(
    private readonly hub: Hub,
    left: number,
  ) {
    this.left = left;
  }

  /** Our connections, through which nothing begins while it sleeps. */
  get sleepy(): Hub {
    const { transaction, read, bulk } = this.hub;
    return {
      ...this.hub,
      transaction: (...given) => this.inTurn(() => transaction(...given)),
      read: (...given) => this.inTurn(() => read(...given)),
      bulk: (...given) => this.inTurn(() => bulk(...given)),
    };
  }

  /** Transactions inside another one are part of it. */
  private async inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.depth === 0) await this.turn();
    this.depth += 1;
    try {
      return await work();
    } finally {
      this.depth -= 1;
    }
  }

  private async turn(): Promise<void> {
    this.left -= 1;
    this.transactions += 1;
    if (this.left >= 0) return;
    const woken = new Promise<void>((resolve) => this.wakes.push(resolve));
    this.slept = true;
    this.fallAsleep();
    await woken;
  }

  /** Begins, and comes to its first sleep or its end. */
  async begin(attempt: () => Promise<unknown>): Promise<void> {
    await this.untilRest(() => {
      void attempt()
        .catch((error: unknown) => (this.error = error))
        .finally(() => {
          this.over = true;
          this.fallAsleep();
        });
    });
  }

  /** Goes on by so many transactions. */
  async goOn(transactions: number): Promise<void> {
    if (this.over) return;
    this.left = transactions - 1;
    await this.untilRest(() => {
      for (const wake of this.wakes.splice(0)) wake();
    });
  }

  private async untilRest(act: () => void): Promise<void> {
    this.rest = new Promise((resolve) => (this.fallAsleep = resolve));
    act();
    await this.rest;
  }
}

const order = [
  ...['planExtract', 'extract', 'diff', 'guard', 'standardize', 'match', 'merge', 'apply'],
  ...['publish', 'verify', 'closeRun', 'dropStaging'],
];

interface Nap {
  readonly activity: string;
  /** Asleep after so many transactions. */
  readonly asleepAfter: number;
  /** So many steps of its successors pass before it wakes. */
  readonly stepsLater: number;
  /** It then does so many transactions at once, and one more before each step that follows. */
  readonly awakeFor: number;
}

/** Activities of which one is begun by an attempt that falls asleep, and then by another. */
function napping(hub: Hub, nap: Nap): { activities: Activities; sleeper: Sleeper } {
  const { activity, asleepAfter, stepsLater, awakeFor } = nap;
  const sleeper = new Sleeper(hub, asleepAfter);
  const late = directActivities(sleeper.sleepy) as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>;
  let [begun, passed] = [false, 0];
  const awake = Object.entries(directActivities(hub)).map(([name, call]): [string, unknown] => {
    const attempt = call as (...args: unknown[]) => Promise<unknown>;
    return [
      name,
      async (...args: unknown[]) => {
        if (name === activity && !begun) {
          begun = true;
          await sleeper.begin(async () => await late[activity]?.(...args));
        } else if (begun && order.includes(name)) {
          if (passed === stepsLater) await sleeper.goOn(awakeFor);
          else if (passed > stepsLater) await sleeper.goOn(1);
          passed += 1;
        }
        const result = await attempt(...args);
        if (name === 'dropStaging') await sleeper.goOn(1_000);
        return result;
      },
    ];
  });
  return { activities: Object.fromEntries(awake) as unknown as Activities, sleeper };
}

let campus: Campus;
beforeAll(async () => {
  campus = await Campus.open({ students: 8, employees: 4, both: 2 });
  await new DirectConductor(directActivities(campus.hub)).sync(campus.institutionId, campus.job());
});
afterAll(async () => {
  await campus.close();
});

async function takeNap(nap: Nap): Promise<Sleeper> {
  await campus.change();
  const { activities, sleeper } = napping(campus.hub, nap);
  const run = await new DirectConductor(activities).sync(campus.institutionId, campus.job());
  const { wanted, found } = await campus.compare();
  expect({ ...nap, ...found }).toEqual({ ...nap, ...wanted });
  expect({ ...nap, ...(await campus.countsOf(run)) }).toMatchObject({ ...nap, balanced: true, held: 0, rejected: 0 });
  expect({ ...nap, left: await campus.stagingTables() }).toEqual({ ...nap, left: [] });
  if (sleeper.error !== null) {
    expect(sleeper.error).toBeInstanceOf(SyncError);
    expect(sleeper.error).toMatchObject({ code: 'lease_lost' });
  }
  return sleeper;
}

const activities = order.slice(0, -2);

/* It was given the work, and never began: whoever is told to do a step takes its lease first. */
test.each(activities)(
  '%s, begun when its run is at a later step, does no more than the first attempt did',
  async (activity) => {
    const wakes = activity === 'verify' ? [0, order.length] : [0, 1, order.length];
    for (const stepsLater of wakes) {
      for (let awakeFor = 1; ; awakeFor += 1) {
        const { transactions } = await takeNap({ activity, asleepAfter: 0, stepsLater, awakeFor });
        if (transactions <= awakeFor) break;
      }
    }
  },
);

/* It was at work: its lease has been taken over. */
test.each(activities)('%s, asleep before any of its transactions, is refused when it wakes', async (activity) => {
  for (let asleepAfter = 1; asleepAfter <= 8; asleepAfter += 1) {
    const { slept } = await takeNap({ activity, asleepAfter, stepsLater: asleepAfter % 3, awakeFor: 1_000 });
    if (!slept) return;
  }
});

test('what began before staging was lost is refused once its run reads again', async () => {
  await campus.change();
  const { institutionId } = campus;
  const own = directActivities(campus.hub);
  const opened = await own.openRun({
    ...{
      institutionId,
      jobId: campus.job(),
      kind: 'sync',
      actor: 'test',
      asOf: '2026-01-15',
      workflowId: 'reads-again',
    },
  });
  if (!('opened' in opened)) throw new Error('the job is occupied');
  const first = opened.opened;
  const refused = async (late: () => Promise<unknown>): Promise<void> => {
    await expect(late()).rejects.toMatchObject({ code: 'lease_lost' });
  };
  const upTo = async (run: RunRef, type: number | null): Promise<void> => {
    const lates = run === first ? [] : latesOf(first);
    const between = async (): Promise<void> => {
      for (const late of lates) await refused(late);
    };
    const { partitions } = await own.planExtract(run);
    for (const partition of partitions) {
      await between();
      await own.extract(run, partition);
    }
    const steps = [
      () => own.diff(run),
      () => own.guard(run),
      () => own.standardize(run),
      ...(type === null ? [] : [() => own.match(run, type), () => own.merge(run, type), () => own.apply(run, type)]),
    ];
    for (const step of steps) {
      await between();
      await step();
    }
  };
  const latesOf = (run: RunRef): (() => Promise<unknown>)[] => [
    () => own.planExtract(run),
    () => own.diff(run),
    () => own.guard(run),
    () => own.standardize(run),
  ];
  await upTo(first, null);
  const [{ id: type } = { id: 0 }] = await campus.asOwner<{ id: number }>(
    `select id from concord.entity_types where name = 'person'`,
  );
  await campus.asOwner(`truncate staging.r${first.runId}_canon, staging.r${first.runId}_canon_alive`);
  await expect(own.match(first, type)).rejects.toMatchObject({ code: 'staging_lost' });
  const reading = await own.forgetStaging(first);
  expect([reading, await own.forgetStaging(first)]).toEqual([2, 2]);
  const second = { ...first, reading };
  await upTo(second, type);
  for (const target of await own.listTargets(second)) await own.publish(second, target);
  expect(await own.forgetStaging(second)).toBe(2);
  await own.closeRun(second, 'completed');
  await own.dropStaging(second);
  const { wanted, found } = await campus.compare();
  expect(found).toEqual(wanted);
  expect(await campus.countsOf(second.runId)).toMatchObject({ balanced: true, held: 0, rejected: 0 });
});
