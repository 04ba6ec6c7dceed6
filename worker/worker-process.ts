import { Client, Connection } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import { temporalConnectionOptions } from '../config/env.js';
import type { Config } from '../config/env.js';
import { createHub } from '../database/hub.js';
import type { Hub } from '../database/hub.js';
import { createLog } from '../platform/log.js';
import type { Log } from '../platform/log.js';
import type { Pace } from '../workflows/messages.js';
import { composeActivities } from './compose.js';
import { installRuntime, startWorkers } from './create-worker.js';
import { readCrashPoints } from './faults.js';
import { reap } from './reaper.js';
import { startRelay } from './relay.js';
import { reconcileSchedules } from './schedules.js';
import { startDueRun, startIndexing, wakeReview } from './start-workflows.js';

export interface WorkerProcessOptions {
  readonly config: Config;
  /** Follows ids and names of task queues: separates installations that share a namespace. */
  readonly scope?: string;
  readonly pace?: Pace;
}

export interface WorkerProcess {
  /** Rejects when a worker ends by itself. */
  readonly ended: Promise<void>;
  /** Ends what is at hand, then everything. */
  stop(): Promise<void>;
}

const reapEveryMilliseconds = 60_000;

/** The worker: three task queues, the relay of the outbox, the reaper of lost runs. Once a process. */
export async function startWorkerProcess(options: WorkerProcessOptions): Promise<WorkerProcess> {
  const { config, scope = '' } = options;
  const addresses = addressesOf(config);
  const log = createLog({ level: config.logLevel, name: 'worker' });
  installRuntime(log);
  const crashPoints = readCrashPoints();
  const hub = createHub({ url: addresses.databaseUrl, role: 'concord_worker', max: 20 });
  const activities = composeActivities({ hub, crashPoints });
  const connectionOptions = temporalConnectionOptions(config.temporal, addresses.temporalAddress);
  const native = await NativeConnection.connect(connectionOptions);
  const connection = await Connection.connect(connectionOptions);
  const { namespace } = config.temporal;
  const client = new Client({ connection, namespace });
  const starting = { client, hub, scope, log, ...(options.pace === undefined ? {} : { pace: options.pace }) };
  const workers = await startWorkers({ connection: native, namespace, activities, log, crashPoints, scope });
  const relay = startRelay({
    ...{ hub, log, databaseUrl: addresses.databaseUrl },
    topics: {
      review: ({ institutionId, subject }) => wakeReview(starting, institutionId, Number(subject)),
      schedules: ({ institutionId }) => reconcileSchedules(starting, institutionId),
      due: ({ institutionId, subject }) => startDueRun(starting, institutionId, subject),
      names: ({ institutionId, subject }) => startIndexing(starting, institutionId, subject),
    },
  });
  const reaper = every(reapEveryMilliseconds, log, () => reap({ ...starting, activities }));
  log.info({ scope, namespace }, 'the worker is up');
  return {
    ended: workers.ended,
    async stop() {
      await Promise.all([relay.stop(), reaper.stop()]);
      await workers.drain();
      await closeAll(hub, connection, native);
      log.info('the worker is down');
    },
  };
}

function addressesOf(config: Config): { readonly databaseUrl: string; readonly temporalAddress: string } {
  const { databaseUrl } = config;
  const temporalAddress = config.temporal.address;
  if (databaseUrl === null || temporalAddress === null) {
    throw new Error('A worker alone needs DATABASE_URL and TEMPORAL_ADDRESS; `npm start` brings both with it.');
  }
  return { databaseUrl, temporalAddress };
}

async function closeAll(hub: Hub, connection: Connection, native: NativeConnection): Promise<void> {
  await native.close();
  await connection.close();
  await hub.close();
}

/* Again and again, never twice at once; what fails is tried again the next time. */
function every(milliseconds: number, log: Log, work: () => Promise<unknown>): { stop(): Promise<void> } {
  let running: Promise<void> | null = null;
  const once = async (): Promise<void> => {
    try {
      await work();
    } catch (error) {
      log.warn({ err: error }, 'tried again in a while');
    }
    running = null;
  };
  const timer = setInterval(() => {
    running ??= once();
  }, milliseconds);
  return {
    async stop() {
      clearInterval(timer);
      await running;
    },
  };
}
