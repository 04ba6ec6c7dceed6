import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { LaunchError } from './launch-error.js';
import type { PostgresHome } from './postgres-home.js';
import { commandLineOf, isAlive } from './process-table.js';

/** The owner of everything in the embedded PostgreSQL. */
export const ownerName = 'concord';
const majorVersion = '18';

/** The owner's password: random, made once, in a file that only we can read. */
export function ownerPassword(folder: string): string {
  const file = join(folder, 'postgres.password');
  if (existsSync(file)) return readFileSync(file, 'utf8').trim();
  const password = randomBytes(24).toString('base64url');
  const draft = `${file}.draft`;
  rmSync(draft, { force: true });
  writeFileSync(draft, `${password}\n`, { mode: 0o600, flag: 'wx' });
  renameSync(draft, file);
  return password;
}

/** Makes the data folder where there is none. It appears by a rename, so a half-made one never counts. */
export async function ensureCluster(home: PostgresHome, password: string): Promise<void> {
  if (existsSync(home.dataFolder)) {
    refuseForeignVersion(home.dataFolder);
    return;
  }
  const draft = `${home.dataFolder}.draft`;
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(draft, { recursive: true, mode: 0o700 });
  const passwordFile = join(draft, 'password');
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
  if (home.account !== null) {
    for (const path of [draft, passwordFile]) chownSync(path, home.account.uid, home.account.gid);
  }
  await runInitdb(home, join(draft, 'data'), passwordFile);
  renameSync(join(draft, 'data'), home.dataFolder);
  rmSync(draft, { recursive: true, force: true });
}

function refuseForeignVersion(dataFolder: string): void {
  const version = readFileSync(join(dataFolder, 'PG_VERSION'), 'utf8').trim();
  if (version === majorVersion) return;
  throw new LaunchError(
    `${dataFolder} was written by PostgreSQL ${version}, this is ${majorVersion}: move that folder away to start afresh, or run the version that wrote it and set DATABASE_URL.`,
  );
}

async function runInitdb(home: PostgresHome, dataFolder: string, passwordFile: string): Promise<void> {
  const args = [
    `--pgdata=${dataFolder}`,
    `--username=${ownerName}`,
    `--pwfile=${passwordFile}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    // PostgreSQL's own C.UTF-8: the same order on every system, also where the C library has no such locale.
    '--locale=C',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--no-instructions',
  ];
  const child = spawn(join(home.programs, 'bin', 'initdb'), args, {
    env: { LC_ALL: 'C', TZ: 'UTC', PATH: '/usr/bin:/bin' },
    cwd: dirname(dataFolder),
    stdio: ['ignore', 'ignore', 'pipe'],
    ...home.account,
  });
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaint += text));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code === 0) return;
  throw new LaunchError(`PostgreSQL could not make its data folder: ${complaint.trim().replaceAll('\n', ' ')}`);
}

/** Ends what an earlier, killed command left on this data: a server without a master, or a file that names a process long gone
 *  (whose id may now be somebody else's, at which PostgreSQL would refuse to start). The caller holds the folder's claim. */
export async function clearLeftovers(dataFolder: string): Promise<void> {
  const pidFile = join(dataFolder, 'postmaster.pid');
  if (!existsSync(pidFile)) return;
  const pid = Number.parseInt(readFileSync(pidFile, 'utf8'), 10);
  const isOurs = (): boolean => isAlive(pid) && commandLineOf(pid).includes(dataFolder);
  if (pid > 0 && isOurs()) await endOrphan(pid, isOurs);
  rmSync(pidFile, { force: true });
}

async function endOrphan(pid: number, isOurs: () => boolean): Promise<void> {
  for (const signal of ['SIGINT', 'SIGQUIT', 'SIGKILL'] as const) {
    if (isOurs()) process.kill(pid, signal);
    for (let waited = 0; waited < 10_000 && isOurs(); waited += 50) await pause(50);
  }
}
