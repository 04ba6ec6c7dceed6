import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { readConfig } from '../../config/env.js';
import { freePort } from '../../launch/ports.js';
import { projectFolder } from '../../launch/project-folder.js';
import type { Observation } from '../../platform/checkup.js';
import { Checkup, checkClock } from '../../platform/checkup.js';
import { examineDatabase } from '../../worker/doctor-database.js';
import { examineTemporal } from '../../worker/doctor-temporal.js';
import { createDatabase } from '../harness/database.js';
import type { TestDatabase } from '../harness/database.js';
import { startProgram } from '../harness/processes.js';
import { temporalAddress, uniqueSuffix } from '../harness/temporal.js';

let database: TestDatabase;
const { temporal } = readConfig({});

beforeAll(async () => {
  database = await createDatabase();
});
afterAll(async () => {
  await database.drop();
});

const statesOf = (observations: readonly Observation[]): Readonly<Record<string, string>> =>
  Object.fromEntries(observations.map(({ check, state }) => [check, state]));
const wrongOnes = (observations: readonly Observation[]): readonly Observation[] =>
  observations.filter(({ state }) => state === 'wrong');

describe('the database', () => {
  test('that is as it should be', async () => {
    const observations = await examineDatabase(database.url);
    expect(wrongOnes(observations)).toEqual([]);
    expect(Object.keys(statesOf(observations))).toEqual([
      ...['reachable', 'version', 'clock of the database', 'encoding', 'writable', 'connections', 'schema'],
      ...['role concord_worker', 'role concord_api', 'outbox', 'decisions', 'runs', 'size'],
    ]);
  });

  test('without our schema, and with that of another version', async () => {
    const empty = await createDatabase({ empty: true });
    expect(wrongOnes(await examineDatabase(empty.url))).toMatchObject([
      { check: 'schema', found: expect.stringContaining('0001-house'), remedy: expect.stringContaining('concord up') },
    ]);
    await empty.drop();
    const owner = new pg.Client({ connectionString: database.url });
    await owner.connect();
    await owner.query("insert into public.concord_migrations (name, digest) values ('9999-later', '')");
    expect(wrongOnes(await examineDatabase(database.url))).toMatchObject([
      { check: 'schema', found: expect.stringContaining('9999-later') },
    ]);
    await owner.query("delete from public.concord_migrations where name = '9999-later'");
    await owner.end();
  });

  test('in which something waits for a worker', async () => {
    const owner = new pg.Client({ connectionString: database.url });
    await owner.connect();
    await owner.query(`insert into concord.institutions (code, name, time_zone, updated_by) values ('one', 'One', 'UTC', 'test');
      insert into concord.outbox (institution_id, topic, subject, created_at) values (1, 'review', '1', now() - interval '10 minutes')`);
    expect(wrongOnes(await examineDatabase(database.url))).toMatchObject([
      { check: 'outbox', found: 'messages to Temporal: for 10 min', remedy: expect.stringContaining('worker') },
    ]);
    await owner.query('delete from concord.outbox');
    await owner.end();
  });

  test.each([
    ['nobody listens', (url: URL) => (url.port = '1'), /Start PostgreSQL/],
    ['another password', (url: URL) => (url.password = 'hunter2'), /user and password/],
    ['another database', (url: URL) => (url.pathname = '/not_there'), /Create the database/],
  ])('that cannot be reached: %s', async (_case, change, remedy) => {
    const url = new URL(database.url);
    change(url);
    const observations = await examineDatabase(url.href);
    expect(observations).toMatchObject([{ check: 'reachable', state: 'wrong', remedy: expect.stringMatching(remedy) }]);
    expect(JSON.stringify(observations)).not.toContain(url.password);
  });
});

describe('Temporal', () => {
  test('without workers', async () => {
    const observations = await examineTemporal(temporal, temporalAddress(), `.${uniqueSuffix()}`);
    const { version, namespace, 'clock of Temporal': clock } = statesOf(observations);
    expect({ version, namespace, clock }).toEqual({ version: 'ok', namespace: 'ok', clock: 'ok' });
    expect(wrongOnes(observations).map(({ found }) => found)).toEqual(Array(3).fill('nobody asks for work'));
  });

  test('without the namespace, and not at all', async () => {
    expect(wrongOnes(await examineTemporal({ ...temporal, namespace: 'not-there' }, temporalAddress()))).toMatchObject([
      { check: 'namespace', remedy: expect.stringContaining('namespace create -n not-there') },
    ]);
    expect(await examineTemporal(temporal, '127.0.0.1:1')).toMatchObject([{ check: 'reachable', state: 'wrong' }]);
  });
});

test('clocks that differ', () => {
  const checkup = new Checkup('api');
  const now = new Date('2026-11-20T08:00:00Z');
  for (const seconds of [4, 20, 300]) checkClock(checkup, 'x', new Date(now.getTime() - seconds * 1000), now, 0);
  expect(checkup.observations.map(({ state }) => state)).toEqual(['ok', 'warning', 'wrong']);
});

test('the command: 0 where all is well, 1 where not, and no secret anywhere', async () => {
  const scope = `.${uniqueSuffix()}`;
  const apiPort = await freePort(0);
  const environment = {
    ...{ DATABASE_URL: database.url, TEMPORAL_ADDRESS: temporalAddress(), CONCORD_API_PORT: String(apiPort) },
    ...{ CONCORD_SECRET_REGISTRY_URL: 'postgres://hunter2', CONCORD_URL: `http://127.0.0.1:${String(apiPort)}` },
  };
  const doctor = async (...more: string[]): Promise<{ code: number; out: string; report: { healthy: boolean } }> => {
    const child = spawn(
      process.execPath,
      [join(projectFolder(), 'dist', 'cli', 'concord.js'), 'doctor', '--json', '--scope', scope, ...more],
      { env: { ...process.env, NODE_OPTIONS: '', ...environment }, stdio: ['ignore', 'pipe', 'inherit'] },
    );
    let out = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
    const code = await new Promise<number>((resolve) => child.once('close', (status) => resolve(status ?? -1)));
    return { code, out, report: JSON.parse(out) as { healthy: boolean } };
  };
  const nothing = await doctor();
  expect([nothing.code, nothing.report.healthy]).toEqual([1, false]);
  const programs = [
    startProgram({ entry: 'worker/main', args: ['--scope', scope], environment }),
    startProgram({ entry: 'api/main', args: ['--scope', scope], environment }),
  ];
  try {
    await Promise.all(programs.map((program) => program.line(/ is up/)));
    const report = await doctor();
    expect([report.code, JSON.parse(report.out)]).toMatchObject([0, { healthy: true }]);
    const { password } = new URL(database.url);
    expect([report.out.includes('hunter2'), report.out.includes(password)]).toEqual([false, false]);
    expect(report.out).toContain('CONCORD_SECRET_REGISTRY_URL');
  } finally {
    for (const program of programs) await program.stop();
  }
}, 120_000);
