import type { PoolClient } from 'pg';
import { linkTo } from '../common/base-path.js';
import { leaveWord } from '../common/outbox.js';
import type { AcceptedView } from './decision.view.js';
import type { Plain } from '../common/plain-type.js';

export type BatchKind = 'decision' | 'release' | 'discard' | 'override' | 'replay';

export interface NewBatch {
  readonly institutionId: number;
  readonly actor: string;
  /** Whose review carries it out. */
  readonly jobId: number;
  readonly kind: BatchKind;
  /** The run that opened what is decided; the run that carries the batch out becomes its child. */
  readonly parentRunId: string | null;
  readonly reason: string | null;
  readonly items: readonly object[];
}

/** Stores what was decided together with the word that it waits: both or neither. Returns the id of the batch. */
export const insertBatch = async (client: PoolClient, batch: NewBatch): Promise<string> => {
  const { rows } = await client.query<{ id: string }>(
    `insert into concord.decision_batches (institution_id, job_id, kind, parent_run_id, actor, reason, items)
     values ($1, $2, $3, $4, $5, $6, $7) returning id`,
    [
      batch.institutionId,
      batch.jobId,
      batch.kind,
      batch.parentRunId,
      batch.actor,
      batch.reason,
      JSON.stringify(batch.items),
    ],
  );
  await leaveWord(client, batch.institutionId, 'review', batch.jobId);
  const [row] = rows;
  if (row === undefined) throw new Error('no batch was made');
  return row.id;
};

/** A batch that says the same and still waits. */
export const findPendingTwin = async (client: PoolClient, batch: NewBatch): Promise<string | null> => {
  const { rows } = await client.query<{ id: string }>(
    `select id from concord.decision_batches
     where job_id = $1 and state = 'pending' and kind = $2 and actor = $3 and items = $4::jsonb order by id limit 1`,
    [batch.jobId, batch.kind, batch.actor, JSON.stringify(batch.items)],
  );
  return rows[0]?.id ?? null;
};

export interface BatchRow {
  readonly id: string;
  readonly kind: BatchKind;
  readonly job_id: number | null;
  readonly parent_run_id: string | null;
  readonly actor: string;
  readonly reason: string | null;
  readonly items: number;
  readonly state: 'pending' | 'applied' | 'failed' | 'withdrawn';
  readonly settle_run_id: string | null;
  readonly created_at: Date;
}

export const findBatch = async (client: PoolClient, id: string): Promise<BatchRow | null> => {
  const { rows } = await client.query<BatchRow>(
    `select id, kind, job_id, parent_run_id, actor, reason, jsonb_array_length(items) as items, state, settle_run_id, created_at
     from concord.decision_batches where id = $1`,
    [id],
  );
  return rows[0] ?? null;
};

/** What someone who decided is told. */
export const toAccepted = (kind: BatchKind, batchId: string): Plain<AcceptedView> => ({
  state: 'decided',
  kind,
  batchId,
  links: { batch: linkTo(`decisions/${batchId}`) },
});
