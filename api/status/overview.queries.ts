import type { PoolClient } from 'pg';
import type { RunState } from '../../domain/run.js';

/** The newest run of a job that is over, and the one at work. */
export interface JobRow {
  readonly job_id: number;
  readonly active_run: string | null;
  readonly last_run: string | null;
  readonly last_state: RunState | null;
  readonly last_error: string | null;
  readonly last_at: Date | null;
  readonly open_questions: number;
  readonly held: number;
  readonly rejected: number;
  readonly findings: number;
}

export const readJobs = async (client: PoolClient): Promise<readonly JobRow[]> => {
  const { rows } = await client.query<JobRow>(
    `select j.id as job_id, active.id as active_run, last.id as last_run, last.state as last_state, last.error_code as last_error,
       last.finished_at as last_at,
       (select count(*)::int from concord.sync_conflict_resolutions q where q.job_id = j.id and q.state = 'open') as open_questions,
       (select count(*)::int from concord.held_changes h where h.job_id = j.id and h.state = 'held') as held,
       (select count(*)::int from concord.rejected_records x where x.run_id = last.id and x.kind = 'rejected') as rejected,
       (select count(*)::int from concord.findings f where f.run_id = last.id) as findings
     from concord.synchronization_jobs j
       left join concord.sync_runs active on active.job_id = j.id and active.kind = 'sync' and active.finished_at is null and active.subject_key is null
       left join lateral (select r.id, r.state, r.error_code, r.finished_at from concord.sync_runs r
         where r.institution_id = j.institution_id and r.job_id = j.id and r.kind = 'sync' and r.finished_at is not null and r.state <> 'skipped' and r.subject_key is null
         order by r.id desc limit 1) last on true
     where not j.archived order by j.id`,
  );
  return rows;
};

/** What went wrong with a system in a run. */
export interface SystemProblemRow {
  readonly run_id: string;
  readonly system_id: number;
  readonly kind: string;
}

export const readSystemProblems = async (
  client: PoolClient,
  runIds: readonly string[],
  kinds: readonly string[],
): Promise<readonly SystemProblemRow[]> => {
  const { rows } = await client.query<SystemProblemRow>(
    `select distinct f.run_id, coalesce(f.system_id, m.system_id) as system_id, f.kind
     from concord.findings f left join concord.cross_system_mappings m on m.id = f.mapping_id
     where f.run_id = any ($1::bigint[]) and f.kind = any ($2) and coalesce(f.system_id, m.system_id) is not null
     order by f.run_id, 2, f.kind`,
    [runIds, kinds],
  );
  return rows;
};

export interface WaitingRow {
  readonly kind: string;
  readonly open: number;
  readonly overdue: number;
  readonly oldest: Date;
}

export const readWaiting = async (client: PoolClient, now: Date): Promise<readonly WaitingRow[]> => {
  const { rows } = await client.query<WaitingRow>(
    `select kind, count(*)::int as open, (count(*) filter (where due_at < $1))::int as overdue, min(created_at) as oldest
     from concord.sync_conflict_resolutions where state = 'open' group by kind`,
    [now],
  );
  return rows;
};

export const readWaitingRecords = async (client: PoolClient): Promise<number> => {
  const { rows } = await client.query<{ count: number }>(
    `select count(*)::int as count from concord.rejected_records where kind = 'waiting' and state = 'open'`,
  );
  return rows[0]?.count ?? 0;
};
