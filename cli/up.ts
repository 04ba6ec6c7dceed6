import { setTimeout as pause } from 'node:timers/promises';
import { readConfig } from '../config/env.js';
import type { Config } from '../config/env.js';
import { bringUp } from '../launch/environment.js';
import type { Environment } from '../launch/environment.js';
import { LaunchError, reasonOf } from '../launch/launch-error.js';
import { freePort } from '../launch/ports.js';
import type { ServerProcess } from '../launch/server-process.js';
import { firstKeysOf, institutionsOf, prepareDatabase } from '../worker/prepare.js';
import { searchAttributes } from '../worker/search-attributes.js';
import { hostKeyOf } from './host-key.js';
import { keyLines } from './keys.js';
import { logFileOf, startProgram } from './programs.js';
import type { ProgramName, ProgramOptions } from './programs.js';
import { tellRunning, tellStopped } from './running.js';

const write = (line: string): void => void process.stdout.write(`${line}\n`);
const complain = (line: string): void => void process.stderr.write(`${line}\n`);

/** A program or server that dies is started again, but not for ever: so many times within so long. */
const restarts = 5;
const withinMilliseconds = 5 * 60_000;

class Stopping {
  readonly asked: Promise<string | null>;
  private ask: (reason: string | null) => void = () => undefined;
  private done = false;

  constructor() {
    this.asked = new Promise((resolve) => (this.ask = resolve));
  }

  hasBegun(): boolean {
    return this.done;
  }

  /** Null: as somebody wished; else why it cannot go on. */
  begin(reason: string | null): void {
    this.done = true;
    this.ask(reason);
  }
}

/** What is kept up. */
interface Keepable {
  /** As a sentence begins with it. */
  readonly name: string;
  readonly logFile: string;
  /** Resolves when the one that runs now is gone, with how it ended. */
  exited(): Promise<string>;
  restart(): Promise<void>;
}

/** Keeps one program or server up. */
class Keeper {
  private readonly died: number[] = [];

  constructor(
    private readonly kept: Keepable,
    private readonly stopping: Stopping,
  ) {}

  async watch(): Promise<void> {
    for (;;) {
      const how = await this.kept.exited();
      if (this.stopping.hasBegun()) return;
      await this.bringBack(how);
    }
  }

  private async bringBack(how: string): Promise<void> {
    const { name, logFile } = this.kept;
    while (!this.stopping.hasBegun()) {
      const now = Date.now();
      this.died.push(now);
      const recent = this.died.filter((moment) => moment > now - withinMilliseconds);
      if (recent.length > restarts) {
        this.stopping.begin(`${name} ended ${String(recent.length)} times in 5 minutes. Its log: ${logFile}`);
        return;
      }
      complain(`${name} ended (${how}); it is started again. Its log: ${logFile}.previous`);
      await pause(500 * recent.length);
      if (this.stopping.hasBegun()) return;
      try {
        await this.kept.restart();
        complain(`${name} is up again.`);
        return;
      } catch (error) {
        complain(reasonOf(error));
      }
    }
  }
}

/** Worker or API, which end with this process. */
class KeptProgram implements Keepable {
  readonly name: string;
  readonly logFile: string;
  private current: ServerProcess | null = null;

  constructor(private readonly options: ProgramOptions) {
    this.name = `The ${options.name}`;
    this.logFile = logFileOf(options.folder, options.name);
  }

  async exited(): Promise<string> {
    return (await this.current?.exited) ?? '';
  }

  async restart(): Promise<void> {
    this.current = await startProgram(this.options);
  }

  async stop(): Promise<void> {
    await this.current?.stop();
  }
}

const tellKeys = async (databaseUrl: string): Promise<void> => {
  const institutions = await institutionsOf(databaseUrl);
  for (const { id, name } of institutions) {
    const keys = await firstKeysOf(databaseUrl, id, 'start');
    if (keys !== null) for (const line of keyLines(name, keys)) write(line);
  }
  if (institutions.length > 0) return;
  write('There is no institution yet. In another terminal: npx concord apply FOLDER');
  write('  (samples/lakeside/configuration is such a folder). It also shows the API keys.');
};

const run = async (config: Config, environment: Environment, stopping: Stopping): Promise<void> => {
  const { databaseUrl, temporalAddress, temporalUiUrl, folder } = environment;
  await prepareDatabase(databaseUrl);
  const apiPort = await freePort(config.apiPort);
  if (apiPort !== config.apiPort)
    complain(`Port ${String(config.apiPort)} is taken: the API takes ${String(apiPort)}.`);
  const host = hostKeyOf(config, folder);
  const program = { databaseUrl, temporalAddress, folder, apiPort, environment: { CONCORD_HOST_KEY: host.key } };
  const metricsPorts = await freeMetricsPorts(apiPort);
  const programs = (['worker', 'api'] satisfies ProgramName[]).map(
    (name) => new KeptProgram({ ...program, name, metricsPort: metricsPorts[name] }),
  );
  try {
    await Promise.all(programs.map((one) => one.restart()));
    for (const kept of [...environment.embedded, ...programs]) void new Keeper(kept, stopping).watch();
    const apiUrl = `http://127.0.0.1:${String(apiPort)}`;
    tellRunning(folder, { pid: process.pid, databaseUrl, temporalAddress, apiUrl });
    write(`API              ${apiUrl}/api/secretary/data-sync`);
    write(`Documentation    ${apiUrl}/docs`);
    write(`Temporal Web UI  ${temporalUiUrl ?? 'of your Temporal server'}`);
    write(`PostgreSQL       ${withoutPassword(databaseUrl)}`);
    write(
      `Metrics          http://127.0.0.1:${String(metricsPorts.api)}/metrics, http://127.0.0.1:${String(metricsPorts.worker)}/metrics`,
    );
    write(`Logs             ${folder}`);
    if (host.file !== null) write(`Host key         in ${host.file}`);
    await tellKeys(databaseUrl);
    write('Concord is up. Ctrl-C stops it; its data stay.');
    const reason = await stopping.asked;
    if (reason !== null) throw new LaunchError(reason);
  } finally {
    stopping.begin(null);
    complain('Stopping …');
    tellStopped(folder);
    await Promise.all(programs.map((one) => one.stop()));
  }
};

/* Beside that of the API. */
const freeMetricsPorts = async (apiPort: number): Promise<Readonly<Record<ProgramName, number>>> => {
  const api = await freePort(apiPort + 1);
  return { api, worker: await freePort(apiPort + 2, new Set([api])) };
};

const withoutPassword = (url: string): string => {
  const shown = new URL(url);
  shown.password = '';
  return shown.href;
};

/** The whole platform until Ctrl-C. Its data stay in `.concord/start`.
 *  @throws LaunchError where a part cannot be started, or ends again and again */
export async function up(): Promise<void> {
  const config = readConfig();
  const stopping = new Stopping();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      stopping.begin(null);
    });
  }
  // The servers are processes that do not keep this one alive.
  const alive = setInterval(() => undefined, 60_000);
  try {
    const environment = await bringUp({ name: 'start', config, searchAttributes });
    try {
      if (!stopping.hasBegun()) await run(config, environment, stopping);
    } finally {
      await environment.stop();
    }
  } finally {
    clearInterval(alive);
  }
  complain('Stopped.');
}
