import type { PoolClient } from 'pg';
import { escapeLiteral, type Hub, type Opening } from '../database/hub.js';
import { SyncError } from '../domain/errors.js';
import { mayMove, type RunRef, type RunState, type Step } from '../domain/run.js';

/** The right of one attempt to write for one part of one step of a run. */
export interface Lease {
  readonly run: RunRef;
  readonly step: Step | 'plan';
  readonly part: string;
  readonly token: string;
}

/** Steps that are at work side by side: what there is to read is planned, and a source dropped, while others are read. */
const phaseOf = (step: string): string => (step === 'plan' ? 'extract' : step);

/** Takes the part over: every earlier attempt's writes are refused from here on, and those of every other step of the run; what they
 *  have under way is waited for. Also tells in which step the run is.
 *  @throws SyncError lease_lost for an attempt that was thought lost and comes too late: the run is over, has begun a later step, or
 *  has begun to read anew */
export const takeLease = async (hub: Hub, run: RunRef, step: Step | 'plan', part: string): Promise<Lease> =>
  hub.transaction(run.institutionId, async (client) => {
    // Leases before the run's row: in this order everybody locks them.
    await client.query(
      `update run_leases set closed = true
       where run_id = $1 and not closed and case step when 'plan' then 'extract' else step end <> $2`,
      [run.runId, phaseOf(step)],
    );
    const { rows } = await client.query<{ token: string }>(
      `insert into run_leases as l (run_id, step, part, institution_id, reading)
       select id, $2, $3, institution_id, $4 from sync_runs
       where id = $1 and finished_at is null and (reading = $4 or $2 = 'rollback')
       on conflict (run_id, step, part) do update set token = l.token + 1, reading = excluded.reading, closed = false
         where not l.closed or l.reading < excluded.reading returning token::text`,
      [run.runId, step, part, run.reading ?? 1],
    );
    const [lease] = rows;
    // Thrown inside the transaction: what was closed above is open again.
    if (lease === undefined || !(await enterStep(client, run, step === 'plan' ? 'extract' : step)))
      throw new SyncError('lease_lost', `the run is over or has gone on: ${step} ${part} comes too late`);
    return { run, step, part, token: lease.token };
  });

/** Moves the run on to a step by the transition table; false where it is beyond it. (Not "for update": activities side by side share
 *  the run's row already, by the foreign key of their leases, and would wait for each other.) */
const enterStep = async (client: PoolClient, run: RunRef, step: Step): Promise<boolean> => {
  const { rows } = await client.query<{ state: RunState }>(
    'select state from sync_runs where id = $1 and finished_at is null for no key update',
    [run.runId],
  );
  const from = rows[0]?.state;
  if (from === undefined) return false;
  if (from === step) return true;
  // Who reads again said so first (`readAgain`).
  if (!mayMove(from, step) || (step === 'extract' && from !== 'opened')) return false;
  await client.query('update sync_runs set state = $2 where id = $1', [run.runId, step]);
  return true;
};

/** Refuses the transaction of a stale attempt. The row is held `for share`: a newer attempt, and a later step, wait until this one is
 *  through. */
const holdingLease = ({ run, step, part, token }: Lease): Opening => ({
  sql: `select 1 from run_leases where run_id = ${BigInt(run.runId)} and step = ${escapeLiteral(step)} and part = ${escapeLiteral(part)}
    and token = ${BigInt(token)} and not closed for share`,
  refused: () => new SyncError('lease_lost', `a newer attempt of ${step} ${part} took over, or the run went on`),
});

/** Whoever holds a lease of the run is refused from here on. */
export const closeLeases = async (client: PoolClient, run: RunRef): Promise<void> => {
  await client.query('update run_leases set closed = true where run_id = $1 and not closed', [run.runId]);
};

/** Begins to read anew, where this reading is the one that the run is at; `forget` takes back what came of it. Attempts of the former
 *  reading are refused from here on. What is published is in logged tables, and is not read again.
 *  @returns the reading that the run is at now */
export const readAgain = async (
  hub: Hub,
  run: RunRef,
  forget: (client: PoolClient) => Promise<void>,
): Promise<number> =>
  hub.transaction(run.institutionId, async (client) => {
    await client.query('select 1 from run_leases where run_id = $1 order by step, part for update', [run.runId]);
    const { rows } = await client.query<{ reading: number; state: RunState; over: boolean }>(
      'select reading, state, finished_at is not null as over from sync_runs where id = $1 for no key update',
      [run.runId],
    );
    const [at] = rows;
    if (at === undefined) throw new SyncError('not_found', `run ${run.runId} is not there`);
    const published = at.state === 'publish' || at.state === 'verify' || at.state === 'rollback';
    if (at.over || published || at.reading !== (run.reading ?? 1)) return at.reading;
    await forget(client);
    await closeLeases(client, run);
    await client.query(`update sync_runs set state = 'extract', reading = reading + 1 where id = $1`, [run.runId]);
    return at.reading + 1;
  });

/** A write transaction under a lease. `bulk`: with the memory and time of long statements. */
export const fenced = async <T>(
  hub: Hub,
  lease: Lease,
  deed: (client: PoolClient) => Promise<T>,
  bulk: 'bulk' | 'short' = 'short',
): Promise<T> => {
  const { institutionId } = lease.run;
  const opening = holdingLease(lease);
  return bulk === 'bulk'
    ? hub.bulk(institutionId, deed, { opening })
    : hub.transaction(institutionId, deed, { opening });
};

/** Records what a chunk did, in the transaction that did it. */
export const recordChunk = async (
  client: PoolClient,
  { run, step, part }: { readonly run: RunRef; readonly step: string; readonly part: string },
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
