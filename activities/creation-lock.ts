import type { PoolClient } from 'pg';
import { DatabaseUnreachable, type Hub } from '../database/hub.js';
import type { RunRef } from '../domain/run.js';
import type { EntityTypeRef } from './context.js';

/** One run at a time creates records of a type: two runs that meet the same new person make one record. To the end of the
 *  transaction. */
export const lockCreation = async (client: PoolClient, run: RunRef, type: EntityTypeRef): Promise<void> => {
  await client.query('select pg_advisory_xact_lock($1, $2)', [run.institutionId, type.id]);
  // Transactions of a holder whose connection died meanwhile (see below) are waited for.
  await client.query('select pg_advisory_lock($1, $2)', [run.institutionId, -type.id]);
  await client.query('select pg_advisory_unlock($1, $2)', [run.institutionId, -type.id]);
};

/** Called first in each transaction that creates under the lock of another connection.
 *  @throws DatabaseUnreachable where that connection is gone */
export type StillHeld = (client: PoolClient) => Promise<void>;

/** As `lockCreation`, for work in several transactions side by side: one connection holds the lock until all of them are through.
 *  Should it die, a transaction that found it alive has a lock of its own, for which the next holder waits, and one that comes
 *  later finds it gone. */
export const holdingCreation = <T>(
  hub: Hub,
  run: RunRef,
  type: EntityTypeRef,
  work: (client: PoolClient, stillHeld: StillHeld) => Promise<T>,
): Promise<T> =>
  hub.bulk(run.institutionId, async (client) => {
    await lockCreation(client, run, type);
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
    const stillHeld: StillHeld = async (other) => {
      await other.query('select pg_advisory_xact_lock_shared($1, $2)', [run.institutionId, -type.id]);
      const { rowCount } = await other.query(
        `select 1 from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())
           and classid = $1 and objid = $2 and objsubid = 2 and pid = $3 and mode = 'ExclusiveLock' and granted`,
        [run.institutionId, type.id, rows[0]?.pid],
      );
      if (rowCount === 0)
        throw new DatabaseUnreachable(new Error('the connection that holds the creation lock is gone'));
    };
    return work(client, stillHeld);
  });
