import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { Client, type Connection, type ScheduleDescription } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';
import { NativeConnection } from '@temporalio/worker';
import pg from 'pg';
import { createHub } from '../../database/hub.js';
import type { Hub } from '../../database/hub.js';
import { createLog } from '../../platform/log.js';
import { reap } from '../../worker/reaper.js';
import { startRelay } from '../../worker/relay.js';
import type { OutboxRow } from '../../worker/relay.js';
import { reconcileSchedules, specOf } from '../../worker/schedules.js';
import type { JobDefinition } from '../../domain/job-definition.js';
import { nextFireTimes } from '../../domain/schedule-times.js';
import { wakeReview } from '../../worker/start-workflows.js';
import type { Starting } from '../../worker/start-workflows.js';
import { scheduleIds, workflowIds } from '../../workflows/messages.js';
import { createDatabase } from '../harness/database.js';
import type { TestDatabase } from '../harness/database.js';
import { connectTemporal, temporalAddress } from '../harness/temporal.js';
import { fakeActivities } from '../workflows/fake-activities.js';
import { Theatre, quietRuntime } from '../workflows/stage.js';

/* What the worker does beside its activities, on real servers. */

jest.setTimeout(60_000);
const log = createLog({ level: 'silent', name: 'test' });
let database: TestDatabase;
let hub: Hub;
let owner: pg.Client;
let connection: Connection;
let native: NativeConnection;
let theatre: Theatre;
let starting: Starting;

type JobSchedule = NonNullable<JobDefinition['schedule']>;
const schedule = { timeZone: 'Pacific/Kiritimati', everyMinutes: 60 };

beforeAll(async () => {
  quietRuntime();
  database = await createDatabase();
  owner = new pg.Client({ connectionString: database.url });
  await owner.connect();
  await owner.query(`insert into concord.institutions (code, name, time_zone, updated_by)
    values ('one', 'One', 'Pacific/Kiritimati', 'test')`);
  await owner.query(
    `insert into concord.synchronization_jobs (institution_id, name, definition, updated_by) values (1, 'nightly', $1, 'test')`,
    [JSON.stringify({ name: 'nightly', sources: [], targets: [], schedule })],
  );
  hub = createHub({ url: database.url, role: 'concord_worker', max: 3 });
  connection = await connectTemporal();
  native = await NativeConnection.connect({ address: temporalAddress() });
  const client = new Client({ connection });
  theatre = await Theatre.open(client, native);
  starting = { client, hub, scope: theatre.scope, pace: { retrySeconds: 0.02 } };
});
afterAll(async () => {
  await theatre.close();
  await native.close();
  await connection.close();
  await hub.close();
  await owner.end();
  await database.drop();
});

async function untilTrue(done: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await done())) await new Promise((resolve) => setTimeout(resolve, 20));
}

async function write(topic: string, subject: string): Promise<void> {
  await owner.query('insert into concord.outbox (institution_id, topic, subject) values (1, $1, $2)', [topic, subject]);
  await owner.query(`notify concord_outbox`);
}

async function open(): Promise<number> {
  const answer = await owner.query('select 1 from concord.outbox where delivered_at is null');
  return answer.rowCount ?? 0;
}

test('the relay hands over what is written, at once, tries again what fails, and passes over what nobody takes', async () => {
  const seen: OutboxRow[] = [];
  let failures = 1;
  const relay = startRelay({
    ...{ hub, log, databaseUrl: database.url, pollMilliseconds: 300 },
    topics: {
      review: async (row) => {
        if (failures-- > 0) throw new Error('not now');
        await Promise.resolve(seen.push(row));
      },
    },
  });
  await write('review', '1');
  await write('unheard-of', '1');
  await untilTrue(async () => (await open()) === 0);
  expect(seen).toMatchObject([{ institutionId: 1, topic: 'review', subject: '1' }]);
  const begun = Date.now();
  await write('review', '2');
  await untilTrue(() => seen.length === 2);
  expect(Date.now() - begun).toBeLessThan(250);
  await relay.stop();
});

test('a wake-up starts the review of a job, and a second one wakes it', async () => {
  const { fake, handle } = await theatre.play({
    name: 'woken by the relay',
    fake: () => fakeActivities(),
    play: async ({ number }) => {
      await wakeReview(starting, number, 1);
      await wakeReview(starting, number, 1);
      return theatre.handleOf(workflowIds.review(1, theatre.scope));
    },
  });
  await expect(handle.result()).resolves.toEqual({ settled: 0 });
  expect(fake.calls).toContain('pendingReview');
});

test('a schedule starts a run whose id tells its nominal time and whose date is that of the institution', async () => {
  const dates: string[] = [];
  const { handle } = await theatre.play({
    name: 'scheduled',
    fake: () =>
      fakeActivities({
        openRun: ({ asOf }) => {
          dates.push(asOf);
          return Promise.resolve({ skipped: { runId: '1' } });
        },
      }),
    play: async (_stage, fake) => {
      theatre.cast(1, fake);
      await reconcileSchedules({ ...starting, log }, 1);
      await reconcileSchedules({ ...starting, log }, 1);
      const schedules = starting.client.schedule;
      const nightly = schedules.getHandle(scheduleIds.job(1, 1, theatre.scope));
      await nightly.trigger();
      await untilTrue(async () => (await nightly.describe()).info.recentActions.length > 0);
      const [action] = (await nightly.describe()).info.recentActions;
      return theatre.handleOf(action?.action.workflow.workflowId ?? '');
    },
  });
  await expect(handle.result()).resolves.toMatchObject({ state: 'skipped' });
  expect(handle.workflowId).toMatch(/^sync-run\/1\/scheduled\..*-\d{4}-\d\d-\d\dT/);
  const nominal = Date.parse(/\d{4}-\d\d-\d\dT.*Z$/.exec(handle.workflowId)?.[0] ?? '');
  // Kiritimati is 14 hours ahead of UTC.
  expect(dates).toEqual([new Date(nominal + 14 * 3_600_000).toISOString().slice(0, 10)]);

  const describe = async (): Promise<ScheduleDescription> =>
    await starting.client.schedule.getHandle(scheduleIds.job(1, 1, theatre.scope)).describe();
  const pauseJob = (reason: string | null): Promise<unknown> =>
    owner.query(
      `update concord.synchronization_jobs set paused_reason = $1::text, paused_by = case when $1::text is null then null else 'test' end,
         paused_at = case when $1::text is null then null else now() end`,
      [reason],
    );
  await pauseJob('moving');
  await reconcileSchedules({ ...starting, log }, 1);
  expect((await describe()).state).toMatchObject({ paused: true, note: 'The job is paused: moving' });
  await pauseJob(null);
  await reconcileSchedules({ ...starting, log }, 1);
  expect((await describe()).state).toMatchObject({ paused: false });
  // What an operator paused in Temporal stays so.
  await starting.client.schedule.getHandle(scheduleIds.job(1, 1, theatre.scope)).pause('by hand');
  await reconcileSchedules({ ...starting, log }, 1);
  expect((await describe()).state).toMatchObject({ paused: true, note: 'by hand' });

  await owner.query('update concord.synchronization_jobs set archived = true');
  await reconcileSchedules({ ...starting, log }, 1);
  const gone = starting.client.schedule.getHandle(scheduleIds.job(1, 1, theatre.scope));
  await expect(gone.describe()).rejects.toThrow(/not found/i);
  await starting.client.schedule.getHandle(scheduleIds.due(1, theatre.scope)).delete();
});

test.each([
  { calendar: { hour: 2, minute: 30 }, timeZone: 'Europe/Zurich' },
  { calendar: { hour: 1, minute: 30, daysOfWeek: ['SUNDAY', 'MONDAY'] }, timeZone: 'America/New_York' },
  { calendar: { hour: 2, minute: 0 }, timeZone: 'Australia/Lord_Howe' },
  {
    calendar: { hour: 0, minute: 0 },
    timeZone: 'America/Havana',
    freeze: [{ from: '2026-11-01', to: '2027-03-01', reason: 'x' }],
  },
  { everyMinutes: 700, timeZone: 'Pacific/Kiritimati' },
])('the next times that people are shown are those of Temporal: %j', async (times: JobSchedule) => {
  const handle = await starting.client.schedule.create({
    scheduleId: `times-${Math.random()}${theatre.scope}`,
    // All times of the next years count: the server tells only the next ten.
    spec: specOf(times),
    action: { type: 'startWorkflow', workflowType: 'syncRun', taskQueue: `nobody${theatre.scope}`, args: [] },
    state: { paused: true },
  });
  try {
    const from = Date.parse('2026-10-01T00:00:00Z');
    const until = Date.parse('2027-04-20T00:00:00Z');
    const { startTime } = await starting.client.workflowService.listScheduleMatchingTimes({
      ...{ namespace: 'default', scheduleId: handle.scheduleId },
      ...{ startTime: msToTs(from), endTime: msToTs(until) },
    });
    const told = startTime.map(({ seconds }) => Number(seconds) * 1000);
    expect(told.length).toBeGreaterThan(20);
    expect(nextFireTimes(times, from - 1, told.length)).toEqual(told);
  } finally {
    await handle.delete();
  }
});

test('the reaper closes runs whose workflow is gone, and has those rolled back that had begun to apply', async () => {
  const insert = async (workflowId: string, applyStarted: boolean): Promise<string> => {
    const answer = await owner.query<{ id: string }>(
      `insert into concord.sync_runs (institution_id, job_id, kind, workflow_id, actor, as_of, state, apply_started, started_at)
       values (1, null, 'sync', $1, 'test', '2026-09-01', 'merge', $2, now() - interval '5 minutes') returning id::text`,
      [workflowId, applyStarted],
    );
    return answer.rows[0]?.id ?? '';
  };
  const before = await insert(`gone-1${theatre.scope}`, false);
  const after = await insert(`gone-2${theatre.scope}`, true);
  const closing = fakeActivities();
  const { fake, handle } = await theatre.play({
    name: 'reaped',
    fake: () => fakeActivities(),
    play: async (_stage, played) => {
      theatre.cast(1, played);
      await owner.query('update concord.sync_runs set finished_at = now() where id not in ($1, $2)', [before, after]);
      const found = await reap({ ...starting, log, activities: closing.activities });
      expect(found).toBe(2);
      return theatre.handleOf(workflowIds.recoverRun(after, theatre.scope));
    },
  });
  expect(closing.calls).toEqual(['closeRun(failed)', 'dropStaging']);
  await expect(handle.result()).resolves.toMatchObject({ runId: after, state: 'rolled_back' });
  expect(fake.calls).toContain(`rollBackGolden(${after})`);
});
