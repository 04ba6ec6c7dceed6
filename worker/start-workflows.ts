import { WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import type { Client } from '@temporalio/client';
import { WorkflowIdReusePolicy } from '@temporalio/common';
import type { Hub } from '../database/hub.js';
import { taskQueues } from '../domain/run.js';
import type { dueRun, indexNames, recoverRun, review } from '../workflows/index.js';
import { pageOf, searchAttributesOf, summaries, wake, withSearchAttributes } from '../workflows/messages.js';
import { workflowIds, workflowTypes } from '../workflows/messages.js';
import type { Pace, RecoverRunInput } from '../workflows/messages.js';

/** What the worker itself starts workflows with. */
export interface Starting {
  readonly client: Client;
  readonly hub: Hub;
  readonly scope: string;
  /** Where people reach the API, for links from Temporal's Web UI. */
  readonly publicUrl?: string | null;
  readonly pace?: Pace;
}

/** Wakes the review of a job, and starts it where there is none. */
export async function wakeReview(starting: Starting, institutionId: number, jobId: number): Promise<void> {
  const { client, scope, pace } = starting;
  const timeZone = await timeZoneOf(starting.hub, institutionId);
  const attributes = searchAttributesOf({ institutionId, jobId, kind: 'review' });
  await withSearchAttributes(attributes, (searchable) =>
    client.workflow.signalWithStart<typeof review>(workflowTypes.review, {
      workflowId: workflowIds.review(jobId, scope),
      taskQueue: taskQueues.interactive + scope,
      staticSummary: summaries.review(jobId),
      ...pageOf(starting.publicUrl ?? null, `job=${jobId}`),
      signal: wake,
      args: [{ institutionId, jobId, timeZone, ...(pace === undefined ? {} : { pace }) }],
      ...searchable,
    }),
  );
}

/** Rolls a run back whose workflow is gone. Does nothing where that is under way. */
export async function startRecovery(starting: Starting, input: RecoverRunInput): Promise<void> {
  const { client, scope, pace } = starting;
  const attributes = searchAttributesOf({ ...input, kind: 'rollback' });
  await once(() =>
    withSearchAttributes(attributes, (searchable) =>
      client.workflow.start<typeof recoverRun>(workflowTypes.recoverRun, {
        workflowId: workflowIds.recoverRun(input.runId, scope),
        taskQueue: taskQueues.rollback + scope,
        staticSummary: summaries.recoverRun(input.runId),
        ...pageOf(
          starting.publicUrl ?? null,
          `workflowId=${encodeURIComponent(workflowIds.recoverRun(input.runId, scope))}`,
        ),
        args: [{ ...input, ...(pace === undefined ? {} : { pace }) }],
        ...searchable,
      }),
    ),
  );
}

/** Tells targets at once what is due, beside the daily run. `word` names what for: handed over twice, it is one run. */
export async function startDueRun(starting: Starting, institutionId: number, word: string): Promise<void> {
  const { client, scope, pace } = starting;
  const timeZone = await timeZoneOf(starting.hub, institutionId);
  const attributes = searchAttributesOf({ institutionId, jobId: null, kind: 'due' });
  await once(() =>
    withSearchAttributes(attributes, (searchable) =>
      client.workflow.start<typeof dueRun>(workflowTypes.dueRun, {
        workflowId: workflowIds.dueRun(institutionId, word, scope),
        workflowIdReusePolicy: WorkflowIdReusePolicy.REJECT_DUPLICATE,
        taskQueue: taskQueues.interactive + scope,
        staticSummary: summaries.dueRun(institutionId),
        args: [{ institutionId, actor: 'restriction', asOf: null, timeZone, ...(pace === undefined ? {} : { pace }) }],
        ...searchable,
      }),
    ),
  );
}

/** Keeps names findable. `subject`: the run whose records are meant, or `all`. */
export async function startIndexing(starting: Starting, institutionId: number, subject: string): Promise<void> {
  const { client, scope, pace } = starting;
  const attributes = searchAttributesOf({ institutionId, jobId: null, kind: 'maintenance' });
  const runId = subject === 'all' ? null : subject;
  await once(() =>
    withSearchAttributes(attributes, (searchable) =>
      client.workflow.start<typeof indexNames>(workflowTypes.indexNames, {
        workflowId: workflowIds.indexNames(institutionId, subject, scope),
        taskQueue: taskQueues.io + scope,
        staticSummary: summaries.indexNames(institutionId),
        args: [{ institutionId, runId, ...(pace === undefined ? {} : { pace }) }],
        ...searchable,
      }),
    ),
  );
}

/* What was asked for twice is under way. */
async function once(start: () => Promise<unknown>): Promise<void> {
  try {
    await start();
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
  }
}

/** Where an institution's days begin and end. */
export async function timeZoneOf(hub: Hub, institutionId: number): Promise<string> {
  return await hub.read(institutionId, async (client) => {
    const answer = await client.query<{ time_zone: string }>('select time_zone from institutions');
    return answer.rows[0]?.time_zone ?? 'UTC';
  });
}
