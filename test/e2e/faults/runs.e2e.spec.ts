import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { wakeReview } from '../../../worker/start-workflows.js';
import { attemptsOf, forgetKilledWorker, impatient, resultOf } from '../worker-child.js';
import { Lane } from './lane.js';

/* What may happen to runs though every server lives. */

jest.setTimeout(600_000);
let lane: Lane;
afterEach(async () => {
  await lane.close();
});

const opened = async (options: Parameters<typeof Lane.open>[0], loaded = true): Promise<void> => {
  lane = await Lane.open(options);
  await lane.work();
  if (loaded) await lane.conductor.sync(lane.campus.institutionId, lane.campus.job());
};

async function expectRight(): Promise<void> {
  const { wanted, found } = await lane.campus.compare();
  expect(found).toEqual(wanted);
  expect(await lane.campus.stagingTables()).toEqual([]);
}

test('the connection of a source is cut in mid-copy: it is read again from the last chunk', async () => {
  await opened({ students: 20, employees: 10, both: 5 });
  const { campus, client, conductor } = lane;
  await campus.enrolMany(20_000);
  const handle = await conductor.start(campus.institutionId, campus.job('students'));
  let cut = 0;
  while (cut === 0) {
    const { rowCount } = await campus.source.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and pid <> pg_backend_pid() and query ilike 'copy%' and state = 'active'`,
    );
    cut += rowCount ?? 0;
  }
  expect(await resultOf(handle)).toMatchObject({ state: 'completed', dropped: [], delayed: [] });
  expect((await attemptsOf(client, handle.workflowId))['extract']).toBeGreaterThan(1);
  await expectRight();
});

describe('with a campus that is loaded', () => {
  beforeEach(() => opened({ students: 300, employees: 120, both: 60 }));

  test('of two starts of one job the second is skipped, and names the first', async () => {
    const { campus, conductor } = lane;
    await campus.change();
    const start = (): ReturnType<typeof conductor.start> => conductor.start(campus.institutionId, campus.job());
    const both = await Promise.all((await Promise.all([start(), start()])).map(resultOf));
    const [ran, skipped] = both[0]?.state === 'skipped' ? [both[1], both[0]] : both;
    expect(ran?.state).toBe('completed');
    expect(skipped).toMatchObject({ state: 'skipped', runId: null, occupiedBy: ran?.runId });
    await expectRight();
  });

  test('what fails for good after it began to apply rolls itself back, and nothing of it is remembered', async () => {
    const { campus, conductor } = lane;
    // Plans are applied in batches of a thousand: the first are in, when a later one cannot be.
    await campus.enrolMany(1_500);
    await conductor.sync(campus.institutionId, campus.job());
    const before = await campus.stores();
    await campus.everyPhone('new');
    const poisoned = [...campus.students.values()].at(-1);
    campus.students.set(poisoned?.id ?? '', { ...campus.addStudent(), ...poisoned, phone: 'poison' });
    await campus.storeStudents();
    await campus.refuse('golden_records', `new.values[3] = '"poison"'`);
    // And its worker dies while it takes back what was applied.
    const doomed = await lane.work('rollBackGolden:mid');
    const handle = await conductor.start(campus.institutionId, campus.job());
    expect(await doomed.exited).toBe('SIGKILL');
    await forgetKilledWorker(lane.client, handle.workflowId);
    await lane.work();
    const result = await resultOf(handle);
    expect(result).toMatchObject({ state: 'rolled_back', failure: { code: 'internal' } });
    expect(await campus.stores()).toEqual(before);
    expect(await campus.stagingTables()).toEqual([]);

    await campus.admit('golden_records');
    const again = await conductor.sync(campus.institutionId, campus.job());
    expect(await campus.countsOf(again)).toMatchObject({ balanced: true, held: 0 });
    await expectRight();
  });

  test('a decision that is delivered twenty times has one effect', async () => {
    const { campus, client, conductor, scope } = lane;
    const [student] = campus.students.values();
    const nid = student?.nid ?? '';
    const version = await campus.versionOf(nid);
    const batchId = await campus.override(nid, 'phone', 'decided');
    const starting = { client, hub: campus.hub, scope, pace: impatient };
    await Promise.all(
      Array.from({ length: 20 }, async () => {
        await campus.announce('review', String(campus.job()));
        await wakeReview(starting, campus.institutionId, campus.job());
      }),
    );
    const direct = await Promise.allSettled(
      Array.from({ length: 20 }, () => conductor.startSettling(campus.institutionId, campus.job(), batchId)),
    );
    // The id of the workflow is the batch's: all but one of these were refused, or all, where the review was first.
    expect(direct.filter(({ status }) => status === 'fulfilled').length).toBeLessThanOrEqual(1);
    while ((await campus.count(`concord.decision_batches where state = 'pending'`)) > 0) await pause(20);
    while ((await campus.count('concord.sync_runs where finished_at is null')) > 0) await pause(20);
    expect(await campus.versionOf(nid)).toBe(version + 1);
    expect(await campus.count(`concord.sync_runs where kind = 'decision' and apply_started`)).toBe(1);
    expect((await campus.tableRows()).filter((row) => row[3] === 'decided')).toHaveLength(1);
  });

  test('a restriction takes a person out of the file of its class, and outlives the rollback of its run', async () => {
    const { campus, conductor } = lane;
    const [student] = [...campus.students.values()].slice(70);
    if (student === undefined) throw new Error('nobody is there');
    campus.students.set(student.id, { ...student, hidden: 'yes', phone: 'secret' });
    await campus.storeStudents();
    const run = await conductor.sync(campus.institutionId, campus.job());
    await expectRight();
    expect(campus.fileText()).not.toContain(student.nid);
    expect((await campus.tableRows()).find(([nid]) => nid === student.nid)?.[3]).toBe('secret');
    await conductor.rollback(campus.institutionId, campus.job(), run);
    expect((await campus.tableRows()).find(([nid]) => nid === student.nid)?.[3]).toBe(student.phone);
    expect(campus.fileText()).not.toContain(student.nid);
  });
});

test('two jobs that write the same people at once make one record of each person', async () => {
  await opened({ students: 400, employees: 400, both: 400 }, false);
  const { campus, conductor } = lane;
  for (let round = 0; round < 3; round += 1) {
    const start = (job: 'students' | 'employees'): ReturnType<typeof conductor.start> =>
      conductor.start(campus.institutionId, campus.job(job));
    const both = await Promise.all((await Promise.all([start('students'), start('employees')])).map(resultOf));
    for (const result of both) expect(result).toMatchObject({ state: 'completed', dropped: [], delayed: [] });
    await expectRight();
    await campus.everyPhone(`round ${round}`);
    await campus.change();
  }
});
