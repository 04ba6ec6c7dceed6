import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { createHub } from '../../database/hub.js';
import type { Hub } from '../../database/hub.js';
import { createLog } from '../../platform/log.js';
import { createWorkerMetrics } from '../../worker/metrics.js';
import { exposition, readMeasures, readModels } from '../../worker/read-models.js';
import type { Measure } from '../../worker/read-models.js';
import { createDatabase } from '../harness/database.js';
import type { TestDatabase } from '../harness/database.js';

let database: TestDatabase;
let owner: pg.Client;
let hub: Hub;
let numbers = 0;

beforeAll(async () => {
  database = await createDatabase();
  owner = new pg.Client({ connectionString: database.url, options: '-c search_path=concord' });
  await owner.connect();
  hub = createHub({ url: database.url, role: 'concord_worker', max: 2 });
  await owner.query(`
    insert into institutions (code, name, time_zone, updated_by) values ('one', 'One', 'UTC', 'test'), ('two', 'Two', 'UTC', 'test');
    insert into data_source_configurations (institution_id, name, kind, settings, updated_by) values (1, 'sis', 'csv', '{}', 'test');
    insert into cross_system_mappings (institution_id, system_id, name, entity, definition, updated_by)
      values (1, 1, 'sis.students', 'students', '{}', 'test'), (1, 1, 'sis.Amara "A" Okafor', 'x', '{}', 'test');
    insert into synchronization_jobs (institution_id, name, definition, updated_by)
      values (1, 'nightly', '{"name": "nightly", "sources": ["sis.students"], "targets": []}', 'test'),
        (1, 'Amara Okafor''s job', '{"name": "x", "sources": [], "targets": []}', 'test')`);
});
afterAll(async () => {
  await hub.close();
  await owner.end();
  await database.drop();
});
beforeEach(async () => {
  await owner.query(`delete from findings; delete from rejected_records; delete from held_changes; delete from sync_conflict_resolutions;
    delete from decision_batches; delete from outbox; delete from sync_runs; delete from run_metrics`);
});

const run = async (
  facts: {
    job?: number | null;
    kind?: string;
    actor?: string;
    state?: string;
    seconds?: number | null;
    counts?: object;
  } = {},
): Promise<string> => {
  const { job = 1, kind = 'sync', actor = 'schedule', state = 'completed', seconds = 3, counts = {} } = facts;
  numbers += 1;
  const { rows } = await owner.query<{ id: string }>(
    `insert into sync_runs (institution_id, job_id, kind, workflow_id, actor, as_of, state, started_at)
     values (1, $1, $2, $3, $4, '2026-11-20', 'extract', now()) returning id`,
    [job, kind, `run-${String(numbers)}`, actor],
  );
  const id = rows[0]?.id ?? '';
  if (seconds !== null) {
    await owner.query(
      `update sync_runs set state = $2, counts = $3, finished_at = started_at + make_interval(secs => $4) where id = $1`,
      [id, state, JSON.stringify(counts), seconds],
    );
  }
  return id;
};
const measured = async (metric: string): Promise<readonly Omit<Measure, 'metric'>[]> =>
  (await readMeasures(hub))
    .filter((measure) => measure.metric === metric)
    .map(({ labels, value }) => ({ labels, value }));

describe('counters', () => {
  test('rise as runs begin and end, by who began them and how they ended', async () => {
    await run();
    await run({ actor: 'steward:Data office', state: 'failed', seconds: 200 });
    await run({ actor: 'Amara Okafor', seconds: null });
    const by = { institution: 'one', job: 'nightly', kind: 'sync' };
    expect(await measured('jobs_started_total')).toEqual(
      expect.arrayContaining([
        { labels: { ...by, trigger: 'schedule' }, value: 1 },
        { labels: { ...by, trigger: 'steward' }, value: 1 },
        { labels: { ...by, trigger: 'other' }, value: 1 },
      ]),
    );
    expect(await measured('job_duration_seconds_sum')).toEqual(
      expect.arrayContaining([
        { labels: { ...by, outcome: 'completed' }, value: 3 },
        { labels: { ...by, outcome: 'failed' }, value: 200 },
      ]),
    );
    const buckets = (await measured('job_duration_seconds_bucket'))
      .filter(({ labels }) => labels['outcome'] === 'failed')
      .map(({ labels }) => labels['le']);
    expect(new Set(buckets)).toEqual(new Set(['300', '900', '3600', '14400', '+Inf']));
  });

  test('records by what became of them, and what was set aside by rule; a rule that is no plain word is not told', async () => {
    const id = await run({ seconds: null });
    await owner.query(
      `insert into rejected_records (institution_id, run_id, mapping_id, kind, position, rule, reason, detail)
       values (1, $1, 1, 'rejected', '1', 'born', 'x', ''), (1, $1, 1, 'rejected', '2', null, 'field_count', ''),
         (1, $1, 1, 'rejected', '3', 'Amara Okafor has no date', 'x', ''), (1, $1, 1, 'waiting', '4', 'parent', 'x', '')`,
      [id],
    );
    const counts = {
      rows: { extracted: 10, unchanged: 7, new: 0, rejected: 3 },
      summary: { goldenWrites: 2, targetWrites: 4 },
    };
    await owner.query(`update sync_runs set state = 'completed', counts = $2, finished_at = now() where id = $1`, [
      ...[id, JSON.stringify(counts)],
    ]);
    const records = await measured('records_total');
    expect(
      Object.fromEntries(records.map(({ labels, value }) => [`${labels['stage']}.${labels['outcome']}`, value])),
    ).toEqual({
      'extract.extracted': 10,
      'diff.unchanged': 7,
      'standardize.rejected': 3,
      'apply.golden_written': 2,
      'publish.target_written': 4,
    });
    const rules = (await measured('quality_failures_total')).map(({ labels, value }) => [labels['rule'], value]);
    expect(rules.sort()).toEqual([
      ['born', 1],
      ['field_count', 1],
      ['other', 1],
    ]);
  });

  test('are what counting all runs anew would give, also where several end at once', async () => {
    const outcomes = ['completed', 'completed_with_questions', 'failed', 'rolled_back'];
    const kinds = ['sync', 'decision', 'rollback', 'due'];
    for (let index = 0; index < 24; index += 1)
      await run({
        job: index % 3 === 0 ? null : 1 + (index % 2),
        kind: index % 4 === 0 ? 'decision' : (kinds[index % 4] ?? 'sync'),
        state: outcomes[index % 4] ?? 'completed',
        seconds: index % 7 === 0 ? null : index * 37,
        counts: { rows: { extracted: index, changed: index % 5 }, summary: { goldenWrites: index % 3 } },
      });
    const clients = await Promise.all(
      Array.from({ length: 6 }, async () => {
        const client = new pg.Client({ connectionString: database.url, options: '-c search_path=concord' });
        await client.connect();
        return client;
      }),
    );
    const open = await owner.query<{ id: string }>('select id from sync_runs where finished_at is null');
    const closing = open.rows.map(async ({ id }, index) => {
      await clients[index % clients.length]?.query(
        `update sync_runs set state = 'completed', finished_at = started_at + interval '9 s' where id = $1`,
        [id],
      );
    });
    await Promise.all(closing);
    await Promise.all(clients.map((client) => client.end()));
    const { rows } = await owner.query<{ differ: string }>(
      `with anew as (
         select r.institution_id, 'jobs_started_total' as metric,
           jsonb_build_object('job', coalesce(r.job_id, 0), 'kind', r.kind, 'trigger', trigger_of(r.actor)) as labels, count(*)::double precision as value
         from sync_runs r group by 1, 3
         union all
         select r.institution_id, m.metric, m.labels, sum(m.value) from sync_runs r cross join lateral measures_of_run(r) m
         where r.finished_at is not null group by 1, 2, 3)
       select count(*) as differ from anew a full join run_metrics k
         on (a.institution_id, a.metric, a.labels) = (k.institution_id, k.metric, k.labels)
       where abs(a.value - k.value) > 1e-6 or a.value is null or k.value is null`,
    );
    expect(rows[0]?.differ).toBe('0');
    expect((await owner.query('select 1 from run_metrics')).rowCount).toBeGreaterThan(50);
  });
});

describe('what stands', () => {
  test('questions, held changes, runs at work, decisions and messages that wait', async () => {
    const id = await run({ seconds: null });
    await owner.query(`insert into decision_batches (institution_id, job_id, kind, actor, created_at)
        values (1, 1, 'decision', 'test', now() - interval '90 s')`);
    await owner.query(`insert into outbox (institution_id, topic, subject, created_at)
        values (1, 'review', '1', now() - interval '60 s')`);
    await owner.query(
      `insert into held_changes (institution_id, job_id, run_id, mapping_id, cause, operation, row_count, base_count, reason, input_hash)
       values (1, 1, $1, 1, 'limit', 'delete', 5, 9, '', gen_random_uuid())`,
      [id],
    );
    expect(await measured('runs_active')).toEqual([{ labels: { institution: 'one', kind: 'sync' }, value: 1 }]);
    expect(await measured('decision_batches_pending')).toEqual([{ labels: { institution: 'one' }, value: 1 }]);
    expect((await measured('decision_batch_oldest_age_seconds'))[0]?.value).toBeGreaterThanOrEqual(90);
    expect(await measured('outbox_pending')).toEqual([{ labels: {}, value: 1 }]);
    expect((await measured('outbox_oldest_age_seconds'))[0]?.value).toBeGreaterThanOrEqual(60);
    expect(await measured('held_changes')).toEqual([
      { labels: { institution: 'one', source: 'sis.students', cause: 'limit' }, value: 1 },
    ]);
  });

  test('how old the newest reading of a source is; one that dropped out was not read', async () => {
    const id = await run();
    expect(await measured('source_lag_seconds')).toMatchObject([
      { labels: { institution: 'one', source: 'sis.students' } },
    ]);
    expect(await measured('job_last_success_timestamp_seconds')).toMatchObject([{ labels: { job: 'nightly' } }]);
    await owner.query(
      `insert into findings (institution_id, run_id, kind, mapping_id) values (1, $1, 'source_unreachable', 1)`,
      [id],
    );
    expect(await measured('source_lag_seconds')).toEqual([]);
  });
});

describe('the text', () => {
  test('names each metric once, escapes labels, and holds no names that people wrote', async () => {
    await run({ job: 2 });
    const text = exposition(await readMeasures(hub));
    expect(text).not.toContain('Amara');
    expect(text).toContain('job="2"');
    for (const name of Object.keys(readModels))
      expect([name, text.match(new RegExp(`^# TYPE concord_${name} `, 'gm'))?.length]).toEqual([name, 1]);
    const wrong = text.split('\n').filter((line) => !/^(#.*|concord_\w+(\{[^}]*\})? [0-9.e+-]+|)$/.test(line));
    expect(wrong).toEqual([]);
    expect(exposition([{ metric: 'runs_active', labels: { kind: 'a"b\\c\nd' }, value: 1 }])).toContain(
      'concord_runs_active{kind="a\\"b\\\\c\\nd"} 1',
    );
  });

  test('without a database a worker still tells of itself', async () => {
    const nowhere = createHub({ url: 'postgres://nobody@127.0.0.1:1/none', role: 'concord_worker', max: 1 });
    const log = createLog({ level: 'silent', name: 'test' });
    const metrics = createWorkerMetrics({ hub: nowhere, log, accepting: () => false, temporalMetricsUrl: null });
    const text = await metrics.read();
    expect(text).toContain('concord_read_models_readable 0');
    expect(text).toContain('concord_accepting 0');
    expect(text).toContain('process_resident_memory_bytes');
    await nowhere.close();
  });

  test('is for the worker alone', async () => {
    const api = createHub({ url: database.url, role: 'concord_api', max: 1 });
    await expect(api.system((client) => client.query('select * from concord.operational_metrics()'))).rejects.toThrow(
      /permission denied/,
    );
    await api.close();
  });
});
