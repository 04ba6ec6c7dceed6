import type { PoolClient } from 'pg';
import type { Hub } from '../database/hub.js';
import { SyncError } from '../domain/errors.js';
import { mayMove, type RunRef, type RunState, type Step } from '../domain/run.js';

/** The right of one attempt to write for one part of one step of a run. */
export interface Lease {
  readonly run: RunRef;
  readonly step: Step | 'plan';
  readonly part: string;
  readonly token: string;
}

/** Takes the part over: every earlier attempt's writes are refused from here on. Also tells in which step the run is.
 *  @throws SyncError lease_lost where the run is over: an attempt that was thought lost comes too late */
export const takeLease = async (hub: Hub, run: RunRef, step: Step | 'plan', part: string): Promise<Lease> =>
  hub.transaction(run.institutionId, async (client) => {
    const { rows } = await client.query<{ token: string }>(
      `insert into run_leases as l (run_id, step, part, institution_id)
       select id, $2, $3, institution_id from sync_runs where id = $1 and finished_at is null
       on conflict (run_id, step, part) do update set token = l.token + 1 returning token::text`,
      [run.runId, step, part],
    );
    const [lease] = rows;
    if (lease === undefined) throw new SyncError('lease_lost', `the run is over: ${step} ${part} comes too late`);
    await enterStep(client, run, step === 'plan' ? 'extract' : step);
    return { run, step, part, token: lease.token };
  });

/** Moves the run on to a step by the transition table. A late attempt of an earlier step leaves the state as it is. (Not "for update":
 *  activities side by side share the run's row already, by the foreign key of their leases, and would wait for each other.) */
const enterStep = async (client: PoolClient, run: RunRef, step: Step): Promise<void> => {
  const { rows } = await client.query<{ state: RunState }>(
    'select state from sync_runs where id = $1 and finished_at is null for no key update',
    [run.runId],
  );
  const from = rows[0]?.state;
  if (from === undefined || from === step || !mayMove(from, step)) return;
  await client.query('update sync_runs set state = $2 where id = $1 and state = $3', [run.runId, step, from]);
};

/** Refuses the transaction of a stale attempt. The row is held `for share`: a newer attempt waits until this one is through. */
export const holdLease = async (client: PoolClient, { run, step, part, token }: Lease): Promise<void> => {
  const { rowCount } = await client.query(
    'select 1 from run_leases where run_id = $1 and step = $2 and part = $3 and token = $4 for share',
    [run.runId, step, part, token],
  );
  if (rowCount === 0) throw new SyncError('lease_lost', `a newer attempt of ${step} ${part} took over`);
};

/** A write transaction under a lease. `bulk`: with the memory and time of long statements. */
export const fenced = async <T>(
  hub: Hub,
  lease: Lease,
  deed: (client: PoolClient) => Promise<T>,
  bulk: 'bulk' | 'short' = 'short',
): Promise<T> => {
  const held = async (client: PoolClient): Promise<T> => {
    await holdLease(client, lease);
    return deed(client);
  };
  return bulk === 'bulk' ? hub.bulk(lease.run.institutionId, held) : hub.transaction(lease.run.institutionId, held);
};

/** Records what a chunk did, in the transaction that did it. */
export const recordChunk = async (
  client: PoolClient,
  { run, step, part }: Lease,
  chunk: number,
  facts: {
    readonly cursor?: string | null;
    readonly counts?: object;
    readonly digest?: string | null;
    readonly state?: 'intended' | 'done';
  },
): Promise<void> => {
  await client.query(
    `insert into run_chunks (run_id, step, part, chunk, institution_id, cursor, counts, digest, state)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
     on conflict (run_id, step, part, chunk) do update
       set cursor = excluded.cursor, counts = excluded.counts, digest = excluded.digest, state = excluded.state`,
    [
      run.runId,
      step,
      part,
      chunk,
      run.institutionId,
      facts.cursor ?? null,
      JSON.stringify(facts.counts ?? {}),
      facts.digest ?? null,
      facts.state ?? 'done',
    ],
  );
};

export interface Chunk {
  readonly part: string;
  readonly chunk: number;
  readonly cursor: string | null;
  readonly counts: Readonly<Record<string, unknown>>;
  readonly digest: string | null;
  readonly state: 'intended' | 'done';
}

/** The chunks of a step in order; of one part, or of all. */
export const readChunks = async (client: PoolClient, runId: string, step: string, part?: string): Promise<Chunk[]> => {
  const { rows } = await client.query<Chunk>(
    `select part, chunk, cursor, counts, digest, state from run_chunks
     where run_id = $1 and step = $2 and ($3::text is null or part = $3) order by part, chunk`,
    [runId, step, part ?? null],
  );
  return rows;
};
