import type { PoolClient } from 'pg';
import { Problem } from '../common/problem.js';
import type { BatchKind, BatchRow } from './batches.js';

export interface LockedBatch {
  readonly id: string;
  readonly kind: BatchKind;
  readonly state: BatchRow['state'];
  readonly items: number;
  readonly settle_run_id: string | null;
  /** The run that carries it out, while it is at work. */
  readonly run_at_work: string | null;
}

/** A batch that nobody takes up until the transaction ends. */
export const lockBatch = async (client: PoolClient, id: string): Promise<LockedBatch | null> => {
  const { rows } = await client.query<LockedBatch>(
    `select b.id, b.kind, b.state, jsonb_array_length(b.items) as items, b.settle_run_id,
       (select r.id from concord.sync_runs r where r.id = b.settle_run_id and r.finished_at is null) as run_at_work
     from concord.decision_batches b where b.id = $1 for update of b`,
    [id],
  );
  return rows[0] ?? null;
};

/** Sets everything of a batch back to what it was before it was decided. Returns how many decisions that were. */
export const withdrawWhole = async (client: PoolClient, batch: LockedBatch): Promise<number> => {
  await client.query(`update concord.decision_batches set state = 'withdrawn' where id = $1`, [batch.id]);
  await reopen(client, batch.id, null);
  return batch.items;
};

/** Takes one decision out of a batch. */
export const withdrawItem = async (
  client: PoolClient,
  batch: LockedBatch,
  member: 'conflictId' | 'heldId',
  id: string,
): Promise<number> => {
  await client.query(
    `update concord.decision_batches b set items = coalesce((select jsonb_agg(i) from jsonb_array_elements(b.items) i where i ->> $2 <> $3), '[]')
     where b.id = $1`,
    [batch.id, member, id],
  );
  await reopen(client, batch.id, id);
  return 1;
};

/* `only`: of questions and held changes the one with this id. */
const reopen = async (client: PoolClient, batchId: string, only: string | null): Promise<void> => {
  await refuseSecondOpen(client, batchId, only);
  await client.query(
    `update concord.sync_conflict_resolutions set state = 'open', version = version + 1, decision = null, decided_by = null, decided_at = null,
       batch_id = null where batch_id = $1 and state = 'decided' and ($2::bigint is null or id = $2)`,
    [batchId, only],
  );
  await refuseSecondHeld(client, batchId, only);
  await client.query(
    `update concord.held_changes set state = 'held', version = version + 1, decided_by = null, decided_at = null, batch_id = null
     where batch_id = $1 and state in ('released', 'discarded') and ($2::bigint is null or id = $2)`,
    [batchId, only],
  );
  await client.query(
    `update concord.rejected_records set state = 'open', version = version + 1, batch_id = null where batch_id = $1 and state = 'replaying'`,
    [batchId],
  );
};

/* One question about a group of a record (about whom an image is of: of that image) is open at a time. */
const refuseSecondOpen = async (client: PoolClient, batchId: string, only: string | null): Promise<void> => {
  const { rows } = await client.query<{ id: string }>(
    `select n.id from concord.sync_conflict_resolutions q join concord.sync_conflict_resolutions n
       on n.golden_id = q.golden_id and n.kind = q.kind and n.group_name = q.group_name
       and coalesce(n.image_id, 0) = coalesce(q.image_id, 0)
     where q.batch_id = $1 and q.state = 'decided' and ($2::bigint is null or q.id = $2) and n.state = 'open' limit 1`,
    [batchId, only],
  );
  const newer = rows[0]?.id;
  if (newer === undefined) return;
  throw new Problem('state_forbids', `Question ${newer} is about the same and came since: decide that one.`);
};

/* One held change of a kind and a place waits at a time: what came since is the newer question. */
const refuseSecondHeld = async (client: PoolClient, batchId: string, only: string | null): Promise<void> => {
  const { rows } = await client.query<{ id: string }>(
    `select n.id from concord.held_changes h join concord.held_changes n
       on n.job_id = h.job_id and n.cause = h.cause and n.operation = h.operation and coalesce(n.mapping_id, 0) = coalesce(h.mapping_id, 0)
     where h.batch_id = $1 and h.state in ('released', 'discarded') and ($2::bigint is null or h.id = $2) and n.state = 'held' limit 1`,
    [batchId, only],
  );
  const newer = rows[0]?.id;
  if (newer === undefined) return;
  throw new Problem('state_forbids', `Held change ${newer} is of the same kind and came since: decide that one.`);
};
