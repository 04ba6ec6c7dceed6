import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { SyncError } from '../domain/errors.js';
import { createDigest } from '../platform/hash.js';
import { databaseRoles } from './roles.js';

interface Migration {
  /** `NNNN-what-it-does`: the order, the name in the table, and the name of both files. */
  readonly name: string;
  readonly up: string;
  readonly down: string;
  readonly digest: string;
}

/** Of the advisory lock under which migrations run; any constant will do that nobody else takes. */
const lockKey = 7_301_265;

/** Brings the database up to the newest schema, as the owner. Safe to call at every start and from several processes at once.
 *  @throws SyncError configuration_invalid where the roles cannot be made or an applied migration was changed afterwards */
export async function migrate(url: string): Promise<void> {
  const migrations = readMigrations();
  await underLock(url, async (client) => {
    await ensureRoles(client);
    await client.query(
      `create table if not exists public.concord_migrations (
         name text primary key, digest text not null, applied_at timestamptz not null default now())`,
    );
    const applied = await appliedMigrations(client);
    refuseForeignHistory(migrations, applied);
    for (const migration of migrations.slice(applied.length)) {
      await inTransaction(client, async () => {
        await client.query(migration.up);
        await client.query('insert into public.concord_migrations (name, digest) values ($1, $2)', [
          migration.name,
          migration.digest,
        ]);
      });
    }
  });
}

export interface MigrationState {
  /** Of this version, not applied yet. */
  readonly pending: readonly string[];
  /** Why the database belongs to another version, null where it does not. */
  readonly foreign: string | null;
  /** The newest of this version. */
  readonly newest: string;
}

/** How the database stands to this version; changes nothing. */
export async function compareMigrations(client: pg.Client): Promise<MigrationState> {
  const migrations = readMigrations();
  const names = migrations.map(({ name }) => name);
  const newest = names.at(-1) ?? '';
  const table = await client.query<{ found: boolean }>(
    "select to_regclass('public.concord_migrations') is not null as found",
  );
  const applied = table.rows[0]?.found === true ? await appliedMigrations(client) : [];
  try {
    refuseForeignHistory(migrations, applied);
    return { pending: names.slice(applied.length), foreign: null, newest };
  } catch (error) {
    if (!(error instanceof SyncError)) throw error;
    return { pending: [], foreign: error.message, newest };
  }
}

/** Takes the newest applied migration back and returns its name, null where none is left. The roles stay: other databases of
 *  the server may use them. */
export async function revert(url: string): Promise<string | null> {
  const migrations = readMigrations();
  return await underLock(url, async (client) => {
    const table = await client.query<{ found: boolean }>(
      "select to_regclass('public.concord_migrations') is not null as found",
    );
    if (table.rows[0]?.found !== true) return null;
    const applied = await appliedMigrations(client);
    refuseForeignHistory(migrations, applied);
    const last = migrations[applied.length - 1];
    if (last === undefined) return null;
    await inTransaction(client, async () => {
      await client.query(last.down);
      await client.query('delete from public.concord_migrations where name = $1', [last.name]);
      if (applied.length === 1) await client.query('drop table public.concord_migrations');
    });
    return last.name;
  });
}

let newest: string | null = null;

/** The name of the newest migration of this version. */
export function newestMigration(): string {
  newest ??= readMigrations().at(-1)?.name ?? '';
  return newest;
}

/* The folder stands beside package.json, seen from the sources as from `dist/`. */
function readMigrations(): readonly Migration[] {
  let root = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(root, 'package.json'))) root = dirname(root);
  const folder = join(root, 'migrations');
  const names = readdirSync(folder)
    .filter((file) => file.endsWith('.up.sql'))
    .map((file) => file.slice(0, -'.up.sql'.length))
    .sort();
  names.forEach((name, index) => {
    if (!/^\d{4}-[a-z0-9-]+$/.test(name)) throw new Error(`${name}: a migration is named NNNN-what-it-does`);
    if (name.slice(0, 4) === names[index - 1]?.slice(0, 4))
      throw new Error(`two migrations are numbered ${name.slice(0, 4)}`);
  });
  return names.map((name) => {
    const up = readFileSync(join(folder, `${name}.up.sql`), 'utf8');
    const digest = createDigest();
    digest.update(up);
    return { name, up, down: readFileSync(join(folder, `${name}.down.sql`), 'utf8'), digest: digest.hex() };
  });
}

async function appliedMigrations(client: pg.Client): Promise<readonly { name: string; digest: string }[]> {
  const answer = await client.query<{ name: string; digest: string }>(
    'select name, digest from public.concord_migrations order by name',
  );
  return answer.rows;
}

function refuseForeignHistory(
  migrations: readonly Migration[],
  applied: readonly { name: string; digest: string }[],
): void {
  applied.forEach((row, index) => {
    const migration = migrations[index];
    if (migration?.name === row.name && migration.digest === row.digest) return;
    const what =
      migration?.name === row.name ? `${row.name} was changed after it had been applied` : `it holds ${row.name}`;
    throw new SyncError(
      'configuration_invalid',
      `The database was migrated by another version of Concord: ${what}. Use that version, or a fresh database.`,
    );
  });
}

async function underLock<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url, application_name: 'concord-migrate' });
  await client.connect();
  try {
    await client.query('select pg_advisory_lock($1)', [lockKey]);
    return await work(client);
  } finally {
    await client.end(); // and with it the lock
  }
}

async function inTransaction(client: pg.Client, work: () => Promise<void>): Promise<void> {
  await client.query('begin');
  try {
    await work();
    await client.query('commit');
  } catch (error) {
    await client.query('rollback');
    throw error;
  }
}

/* Roles belong to the whole server, the lock to one database: another database of it may be migrated at this moment. */
const concurrentCodes: readonly unknown[] = ['42710', '23505', 'XX000', '40001', '40P01'];

async function ensureRoles(client: pg.Client): Promise<void> {
  for (const role of databaseRoles) {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await ensureRole(client, role);
        break;
      } catch (error) {
        const code = error instanceof pg.DatabaseError ? error.code : undefined;
        if (code === '42501') throw rolesNeeded(role, error);
        if (!concurrentCodes.includes(code) || attempt === 10) throw error;
        await pause(20 * attempt);
      }
    }
  }
}

async function ensureRole(client: pg.Client, role: string): Promise<void> {
  const name = client.escapeIdentifier(role);
  const found = await client.query<{ mighty: boolean; usable: boolean }>(
    `select rolsuper or rolbypassrls as mighty, pg_has_role(current_user, oid, 'set') as usable
     from pg_roles where rolname = $1`,
    [role],
  );
  const [row] = found.rows;
  if (row?.mighty === true) {
    throw new SyncError(
      'configuration_invalid',
      `The database role ${role} can bypass row-level security: alter role ${role} nosuperuser nobypassrls.`,
    );
  }
  if (row === undefined) await client.query(`create role ${name} nologin`);
  if (row?.usable !== true) await client.query(`grant ${name} to current_user with inherit false, set true`);
}

function rolesNeeded(role: string, cause: unknown): SyncError {
  return new SyncError(
    'configuration_invalid',
    `The user of DATABASE_URL may not make the role ${role}. Have an administrator run: create role ${role} nologin; grant ${role} to <that user> with inherit false, set true;`,
    { cause },
  );
}
