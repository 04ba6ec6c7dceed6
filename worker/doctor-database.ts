import pg from 'pg';
import { urlForRole } from '../database/connection.js';
import { compareMigrations } from '../database/migrate.js';
import { databaseRoles } from '../database/roles.js';
import { Checkup, checkClock } from '../platform/checkup.js';
import type { Observation } from '../platform/checkup.js';
import type { Measure } from './read-models.js';

const oldestVersion = 17;
/* Twice 20 of a worker and twice 10 of an API, and what listens and what looks. */
const connectionsOfOnePair = 64;
const patienceMilliseconds = 5_000;

/** Looks at the database as its owner and as our roles. Changes nothing. */
export async function examineDatabase(url: string): Promise<readonly Observation[]> {
  const checkup = new Checkup('database');
  const where = placeOf(url);
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: patienceMilliseconds });
  client.on('error', () => undefined);
  try {
    await client.connect();
  } catch (error) {
    checkup.wrong('reachable', `${where}: ${reason(error)}`, remedyFor(error));
    return checkup.observations;
  }
  try {
    checkup.ok('reachable', where);
    await examineServer(client, checkup);
    const migrated = await examineMigrations(client, checkup);
    if (await examineRoles(client, url, checkup)) {
      if (migrated) await examineWork(url, checkup);
    }
  } catch (error) {
    checkup.wrong('answers', reason(error), 'Look into the log of PostgreSQL.');
  } finally {
    await client.end().catch(() => undefined);
  }
  return checkup.observations;
}

async function examineServer(client: pg.Client, checkup: Checkup): Promise<void> {
  const before = Date.now();
  const { rows } = await client.query<{
    version: string;
    number: number;
    most: number;
    open: number;
    now: Date;
    encoding: string;
    readonly: string;
    waldisk: string;
  }>(
    `select split_part(current_setting('server_version'), ' ', 1) as version, current_setting('server_version_num')::int / 10000 as number,
       current_setting('max_connections')::int as most, (select count(*)::int from pg_stat_activity where backend_type = 'client backend') as open,
       clock_timestamp() as now, current_setting('server_encoding') as encoding, current_setting('transaction_read_only') as readonly,
       current_setting('max_wal_size') as waldisk`,
  );
  const [facts] = rows;
  if (facts === undefined) return;
  const between = (Date.now() - before) / 1000;
  checkup.expect(
    'version',
    facts.number >= oldestVersion,
    `PostgreSQL ${facts.version}`,
    `Concord needs PostgreSQL ${oldestVersion} or later.`,
  );
  checkClock(checkup, 'the database', facts.now, new Date(), between);
  checkup.expect('encoding', facts.encoding === 'UTF8', facts.encoding, 'Create the database with encoding UTF8.');
  checkup.expect(
    'writable',
    facts.readonly === 'off',
    facts.readonly === 'off' ? 'yes' : 'read only',
    'This is a standby, or default_transaction_read_only is on: DATABASE_URL must lead to the primary.',
  );
  const free = facts.most - facts.open;
  const connections = `${String(facts.open)} of ${String(facts.most)} in use`;
  if (free >= connectionsOfOnePair) checkup.ok('connections', connections);
  else
    checkup.warning(
      'connections',
      connections,
      `One worker and one API together may open ${String(connectionsOfOnePair)}: raise max_connections.`,
    );
}

async function examineMigrations(client: pg.Client, checkup: Checkup): Promise<boolean> {
  const { pending, foreign, newest } = await compareMigrations(client);
  if (foreign !== null) {
    checkup.wrong('schema', foreign, 'Use the version of Concord that migrated this database, or a fresh database.');
    return false;
  }
  if (pending.length > 0) {
    checkup.wrong(
      'schema',
      `not applied: ${pending.join(', ')}`,
      '`concord up` and `concord apply` apply it; stop older workers first only where the CHANGELOG says so.',
    );
    return false;
  }
  checkup.ok('schema', `is at ${newest}`);
  return true;
}

async function examineRoles(client: pg.Client, url: string, checkup: Checkup): Promise<boolean> {
  const { rows } = await client.query<{
    user: string;
    creates: boolean;
    name: string | null;
    unsafe: boolean;
    may: boolean;
  }>(
    `select current_user as user, u.rolcreaterole or u.rolsuper as creates, r.rolname as name,
       coalesce(r.rolsuper or r.rolbypassrls, false) as unsafe, coalesce(pg_has_role(current_user, r.oid, 'set'), false) as may
     from unnest($1::text[]) as w (name) left join pg_roles r on r.rolname = w.name cross join pg_roles u where u.rolname = current_user`,
    [databaseRoles],
  );
  let usable = true;
  for (const [index, role] of databaseRoles.entries()) {
    const row = rows.find(({ name }) => name === role) ?? rows[index];
    if (row?.name !== role) {
      usable = false;
      const may = row?.creates === true;
      checkup.wrong(
        `role ${role}`,
        'is not there',
        may
          ? '`concord up` or `concord apply` makes it.'
          : `${row?.user ?? 'The user'} may not create roles: as a superuser, create role ${role}; grant ${role} to ${row?.user ?? 'it'}.`,
      );
    } else if (row.unsafe) {
      usable = false;
      checkup.wrong(`role ${role}`, 'bypasses row-level security', `alter role ${role} nosuperuser nobypassrls`);
    } else if (!row.may) {
      usable = false;
      checkup.wrong(`role ${role}`, `${row.user} may not become it`, `grant ${role} to ${row.user} with set true`);
    } else if (await isPassedOn(url, role)) checkup.ok(`role ${role}`, `${row.user} may become it`);
    else {
      usable = false;
      checkup.wrong(
        `role ${role}`,
        'was asked for and not given',
        'A connection pooler in between drops "options": let DATABASE_URL lead to PostgreSQL itself, or pass them on.',
      );
    }
  }
  return usable;
}

async function isPassedOn(url: string, role: (typeof databaseRoles)[number]): Promise<boolean> {
  return await asRole(url, role, async (client) => {
    const { rows } = await client.query<{ role: string }>('select current_user as role');
    return rows[0]?.role === role;
  });
}

/* What waits too long tells of a worker that is not there, or not well. */
async function examineWork(url: string, checkup: Checkup): Promise<void> {
  const measures = await asRole(url, 'concord_worker', async (client) => {
    const { rows } = await client.query<Measure>('select metric, labels, value from concord.operational_metrics()');
    return rows;
  });
  const most = (metric: string): number =>
    Math.max(0, ...measures.filter((measure) => measure.metric === metric).map(({ value }) => value));
  const ages = [
    [
      'outbox',
      'outbox_oldest_age_seconds',
      300,
      'messages to Temporal',
      'No worker hands them over: is one running, and does it reach Temporal?',
    ],
    [
      'decisions',
      'decision_batch_oldest_age_seconds',
      900,
      'decisions that are not carried out',
      'Look at the newest runs (`concord runs`) and at the log of the worker.',
    ],
    [
      'runs',
      'run_oldest_active_seconds',
      24 * 3600,
      'a run at work',
      'See what it waits for: `concord runs`, then its workflow in the Web UI of Temporal.',
    ],
  ] as const;
  for (const [check, metric, limit, what, remedy] of ages) {
    const age = most(metric);
    if (age <= limit) checkup.ok(check, age === 0 ? 'nothing waits' : `the oldest is ${duration(age)} old`);
    else checkup.wrong(check, `${what}: for ${duration(age)}`, remedy);
  }
  const size = most('database_size_bytes');
  checkup.ok('size', `${(size / 1024 ** 3).toFixed(2)} GiB`);
}

async function asRole<T>(
  url: string,
  role: (typeof databaseRoles)[number],
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({
    connectionString: urlForRole(url, role),
    connectionTimeoutMillis: patienceMilliseconds,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}

const duration = (seconds: number): string =>
  seconds < 120
    ? `${seconds.toFixed(0)} s`
    : seconds < 7200
      ? `${(seconds / 60).toFixed(0)} min`
      : `${(seconds / 3600).toFixed(0)} h`;

function placeOf(url: string): string {
  const { hostname, port, pathname, username } = new URL(url);
  return `${username}@${hostname}:${port === '' ? '5432' : port}${pathname}`;
}

const codeOf = (error: unknown): string =>
  typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';

const reason = (error: unknown): string => {
  const text = error instanceof Error ? error.message : String(error);
  return text === '' ? codeOf(error) : text;
};

const remedyFor = (error: unknown): string => {
  const code = codeOf(error);
  if (code === 'ECONNREFUSED' || code === 'ETIMEDOUT' || code === 'EHOSTUNREACH')
    return 'Start PostgreSQL, or mend host and port in DATABASE_URL; a firewall may stand between.';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'The name of the host in DATABASE_URL is not known.';
  if (code === '28P01' || code === '28000') return 'Mend user and password in DATABASE_URL, or pg_hba.conf.';
  if (code === '3D000') return 'Create the database that DATABASE_URL names.';
  return 'Mend DATABASE_URL.';
};
