import pg from 'pg';
import type { PoolClient } from 'pg';
import { connectionName, endEarlierAttempts, type Attempt } from '../../platform/attempts.js';
import { leavesConnectionUsable, toSyncError } from './errors.js';
import type { Side } from './errors.js';

export interface PostgresSettings {
  readonly url: string;
  /** The schema whose tables go by their bare name; default `public`. All others are `schema.table`. */
  readonly schema?: string;
  /** The longest that one statement may take; reading a partition is not bounded by it. Default 10 minutes. */
  readonly statementTimeoutMs?: number;
}

const connectTimeoutMs = 10_000;
const defaultStatementTimeoutMs = 600_000;
const maxConnections = 6;
const idleMs = 10_000;
/* A transaction whose process says nothing for so long is ended, with its locks: the process is suspended. */
const silentSeconds = 30;

/** The text of a value has to be the same in every session, for it is hashed and compared. Some thousand rows of a target are looked up by
 *  their keys; otherwise a table of a million would be read for them. */
const sessionSettings = `
  set timezone = 'UTC';
  set datestyle = 'ISO, YMD';
  set intervalstyle = 'iso_8601';
  set extra_float_digits = 1;
  set bytea_output = 'hex';
  set xmloption = 'content';
  set client_encoding = 'UTF8';
  set standard_conforming_strings = on;
  set random_page_cost = 1.1`;

/** The connections to one database, opened when needed and given up when idle. */
export class PostgresSessions {
  readonly defaultSchema: string;
  private readonly pool: pg.Pool;
  private readonly statementTimeoutMs: number;

  private earlierEnded: Promise<unknown> | null = null;

  constructor(
    settings: PostgresSettings,
    private readonly attempt?: Attempt,
  ) {
    this.defaultSchema = settings.schema ?? 'public';
    this.statementTimeoutMs = settings.statementTimeoutMs ?? defaultStatementTimeoutMs;
    this.pool = new pg.Pool({
      connectionString: settings.url,
      max: maxConnections,
      idleTimeoutMillis: idleMs,
      connectionTimeoutMillis: connectTimeoutMs,
      keepAlive: true,
      allowExitOnIdle: true,
      application_name: attempt === undefined ? 'concord' : connectionName(attempt),
      verify: (client, done) => {
        // A connection that breaks tells its query, and the client as well: unheard, that would end the process.
        client.on('error', () => undefined);
        client.query(`${sessionSettings}; set statement_timeout = ${this.statementTimeoutMs.toFixed(0)}`).then(
          () => done(),
          (error: unknown) => done(error instanceof Error ? error : new Error('the session could not be set up')),
        );
      },
    });
    this.pool.on('error', () => undefined);
  }

  /** Runs work on a connection of its own. @throws SyncError by the side; `what` begins its message */
  async use<T>(side: Side, what: string, work: (client: PoolClient) => Promise<T>): Promise<T> {
    try {
      const client = await this.pool.connect();
      return await released(client, () => work(client));
    } catch (error) {
      throw toSyncError(error, side, what);
    }
  }

  /** As `use`, inside a transaction that ends with the work: committed, or rolled back where it throws. */
  async transaction<T>(side: Side, what: string, work: (client: PoolClient) => Promise<T>): Promise<T> {
    return await this.use(side, what, async (client) => {
      if (side === 'target') await this.endEarlier(client);
      await client.query(`begin; set local idle_in_transaction_session_timeout = '${silentSeconds}s'`);
      try {
        const result = await work(client);
        await client.query('commit');
        return result;
      } catch (error) {
        await client.query('rollback').catch(() => undefined);
        throw error;
      }
    });
  }

  /* Once: a suspended worker may have rows of the target locked. */
  private endEarlier(client: PoolClient): Promise<unknown> {
    const { attempt } = this;
    this.earlierEnded ??=
      attempt === undefined || attempt.attempt === 1 ? Promise.resolve() : endEarlierAttempts(client, attempt);
    return this.earlierEnded;
  }

  /** A read-only transaction around a stream of results; it ends with the stream, however that ends. */
  async *stream<T>(what: string, work: (client: PoolClient) => AsyncIterable<T>): AsyncGenerator<T, void, undefined> {
    let client: PoolClient | null = null;
    let failure: unknown = null;
    try {
      client = await this.pool.connect();
      await client.query(
        'begin isolation level repeatable read read only; set local statement_timeout = 0; set local random_page_cost to default',
      );
      yield* work(client);
    } catch (error) {
      failure = error;
      throw toSyncError(error, 'source', what);
    } finally {
      await client?.query('rollback').catch((error: unknown) => (failure = error));
      client?.release(isBroken(failure));
    }
  }

  async close(): Promise<void> {
    await this.pool.end();
  }
}

const released = async <T>(client: PoolClient, work: () => Promise<T>): Promise<T> => {
  let failure: unknown = null;
  try {
    return await work();
  } catch (error) {
    failure = error;
    throw error;
  } finally {
    // A connection after an error of the connection itself is not used again.
    client.release(isBroken(failure));
  }
};

const isBroken = (failure: unknown): boolean => failure !== null && !leavesConnectionUsable(failure);
