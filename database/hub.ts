import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import type { PoolClient } from 'pg';
import { SyncError } from '../domain/errors.js';
import { cancelQuery } from '../platform/cancel-query.js';
import { checkRole, plainTypes, urlForRole } from './connection.js';
import type { DatabaseRole } from './roles.js';
import { traced } from './traced-client.js';

export interface HubOptions {
  /** As the owner, or any user who may become `role`. */
  readonly url: string;
  readonly role: DatabaseRole;
  /** Connections at most, and as many again for `bulk`. */
  readonly max: number;
}

export interface WorkOptions {
  /** When it fires, what is running ends on the server, everything is rolled back, and the signal's reason is thrown. */
  readonly signal?: AbortSignal;
}

export interface TransactionOptions extends WorkOptions {
  /** The work may be done again from its start after a deadlock or a serialization failure: it has no effect but through the
   *  client, and reads no stream. */
  readonly repeatable?: boolean;
}

export type Work<T> = (client: PoolClient) => Promise<T>;

/** Our connections to PostgreSQL. Each piece of work is one transaction, which sees one institution's rows and no other's; it
 *  is committed when the work resolves and rolled back when it throws. bigint and numeric arrive as text, dates as YYYY-MM-DD.
 *  @throws DatabaseUnreachable where the server is gone; whether a commit that was under way took place is then not known */
export interface Hub {
  transaction<T>(institutionId: number, work: Work<T>, options?: TransactionOptions): Promise<T>;
  /** Reads one state of the data, however many statements it takes. */
  read<T>(institutionId: number, work: Work<T>, options?: WorkOptions): Promise<T>;
  /** For long and large work: connections of its own, so that bookkeeping never waits for it, and more memory. */
  bulk<T>(institutionId: number, work: Work<T>, options?: WorkOptions): Promise<T>;
  /** Outside every institution: sees no rows, only what the security-definer functions tell. `enterInstitution` goes in. */
  system<T>(work: Work<T>): Promise<T>;
  /** Ends what a connection is running, over another one. False where there is no such connection. */
  cancelBackend(pid: number): Promise<boolean>;
  close(): Promise<void>;
}

/** PostgreSQL does not answer, or the connection broke. Trying again can help. */
export class DatabaseUnreachable extends Error {
  readonly retryable = true;

  constructor(cause: unknown) {
    super('The database does not answer.', { cause });
    this.name = 'DatabaseUnreachable';
  }
}

const attempts = 5;
const bulkMemory = '256MB';

/** Opens nothing yet: connections are made when they are needed. */
export function createHub({ url, role, max }: HubOptions): Hub {
  const short = createPool(url, role, max);
  const bulk = createPool(url, role, max);
  return {
    transaction: (institutionId, work, options = {}) =>
      repeated(options.repeatable === true ? attempts : 1, () =>
        inTransaction(short, 'begin', within(institutionId, work), options.signal),
      ),
    read: (institutionId, work, options = {}) =>
      inTransaction(
        short,
        'begin transaction isolation level repeatable read, read only',
        within(institutionId, work),
        options.signal,
      ),
    bulk: (institutionId, work, options = {}) =>
      inTransaction(
        bulk,
        'begin',
        within(institutionId, async (client) => {
          await client.query(`set local work_mem = '${bulkMemory}'`);
          return await work(client);
        }),
        options.signal,
      ),
    system: (work) => inTransaction(short, 'begin', work, undefined),
    cancelBackend: (pid) => cancelBackend(url, pid),
    close: async () => {
      await Promise.all([short.end(), bulk.end()]);
    },
  };
}

/** From here to the end of the transaction, the rows of this institution are seen. */
export async function enterInstitution(client: PoolClient, institutionId: number): Promise<void> {
  await client.query("select set_config('concord.institution', $1, true)", [String(institutionId)]);
}

/** A name as SQL, for the few statements that cannot take it as a parameter. */
export function escapeIdentifier(name: string): string {
  return pg.escapeIdentifier(name);
}

function createPool(url: string, role: DatabaseRole, max: number): pg.Pool {
  const pool = new pg.Pool({
    connectionString: urlForRole(url, role),
    max,
    keepAlive: true,
    // A backend keeps the plans of what it has seen; a fresh one now and then bounds its memory.
    maxLifetimeSeconds: 3600,
    types: plainTypes(),
    verify: checkRole(role),
  });
  // A connection that breaks while nobody waits for it says so by an event, which would end the process; the next query finds out.
  const ignore = (): void => undefined;
  pool.on('error', ignore);
  pool.on('connect', (client) => client.on('error', ignore));
  return pool;
}

function within<T>(institutionId: number, work: Work<T>): Work<T> {
  return async (client) => {
    await enterInstitution(client, institutionId);
    return await work(client);
  };
}

async function inTransaction<T>(
  pool: pg.Pool,
  begin: string,
  work: Work<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  signal?.throwIfAborted();
  const client = traced(await connect(pool));
  let cancelled: Promise<void> | undefined;
  const cancel = (): void => {
    cancelled = cancelQuery(client);
  };
  signal?.addEventListener('abort', cancel, { once: true });
  let broken = false;
  try {
    await client.query(begin);
    const result = await work(client);
    signal?.throwIfAborted();
    await commit(client);
    return result;
  } catch (error) {
    broken = !(await rolledBack(client));
    signal?.throwIfAborted();
    if (broken && isConnectionError(error)) throw new DatabaseUnreachable(error);
    throw error;
  } finally {
    signal?.removeEventListener('abort', cancel);
    await cancelled;
    // A cancellation that arrives late must not meet somebody else's query.
    client.release(broken || cancelled !== undefined);
  }
}

/* A statement that failed and was caught has undone the transaction; PostgreSQL answers such a commit with a rollback. */
async function commit(client: PoolClient): Promise<void> {
  const { command } = await client.query('commit');
  if (command !== 'COMMIT')
    throw new SyncError('internal', 'A transaction was to be committed after one of its statements had failed.');
}

async function connect(pool: pg.Pool): Promise<PoolClient> {
  try {
    return await pool.connect();
  } catch (error) {
    throw isConnectionError(error) ? new DatabaseUnreachable(error) : error;
  }
}

async function rolledBack(client: PoolClient): Promise<boolean> {
  try {
    await client.query('rollback');
    return true;
  } catch {
    return false; // the connection is gone, and the transaction with it
  }
}

async function repeated<T>(most: number, attempt: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await attempt();
    } catch (error) {
      const lostRace = error instanceof pg.DatabaseError && (error.code === '40001' || error.code === '40P01');
      if (!lostRace || tries >= most) throw error;
      await pause(2 ** tries * 5 * (1 + Math.random()));
    }
  }
}

const networkCodes: readonly string[] = [
  ...['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EAI_AGAIN'],
  // 53300 too many connections; 57P01–57P05 the server goes down, crashed, or is not yet up
  ...['53300', '57P01', '57P02', '57P03', '57P05'],
];

/* What the driver says without a code. */
const brokenConnection = /^Connection terminated|connection error and is not queryable|^Client was closed/;

function isConnectionError(error: unknown): boolean {
  if (error instanceof SyncError || typeof error !== 'object' || error === null) return false;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  const message = 'message' in error && typeof error.message === 'string' ? error.message : '';
  return networkCodes.includes(code) || code.startsWith('08') || brokenConnection.test(message);
}

/* As the owner: our roles may not cancel, since a connection belongs to the user it was made by. */
async function cancelBackend(url: string, pid: number): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const answer = await client.query<{ found: boolean }>('select pg_cancel_backend($1) as found', [pid]);
    return answer.rows[0]?.found === true;
  } catch (error) {
    throw isConnectionError(error) ? new DatabaseUnreachable(error) : error;
  } finally {
    await client.end().catch(() => undefined);
  }
}
