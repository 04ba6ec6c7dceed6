import { setTimeout as pause } from 'node:timers/promises';
import { WorkflowNotFoundError } from '@temporalio/client';
import type { Client, WorkflowHandle } from '@temporalio/client';
import type { Hub } from '../../database/hub.js';
import { previewRollback } from '../../database/rollback-preview.js';
import { taskQueues } from '../../domain/run.js';
import { wakeReview } from '../../worker/start-workflows.js';
import type { review, rollbackRun, settleRun, syncRun } from '../../workflows/index.js';
import { workflowIds, workflowTypes } from '../../workflows/messages.js';
import type { Pace, RunResult } from '../../workflows/messages.js';
import type { Conductor } from './database-world.js';

export interface ConductorOptions {
  readonly client: Client;
  readonly hub: Hub;
  /** Follows task queues and workflow ids. */
  readonly scope: string;
  readonly pace?: Pace;
}

/** Carries runs out by starting their workflows; a worker with the same scope has to run. */
export class WorkflowConductor implements Conductor {
  private count = 0;

  constructor(private readonly options: ConductorOptions) {}

  async sync(institutionId: number, jobId: number): Promise<string> {
    const handle = await this.start(institutionId, jobId);
    return runIdOf(await handle.result());
  }

  /** Starts a run and does not wait for its end. */
  async start(
    institutionId: number,
    jobId: number,
    workflowTaskTimeout?: '2 s',
  ): Promise<WorkflowHandle<typeof syncRun>> {
    const { client, scope, pace } = this.options;
    this.count += 1;
    return await client.workflow.start<typeof syncRun>(workflowTypes.syncRun, {
      workflowId: workflowIds.syncRun(jobId, String(this.count), scope),
      taskQueue: taskQueues.io + scope,
      ...(workflowTaskTimeout === undefined ? {} : { workflowTaskTimeout }),
      args: [{ institutionId, jobId, actor: 'test', asOf: '2026-01-15', ...(pace === undefined ? {} : { pace }) }],
    });
  }

  /** As a decision is carried out in life: the review is woken, looks for itself, and has its child do it. */
  async settle(institutionId: number, jobId: number, batchId: string): Promise<string> {
    const { client, scope } = this.options;
    await wakeReview(this.options, institutionId, jobId);
    const child = client.workflow.getHandle<typeof settleRun>(workflowIds.settleRun(batchId, scope));
    const reviewing = client.workflow.getHandle<typeof review>(workflowIds.review(jobId, scope));
    for (;;) {
      try {
        return runIdOf(await child.result());
      } catch (error) {
        // Not begun yet; a review that ended without having it begun was not going to.
        if (!(error instanceof WorkflowNotFoundError)) throw error;
        const { status } = await reviewing.describe();
        if (status.name === 'FAILED') throw error;
        await pause(20);
      }
    }
  }

  /** Carries a batch out at once, without its review. */
  async startSettling(
    institutionId: number,
    jobId: number,
    batchId: string,
  ): Promise<WorkflowHandle<typeof settleRun>> {
    const { client, scope, pace } = this.options;
    return await client.workflow.start<typeof settleRun>(workflowTypes.settleRun, {
      workflowId: workflowIds.settleRun(batchId, scope),
      taskQueue: taskQueues.interactive + scope,
      args: [
        {
          ...{ institutionId, jobId, kind: 'decision' as const, batchId, actor: 'test', asOf: '2026-01-15' },
          ...(pace === undefined ? {} : { pace }),
        },
      ],
    });
  }

  async rollback(institutionId: number, jobId: number, runId: string): Promise<string> {
    const handle = await this.startRollback(institutionId, jobId, runId);
    return runIdOf(await handle.result());
  }

  /** Previews a rollback, and starts it bound to what the preview said. */
  async startRollback(
    institutionId: number,
    jobId: number,
    runId: string,
  ): Promise<WorkflowHandle<typeof rollbackRun>> {
    const { client, hub, scope, pace } = this.options;
    const { hash } = await previewRollback(hub, institutionId, runId, '2026-01-15');
    this.count += 1;
    return await client.workflow.start<typeof rollbackRun>(workflowTypes.rollbackRun, {
      workflowId: workflowIds.rollbackRun(runId, String(this.count), scope),
      taskQueue: taskQueues.rollback + scope,
      args: [
        {
          ...{ institutionId, jobId, actor: 'test', asOf: '2026-01-15', rollbackOf: runId, previewHash: hash },
          ...(pace === undefined ? {} : { pace }),
        },
      ],
    });
  }
}

function runIdOf({ runId, state }: RunResult): string {
  if (runId === null || !state.startsWith('completed')) throw new Error(`the run ended as ${state}`);
  return runId;
}
