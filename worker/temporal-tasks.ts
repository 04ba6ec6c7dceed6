import { Client, Connection } from '@temporalio/client';
import { temporalConnectionOptions } from '../config/env.js';
import type { Config } from '../config/env.js';
import { createHub } from '../database/hub.js';
import { taskQueues } from '../domain/run.js';
import { createLog } from '../platform/log.js';
import { workflowIds, workflowTypes } from '../workflows/messages.js';
import type { RunResult } from '../workflows/messages.js';
import { reconcileSchedules } from './schedules.js';

export interface TemporalTask {
  readonly config: Config;
  readonly databaseUrl: string;
  readonly temporalAddress: string;
  readonly institutionId: number;
  /** Follows ids and names of task queues. */
  readonly scope?: string;
}

/** Makes the schedules of an institution what its jobs say. @throws where Temporal does not answer */
export async function updateSchedules(task: TemporalTask): Promise<void> {
  const hub = createHub({ url: task.databaseUrl, role: 'concord_worker', max: 2 });
  const log = createLog({ level: 'warn', name: 'apply' });
  try {
    await withClient(task, (client) =>
      reconcileSchedules({ client, hub, log, scope: task.scope ?? '' }, task.institutionId),
    );
  } finally {
    await hub.close();
  }
}

/** Tells targets what falls due up to a date, and waits for the end. What the daily schedule does. */
export async function runDueOn(task: TemporalTask, asOf: string, actor: string): Promise<RunResult> {
  const { institutionId, scope = '' } = task;
  return await withClient(
    task,
    async (client) =>
      (await client.workflow.execute(workflowTypes.dueRun, {
        workflowId: workflowIds.dueRun(institutionId, asOf, scope),
        taskQueue: taskQueues.io + scope,
        args: [{ institutionId, actor, asOf }],
      })) as RunResult,
  );
}

async function withClient<T>(task: TemporalTask, work: (client: Client) => Promise<T>): Promise<T> {
  const { temporal } = task.config;
  const connection = await Connection.connect({
    ...temporalConnectionOptions(temporal, task.temporalAddress),
    connectTimeout: 5_000,
  });
  try {
    return await work(new Client({ connection, namespace: temporal.namespace }));
  } finally {
    await connection.close();
  }
}
