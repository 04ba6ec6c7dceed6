import type { Hub } from '../database/hub.js';
import type { RunRef } from '../domain/run.js';
import type { MappingRef } from './context.js';

/** A worker that is suspended holds nobody up for longer than this, nor do its signs of life come that seldom. */
const [silentSeconds, signMs] = [30, 5_000];

/** One writer a target at a time: an advisory lock on a connection of its own, gone when that dies or its process says nothing. */
export const holdingTarget = <T>(hub: Hub, run: RunRef, mapping: MappingRef, deed: () => Promise<T>): Promise<T> =>
  hub.bulk(run.institutionId, async (client) => {
    await client.query('select pg_advisory_xact_lock($1, $2)', [-run.institutionId, mapping.id]);
    await client.query(`set local idle_in_transaction_session_timeout = '${String(silentSeconds)}s'`);
    // Where the connection is gone, the end of the transaction tells.
    const signs = setInterval(() => void client.query('select').catch(() => undefined), signMs);
    try {
      return await deed();
    } finally {
      clearInterval(signs);
    }
  });
