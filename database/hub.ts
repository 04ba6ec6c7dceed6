import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import type { PoolClient } from 'pg';
import { SyncError } from '../domain/errors.js';
import { cancelQuery } from '../platform/cancel-query.js';
import { connectionName, endEarlierAttempts, type Attempt } from '../platform/attempts.js';
import { checkRole, plainTypes, urlForRole } from './connection.js';
import type { DatabaseRole } from './roles.js';
import { traced } from './traced-client.js';

export interface HubOptions {
  /** As the owner, or any user who may become `role`. */
  readonly url: string;
  readonly role: DatabaseRole;
  /** Connections at most, and as many again for `bulk`. */
  readonly max: number;
  /** A transaction whose process says nothing for so long is ended, with its locks: the process is suspended. Default 75. */
  readonly silentSeconds?: number;
}

export interface WorkOptions {
  /** When it fires, what is running ends on the server, everything is rolled back, and the signal's reason is thrown. */
  readonly signal?: AbortSignal;
  /** For whom it is: its connection goes by this name while the work lasts, so that `endEarlier` finds it. */
  readonly attempt?: Attempt;
}

/** A statement that goes to the server with the beginning of a transaction, in one message. */
export interface Opening {
  /** Has no parameters. */
  readonly sql: string;
  /** What is thrown where it finds no row. */
  readonly refused: () => Error;
}

export interface OpeningOptions extends WorkOptions {
  readonly opening?: Opening;
}

export interface TransactionOptions extends OpeningOptions {
  /** The work may be done again from its start after a deadlock or a serialization failure: it has no effect but through the
   *  client, and reads no stream. */
  readonly repeatable?: boolean;
}

export interface BulkOptions extends OpeningOptions {
  /** Sees one state of the data, however many statements it takes. */
  readonly oneState?: boolean;
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
  bulk<T>(institutionId: number, work: Work<T>, options?: BulkOptions): Promise<T>;
  /** Outside every institution: sees no rows, only what the security-definer functions tell. `enterInstitution` goes in. */
  system<T>(work: Work<T>): Promise<T>;
  /** One statement outside every institution, in a transaction of its own: what a request asks of each security-definer function. */
  look<Row extends pg.QueryResultRow>(sql: string, values: readonly unknown[]): Promise<readonly Row[]>;
  /** Ends what a connection is running, over another one. False where there is no such connection. */
  cancelBackend(pid: number): Promise<boolean>;
  /** Ends the connections on which earlier attempts at a task have something under way. Returns how many there were. */
  endEarlier(attempt: Attempt): Promise<number>;
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
/* Columns of which statistics are asked for in bulk work are ids, runs and mappings: few rows tell how they are spread. */
const bulkSettings = `; set local work_mem = '256MB'; set local default_statistics_target = 20`;
/* A little more than the time after which an activity that says nothing is thought lost. */
const defaultSilentSeconds = 75;

/** Opens nothing yet: connections are made when they are needed. */
export function createHub({ url, role, max, silentSeconds = defaultSilentSeconds }: HubOptions): Hub {
  const own = urlForRole(url, role, { idle_in_transaction_session_timeout: `${String(silentSeconds)}s` });
  const short = createPool(own, role, max);
  const bulk = createPool(own, role, max);
  return {
    transaction: (institutionId, work, options = {}) =>
      repeated(options.repeatable === true ? attempts : 1, () =>
        inTransaction(short, entering('begin', institutionId, options.attempt), work, options),
      ),
    read: (institutionId, work, options = {}) =>
      inTransaction(
        short,
        entering('begin transaction isolation level repeatable read, read only', institutionId, options.attempt),
        work,
        options,
      ),
    bulk: (institutionId, work, options = {}) =>
      inTransaction(
        bulk,
        entering(
          options.oneState === true ? 'begin transaction isolation level repeatable read' : 'begin',
          institutionId,
          options.attempt,
        ) + bulkSettings,
        work,
        options,
      ),
    system: (work) => inTransaction(short, 'begin', work, {}),
    look: (sql, values) => look(short, sql, values),
    cancelBackend: (pid) => cancelBackend(url, pid),
    endEarlier: (attempt) => asOwner(url, (client) => endEarlierAttempts(client, attempt)),
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

/** A text as SQL, for statements without parameters. */
export function escapeLiteral(text: string): string {
  return pg.escapeLiteral(text);
}

function createPool(connectionString: string, role: DatabaseRole, max: number): pg.Pool {
  const pool = new pg.Pool({
    connectionString,
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

/** Begins a transaction in an institution, in one message to the server. */
function entering(begin: string, institutionId: number, attempt?: Attempt): string {
  const settings = [
    ['concord.institution', String(institutionId)],
    ...(attempt === undefined ? [] : [['application_name', connectionName(attempt)]]),
  ].map(([name = '', value = '']) => `set_config('${name}', ${escapeLiteral(value)}, true)`);
  return `${begin}; select ${settings.join(', ')}`;
}

async function inTransaction<T>(
  pool: pg.Pool,
  begin: string,
  work: Work<T>,
  { signal, opening }: OpeningOptions,
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
    await open(client, begin, opening);
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

async function open(client: PoolClient, begin: string, opening: Opening | undefined): Promise<void> {
  if (opening === undefined) {
    await client.query(begin);
    return;
  }
  // The driver's types know of one statement a message.
  const answers = (await client.query(`${begin}; ${opening.sql}`)) as unknown as readonly pg.QueryResult[];
  if (answers.at(-1)?.rowCount === 0) throw opening.refused();
}

/** What opens a transaction, in one that has begun. */
export async function passOpening(client: PoolClient, { sql, refused }: Opening): Promise<void> {
  const { rowCount } = await client.query(sql);
  if (rowCount === 0) throw refused();
}

async function look<Row extends pg.QueryResultRow>(
  pool: pg.Pool,
  sql: string,
  values: readonly unknown[],
): Promise<readonly Row[]> {
  const client = traced(await connect(pool));
  let broken = false;
  try {
    return (await client.query<Row>(sql, [...values])).rows;
  } catch (error) {
    broken = isConnectionError(error);
    if (broken) throw new DatabaseUnreachable(error);
    throw error;
  } finally {
    client.release(broken);
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

async function cancelBackend(url: string, pid: number): Promise<boolean> {
  return await asOwner(url, async (client) => {
    const answer = await client.query<{ found: boolean }>('select pg_cancel_backend($1) as found', [pid]);
    return answer.rows[0]?.found === true;
  });
}

/* Our roles may not end what a connection is doing, since it belongs to the user it was made by. */
async function asOwner<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await work(client);
  } catch (error) {
    throw isConnectionError(error) ? new DatabaseUnreachable(error) : error;
  } finally {
    await client.end().catch(() => undefined);
  }
}
