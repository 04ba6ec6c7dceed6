import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Campus } from '../e2e/campus.js';
import { directActivities, DirectConductor } from '../merge/database-world.js';

/* Rows that were set aside are corrected and sent through alone. The steps build on one another. */

let campus: Campus;
let conductor: DirectConductor;
let first: string;
let replayed: string;

interface Aside {
  readonly id: string;
  readonly run_id: string;
  readonly state: string;
  readonly version: number;
  readonly settle_run_id: string | null;
  readonly corrected_by: string | null;
}

beforeAll(async () => {
  campus = await Campus.open({ students: 20, employees: 5, both: 2 });
  conductor = new DirectConductor(directActivities(campus.hub));
  campus.addStudent({ id: 's-broken', nid: 'n-broken', family: '' });
  campus.addStudent({ id: 's-worse', nid: 'n-worse', family: '' });
  await campus.storeStudents();
  first = await conductor.sync(campus.institutionId, campus.job());
}, 60_000);
afterAll(async () => {
  await campus.close();
});

const aside = async (key: string): Promise<readonly Aside[]> => {
  const rows = await campus.asOwner<Aside>(
    `select id::text, run_id::text, state, version, settle_run_id::text, corrected_by from concord.rejected_records
     where source_key = $1 and kind = 'rejected' order by id`,
    [key],
  );
  return rows;
};

/* As the API writes it. */
const batchOf = async (ids: readonly string[]): Promise<string> => {
  const rows = await campus.asOwner<{ id: string }>(
    `insert into concord.decision_batches (institution_id, job_id, kind, parent_run_id, actor, items)
     values ($1, $2, 'replay', $3, 'steward:test', $4) returning id::text`,
    [campus.institutionId, campus.job(), first, JSON.stringify(ids.map((rejectedId) => ({ rejectedId, version: 1 })))],
  );
  const batch = rows[0]?.id ?? '';
  await campus.asOwner(
    `update concord.rejected_records set state = 'replaying', batch_id = $2 where id = any ($1::bigint[])`,
    [ids, batch],
  );
  return batch;
};

const correct = async (key: string, family: string): Promise<void> => {
  const student = campus.students.get(key);
  const row = [key, student?.nid, student?.given, family, student?.phone, student?.hidden];
  await campus.asOwner(
    `update concord.rejected_records set corrected = $2, corrected_key = $1, corrected_by = 'steward:test', corrected_at = now(), correction_reason = 'seen'
     where source_key = $1 and state = 'open'`,
    [key, JSON.stringify(row)],
  );
};

const inTarget = async (nid: string): Promise<readonly (string | null)[] | undefined> =>
  (await campus.tableRows()).find(([own]) => own === nid);

describe('a replay', () => {
  test('brings a corrected row through to the targets, in a run of its own whose sums balance', async () => {
    expect(await inTarget('n-broken')).toBeUndefined();
    await correct('s-broken', 'Mended');
    const [record] = await aside('s-broken');
    const batch = await batchOf([record?.id ?? '']);
    replayed = await conductor.settle(campus.institutionId, campus.job(), batch, 'release');
    expect(await inTarget('n-broken')).toMatchObject({ 2: 'Mended' });
    expect(await campus.countsOf(replayed)).toMatchObject({ extracted: 1, new: 1, rejected: 0, balanced: true });
    expect(await aside('s-broken')).toEqual([
      { ...record, state: 'resolved', version: 2, settle_run_id: replayed, corrected_by: 'steward:test' },
    ]);
    expect(await aside('s-worse')).toMatchObject([{ state: 'open', settle_run_id: null }]);
    const rows = await campus.asOwner(
      `select b.state, r.kind, r.parent_run_id::text as parent, r.actor from concord.decision_batches b join concord.sync_runs r on r.id = b.settle_run_id where b.id = $1`,
      [batch],
    );
    expect(rows).toEqual([{ state: 'applied', kind: 'release', parent: first, actor: 'steward:test' }]);
  });

  test('that is set aside again stands open where it stood, and once', async () => {
    const [record] = await aside('s-worse');
    const batch = await batchOf([record?.id ?? '']);
    const run = await conductor.settle(campus.institutionId, campus.job(), batch, 'release');
    expect(await campus.countsOf(run)).toMatchObject({ extracted: 1, rejected: 1, balanced: true });
    expect(await aside('s-worse')).toMatchObject([
      { id: record?.id, state: 'open', version: 2, settle_run_id: run },
      { run_id: run, state: 'resolved' },
    ]);
  });

  test('what was corrected stands when its source delivers the same again, and nobody is asked twice', async () => {
    const run = await conductor.sync(campus.institutionId, campus.job());
    expect(await campus.countsOf(run)).toMatchObject({ rejected: 2, deleted: 0, balanced: true });
    expect(await inTarget('n-broken')).toMatchObject({ 2: 'Mended' });
    expect((await aside('s-broken')).at(-1)).toMatchObject({
      ...{ run_id: run, state: 'resolved', corrected_by: 'steward:test', settle_run_id: replayed },
    });
    expect((await aside('s-worse')).at(-1)).toMatchObject({ run_id: run, state: 'open' });
  });

  test('is taken back by rolling its run back: the record ends, and the row is aside again', async () => {
    await conductor.rollback(campus.institutionId, campus.job(), replayed);
    expect(await inTarget('n-broken')).toBeUndefined();
    expect(await aside('s-broken')).toMatchObject([
      { run_id: first, state: 'open', settle_run_id: null, corrected_by: 'steward:test' },
      { state: 'open', settle_run_id: null },
    ]);
  });

  test('a source that was mended itself needs none', async () => {
    const student = campus.students.get('s-broken');
    if (student === undefined) throw new Error('no student');
    campus.students.set('s-broken', { ...student, family: 'Truly' });
    await campus.storeStudents();
    const run = await conductor.sync(campus.institutionId, campus.job());
    expect(await campus.countsOf(run)).toMatchObject({ new: 1, rejected: 1, balanced: true });
    expect(await inTarget('n-broken')).toMatchObject({ 2: 'Truly' });
  });
});
