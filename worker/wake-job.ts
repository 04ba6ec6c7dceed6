import { WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import { WorkflowIdConflictPolicy, WorkflowIdReusePolicy } from '@temporalio/common';
import type { JobDefinition } from '../domain/job-definition.js';
import { taskQueues } from '../domain/run.js';
import type { syncRun } from '../workflows/index.js';
import { searchAttributesOf, summaries, withSearchAttributes } from '../workflows/messages.js';
import { workflowIds, workflowTypes } from '../workflows/messages.js';
import type { OutboxRow } from './relay.js';
import { timeZoneOf } from './start-workflows.js';
import type { Starting } from './start-workflows.js';

/** Starts a run of a job that was told that there is something to read (`subject`: its id and who told, with a space between). Of a
 *  job at work, or paused: later, since the run at work may have looked already. One word starts one run, however often it is handed over. */
export async function wakeJob(starting: Starting, row: OutboxRow): Promise<'later' | undefined> {
  const { institutionId, subject } = row;
  const [id = '', actor = ''] = subject.split(/ (.*)/s, 2);
  const job = await readJob(starting, institutionId, Number(id));
  if (job === null) return undefined;
  if (job.occupied || job.paused) return 'later';
  await start(starting, { institutionId, jobId: Number(id), actor, key: `word-${row.id}` }, job);
  return undefined;
}

interface Job {
  readonly name: string;
  readonly definition: JobDefinition;
  readonly occupied: boolean;
  readonly paused: boolean;
}

async function readJob({ hub }: Starting, institutionId: number, jobId: number): Promise<Job | null> {
  return await hub.read(institutionId, async (client) => {
    const { rows } = await client.query<Job>(
      `select j.name, j.definition, j.paused_at is not null as paused, exists (
         select from sync_runs r where r.job_id = j.id and r.kind = 'sync' and r.finished_at is null) as occupied
       from synchronization_jobs j where j.id = $1 and not j.archived`,
      [jobId],
    );
    return rows[0] ?? null;
  });
}

async function start(
  starting: Starting,
  of: { readonly institutionId: number; readonly jobId: number; readonly actor: string; readonly key: string },
  { name, definition }: Job,
): Promise<void> {
  const { client, scope, pace, hub } = starting;
  const { institutionId, jobId, actor, key } = of;
  const timeZone = await timeZoneOf(hub, institutionId);
  const { onFailure, partitions } = definition;
  try {
    await withSearchAttributes(searchAttributesOf({ institutionId, jobId, kind: 'sync' }), (searchable) =>
      client.workflow.start<typeof syncRun>(workflowTypes.syncRun, {
        workflowId: workflowIds.syncRun(jobId, key, scope),
        taskQueue: taskQueues.io + scope,
        workflowIdReusePolicy: WorkflowIdReusePolicy.REJECT_DUPLICATE,
        workflowIdConflictPolicy: WorkflowIdConflictPolicy.FAIL,
        staticSummary: summaries.syncRun(name),
        args: [
          {
            ...{ institutionId, jobId, actor, asOf: null, timeZone },
            ...(onFailure === undefined ? {} : { onFailure }),
            ...(partitions === undefined ? {} : { partitions }),
            ...(pace === undefined ? {} : { pace }),
          },
        ],
        ...searchable,
      }),
    );
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
  }
}
