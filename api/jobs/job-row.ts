import type { PoolClient } from 'pg';
import { describeSchedule } from '../../domain/schedule-times.js';
import type { JobDefinition } from '../../domain/job-definition.js';
import { linkTo } from '../common/base-path.js';
import type { Plain } from '../common/plain-type.js';
import { findRow, toConfigured, type Row } from '../configuration/resource.js';
import { jobs } from '../configuration/resources.js';
import type { JobView, PauseView } from './job.view.js';

/** A job as it is stored. */
export type JobRow = Row & { readonly definition: JobDefinition };

/** Who paused a job, when and why, by the ids of the jobs. */
export type Pauses = ReadonlyMap<number, Plain<PauseView>>;

export const readPauses = async (client: PoolClient): Promise<Pauses> => {
  const { rows } = await client.query<{ id: number; reason: string; by: string; since: Date }>(
    `select id, paused_reason as reason, paused_by as by, paused_at as since
     from concord.synchronization_jobs where paused_at is not null`,
  );
  return new Map(rows.map(({ id, reason, by, since }) => [id, { reason, by, since: since.toISOString() }]));
};

/** By its id or its name. @throws Problem not_found */
export const findJobRow = (rows: readonly JobRow[], wanted: string): JobRow =>
  // Sound: the rows are jobs.
  findRow({ jobs: rows }, jobs, wanted) as JobRow;

/** A job as it is shown at a moment: a schedule in words, with its next times. */
export const toJob = (row: JobRow, pauses: Pauses, now: Date): Plain<JobView> => {
  const shown = toConfigured(jobs, row);
  const { schedule } = row.definition;
  const words = schedule === undefined ? null : describeSchedule(schedule, now.getTime());
  return {
    ...shown,
    definition: row.definition,
    paused: pauses.get(row.id) ?? null,
    schedule:
      schedule === undefined || words === null
        ? null
        : {
            ...{ rhythm: words.rhythm, timeZone: schedule.timeZone, notes: words.notes },
            next: words.next.map(({ at, local }) => ({ at: new Date(at).toISOString(), local })),
            jitterSeconds: schedule.jitterSeconds ?? 0,
          },
    links: { ...shown.links, runs: linkTo(`runs?job=${row.id}`), start: linkTo(`jobs/${row.id}/runs`) },
  };
};
