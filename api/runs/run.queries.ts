import type { PoolClient } from 'pg';
import type { RunKind, RunState } from '../../domain/run.js';

/** A run as the lists need it, with what is open of it. */
export interface RunRow {
  readonly id: string;
  readonly kind: RunKind;
  readonly job_id: number | null;
  readonly job_name: string | null;
  readonly parent_run_id: string | null;
  readonly workflow_id: string;
  readonly actor: string;
  readonly reason: string | null;
  readonly as_of: string;
  readonly state: RunState;
  readonly counts: Readonly<Record<string, unknown>>;
  readonly error_code: string | null;
  readonly error_detail: string | null;
  readonly rolled_back_by: string | null;
  readonly rollback_actor: string | null;
  readonly rollback_reason: string | null;
  readonly apply_started: boolean;
  readonly started_at: Date;
  readonly cancelled_by: string | null;
  readonly cancelled_at: Date | null;
  readonly cancel_reason: string | null;
  /** Where it fails or is cancelled, what it wrote stands until a person says otherwise. */
  readonly holds: boolean;
  readonly finished_at: Date | null;
  readonly open_questions: number;
  readonly held: number;
  readonly held_before: number;
  readonly rejected: number;
}

const selectRuns = `
  select r.id, r.kind, r.job_id, j.name as job_name, r.parent_run_id, r.workflow_id, r.actor, r.reason, r.as_of, r.state, r.counts, r.error_code,
    r.error_detail, r.rolled_back_by, u.actor as rollback_actor, u.reason as rollback_reason, r.apply_started, r.started_at, r.finished_at,
    r.cancelled_by, r.cancelled_at, r.cancel_reason, coalesce(j.definition ->> 'onFailure' = 'hold', false) as holds,
    (select count(*)::int from concord.sync_conflict_resolutions q where q.opened_run = r.id and q.state = 'open') as open_questions,
    (select count(*)::int from concord.held_changes h where h.run_id = r.id and h.state = 'held') as held,
    (select count(*)::int from concord.held_changes h
     where r.kind = 'sync' and h.job_id = r.job_id and h.run_id < r.id and h.state = 'held') as held_before,
    (select count(*)::int from concord.rejected_records x where x.run_id = r.id and x.kind = 'rejected') as rejected
  from concord.sync_runs r left join concord.synchronization_jobs j on j.id = r.job_id
    left join concord.sync_runs u on u.id = r.rolled_back_by`;

export interface RunFilter {
  readonly jobId: number | null;
  readonly kind: readonly string[] | null;
  readonly state: readonly string[] | null;
  readonly workflowId: string | null;
  readonly parentRunId: string | null;
  readonly actor: string | null;
  readonly from: string | null;
  readonly to: string | null;
}

/** Ids rise with the time of opening, so they are its order. */
export const listRuns = async (
  client: PoolClient,
  filter: RunFilter,
  oldestFirst: boolean,
  beyond: string | null,
  most: number,
): Promise<readonly RunRow[]> => {
  const [direction, comparison] = oldestFirst ? ['asc', '>'] : ['desc', '<'];
  const { rows } = await client.query<RunRow>(
    `${selectRuns}
     where ($1::int is null or r.job_id = $1) and ($2::text[] is null or r.kind = any ($2)) and ($3::text[] is null or r.state = any ($3))
       and ($4::text is null or r.workflow_id = $4) and ($5::bigint is null or r.parent_run_id = $5) and ($6::bigint is null or r.id ${comparison} $6)
       and ($8::text is null or r.actor = $8 or split_part(r.actor, ':', 1) = $8)
       and ($9::timestamptz is null or r.started_at >= $9) and ($10::timestamptz is null or r.started_at < $10)
     order by r.id ${direction} limit $7`,
    [
      ...[filter.jobId, filter.kind, filter.state, filter.workflowId, filter.parentRunId, beyond, most],
      ...[filter.actor, filter.from, filter.to],
    ],
  );
  return rows;
};

export const findRun = async (client: PoolClient, id: string): Promise<RunRow | null> => {
  const { rows } = await client.query<RunRow>(`${selectRuns} where r.id = $1`, [id]);
  return rows[0] ?? null;
};

/** Keeps why a run is asked for until it opens. Asked again with the same key, the first reason stands. */
export const keepReason = async (
  client: PoolClient,
  request: { readonly workflowId: string; readonly institutionId: number; readonly reason: string },
): Promise<void> => {
  await client.query(
    `insert into concord.run_requests (workflow_id, institution_id, reason) values ($1, $2, $3) on conflict do nothing`,
    [request.workflowId, request.institutionId, request.reason],
  );
};

/** The run that a workflow opened. */
export const findRunOfWorkflow = async (client: PoolClient, workflowId: string): Promise<{ id: string } | null> => {
  const { rows } = await client.query<{ id: string }>('select id from concord.sync_runs where workflow_id = $1', [
    workflowId,
  ]);
  return rows[0] ?? null;
};

/** The sync run that occupies a job. */
export const findActiveRun = async (
  client: PoolClient,
  jobId: number,
): Promise<{ id: string; workflow_id: string } | null> => {
  const { rows } = await client.query<{ id: string; workflow_id: string }>(
    `select id, workflow_id from concord.sync_runs where job_id = $1 and kind = 'sync' and finished_at is null and subject_key is null`,
    [jobId],
  );
  return rows[0] ?? null;
};

export interface FindingRow {
  readonly id: string;
  readonly kind: string;
  readonly mapping: string | null;
  readonly system: string | null;
  readonly entity_type: string | null;
  readonly golden_id: string | null;
  readonly source_key: string | null;
  readonly field: string | null;
  readonly detail: string;
}

export const listFindings = async (
  client: PoolClient,
  runId: string,
  kind: string | null,
  after: string | null,
  most: number,
): Promise<readonly FindingRow[]> => {
  const { rows } = await client.query<FindingRow>(
    `select f.id, f.kind, m.name as mapping, s.name as system, t.name as entity_type, f.golden_id, f.source_key, f.field, f.detail
     from concord.findings f
       left join concord.cross_system_mappings m on m.id = f.mapping_id
       left join concord.data_source_configurations s on s.id = f.system_id
       left join concord.entity_types t on t.id = f.entity_type_id
     where f.run_id = $1 and ($2::text is null or f.kind = $2) and ($3::bigint is null or f.id > $3)
     order by f.id limit $4`,
    [runId, kind, after, most],
  );
  return rows;
};

export interface FindingGroupRow {
  readonly kind: string;
  readonly system: string | null;
  readonly mapping: string | null;
  readonly count: number;
  readonly example_id: string;
  readonly example_key: string | null;
  readonly detail: string;
}

export const mostFindingGroups = 1000;

/** How many of each kind, by where they are about; the most frequent first. */
export const groupFindings = async (client: PoolClient, runId: string): Promise<readonly FindingGroupRow[]> => {
  const { rows } = await client.query<FindingGroupRow>(
    `select f.kind, s.name as system, m.name as mapping, count(*)::int as count, min(f.id) as example_id,
       min(f.source_key) as example_key, min(f.detail) as detail
     from concord.findings f
       left join concord.cross_system_mappings m on m.id = f.mapping_id
       left join concord.data_source_configurations s on s.id = coalesce(f.system_id, m.system_id)
     where f.run_id = $1 group by f.kind, s.name, m.name order by count(*) desc, f.kind, s.name, m.name limit ${mostFindingGroups}`,
    [runId],
  );
  return rows;
};

/** Notes who wants a run to end; false: it is over. */
export const noteCancellation = async (
  client: PoolClient,
  runId: string,
  by: { readonly actor: string; readonly reason: string },
): Promise<boolean> => {
  const { rowCount } = await client.query(
    `update concord.sync_runs set cancelled_by = coalesce(cancelled_by, $2), cancelled_at = coalesce(cancelled_at, now()),
       cancel_reason = coalesce(cancel_reason, $3) where id = $1 and finished_at is null`,
    [runId, by.actor, by.reason],
  );
  return rowCount === 1;
};
