import { mkdirSync, readFileSync, rmSync, statfsSync } from 'node:fs';
import { totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { LaunchError, reasonOf } from './launch-error.js';
import { freePort } from './ports.js';
import { clearLeftovers, ensureCluster, ownerName, ownerPassword } from './postgres-cluster.js';
import { choosePostgresHome } from './postgres-home.js';
import type { PostgresHome } from './postgres-home.js';
import { startServerProcess } from './server-process.js';
import type { ServerProcess } from './server-process.js';

export const documentedPostgresPort = 54329;
const startSeconds = 180;
const mebibyte = 1024 ** 2;
const gibibyte = 1024 ** 3;

export interface PostgresOptions {
  /** Holds password and log, and the data where the server's user can enter it. The caller has claimed it (`claimFolder`). */
  readonly folder: string;
  readonly preferredPort?: number;
  /** Over our own settings, such as `{ fsync: 'off' }` in tests. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Begin with empty data. */
  readonly fresh?: boolean;
  readonly progress?: (line: string) => void;
}

export interface RunningPostgres {
  /** Database `concord`, as its owner. Holds the password. */
  readonly url: string;
  readonly port: number;
  readonly version: string;
  readonly pid: number;
  /** Resolves when the server is gone, with how it ended. */
  readonly exited: Promise<string>;
  stop(): Promise<void>;
  /** For fault tests. `startPostgres` with the same folder and `preferredPort` brings it back under the same URL. */
  kill9(): Promise<void>;
}

/** Starts the embedded PostgreSQL on the data of `folder`, after a crash too. It ends when this process ends, however it ends.
 *  @throws LaunchError */
export async function startPostgres(options: PostgresOptions): Promise<RunningPostgres> {
  const folder = resolve(options.folder);
  mkdirSync(folder, { recursive: true });
  const progress = options.progress ?? (() => undefined);
  const home = choosePostgresHome(folder);
  await clearLeftovers(home.dataFolder);
  if (options.fresh === true) rmSync(home.dataFolder, { recursive: true, force: true });
  const password = ownerPassword(folder);
  await ensureCluster(home, password);

  const { server, port } = await startOnFreePort(home, folder, password, options);
  const urlOf = (database: string): string =>
    `postgres://${ownerName}:${password}@127.0.0.1:${String(port)}/${database}`;
  const version = await ensureDatabase(urlOf('postgres'), ownerName);
  progress(`PostgreSQL ${version} is up on port ${String(port)}.`);
  return {
    url: urlOf(ownerName),
    port,
    version,
    pid: server.pid,
    exited: server.exited,
    stop: () => server.stop(),
    kill9: () => server.kill9(),
  };
}

async function startOnFreePort(
  home: PostgresHome,
  folder: string,
  password: string,
  options: PostgresOptions,
): Promise<{ server: ServerProcess; port: number }> {
  const refused = new Set<number>();
  const logFile = join(folder, 'postgres.log');
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort(options.preferredPort ?? documentedPostgresPort, refused);
    const server = startServerProcess({
      executable: join(home.programs, 'bin', 'postgres'),
      args: ['-D', home.dataFolder, '-p', String(port), ...settingFlags(options.settings ?? {})],
      environment: { LC_ALL: 'C', TZ: 'UTC' },
      logFile,
      account: home.account,
      stopSignal: 'SIGINT', // "fast": open transactions are rolled back, nobody is waited for
      graceMilliseconds: 60_000,
    });
    const trouble = await untilReady(server, port, password, options.progress);
    if (trouble === null) return { server, port };
    await server.stop();
    const said = lastComplaint(logFile);
    if (/could not bind|could not create any TCP/.test(said)) refused.add(port);
    // Backends of a killed server let go of its memory a moment after it. "File exists": it was killed just after a transaction
    // that had made an unlogged table was aborted, before that was in its log; the next start clears the file away.
    else if (/shared memory block|already exists|File exists/.test(said)) await pause(250);
    else throw new LaunchError(`PostgreSQL did not start (${trouble}): ${said} The whole log: ${logFile}`);
    if (attempt === 40) throw new LaunchError(`PostgreSQL did not start in 40 attempts: ${said} The log: ${logFile}`);
  }
}

function settingFlags(over: Readonly<Record<string, string>>): string[] {
  const settings: Record<string, string> = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    shared_buffers: `${String(sharedBuffersFor(memoryOfMachine()) / mebibyte)}MB`,
    // Two connections that load side by side would wait for each other to write out what does not fit.
    wal_buffers: memoryOfMachine() >= 4 * gibibyte ? '128MB' : '16MB',
    max_wal_size: '8GB',
    // A new segment of the log is not filled with zeros before it is filled with the log: a first load makes a hundred and fifty of them.
    wal_init_zero: 'off',
    jit: 'off',
    max_connections: '200',
    log_timezone: 'UTC',
    timezone: 'UTC',
    ...(sharedMemoryIsSmall() ? { dynamic_shared_memory_type: 'sysv' } : {}),
    ...over,
  };
  return Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

/** Of so much memory a quarter, from 4 GiB of it on and up to 4 GiB, in whole MiB: what a large first load writes is then not put out of
 *  the server's memory by the backends that load. Source: PostgreSQL's manual, "Resource Consumption". All in bytes. */
export function sharedBuffersFor(memory: number): number {
  if (memory < 4 * gibibyte) return gibibyte / 4;
  return Math.min(4 * gibibyte, Math.floor(memory / 4 / mebibyte) * mebibyte);
}

/* A container may have less than its machine. */
function memoryOfMachine(): number {
  const limit = process.constrainedMemory();
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}

/* Containers come with 64 MB there, on which a parallel hash join fails. */
function sharedMemoryIsSmall(): boolean {
  if (process.platform !== 'linux') return false;
  try {
    const { blocks, bsize } = statfsSync('/dev/shm');
    return blocks * bsize < gibibyte / 2;
  } catch {
    return true; // no /dev/shm at all
  }
}

/* Returns what went wrong, null where the server answers. */
async function untilReady(
  server: ServerProcess,
  port: number,
  password: string,
  progress: PostgresOptions['progress'],
): Promise<string | null> {
  const begun = Date.now();
  let told = 10;
  for (;;) {
    const answer = await firstOf(server.exited, tryConnect(port, password));
    if (answer === null) return null;
    if (!server.running()) return await server.exited;
    if (/password|authentication/.test(answer)) return answer;
    const seconds = (Date.now() - begun) / 1000;
    if (seconds > startSeconds) return answer;
    if (seconds > told) {
      progress?.(`PostgreSQL is still starting after ${String(told)} s (after a crash it first replays its log) …`);
      told += 10;
    }
    await pause(30);
  }
}

function firstOf(exited: Promise<string>, connected: Promise<string | null>): Promise<string | null> {
  return Promise.race([exited, connected]);
}

async function tryConnect(port: number, password: string): Promise<string | null> {
  const client = new pg.Client({
    host: '127.0.0.1',
    port,
    user: ownerName,
    password,
    database: 'postgres',
    connectionTimeoutMillis: 2_000,
  });
  client.on('error', () => undefined); // a server that ends again is told by `exited`
  try {
    await client.connect();
    await client.end();
    return null;
  } catch (error) {
    return reasonOf(error);
  }
}

async function ensureDatabase(url: string, name: string): Promise<string> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const found = await client.query('select from pg_database where datname = $1', [name]);
    if (found.rowCount === 0) await client.query(`create database ${client.escapeIdentifier(name)}`);
    const answer = await client.query<{ version: string }>(
      "select split_part(current_setting('server_version'), ' ', 1) as version",
    );
    return answer.rows[0]?.version ?? 'of unknown version';
  } finally {
    await client.end();
  }
}

function lastComplaint(logFile: string): string {
  const lines = readFileSync(logFile, 'utf8').split('\n');
  return lines
    .filter((line) => /FATAL|PANIC|ERROR|could not/.test(line))
    .slice(-3)
    .join(' ');
}
