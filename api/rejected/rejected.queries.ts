import type { PoolClient } from 'pg';

/** A record that was set aside. */
export interface RejectedRow {
  readonly id: string;
  readonly run_id: string;
  readonly job_id: number | null;
  readonly mapping_id: number;
  readonly mapping: string;
  readonly kind: 'rejected' | 'waiting';
  readonly source_key: string | null;
  readonly position: string;
  readonly field: string | null;
  readonly reason: string;
  readonly detail: string;
  readonly raw: string | null;
  readonly state: 'open' | 'replaying' | 'resolved';
  readonly version: number;
  readonly corrected: readonly (string | null)[] | null;
  readonly corrected_key: string | null;
  readonly corrected_by: string | null;
  readonly corrected_at: Date | null;
  readonly correction_reason: string | null;
  readonly batch_id: string | null;
  readonly settle_run_id: string | null;
  readonly created_at: Date;
  readonly run_over: boolean;
  readonly run_stands: boolean;
}

const selectRejected = `
  select x.id, x.run_id, r.job_id, x.mapping_id, m.name as mapping, x.kind, x.source_key, x.position, x.field, x.reason, x.detail, x.raw,
    x.state, x.version, x.corrected, x.corrected_key, x.corrected_by, x.corrected_at, x.correction_reason, x.batch_id, x.settle_run_id,
    x.created_at, r.finished_at is not null as run_over, r.rolled_back_by is null and r.state <> 'rolled_back' as run_stands
  from concord.rejected_records x
    join concord.cross_system_mappings m on m.id = x.mapping_id join concord.sync_runs r on r.id = x.run_id`;

export interface RejectedFilter {
  readonly runId: string | null;
  readonly jobId: number | null;
  readonly mapping: string | null;
  readonly kind: string | null;
  readonly state: string | null;
  readonly reason: string | null;
  readonly field: string | null;
  readonly key: string | null;
}

const filtered = `($1::bigint is null or x.run_id = $1) and ($2::int is null or r.job_id = $2) and ($3::text is null or m.name = $3)
  and ($4::text is null or x.kind = $4) and ($5::text is null or x.state = $5) and ($6::text is null or x.reason = $6)
  and ($7::text is null or x.field = $7) and ($8::text is null or x.source_key = $8)`;

const parametersOf = (filter: RejectedFilter): unknown[] => [
  ...[filter.runId, filter.jobId, filter.mapping, filter.kind],
  ...[filter.state, filter.reason, filter.field, filter.key],
];

/** A page: of one run in the order they were met, of all runs newest first. */
export const listRejected = async (
  client: PoolClient,
  filter: RejectedFilter,
  beyond: string | null,
  most: number,
): Promise<readonly RejectedRow[]> => {
  const [direction, comparison] = filter.runId === null ? ['desc', '<'] : ['asc', '>'];
  const { rows } = await client.query<RejectedRow>(
    `${selectRejected} where ${filtered} and ($9::bigint is null or x.id ${comparison} $9) order by x.id ${direction} limit $10`,
    [...parametersOf(filter), beyond, most],
  );
  return rows;
};

export const findRejected = async (client: PoolClient, id: string): Promise<RejectedRow | null> => {
  const { rows } = await client.query<RejectedRow>(`${selectRejected} where x.id = $1`, [id]);
  return rows[0] ?? null;
};

/** Records that nobody else corrects or replays until the transaction ends; in the order of their ids, against deadlocks. */
export const lockRejected = async (client: PoolClient, ids: readonly string[]): Promise<readonly RejectedRow[]> => {
  const { rows } = await client.query<RejectedRow>(
    `${selectRejected} where x.id = any ($1::bigint[]) order by x.id for update of x`,
    [ids],
  );
  return rows;
};

export interface RejectedGroupRow {
  readonly mapping: string;
  readonly kind: string;
  readonly reason: string;
  readonly field: string | null;
  readonly detail: string;
  readonly count: number;
  readonly open: number;
  readonly example_id: string;
  readonly example_key: string | null;
}

export const mostGroups = 1000;

/** How many for which cause, the most frequent first. */
export const groupRejected = async (
  client: PoolClient,
  filter: RejectedFilter,
): Promise<readonly RejectedGroupRow[]> => {
  const { rows } = await client.query<RejectedGroupRow>(
    `select m.name as mapping, x.kind, x.reason, x.field, min(x.detail) as detail, count(*)::int as count,
       (count(*) filter (where x.state = 'open'))::int as open, min(x.id) as example_id, min(x.source_key) as example_key
     from concord.rejected_records x
       join concord.cross_system_mappings m on m.id = x.mapping_id join concord.sync_runs r on r.id = x.run_id
     where ${filtered} group by m.name, x.kind, x.reason, x.field order by count(*) desc, m.name, x.reason, x.field limit ${mostGroups}`,
    parametersOf(filter),
  );
  return rows;
};

export interface Correction {
  readonly row: readonly (string | null)[];
  readonly key: string;
  readonly reason: string;
  readonly actor: string;
}

/** Stores a correction, or takes it away (null). Whose row it is stays known by the golden record of its key, where there is one. */
export const storeCorrection = async (client: PoolClient, id: string, correction: Correction | null): Promise<void> => {
  await client.query(
    `update concord.rejected_records x set version = version + 1, corrected = $2, corrected_key = $3, correction_reason = $4, corrected_by = $5,
       corrected_at = case when $5::text is null then null else now() end,
       subject_key = coalesce(x.subject_key, (select i.subject_key from concord.record_images i
         where i.mapping_id = x.mapping_id and i.source_key = coalesce($3, x.source_key) and i.main limit 1))
     where x.id = $1`,
    [
      id,
      correction === null ? null : JSON.stringify(correction.row),
      correction?.key ?? null,
      correction?.reason ?? null,
      correction?.actor ?? null,
    ],
  );
};

export const markReplaying = async (client: PoolClient, ids: readonly string[], batchId: string): Promise<void> => {
  await client.query(
    `update concord.rejected_records set state = 'replaying', version = version + 1, batch_id = $2 where id = any ($1::bigint[])`,
    [ids, batchId],
  );
};
