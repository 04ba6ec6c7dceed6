import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { childEnvironment } from '../config/env.js';
import { LaunchError } from '../launch/launch-error.js';
import { projectFolder } from '../launch/project-folder.js';
import { startServerProcess } from '../launch/server-process.js';
import type { ServerProcess } from '../launch/server-process.js';

/** Our own long-running programs. */
export type ProgramName = 'worker' | 'api';

export interface ProgramOptions {
  readonly name: ProgramName;
  readonly databaseUrl: string;
  readonly temporalAddress: string;
  readonly apiPort: number;
  /** Where it tells its metrics; absent: nowhere. */
  readonly metricsPort?: number;
  /** Where its log goes. */
  readonly folder: string;
  /** Follows ids and names of task queues: separates installations that share a Temporal namespace. */
  readonly scope?: string;
  /** Over the environment, such as secrets of systems. */
  readonly environment?: Readonly<Record<string, string>>;
}

/* Rows are bytes on their way through the worker: what is left for its young generations fits in small ones (of the main thread's and
   three more isolates), and nothing is slower. */
const memoryFlags: Readonly<Record<ProgramName, readonly string[]>> = { worker: ['--max-semi-space-size=4'], api: [] };

/* What glibc gives back it gives to the arena of the thread that took it: with one for each of the worker's native threads, what is free in
   others adds up to 20 MiB. (Only where there is glibc; others do not look at it.) */
const memoryVariables: Readonly<Record<ProgramName, Readonly<Record<string, string>>>> = {
  worker: { MALLOC_ARENA_MAX: '1' },
  api: {},
};

const readyWithinMilliseconds = 30_000;
/* What is at hand has 20 s in the API and 25 s in the worker. */
const graceMilliseconds = 40_000;

/** Where a program's log goes. */
export const logFileOf = (folder: string, name: ProgramName): string => join(folder, `${name}.log`);

/** Starts a program as a process of its own, which ends with this one, and waits until it is up.
 *  @throws LaunchError */
export async function startProgram(options: ProgramOptions): Promise<ServerProcess> {
  const { name, folder, scope } = options;
  const file = join(projectFolder(), 'dist', name, 'main.js');
  const started = startServerProcess({
    executable: process.execPath,
    args: [...memoryFlags[name], '--enable-source-maps', file, ...(scope === undefined ? [] : ['--scope', scope])],
    environment: childEnvironment({
      ...memoryVariables[name],
      ...options.environment,
      DATABASE_URL: options.databaseUrl,
      TEMPORAL_ADDRESS: options.temporalAddress,
      CONCORD_API_PORT: String(options.apiPort),
      CONCORD_METRICS_PORT: options.metricsPort === undefined ? null : String(options.metricsPort),
      // What the test runner gives its own processes.
      NODE_OPTIONS: null,
      JEST_WORKER_ID: null,
    }),
    logFile: logFileOf(folder, name),
    account: null,
    stopSignal: 'SIGTERM',
    graceMilliseconds,
  });
  await untilUp(started, options);
  return started;
}

async function untilUp(started: ServerProcess, options: ProgramOptions): Promise<void> {
  const logFile = logFileOf(options.folder, options.name);
  const deadline = Date.now() + readyWithinMilliseconds;
  while (!isUp(logFile)) {
    if (!started.running())
      throw new LaunchError(`The ${options.name} ended at once (${await started.exited}): ${lastLine(logFile)}`);
    if (Date.now() > deadline) {
      await started.stop();
      throw new LaunchError(`The ${options.name} did not come up in 30 s. Its log: ${logFile}`);
    }
    await pause(50);
  }
}

const isUp = (logFile: string): boolean => /^The (worker|API) is up/m.test(readFileSync(logFile, 'utf8'));

function lastLine(logFile: string): string {
  const lines = readFileSync(logFile, 'utf8').trim().split('\n');
  const said = lines.findLast((line) => /Error|error/.test(line)) ?? lines.at(-1) ?? '';
  return `${said} The whole log: ${logFile}`;
}
