import { WorkflowNotFoundError } from '@temporalio/client';
import type { Client } from '@temporalio/client';
import type { RunFailure } from '../activities/contract.js';
import type { RunKind, RunRef } from '../domain/run.js';
import type { Log } from '../platform/log.js';
import type { WorkflowActivities } from '../workflows/activity-options.js';
import { startRecovery } from './start-workflows.js';
import type { Starting } from './start-workflows.js';

export interface ReaperOptions extends Starting {
  readonly log: Log;
  readonly activities: Pick<WorkflowActivities, 'closeRun' | 'dropStaging'>;
  /** A run that was opened later than this is left alone. */
  readonly graceMilliseconds?: number;
}

interface Unfinished {
  readonly runId: string;
  readonly institutionId: number;
  readonly workflowId: string;
}

interface Facts {
  readonly jobId: number | null;
  readonly kind: RunKind;
  readonly applyStarted: boolean;
  readonly holds: boolean;
}

/** Brings runs and workflows into agreement where a workflow ended without closing its run: terminated, reset, or gone with its
 *  server. What such a run applied is rolled back, as it would have done itself. Returns how many it found. */
export async function reap(options: ReaperOptions): Promise<number> {
  let found = 0;
  for (const run of await unfinishedRuns(options)) {
    const end = await endOf(options.client, run.workflowId);
    if (end === null) continue;
    // Read after the workflow was seen to be over: one that closed its run meanwhile is no case for us.
    const facts = await factsOf(options, run);
    if (facts === null) continue;
    found += 1;
    options.log.warn({ runId: run.runId, end }, 'its workflow ended without closing it');
    const failure = { code: 'internal', detail: `The workflow of the run is over without having closed it (${end}).` };
    await endRun(options, run, facts, failure);
  }
  return found;
}

const undoable: readonly RunKind[] = ['sync', 'decision', 'release', 'remap'];

async function endRun(options: ReaperOptions, run: Unfinished, facts: Facts, failure: RunFailure): Promise<void> {
  const { jobId, kind } = facts;
  const ref: RunRef = { runId: run.runId, institutionId: run.institutionId, jobId, kind };
  if (facts.applyStarted && !facts.holds && undoable.includes(kind)) {
    await startRecovery(options, { ...ref, failure });
    return;
  }
  await options.activities.closeRun(ref, 'failed', failure);
  await options.activities.dropStaging(ref);
}

async function unfinishedRuns({ hub, graceMilliseconds = 60_000 }: ReaperOptions): Promise<readonly Unfinished[]> {
  return await hub.system(async (client) => {
    const answer = await client.query<Unfinished>(
      `select id::text as "runId", institution_id as "institutionId", workflow_id as "workflowId"
       from concord.unfinished_runs() where started_at < now() - make_interval(secs => $1)`,
      [graceMilliseconds / 1000],
    );
    return answer.rows;
  });
}

/* null: it is running; else how it ended. */
async function endOf(client: Client, workflowId: string): Promise<string | null> {
  try {
    const { status } = await client.workflow.getHandle(workflowId).describe();
    return status.name === 'RUNNING' || status.name === 'PAUSED' ? null : status.name;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return 'NOT_FOUND';
    throw error;
  }
}

/* null: the run is closed by now. */
async function factsOf({ hub }: ReaperOptions, { runId, institutionId }: Unfinished): Promise<Facts | null> {
  return await hub.read(institutionId, async (client) => {
    const answer = await client.query<Facts>(
      `select r.job_id as "jobId", r.kind, r.apply_started as "applyStarted",
         coalesce(j.definition ->> 'onFailure' = 'hold', false) as holds
       from sync_runs r left join synchronization_jobs j on j.id = r.job_id
       where r.id = $1 and r.finished_at is null`,
      [runId],
    );
    return answer.rows[0] ?? null;
  });
}
