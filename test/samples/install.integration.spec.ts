import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import pg from 'pg';
import { addressEdits, brunoPhone } from '../../samples/lakeside/cast.js';
import { generateLakeside } from '../../samples/lakeside/generator.js';
import { applyDay, installLakeside } from '../../samples/lakeside/install.js';
import type { LakesideSystems } from '../../samples/lakeside/install.js';
import { Stores } from '../../samples/lakeside/stores.js';
import type { DemoPlatform } from '../../samples/lakeside/story-platform.js';
import { createDatabase } from '../harness/database.js';
import type { TestDatabase } from '../harness/database.js';

const lakeside = generateLakeside();
let databases: TestDatabase[];
let clients: pg.Client[];
let folder: string;
let systems: LakesideSystems;

async function connected(database: TestDatabase): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  clients.push(client);
  return client;
}

beforeAll(async () => {
  clients = [];
  const [sis, finance] = [await createDatabase({ empty: true }), await createDatabase({ empty: true })];
  databases = [sis, finance];
  folder = mkdtempSync(join(tmpdir(), 'lakeside '));
  systems = {
    sis: await connected(sis),
    finance: await connected(finance),
    hrIncoming: join(folder, 'hr', 'incoming'),
    academicIncoming: join(folder, 'academic', 'incoming'),
    academicOutgoing: join(folder, 'academic', 'outgoing'),
  };
  await installLakeside(systems, lakeside);
});

afterAll(async () => {
  for (const client of clients) await client.end();
  for (const database of databases) await database.drop();
  rmSync(folder, { recursive: true, force: true });
});

/* Only the sample systems are looked at here. */
const platform = { goldenDigest: async () => 'none' } as Partial<DemoPlatform> as DemoPlatform;
const stores = (): Stores => new Stores(systems, platform);

test('the tables hold what was generated, and the folders what arrived, whole', async () => {
  await applyDay(systems, lakeside.days.dayOne);
  const { facts } = lakeside;
  expect(await stores().table('students')).toHaveLength(facts.rows['sis.students'] ?? 0);
  expect(await stores().table('enrolments')).toHaveLength(facts.rows['sis.enrolments'] ?? 0);
  expect(await stores().table('payments')).toEqual([]);
  expect(await stores().table('accounts')).toHaveLength(facts.accountsBefore);
  expect(await stores().people()).toEqual([]);
  expect(await stores().find('students', facts.keys.amara.student)).toMatchObject({
    family_name: 'Nwosu-Keller',
    ends_on: null,
    directory_hold: 'N',
  });
  expect(readdirSync(systems.hrIncoming)).toEqual(['2026-09-01']);
  expect(readdirSync(join(systems.hrIncoming, '2026-09-01'))).toEqual(['employees.csv', 'manifest.json']);
});

test('an edit changes one row; the same day twice is as once; photographs see it', async () => {
  const before = await stores().photograph();
  await applyDay(systems, lakeside.days.dayTwo);
  const after = await stores().photograph();
  expect(before.differences(after)).toEqual(['students']);
  await applyDay(systems, lakeside.days.dayTwo);
  expect(after.differences(await stores().photograph())).toEqual([]);
  const { keys } = lakeside.facts;
  expect(await stores().find('students', keys.bruno.student)).toMatchObject({
    street: addressEdits.bruno.sis.street,
    country: 'CHE',
    phone: brunoPhone,
  });
  expect(await stores().find('students', keys.greta.student)).toMatchObject({ directory_hold: 'Y' });
});
