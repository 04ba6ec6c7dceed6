import { setTimeout as pause } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import type { PoolClient } from 'pg';
import type { Hub } from '../../database/hub.js';
import type { JobDefinition } from '../../domain/job-definition.js';
import { frozenOn } from '../../domain/schedule-times.js';
import { canonicalJson } from '../../platform/canonical-json.js';
import type { Clock } from '../../platform/clock.js';
import { hash128 } from '../../platform/hash.js';
import { linkTo } from '../common/base-path.js';
import type { Caller } from '../common/caller.js';
import { Answer } from '../common/http.js';
import { notFound } from '../common/ids.js';
import { Problem } from '../common/problem.js';
import { CLOCK, HUB, RUN_STARTER, RUN_WAIT } from '../common/tokens.js';
import type { RunStarter } from '../temporal/run-starter.js';
import { findActiveRun, findRunOfWorkflow } from './run.queries.js';
import type { StartedRunView } from './run.view.js';
import type { Plain } from '../common/plain-type.js';

interface JobRow {
  readonly name: string;
  readonly definition: JobDefinition;
  readonly time_zone: string;
  readonly paused_reason: string | null;
  readonly paused_by: string | null;
}

/** Of a caller's key, in the ids of workflows: the same request always gives the same id, and the key itself is kept out. */
export const runKeyOf = (institutionId: number, what: string, key: string): string =>
  hash128(canonicalJson([institutionId, what, key])).replaceAll('-', '');

/** Starts synchronizations. */
@Injectable()
export class StartRun {
  constructor(
    @Inject(HUB) private readonly hub: Hub,
    @Inject(RUN_STARTER) private readonly starter: RunStarter,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(RUN_WAIT) private readonly waitMilliseconds: number,
  ) {}

  /** Starts a run of a job, or finds the one that the same key started.
   *  @throws Problem not_found, job_occupied, state_forbids (paused), freeze_window */
  async start(
    caller: Caller,
    jobId: number,
    key: string,
    asOf: string | undefined,
  ): Promise<Answer<Plain<StartedRunView>>> {
    const { institutionId, actor } = caller;
    const workflowId = this.starter.syncRunId(jobId, runKeyOf(institutionId, `job ${jobId}`, key));
    const job = await this.hub.read(institutionId, async (client) => {
      const found = await findJob(client, jobId);
      if (found === null) throw notFound('job', String(jobId));
      if ((await findRunOfWorkflow(client, workflowId)) !== null) return null;
      await refuseOccupied(client, jobId, workflowId);
      refuseResting(found, this.clock.now());
      return found;
    });
    if (job !== null) {
      const { definition, time_zone: timeZone } = job;
      const input = {
        ...{ institutionId, jobId, actor, timeZone },
        asOf: asOf ?? dateIn(timeZone, this.clock.now()),
        ...(definition.onFailure === undefined ? {} : { onFailure: definition.onFailure }),
        ...(definition.partitions === undefined ? {} : { partitions: definition.partitions }),
      };
      await this.starter.startSyncRun(workflowId, input, job.name);
    }
    return await this.started(institutionId, String(jobId), workflowId);
  }

  /** What was begun, with the run as soon as a worker has opened it. */
  async started(
    institutionId: number,
    jobId: string | null,
    workflowId: string,
  ): Promise<Answer<Plain<StartedRunView>>> {
    const runId = await this.runOf(institutionId, workflowId);
    const self = runId === null ? linkTo(`runs?workflowId=${encodeURIComponent(workflowId)}`) : linkTo(`runs/${runId}`);
    return new Answer({ jobId, workflowId, runId, links: { self } }, { status: 202, headers: { location: self } });
  }

  private async runOf(institutionId: number, workflowId: string): Promise<string | null> {
    const until = Date.now() + this.waitMilliseconds;
    for (;;) {
      const run = await this.hub.read(institutionId, (client) => findRunOfWorkflow(client, workflowId));
      if (run !== null || Date.now() >= until) return run?.id ?? null;
      await pause(40);
    }
  }
}

/** The date on a wall calendar of the institution. */
export const dateIn = (timeZone: string, moment: Date): string =>
  new Intl.DateTimeFormat('en-CA', { timeZone, year: 'numeric', month: '2-digit', day: '2-digit' }).format(moment);

const findJob = async (client: PoolClient, jobId: number): Promise<JobRow | null> => {
  const { rows } = await client.query<JobRow>(
    `select j.name, j.definition, j.paused_reason, j.paused_by, i.time_zone from concord.synchronization_jobs j
     join concord.institutions i on i.id = j.institution_id where j.id = $1 and not j.archived`,
    [jobId],
  );
  return rows[0] ?? null;
};

/* A person's start respects what holds its schedule back. */
const refuseResting = ({ definition: { schedule }, paused_by: by, paused_reason: reason }: JobRow, now: Date): void => {
  if (by !== null && reason !== null)
    throw new Problem('state_forbids', `The job was paused by ${by}: ${reason}. Resume it first.`);
  const frozen = schedule === undefined ? null : frozenOn(schedule, dateIn(schedule.timeZone, now));
  if (frozen !== null)
    throw new Problem('freeze_window', `The job does not run from ${frozen.from} to ${frozen.to}: ${frozen.reason}`);
};

/** @throws Problem job_occupied where another run reads the sources of a job */
export const refuseOccupied = async (client: PoolClient, jobId: number, workflowId: string): Promise<void> => {
  const active = await findActiveRun(client, jobId);
  if (active === null || active.workflow_id === workflowId) return;
  throw new Problem('job_occupied', `Run ${active.id} of this job is at work. Wait for it or cancel it.`, {
    extensions: { runId: active.id, links: { run: linkTo(`runs/${active.id}`) } },
  });
};
