import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { DefaultLogger, Runtime, Worker, bundleWorkflowCode } from '@temporalio/worker';
import type {
  ActivityInterceptorsFactory,
  InjectedSinks,
  LogEntry,
  Logger,
  NativeConnection,
  WorkerOptions,
  WorkflowBundleOption,
} from '@temporalio/worker';
import { taskQueues } from '../domain/run.js';
import type { Log } from '../platform/log.js';
import type { TracingSinks } from '../workflows/tracing.js';
import type { WorkflowActivities } from '../workflows/activity-options.js';
import { surroundActivities } from './activity-errors.js';
import type { CrashPoints } from './faults.js';
import { tracingSinks } from './trace-activities.js';

export interface WorkersOptions {
  readonly connection: NativeConnection;
  readonly namespace: string;
  readonly activities: WorkflowActivities;
  readonly log: Log;
  readonly crashPoints: CrashPoints;
  /** Follows the names of the task queues: separates installations that share a namespace. */
  readonly scope?: string;
  readonly bundle?: WorkflowBundleOption;
  /** Around every activity, the outermost first. */
  readonly around?: readonly ActivityInterceptorsFactory[];
  /** Told of workflows that end. Default: nobody. */
  readonly sinks?: InjectedSinks<TracingSinks>;
}

export interface RunningWorkers {
  /** Rejects when a worker ends by itself. */
  readonly ended: Promise<void>;
  /** Whether all of them ask for work. */
  polling(): boolean;
  /** Takes no new work, lets what is at hand end, and cancels what does not end in time: it is taken up by the next worker. */
  drain(): Promise<void>;
}

/* Two cores: what is heavy waits for its turn, what a person waits for never stands behind it. */
const slots: Readonly<Record<keyof typeof taskQueues, number>> = { io: 6, interactive: 4, rollback: 2 };

/** Starts one worker for each task queue. */
export async function startWorkers(options: WorkersOptions): Promise<RunningWorkers> {
  const workflowBundle = options.bundle ?? (await workflowsBundle());
  const queues = Object.keys(slots) as (keyof typeof slots)[];
  const workers = await Promise.all(
    queues.map((queue) => Worker.create({ ...optionsOf(options, queue), workflowBundle })),
  );
  const ended = Promise.all(workers.map((worker) => worker.run())).then(() => undefined);
  return {
    ended,
    polling: () => workers.every((worker) => worker.getState() === 'RUNNING'),
    async drain() {
      for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
      await ended;
    },
  };
}

function optionsOf(options: WorkersOptions, queue: keyof typeof slots): WorkerOptions {
  return {
    connection: options.connection,
    namespace: options.namespace,
    taskQueue: taskQueues[queue] + (options.scope ?? ''),
    activities: options.activities,
    maxConcurrentActivityTaskExecutions: slots[queue],
    maxConcurrentLocalActivityExecutions: 20,
    maxCachedWorkflows: 100,
    workflowThreadPoolSize: 1,
    // What a killed worker had cached is looked for elsewhere after this.
    stickyQueueScheduleToStartTimeout: '5 s',
    shutdownGraceTime: '10 s',
    shutdownForceTime: '25 s',
    sinks: options.sinks ?? tracingSinks(null),
    interceptors: {
      activity: [...(options.around ?? []), surroundActivities(options.log, options.crashPoints)],
    },
  };
}

/** The workflows as one bundle: the one that the build made, else made now from the sources beside us. */
export async function workflowsBundle(): Promise<WorkflowBundleOption> {
  const built = fileURLToPath(new URL('../workflow-bundle.js', import.meta.url));
  if (existsSync(built)) return readBundle(built);
  const logger = new DefaultLogger('WARN');
  return await bundleWorkflowCode({
    workflowsPath: sourceOf('../workflows/index'),
    workflowInterceptorModules: [sourceOf('../workflows/tracing')],
    logger,
  });
}

/** A bundle that the build made. */
export function readBundle(file: string): WorkflowBundleOption {
  return { code: withoutSourceMap(readFileSync(file, 'utf8')) };
}

/* The map is two thirds of the bundle, and each of three workers would hold it: 43 MB of the 265 of an idle worker. The SDK wants
   one, be it empty; the bundle's code is readable as it is. */
function withoutSourceMap(code: string): string {
  const marker = '//# sourceMappingURL=data:application/json;charset=utf-8;base64,';
  const at = code.lastIndexOf(marker);
  const empty = JSON.stringify({ version: 3, file: 'workflow-bundle.js', sources: [], names: [], mappings: '' });
  return at < 0 ? code : code.slice(0, at) + marker + Buffer.from(empty).toString('base64');
}

function sourceOf(path: string): string {
  const [source, compiled] = ['.ts', '.js'].map((ending) => fileURLToPath(new URL(path + ending, import.meta.url)));
  return source !== undefined && existsSync(source) ? source : (compiled ?? path);
}

/** Once a process, before any worker: signals are ours to handle, and the SDK's log goes to ours. `metricsAddress`: where the SDK
 *  tells its own metrics, `host:port`. */
export function installRuntime(log: Log, metricsAddress: string | null = null): void {
  Runtime.install({
    shutdownSignals: [],
    logger: toOurs(log),
    ...(metricsAddress === null
      ? {}
      : {
          telemetryOptions: {
            metrics: {
              prometheus: {
                bindAddress: metricsAddress,
                ...{ countersTotalSuffix: true, unitSuffix: true, useSecondsForDurations: true },
              },
            },
          },
        }),
  });
}

function toOurs(log: Log): Logger {
  return new DefaultLogger('INFO', ({ level, message, meta }: LogEntry) => {
    const facts: Readonly<Record<string, unknown>> = meta ?? {};
    const line = { ...scalars(facts), ...(facts['error'] === undefined ? {} : { err: facts['error'] }) };
    if (level === 'ERROR') log.error(line, message);
    else if (level === 'WARN') log.warn(line, message);
    else log.debug(line, message);
  });
}

function scalars(facts: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => typeof value !== 'object'));
}
