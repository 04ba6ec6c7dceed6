import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import pg from 'pg';
import { choosePostgresHome } from './postgres-home.js';
import { startPostgres } from './postgres.js';
import type { RunningPostgres } from './postgres.js';
import { isAlive } from './process-table.js';

let folder: string;
let running: RunningPostgres | null = null;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'concord launch ')); // with spaces
  execFileSync('chmod', ['755', folder]);
});
afterEach(async () => {
  await running?.stop();
  running = null;
  rmSync(folder, { recursive: true, force: true });
}, 30_000);

async function start(preferredPort = 0): Promise<RunningPostgres> {
  running = await startPostgres({
    folder: join(folder, 'start'),
    preferredPort,
    settings: { shared_buffers: '16MB', fsync: 'off' },
  });
  return running;
}

async function ask(url: string, sql: string): Promise<unknown> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const answer = await client.query<Record<string, unknown>>(sql);
    return Object.values(answer.rows[0] ?? {})[0];
  } finally {
    await client.end();
  }
}

test('has room for the log of two connections that load side by side', async () => {
  const { url } = await start();
  // The server rounds what it is given to blocks of 8 kB.
  expect(await ask(url, "select pg_size_bytes(current_setting('wal_buffers')) >= 16 * 1024 * 1024")).toBe(true);
  expect(await ask(url, "select current_setting('jit') || current_setting('max_wal_size')")).toBe('off8GB');
});

test('keeps data and address over a stop, a kill -9, and what a killed command leaves behind', async () => {
  const first = await start();
  expect(first.version).toMatch(/^18\./);
  await ask(first.url, 'create table kept as select 42 as answer');
  await ask(first.url, 'checkpoint');
  await first.stop();

  const second = await start(first.port);
  expect(second.url).toBe(first.url);
  expect(await ask(second.url, 'select answer from kept')).toBe(42);
  await second.kill9();

  const third = await start(first.port);
  expect(third.url).toBe(first.url);
  expect(await ask(third.url, 'select answer from kept')).toBe(42);
  await third.kill9();

  // The id of the dead server belongs to another program now, and an initdb was cut off.
  const { dataFolder } = choosePostgresHome(join(folder, 'start'));
  writeFileSync(join(dataFolder, 'postmaster.pid'), `${String(process.ppid)}\n${dataFolder}\n`);
  mkdirSync(`${dataFolder}.draft/data/base`, { recursive: true });
  const fourth = await start(first.port);
  expect(await ask(fourth.url, 'select answer from kept')).toBe(42);
}, 60_000);

test('an orphan on the data is ended first', async () => {
  const orphan = await start();
  const next = await start();
  expect(await orphan.exited).toMatch(/exit code|signal/);
  expect(isAlive(next.pid)).toBe(true);
  expect(await ask(next.url, 'select 1')).toBe(1);
}, 60_000);

test('takes another port where the documented one is taken', async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const { port } = other.address() as AddressInfo;
  const postgres = await start(port);
  expect(postgres.port).not.toBe(port);
  expect(await ask(postgres.url, 'show server_encoding')).toBe('UTF8');
  expect(await ask(postgres.url, "select 'É' < 'Z' collate \"default\"")).toBe(false);
  expect(await ask(postgres.url, "select lower('ÉÀŁ')")).toBe('éàł');
  await new Promise((resolve) => other.close(resolve));
}, 60_000);

test('runs where user postgres cannot enter the project', async () => {
  execFileSync('chmod', ['700', folder]);
  const postgres = await start();
  expect(await ask(postgres.url, 'select 1')).toBe(1);
  const { dataFolder, programs } = choosePostgresHome(join(folder, 'start'));
  if (userInfo().uid === 0) {
    expect(dataFolder).toMatch(/^\/var\/tmp\/concord-[0-9a-f]{12}-0\/start\/postgres$/);
    expect(existsSync(join(programs, 'bin', 'postgres'))).toBe(true);
  } else {
    expect(dataFolder).toBe(join(folder, 'start', 'postgres'));
  }
  await postgres.stop();
  running = null;
  if (userInfo().uid === 0) rmSync(join(dataFolder, '..', '..'), { recursive: true });
}, 60_000);

test('ends when its command is killed', async () => {
  const script = `
    import { register } from 'node:module';
    register(${JSON.stringify(new URL('../test/harness/typescript-loader.mjs', import.meta.url).href)});
    const { startPostgres } = await import(${JSON.stringify(new URL('./postgres.ts', import.meta.url).href)});
    const options = { folder: ${JSON.stringify(join(folder, 'start'))}, preferredPort: 0, settings: { shared_buffers: '16MB' } };
    const { pid } = await startPostgres(options);
    console.log(pid);
    process.kill(process.pid, 'SIGKILL');`;
  const file = join(folder, 'killed.mjs');
  writeFileSync(file, script);
  const printed = await new Promise<string>((resolve) => {
    execFile(process.execPath, [file], (_killed, output) => {
      resolve(output);
    });
  });
  const pid = Number(printed.trim());
  expect(pid).toBeGreaterThan(0);
  for (let waited = 0; waited < 100 && isAlive(pid); waited += 1)
    await new Promise((resolve) => setTimeout(resolve, 100));
  expect(isAlive(pid)).toBe(false);
}, 60_000);
