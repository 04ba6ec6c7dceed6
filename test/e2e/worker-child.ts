import { WorkflowFailedError } from '@temporalio/client';
import type { Client, WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { startProgram } from '../harness/processes.js';
import type { ChildProgram } from '../harness/processes.js';
import type { Pace, RunResult } from '../../workflows/messages.js';

/** Killed workers are missed after so long, and steps tried again at once. */
export const impatient: Pace = { heartbeatSeconds: 3, retrySeconds: 0.1 };

export interface WorkerPlace {
  readonly databaseUrl: string;
  readonly temporalAddress: string;
  readonly scope: string;
}

/** Where a worker is to die or to fall asleep: `<activity>:<before|mid|after>[:<n>]`. */
export interface Fault {
  readonly crashAt?: string;
  readonly sleepAt?: string;
}

/** A worker as a process of its own. */
export async function startWorkerChild(place: WorkerPlace, { crashAt, sleepAt }: Fault = {}): Promise<ChildProgram> {
  const child = startProgram({
    entry: 'worker/main',
    args: [
      ...['--scope', place.scope, '--heartbeat-seconds', String(impatient.heartbeatSeconds)],
      ...['--retry-seconds', String(impatient.retrySeconds)],
    ],
    environment: {
      DATABASE_URL: place.databaseUrl,
      TEMPORAL_ADDRESS: place.temporalAddress,
      // One that sleeps is asked how what it was at has ended.
      CONCORD_LOG_LEVEL: sleepAt === undefined ? 'warn' : 'info',
      CONCORD_FAULTS: '1',
      ...(crashAt === undefined ? {} : { CONCORD_CRASH_AT: crashAt }),
      ...(sleepAt === undefined ? {} : { CONCORD_SLEEP_AT: sleepAt }),
    },
  });
  try {
    await child.line(/The worker is up/, 300_000);
    return child;
  } catch (error) {
    await child.kill9();
    throw error;
  }
}

/** The server would offer the next workflow task to the killed worker first, for five seconds. */
export async function forgetKilledWorker(client: Client, workflowId: string): Promise<void> {
  await client.workflowService.resetStickyTaskQueue({ namespace: 'default', execution: { workflowId } });
}

/** How a run ended, be it well or badly. */
export async function resultOf(handle: WorkflowHandle): Promise<RunResult> {
  try {
    return (await handle.result()) as RunResult;
  } catch (error) {
    if (!(error instanceof WorkflowFailedError) || !(error.cause instanceof ApplicationFailure)) throw error;
    const [result] = error.cause.details ?? [];
    return result as RunResult;
  }
}

/** How often the activities of a workflow were begun, by name; several of one name: the most. */
export async function attemptsOf(client: Client, workflowId: string): Promise<Readonly<Record<string, number>>> {
  const { events } = await client.workflow.getHandle(workflowId).fetchHistory();
  const names = new Map<string, string>();
  const attempts: Record<string, number> = {};
  for (const event of events ?? []) {
    const scheduled = event.activityTaskScheduledEventAttributes;
    if (scheduled) names.set(String(event.eventId), scheduled.activityType?.name ?? '');
    const started = event.activityTaskStartedEventAttributes;
    if (!started) continue;
    const name = names.get(String(started.scheduledEventId)) ?? '';
    attempts[name] = Math.max(attempts[name] ?? 0, started.attempt ?? 1);
  }
  return attempts;
}
