import type { PoolClient } from 'pg';
import type { HeldCause, HeldState } from '../../database/rows.js';

export interface HeldRow {
  readonly id: string;
  readonly state: HeldState;
  readonly version: number;
  readonly cause: HeldCause;
  readonly operation: 'insert' | 'update' | 'delete' | 'any';
  readonly mapping: string | null;
  readonly row_count: string;
  readonly base_count: string;
  readonly reason: string;
  readonly job_id: number | null;
  readonly run_id: string;
  readonly decided_by: string | null;
  readonly decided_at: Date | null;
  readonly batch_id: string | null;
  readonly created_at: Date;
}

const selectHeld = `
  select h.id, h.state, h.version, h.cause, h.operation, m.name as mapping, h.row_count, h.base_count, h.reason, h.job_id, h.run_id,
    h.decided_by, h.decided_at, h.batch_id, h.created_at
  from concord.held_changes h left join concord.cross_system_mappings m on m.id = h.mapping_id`;

export interface HeldFilter {
  readonly state: string | null;
  readonly cause: string | null;
  readonly jobId: number | null;
  readonly runId: string | null;
}

export const listHeld = async (
  client: PoolClient,
  filter: HeldFilter,
  after: string | null,
  most: number,
): Promise<readonly HeldRow[]> => {
  const { rows } = await client.query<HeldRow>(
    `${selectHeld}
     where ($1::text is null or h.state = $1) and ($2::text is null or h.cause = $2) and ($3::int is null or h.job_id = $3)
       and ($4::bigint is null or h.run_id = $4) and ($5::bigint is null or h.id > $5)
     order by h.id limit $6`,
    [filter.state, filter.cause, filter.jobId, filter.runId, after, most],
  );
  return rows;
};

/** `lock`: nobody else decides or changes it until the transaction ends. */
export const findHeld = async (client: PoolClient, id: string, lock = false): Promise<HeldRow | null> => {
  const { rows } = await client.query<HeldRow>(`${selectHeld} where h.id = $1 ${lock ? 'for update of h' : ''}`, [id]);
  return rows[0] ?? null;
};

export const markHeld = async (
  client: PoolClient,
  id: string,
  decided: { readonly state: 'released' | 'discarded'; readonly actor: string; readonly batchId: string },
): Promise<void> => {
  await client.query(
    `update concord.held_changes set state = $2, decided_by = $3, decided_at = now(), batch_id = $4 where id = $1 and state = 'held'`,
    [id, decided.state, decided.actor, decided.batchId],
  );
};

export interface HeldRecordRow {
  readonly mapping_id: number;
  readonly mapping: string;
  readonly source_key: string;
  readonly operation: string;
}

export const listHeldRecords = async (
  client: PoolClient,
  heldId: string,
  after: readonly string[] | null,
  most: number,
): Promise<readonly HeldRecordRow[]> => {
  const { rows } = await client.query<HeldRecordRow>(
    `select r.mapping_id, m.name as mapping, r.source_key, r.operation
     from concord.held_rows r join concord.cross_system_mappings m on m.id = r.mapping_id
     where r.held_id = $1 and ($2::int is null or (r.mapping_id, r.source_key) > ($2::int, $3))
     order by r.mapping_id, r.source_key limit $4`,
    [heldId, after?.[0] ?? null, after?.[1] ?? null, most],
  );
  return rows;
};

/** The records of a held change that the caller sees. */
export const countHeldRecords = async (client: PoolClient, heldId: string): Promise<number> => {
  const { rows } = await client.query<{ count: number }>(
    'select count(*)::int as count from concord.held_rows where held_id = $1',
    [heldId],
  );
  return rows[0]?.count ?? 0;
};
