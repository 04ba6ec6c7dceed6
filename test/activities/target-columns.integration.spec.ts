import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import pg from 'pg';
import { applyConfiguration, loadConfiguration } from '../../database/configuration-store.js';
import { createHub, type Hub } from '../../database/hub.js';
import type { Configuration } from '../../domain/job-definition.js';
import { createDatabase, type TestDatabase } from '../harness/database.js';
import { DirectConductor, directActivities } from '../merge/database-world.js';

/* The target half of a mapping gets other columns: what stands in the target is what was told by the former ones. */

jest.setTimeout(60_000);

const text = (name: string): Configuration['entityTypes'][number]['groups'][number] => ({
  name,
  attributes: [{ name, type: 'text' }],
  strategy: 'source_priority',
  priority: ['sis'],
});

const configurationOf = (url: string, columns: readonly string[]): Configuration => ({
  institution: { code: 'columns', name: 'Columns', timeZone: 'UTC', recipientClasses: ['internal'] },
  systems: ['sis', 'finance'].map((name) => ({ name, kind: 'postgresql', settings: { url } })),
  entityTypes: [
    {
      ...{ name: 'person', kind: 'mastered', subject: 'self' },
      groups: ['number', 'name', 'phone'].map(text),
      identifiers: [{ scheme: 'number' }],
    },
  ],
  codeTables: [],
  mappings: [
    {
      ...{ name: 'sis.people', system: 'sis', entity: 'people' },
      source: {
        columns: ['number', 'name', 'phone'],
        key: ['number'],
        records: [
          {
            entityType: 'person',
            groups: Object.fromEntries(['number', 'name', 'phone'].map((name) => [name, { from: name }])),
            identifiers: { number: { from: 'number' } },
          },
        ],
      },
    },
    {
      ...{ name: 'finance.payees', system: 'finance', entity: 'payees' },
      target: {
        root: 'person',
        key: [{ column: 'number', from: 'number' }],
        columns: [{ column: 'number' }, ...columns.map((column) => ({ column, from: column }))],
        recipientClass: 'internal',
        rollback: 'restore',
      },
    },
  ],
  jobs: [{ name: 'all', sources: ['sis.people'], targets: ['finance.payees'] }],
});

let database: TestDatabase;
let owner: pg.Client;
let hub: Hub;
beforeAll(async () => {
  database = await createDatabase();
  owner = new pg.Client({ connectionString: database.url });
  await owner.connect();
  hub = createHub({ url: database.url, role: 'concord_worker', max: 6 });
  await owner.query(`
    create table public.people (number text primary key, name text, phone text);
    create table public.payees (number text primary key, name text, phone text);
    insert into public.people values ('1', 'Amara', '11'), ('2', 'Jonas', '22'), ('3', 'Mei', '33')`);
});
afterAll(async () => {
  await hub.close();
  await owner.end();
  await database.drop();
});

const run = async (): Promise<string> => {
  const configuration = await loadConfiguration(hub, 1);
  const jobId = configuration.jobs[0]?.id ?? 0;
  return await new DirectConductor(directActivities(hub)).sync(1, jobId);
};
const payees = async (): Promise<readonly unknown[]> =>
  (await owner.query<object>('select number, name, phone from public.payees order by 1')).rows;
const edits = async (runId: string): Promise<readonly unknown[]> =>
  (
    await owner.query<object>(
      `select source_key as key from concord.findings where run_id = $1 and kind = 'update_origin_differs' order by 1`,
      [runId],
    )
  ).rows;

test('a column more is written at once, and what was edited there meanwhile is still told apart', async () => {
  await applyConfiguration(hub, configurationOf(database.url, ['name']), 'test');
  await run();
  expect(await payees()).toEqual([
    { number: '1', name: 'Amara', phone: null },
    { number: '2', name: 'Jonas', phone: null },
    { number: '3', name: 'Mei', phone: null },
  ]);
  await applyConfiguration(hub, configurationOf(database.url, ['name', 'phone']), 'test');
  await owner.query(`
    update public.people set name = name || ' B', phone = phone || '0' where number in ('1', '2');
    update public.payees set name = 'edited there' where number = '2'`);
  const more = await run();
  expect(await edits(more)).toEqual([{ key: '2' }]);
  expect((await payees()).slice(0, 2)).toEqual([
    { number: '1', name: 'Amara B', phone: '110' },
    { number: '2', name: 'edited there', phone: null },
  ]);
});

test('a column less leaves what stands in it', async () => {
  await applyConfiguration(hub, configurationOf(database.url, ['name']), 'test');
  await owner.query(`update public.people set name = 'Amara C', phone = '111' where number = '1'`);
  const less = await run();
  expect(await edits(less)).toEqual([]);
  expect((await payees())[0]).toEqual({ number: '1', name: 'Amara C', phone: '110' });
});
