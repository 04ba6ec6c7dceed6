import { Client, Connection } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import { temporalConnectionOptions } from '../config/env.js';
import type { Config } from '../config/env.js';
import { createHub } from '../database/hub.js';
import type { Hub } from '../database/hub.js';
import { freePort } from '../launch/ports.js';
import { createLog } from '../platform/log.js';
import type { Log } from '../platform/log.js';
import { startOperatorServer } from '../platform/operator-server.js';
import type { Pace } from '../workflows/messages.js';
import { composeActivities } from './compose.js';
import { installRuntime, startWorkers } from './create-worker.js';
import { readCrashPoints } from './faults.js';
import { createWorkerMetrics } from './metrics.js';
import { askReadiness } from './readiness.js';
import { reap } from './reaper.js';
import { startRelay } from './relay.js';
import { reconcileSchedules } from './schedules.js';
import { placeUpload } from './place-upload.js';
import { startDueRun, startIndexing, wakeReview } from './start-workflows.js';
import { traceActivities, tracingSinks } from './trace-activities.js';
import { wakeJob } from './wake-job.js';

export interface WorkerProcessOptions {
  readonly config: Config;
  /** Where metrics and readiness are told. Default: only this machine can reach it. */
  readonly host?: string;
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
const forgetEveryMilliseconds = 10 * 60_000;

/** The worker: three task queues, the relay of the outbox, the reaper of lost runs. Once a process. */
export async function startWorkerProcess(options: WorkerProcessOptions): Promise<WorkerProcess> {
  const { config, scope = '' } = options;
  const addresses = addressesOf(config);
  const log = createLog({ level: config.logLevel, name: 'worker' });
  const tracing =
    config.tracesUrl === null
      ? null
      : (await import('../platform/start-tracing.js')).startTracing({
          url: config.tracesUrl,
          service: 'concord-worker',
        });
  const { metricsPort } = config;
  const temporalMetrics = metricsPort === null ? null : `127.0.0.1:${String(await freePort(0))}`;
  installRuntime(log, temporalMetrics);
  const crashPoints = readCrashPoints();
  const hub = createHub({ url: addresses.databaseUrl, role: 'concord_worker', max: 20 });
  const activities = composeActivities({ hub, crashPoints });
  const connectionOptions = temporalConnectionOptions(config.temporal, addresses.temporalAddress);
  const native = await NativeConnection.connect(connectionOptions);
  const connection = await Connection.connect(connectionOptions);
  const { namespace } = config.temporal;
  const client = new Client({ connection, namespace });
  const { publicUrl } = config.access;
  const starting = {
    client,
    hub,
    scope,
    log,
    publicUrl,
    ...(options.pace === undefined ? {} : { pace: options.pace }),
  };
  let ending = false;
  const accepting = (): boolean => !ending;
  const temporalMetricsUrl = temporalMetrics === null ? null : `http://${temporalMetrics}/metrics`;
  const metrics = createWorkerMetrics({ ...{ hub, log, accepting, temporalMetricsUrl } });
  const workers = await startWorkers({
    ...{ connection: native, namespace, activities, log, crashPoints, scope },
    around: [...(tracing === null ? [] : [traceActivities]), metrics.surround],
    sinks: tracingSinks(tracing),
  });
  const operators =
    metricsPort === null
      ? null
      : await startOperatorServer({
          ...{ port: metricsPort, host: options.host ?? '127.0.0.1' },
          metrics: () => metrics.read(),
          ready: () => askReadiness({ ...{ hub, connection, accepting }, polling: () => workers.polling() }),
        });
  const relay = startRelay({
    ...{ hub, log, databaseUrl: addresses.databaseUrl },
    topics: {
      review: ({ institutionId, subject }) => wakeReview(starting, institutionId, Number(subject)),
      upload: ({ institutionId, subject }) =>
        placeUpload({ hub, log, spoolFolder: config.spoolFolder }, institutionId, subject),
      job: (row) => wakeJob(starting, row),
      schedules: ({ institutionId }) => reconcileSchedules(starting, institutionId),
      due: ({ institutionId, subject }) => startDueRun(starting, institutionId, subject),
      names: ({ institutionId, subject }) => startIndexing(starting, institutionId, subject),
    },
  });
  const reaper = every(reapEveryMilliseconds, log, () => reap({ ...starting, activities }));
  const forgetter = every(forgetEveryMilliseconds, log, () =>
    hub.system((database) => database.query('select concord.forget_passed()')),
  );
  log.info({ scope, namespace, metricsPort: operators?.port ?? null }, 'the worker is up');
  return {
    ended: workers.ended,
    async stop() {
      ending = true;
      log.info('the worker takes no more work');
      await Promise.all([relay.stop(), reaper.stop(), forgetter.stop()]);
      await workers.drain();
      await operators?.close();
      await closeAll(hub, connection, native);
      await tracing?.stop();
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
