import { afterAll, beforeAll, expect, test } from '@jest/globals';
import pg from 'pg';
import { begun, copied, hubOfDryRun, openDryRun, shared } from '../../database/dry-run.js';
import { createHub, type Hub } from '../../database/hub.js';
import { createDatabase, type TestDatabase } from '../harness/database.js';
import { ensureInstitution } from './institutions.js';

let database: TestDatabase;
let hub: Hub;
let owner: pg.Client;

beforeAll(async () => {
  database = await createDatabase();
  hub = createHub({ url: database.url, role: 'concord_worker', max: 4 });
  owner = new pg.Client({ connectionString: database.url });
  await owner.connect();
});
afterAll(async () => {
  await owner.end();
  await hub.close();
  await database.drop();
});

test('every table is copied, begun empty or shared: a new one has to say which', async () => {
  const { rows } = await owner.query<{ name: string }>(
    `select relname as name from pg_class where relnamespace = 'concord'::regnamespace and relkind = 'r' order by 1`,
  );
  expect([...copied, ...begun, ...shared].sort()).toEqual(rows.map(({ name }) => name));
});

const runOf = async (institutionId: number, kind: string): Promise<string> =>
  await hub.transaction(institutionId, async (client) => {
    const { rows } = await client.query<{ id: string }>(
      `insert into sync_runs (institution_id, kind, workflow_id, actor, as_of, state)
       values ($1, $2, gen_random_uuid()::text, 'test', '2026-09-01', 'opened') returning id::text`,
      [institutionId, kind],
    );
    return rows[0]?.id ?? '';
  });

test('a copy holds one institution, takes writes that the stores do not see, and is closed to the API', async () => {
  const [ours, others] = [await ensureInstitution(hub, 'ours'), await ensureInstitution(hub, 'others')];
  for (const institutionId of [ours, others]) {
    await hub.transaction(institutionId, async (client) => {
      await client.query(`insert into outbox (institution_id, topic, subject) values ($1, 'before', '')`, [
        institutionId,
      ]);
      await client.query(
        `insert into golden_references (golden_id, path, target_id, institution_id) values ($1::integer, 'parent', 2, $1::integer)`,
        [institutionId],
      );
    });
  }
  const runId = await runOf(ours, 'dry_run');
  await hub.bulk(ours, (client) => openDryRun(client, runId, () => undefined), { oneState: true });
  const dry = hubOfDryRun(hub, runId);
  const pending = 'select institution_id as of from golden_references';
  await dry.transaction(ours, async (client) => {
    expect((await client.query(pending)).rows).toEqual([{ of: ours }]);
    expect((await client.query('select 1 from outbox')).rowCount).toBe(0);
    await client.query('delete from golden_references');
    const { rows } = await client.query<{ id: string }>(`select nextval('golden_ids')::text as id`);
    expect(rows).toEqual([{ id: '2' }]);
  });
  expect((await hub.read(ours, (client) => client.query(pending))).rows).toEqual([{ of: ours }]);
  const api = createHub({ url: database.url, role: 'concord_api', max: 1 });
  await expect(
    api.read(ours, (client) => client.query(`select 1 from dry_run_${runId}.golden_references`)),
  ).rejects.toMatchObject({ code: '42501' });
  await api.close();
});

test('a copy is made for a dry run of the institution alone, and missed where it is gone or was emptied', async () => {
  const [ours, others] = [await ensureInstitution(hub, 'ours'), await ensureInstitution(hub, 'others')];
  const [sync, dry] = [await runOf(ours, 'sync'), await runOf(ours, 'dry_run')];
  const open = (institutionId: number, runId: string): Promise<void> =>
    hub.bulk(institutionId, (client) => openDryRun(client, runId, () => undefined), { oneState: true });
  await expect(open(ours, sync)).rejects.toThrow('no dry run');
  await expect(open(others, dry)).rejects.toThrow('no dry run');
  const look = (): Promise<unknown> => hubOfDryRun(hub, dry).read(ours, (client) => client.query('select 1'));
  await expect(look()).rejects.toMatchObject({ code: 'staging_lost' });
  await open(ours, dry);
  await look();
  await owner.query(`truncate dry_run_${dry}.dry_run_alive`);
  await expect(look()).rejects.toMatchObject({ code: 'staging_lost' });
});
