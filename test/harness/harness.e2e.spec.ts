import { afterAll, beforeAll, expect, test } from '@jest/globals';
import pg from 'pg';
import { createDatabase } from './database.js';
import type { TestDatabase } from './database.js';
import { connectTemporal } from './temporal.js';

let database: TestDatabase;
beforeAll(async () => {
  database = await createDatabase();
});
afterAll(async () => {
  await database.drop();
});

test('a test file has a database of its own', async () => {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  const answer = await client.query<{ name: string }>('select current_database() as name');
  await client.end();
  expect(answer.rows[0]?.name).toBe(database.name);
});

test('a test file has a Temporal server', async () => {
  const connection = await connectTemporal();
  const health = await connection.healthService.check({});
  await connection.close();
  expect(health.status).toBe(1);
});
