import { Inject, Injectable } from '@nestjs/common';
import type { PoolClient } from 'pg';
import { loadConfiguration } from '../../database/configuration-store.js';
import type { Hub } from '../../database/hub.js';
import type { Clock } from '../../platform/clock.js';
import type { Caller } from '../common/caller.js';
import type { Answer } from '../common/http.js';
import { notFound } from '../common/ids.js';
import type { Plain } from '../common/plain-type.js';
import { Problem } from '../common/problem.js';
import { CLOCK, HUB, RUN_STARTER } from '../common/tokens.js';
import { findRunOfWorkflow } from '../runs/run.queries.js';
import type { StartedRunView } from '../runs/run.view.js';
import { dateIn, refuseOccupied, runKeyOf, StartRun } from '../runs/start-run.js';
import type { RunStarter } from '../temporal/run-starter.js';

/** Synchronizes one person now. */
@Injectable()
export class LiveSync {
  constructor(
    @Inject(HUB) private readonly hub: Hub,
    @Inject(RUN_STARTER) private readonly starter: RunStarter,
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly startRun: StartRun,
  ) {}

  /** Starts a run over the rows of one person, or finds the one that the same key started.
   *  @throws Problem not_found, state_forbids, job_occupied */
  async start(caller: Caller, goldenId: string, key: string): Promise<Answer<Plain<StartedRunView>>> {
    const { institutionId, actor } = caller;
    const { institution, jobs } = await loadConfiguration(this.hub, institutionId);
    const { subjectKey, jobId, workflowId, isNew } = await this.hub.read(institutionId, async (client) => {
      const subject = await subjectOf(client, goldenId);
      const id = this.starter.liveSyncId(subject, runKeyOf(institutionId, `golden record ${subject}`, key));
      const job = await jobOf(client, subject, new Set(jobs.map((one) => one.id)));
      const known = await findRunOfWorkflow(client, id);
      if (known === null) await refuseOccupied(client, job, id);
      return { subjectKey: subject, jobId: job, workflowId: id, isNew: known === null };
    });
    const onFailure = jobs.find(({ id }) => id === jobId)?.definition.onFailure;
    if (isNew) {
      await this.starter.startLiveSync(workflowId, {
        ...{ institutionId, jobId, subjectKey, actor, timeZone: institution.timeZone },
        asOf: dateIn(institution.timeZone, this.clock.now()),
        ...(onFailure === undefined ? {} : { onFailure }),
      });
    }
    return await this.startRun.started(institutionId, String(jobId), workflowId);
  }
}

/* Of a record that is about a person: that person. */
const subjectOf = async (client: PoolClient, goldenId: string): Promise<string> => {
  const { rows } = await client.query<{ id: string; subject: string | null; status: string }>(
    'select id, subject_key as subject, status from concord.golden_records where id = $1',
    [goldenId],
  );
  const [row] = rows;
  if (row === undefined) throw notFound('golden record', goldenId);
  if (row.status === 'merged')
    throw new Problem('state_forbids', 'This record was merged into another; synchronize that one.');
  return row.subject ?? row.id;
};

/* The job of the run that read the person last asks what there is to ask, and tells its targets. */
const jobOf = async (client: PoolClient, subject: string, known: ReadonlySet<number>): Promise<number> => {
  const { rows } = await client.query<{ job: number }>(
    `select r.job_id as job from concord.record_images i join concord.sync_runs r on r.id = i.read_run
     where i.golden_id = $1 and r.job_id is not null order by i.read_run desc`,
    [subject],
  );
  const found = rows.find(({ job }) => known.has(job));
  if (found === undefined)
    throw new Problem('state_forbids', 'No job reads this record, so nothing can be read of it.');
  return found.job;
};
