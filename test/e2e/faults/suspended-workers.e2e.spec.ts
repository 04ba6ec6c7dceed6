import { setTimeout as pause } from 'node:timers/promises';
import type { WorkflowHandle } from '@temporalio/client';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import pg from 'pg';
import { forgetKilledWorker, resultOf } from '../worker-child.js';
import { Lane } from './lane.js';

/* A worker is suspended in the middle of a transaction, with rows and locks that its successor needs, and does not wake before its run
   is over: the successor must not wait for it. When it wakes it finds its connections gone, and goes on with other work. */

jest.setTimeout(600_000);

interface Suspension {
  readonly amid: string;
  /** Whose statement is met: ours, or the target's. */
  readonly at: 'hub' | 'target';
  /** Holds that statement up, until the worker is suspended. */
  readonly lock: string;
  /** How its connection is seen from then on. */
  readonly seen: string;
  readonly job: 'all' | 'payments';
}

const suspensions: readonly Suspension[] = [
  {
    amid: 'a transaction of ours that holds records and the creation lock',
    at: 'hub',
    lock: 'select from concord.golden_records for update',
    seen: `state = 'idle in transaction'`,
    job: 'all',
  },
  {
    amid: 'the writing of rows to a target',
    at: 'target',
    lock: 'select from persons for update',
    seen: `state = 'idle in transaction'`,
    job: 'all',
  },
  {
    // The server waits for the client, by no timeout of its own.
    amid: 'a copy to a target',
    at: 'target',
    lock: 'lock table payments in share mode',
    seen: `state = 'active' and wait_event = 'ClientRead' and query ilike 'copy %'`,
    job: 'payments',
  },
];

async function suspended(lane: Lane, { at, lock, seen, job }: Suspension): Promise<void> {
  const { campus, client, conductor } = lane;
  if (job === 'payments') await campus.pay(200);
  else await campus.change();
  const sleeper = await lane.workUntilAsleep();
  const server = new pg.Client({ connectionString: at === 'hub' ? campus.concordUrl : campus.places.targetUrl });
  await server.connect();
  let handle: WorkflowHandle;
  try {
    const isSeen = async (how: string): Promise<boolean> => {
      const own = `select pid from pg_stat_activity where datname = current_database() and application_name ~ '^concord .*#1$'`;
      // In a transaction activity is looked at once.
      await server.query('select pg_stat_clear_snapshot()');
      return (await server.query(`${own} and ${how}`)).rowCount !== 0;
    };
    await server.query('begin');
    await server.query(lock);
    handle = await conductor.start(campus.institutionId, campus.job(job), '2 s');
    while (!(await isSeen(`wait_event_type = 'Lock'`))) await pause(20);
    process.kill(sleeper.pid, 'SIGSTOP');
    await server.query('rollback');
    while (!(await isSeen(seen))) await pause(20);
  } finally {
    await server.end();
  }
  await forgetKilledWorker(client, handle.workflowId);
  await lane.work();
  const result = await resultOf(handle);
  process.kill(sleeper.pid, 'SIGCONT');
  expect(result).toMatchObject({ state: 'completed', dropped: [], delayed: [] });
  await sleeper.stop();
  expect(await sleeper.exited).toBe(0);
  const { wanted, found } = await campus.compare();
  expect(found).toEqual(wanted);
  const payments = await campus.payments();
  expect(payments.target).toEqual(payments.source);
  expect(await campus.stagingTables()).toEqual([]);
}

const lanes: Lane[] = [];
const outcomes = new Map<Suspension, Promise<void>>();

beforeAll(async () => {
  lanes.push(...(await Promise.all(suspensions.map(() => Lane.open({ students: 120, employees: 60, both: 30 })))));
  await Promise.all(
    lanes.map(async (lane) => {
      await lane.work();
      await lane.conductor.sync(lane.campus.institutionId, lane.campus.job());
    }),
  );
  for (const [index, lane] of lanes.entries()) {
    const suspension = suspensions[index];
    if (suspension === undefined) continue;
    const outcome = suspended(lane, suspension);
    outcome.catch(() => undefined);
    outcomes.set(suspension, outcome);
  }
});
afterAll(async () => {
  await Promise.allSettled(outcomes.values());
  for (const lane of lanes) await lane.close();
});

test.each(suspensions)('amid $amid: nobody waits for it', async (suspension) => {
  await outcomes.get(suspension);
});
