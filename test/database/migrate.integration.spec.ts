import { afterAll, beforeAll, expect, test } from '@jest/globals';
import pg from 'pg';
import { migrate, revert } from '../../database/migrate.js';
import { createDatabase } from '../harness/database.js';
import type { TestDatabase } from '../harness/database.js';

let database: TestDatabase;
beforeAll(async () => {
  database = await createDatabase({ empty: true });
});
afterAll(async () => {
  await database.drop();
});

test('several processes migrate one database at once', async () => {
  await Promise.all([migrate(database.url), migrate(database.url), migrate(database.url)]);
  expect(await revert(database.url)).toBe('0001-house');
  expect(await revert(database.url)).toBeNull();
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  const left = await client.query("select nspname from pg_namespace where nspname in ('concord', 'staging')");
  await client.end();
  expect(left.rows).toEqual([]);
});
