import pg from 'pg';
import type { CustomTypesConfig } from 'pg';
import type { DatabaseRole } from './roles.js';

/** The owner's URL with what makes a connection ours: the role, and settings on which stored values and plans depend. They are
 *  in the URL itself because whatever a URL says wins over options beside it. */
export function urlForRole(url: string, role: DatabaseRole, more: Readonly<Record<string, string>> = {}): string {
  const ours = new URL(url);
  const settings = {
    role,
    search_path: 'concord,staging',
    timezone: 'UTC',
    datestyle: 'ISO,YMD',
    jit: 'off',
    // Some thousand records are looked up by their ids; otherwise a table of a million would be read for them.
    random_page_cost: '1.1',
    ...more,
  };
  const options = Object.entries(settings).map(([name, value]) => `-c ${name}=${value}`);
  // Of two that name the same setting the later one holds.
  ours.searchParams.set('options', [ours.searchParams.get('options') ?? '', ...options].join(' ').trim());
  ours.searchParams.set('application_name', role.replace('_', '-'));
  return ours.href;
}

/** How values are read. Calendar dates stay the text they are: as `Date` they would depend on the time zone of the process. */
export function plainTypes(): CustomTypesConfig {
  const types = new pg.TypeOverrides();
  types.setTypeParser(pg.types.builtins.DATE, (text) => text);
  return types;
}

/** Says whether a new connection really has its role: a connection pooler in between may drop what the URL asks for, and we
 *  would be the owner, for whom row-level security does not hold. */
export function checkRole(role: DatabaseRole): (client: pg.PoolClient, done: (error?: Error) => void) => void {
  const check = async (client: pg.PoolClient): Promise<Error | undefined> => {
    const answer = await client.query<{ role: string }>('select current_user as role');
    const actual = answer.rows[0]?.role;
    if (actual === role) return undefined;
    return new Error(
      `The database connection is ${String(actual)} and not ${role}: DATABASE_URL must lead to PostgreSQL itself, or to a pooler that passes "options" on.`,
    );
  };
  return (client, done) => {
    endWithUs(client)
      .then(() => check(client))
      .then(done, done);
  };
}

/* A statement of a process that was killed ends soon, with its locks, and not when it happens to be done. */
async function endWithUs(client: pg.PoolClient): Promise<void> {
  try {
    await client.query("set client_connection_check_interval = '2s'");
  } catch (error) {
    // Not every platform of a server can do it.
    if (!(error instanceof pg.DatabaseError)) throw error;
  }
}
