import { WorkflowExecutionAlreadyStartedError, WorkflowNotFoundError, type WorkflowClient } from '@temporalio/client';
import { WorkflowIdConflictPolicy, WorkflowIdReusePolicy } from '@temporalio/common';
import { taskQueues } from '../../domain/run.js';
import {
  pageOf,
  searchAttributesOf,
  summaries,
  withSearchAttributes,
  workflowIds,
  workflowTypes,
  type InquiryInput,
  type LiveSyncInput,
  type RollbackRunInput,
  type SyncRunInput,
} from '../../workflows/messages.js';

/** Starts the workflows that people ask for. The id of a workflow follows from what is asked and from the caller's key: the
 *  same request never starts two, even where our table of keys is lost. */
export interface RunStarter {
  syncRunId(jobId: number, runKey: string): string;
  rollbackRunId(runId: string, key: string): string;
  /** Idempotent by the id. */
  startSyncRun(workflowId: string, input: SyncRunInput, jobName: string): Promise<void>;
  liveSyncId(goldenId: string, key: string): string;
  /** Idempotent by the id. */
  startLiveSync(workflowId: string, input: LiveSyncInput): Promise<void>;
  /** Idempotent by the id. */
  startRollbackRun(workflowId: string, input: RollbackRunInput): Promise<void>;
  /** Asks a run's workflow to end. It needs no worker, and does nothing where the workflow is over: its run is closed by itself, or by
   *  the reaper. */
  cancelRun(workflowId: string): Promise<void>;
  /** Has a worker answer what was asked. `what`: for operators, in words. */
  startInquiry(input: InquiryInput, what: string): Promise<void>;
}

/** Whoever asked is told in this time that Temporal does not answer. */
const patienceMilliseconds = 5_000;

/** `scope` separates installations that share a Temporal namespace: it follows ids and the names of task queues. `publicUrl`: where
 *  people reach the API, for links from Temporal's Web UI. */
export const createRunStarter = (client: WorkflowClient, scope = '', publicUrl: string | null = null): RunStarter => {
  const start = async (
    type: keyof typeof workflowTypes,
    workflowId: string,
    options: {
      readonly input: SyncRunInput | RollbackRunInput | LiveSyncInput | InquiryInput;
      readonly kind: 'sync' | 'rollback' | 'inquiry';
      readonly queue: string;
      readonly summary: string;
    },
  ): Promise<void> => {
    const { input, kind, queue, summary } = options;
    const jobId = 'jobId' in input ? input.jobId : null;
    const attributes = searchAttributesOf({ institutionId: input.institutionId, jobId, kind });
    try {
      await client.withDeadline(Date.now() + patienceMilliseconds, () =>
        withSearchAttributes(attributes, (searchable) =>
          client.start(workflowTypes[type], {
            workflowId,
            taskQueue: queue + scope,
            args: [input],
            workflowIdReusePolicy: WorkflowIdReusePolicy.REJECT_DUPLICATE,
            workflowIdConflictPolicy: WorkflowIdConflictPolicy.FAIL,
            staticSummary: summary,
            ...pageOf(publicUrl, `workflowId=${encodeURIComponent(workflowId)}`),
            ...searchable,
          }),
        ),
      );
    } catch (error) {
      // The same request came before: its run is the answer.
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    }
  };
  return {
    syncRunId: (jobId, runKey) => workflowIds.syncRun(jobId, runKey, scope),
    rollbackRunId: (runId, key) => workflowIds.rollbackRun(runId, key, scope),
    startSyncRun: (workflowId, input, jobName) =>
      start('syncRun', workflowId, { input, kind: 'sync', queue: taskQueues.io, summary: summaries.syncRun(jobName) }),
    liveSyncId: (goldenId, key) => workflowIds.liveSync(goldenId, key, scope),
    startLiveSync: (workflowId, input) =>
      start('liveSync', workflowId, {
        input,
        kind: 'sync',
        queue: taskQueues.interactive,
        summary: summaries.liveSync(input.subjectKey),
      }),
    startRollbackRun: (workflowId, input) =>
      start('rollbackRun', workflowId, {
        input,
        kind: 'rollback',
        queue: taskQueues.rollback,
        summary: summaries.rollbackRun(input.rollbackOf),
      }),
    async cancelRun(workflowId) {
      try {
        await client.withDeadline(Date.now() + patienceMilliseconds, () => client.getHandle(workflowId).cancel());
      } catch (error) {
        if (!(error instanceof WorkflowNotFoundError)) throw error;
      }
    },
    startInquiry: (input, what) =>
      start('inquiry', workflowIds.inquiry(input.inquiryId, scope), {
        ...{ input, kind: 'inquiry', queue: taskQueues.interactive, summary: what },
      }),
  };
};
