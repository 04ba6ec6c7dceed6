import { setTimeout as pause } from 'node:timers/promises';
import { Client, Connection, WorkflowNotFoundError, type WorkflowHandle } from '@temporalio/client';
import { startProgram } from '../cli/programs.js';
import type { Config } from '../config/env.js';
import { temporalConnectionOptions } from '../config/env.js';
import { applyConfiguration } from '../database/configuration-store.js';
import { createHub } from '../database/hub.js';
import { migrate } from '../database/migrate.js';
import { taskQueues } from '../domain/run.js';
import type { Environment } from '../launch/environment.js';
import { workflowIds, workflowTypes } from '../workflows/messages.js';
import type { RunResult, SyncRunInput } from '../workflows/messages.js';
import type { Configuration } from '../domain/job-definition.js';
import { benchSecret } from './configuration.js';
import { connected, usageOf, type Usage } from './measure.js';

/** A run, and when each of its steps was at work. */
export interface BenchRun {
  readonly result: RunResult;
  readonly seconds: number;
  readonly workflowId: string;
  readonly institutionId: number;
}

/** Concord with an empty hub and a worker process of its own. */
export interface Platform {
  /** Runs a job through its workflow. @throws where it does not complete */
  run(job: string): Promise<BenchRun>;
  /** Waits until the words are indexed by which the records are found that a run wrote: that goes on beside later runs. */
  untilIndexed(run: BenchRun): Promise<void>;
  /** Seconds of each activity of a run, by name: those side by side are added up. */
  stepTimes(run: BenchRun): Promise<ReadonlyMap<string, number>>;
  /** Applies the configuration of an institution; its jobs can be run by their names from then on. */
  configure(configuration: Configuration): Promise<void>;
  workerUsage(): Usage | null;
  /** Its hub's database, as the owner. */
  readonly databaseUrl: string;
  close(): Promise<void>;
}

const asOf = '2026-10-01';

/** @param name names the hub's database, made anew */
export const openPlatform = async (environment: Environment, config: Config, name: string): Promise<Platform> => {
  await connected(environment.databaseUrl, async (client) => {
    await client.query(`drop database if exists ${name} with (force)`);
    await client.query(`create database ${name}`);
  });
  const url = new URL(environment.databaseUrl);
  url.pathname = `/${name}`;
  await migrate(url.href);
  const hub = createHub({ url: url.href, role: 'concord_worker', max: 2 });
  const scope = `.bench-${Date.now().toString(36)}`;
  const worker = await startProgram({
    name: 'worker',
    databaseUrl: url.href,
    temporalAddress: environment.temporalAddress,
    apiPort: 3210,
    folder: environment.folder,
    scope,
    environment: { [benchSecret]: environment.databaseUrl },
  });
  const connection = await Connection.connect(temporalConnectionOptions(config.temporal, environment.temporalAddress));
  const client = new Client({ connection, namespace: config.temporal.namespace });
  const jobs = new Map<string, { readonly institutionId: number; readonly jobId: number }>();
  let runs = 0;
  const configure: Platform['configure'] = async (configuration) => {
    const { institutionId } = await applyConfiguration(hub, configuration, 'bench');
    const { rows } = await hub.read(institutionId, (reading) =>
      reading.query<{ id: number; name: string }>('select id, name from synchronization_jobs'),
    );
    for (const { id, name: jobName } of rows) jobs.set(jobName, { institutionId, jobId: id });
  };
  return {
    configure,
    databaseUrl: url.href,
    workerUsage: () => usageOf(worker.pid),
    async run(job) {
      const known = jobs.get(job);
      if (known === undefined) throw new Error(`there is no job ${job}`);
      runs += 1;
      const workflowId = workflowIds.syncRun(known.jobId, `bench-${String(runs)}`, scope);
      const input: SyncRunInput = { ...known, actor: 'bench', asOf };
      const start = performance.now();
      const options = { workflowId, taskQueue: taskQueues.io + scope, args: [input] };
      const result = (await client.workflow.execute(workflowTypes.syncRun, options)) as RunResult;
      const seconds = (performance.now() - start) / 1000;
      if (result.state !== 'completed' || result.dropped.length + result.delayed.length > 0)
        throw new Error(`the run of ${job} is void: ${JSON.stringify(result)}`);
      return { result, seconds, workflowId, institutionId: known.institutionId };
    },
    async untilIndexed({ result: { runId, goldenWrites }, institutionId }) {
      if (runId === null || goldenWrites === 0) return;
      const indexing = client.workflow.getHandle(workflowIds.indexNames(institutionId, runId, scope));
      // It is begun by whoever reads the outbox, a little after the run.
      while (!(await isBegun(indexing))) await pause(50);
      await indexing.result();
    },
    async stepTimes({ workflowId }) {
      const { events } = await client.workflow.getHandle(workflowId).fetchHistory();
      return timesOf(events ?? []);
    },
    async close() {
      await connection.close();
      await worker.stop();
      await hub.close();
    },
  };
};

const isBegun = async (workflow: WorkflowHandle): Promise<boolean> => {
  try {
    await workflow.describe();
    return true;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
};

type HistoryEvent = NonNullable<
  Awaited<ReturnType<ReturnType<Client['workflow']['getHandle']>['fetchHistory']>>['events']
>[number];

const timesOf = (events: readonly HistoryEvent[]): Map<string, number> => {
  const scheduled = new Map<string, { name: string; at: number }>();
  const times = new Map<string, number>();
  for (const event of events) {
    const at = Number(event.eventTime?.seconds ?? 0) + (event.eventTime?.nanos ?? 0) / 1e9;
    const begun = event.activityTaskScheduledEventAttributes;
    if (begun) scheduled.set(String(event.eventId), { name: begun.activityType?.name ?? '?', at });
    const ended = event.activityTaskCompletedEventAttributes;
    const of = ended ? scheduled.get(String(ended.scheduledEventId)) : undefined;
    if (of !== undefined) times.set(of.name, (times.get(of.name) ?? 0) + at - of.at);
  }
  return times;
};
