import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { migrate, revert } from '../../database/migrate.js';
import { createDatabase } from '../harness/database.js';
import type { TestDatabase } from '../harness/database.js';

let database: TestDatabase;
let client: pg.Client;
beforeAll(async () => {
  database = await createDatabase({ empty: true });
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
});
afterEach(async () => {
  await client.query('drop schema if exists concord, staging cascade');
  await client.query('drop table if exists public.concord_migrations');
});
afterAll(async () => {
  await client.end();
  await database.drop();
});

const schemas = async (): Promise<string[]> => {
  const answer = await client.query<{ name: string }>(
    "select nspname as name from pg_namespace where nspname in ('concord', 'staging') order by nspname",
  );
  return answer.rows.map((row) => row.name);
};
const applied = async (): Promise<string[]> => {
  const answer = await client.query<{ name: string }>('select name from public.concord_migrations order by name');
  return answer.rows.map((row) => row.name);
};

test('several processes migrate one database at once, each migration is done once', async () => {
  await Promise.all([migrate(database.url), migrate(database.url), migrate(database.url)]);
  expect(await applied()).toContain('0001-house');
  expect(await schemas()).toEqual(['concord', 'staging']);
});

test('several databases of one server are migrated at once', async () => {
  const others = await Promise.all([1, 2, 3].map(() => createDatabase({ empty: true })));
  await Promise.all(others.map((other) => migrate(other.url)));
  for (const other of others) await other.drop();
});

test('what is taken back is gone, and taking back the last of all says so', async () => {
  expect(await revert(database.url)).toBeNull();
  await migrate(database.url);
  const names = await applied();
  for (const name of names.reverse()) expect(await revert(database.url)).toBe(name);
  expect(await revert(database.url)).toBeNull();
  expect(await schemas()).toEqual([]);
});

test('a migration that fails leaves nothing half done', async () => {
  await client.query('create schema staging');
  await expect(migrate(database.url)).rejects.toThrow('already exists');
  expect(await schemas()).toEqual(['staging']);
  expect(await applied()).toEqual([]);
});

describe('a database of another version is left alone', () => {
  test.each([
    ['a migration that was changed', "update public.concord_migrations set digest = 'other'"],
    ['a migration that is unknown', "insert into public.concord_migrations (name, digest) values ('9999-later', '')"],
  ])('%s', async (_, change) => {
    await migrate(database.url);
    await client.query(change);
    await expect(migrate(database.url)).rejects.toMatchObject({ code: 'configuration_invalid' });
    await expect(revert(database.url)).rejects.toMatchObject({ code: 'configuration_invalid' });
    expect(await schemas()).toEqual(['concord', 'staging']);
  });
});
