import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import { LaunchError, reasonOf } from './launch-error.js';
import { freePort } from './ports.js';
import { startServerProcess } from './server-process.js';
import type { ServerProcess } from './server-process.js';

export const documentedTemporalPort = 7233;
export const documentedTemporalUiPort = 8233;
const startSeconds = 60;

/* `IndexedValueType` of Temporal's protocol. */
const valueTypes = { Text: 1, Keyword: 2, Int: 3, Double: 4, Bool: 5, Datetime: 6, KeywordList: 7 } as const;

/** Types of search attributes, as the server names them. */
export type SearchAttributeKind = keyof typeof valueTypes;

export interface SearchAttribute {
  readonly name: string;
  readonly kind: SearchAttributeKind;
}

export interface TemporalOptions {
  readonly executable: string;
  /** Holds store and log. The caller has claimed it (`claimFolder`). */
  readonly folder: string;
  readonly preferredPort?: number;
  /** Port of the Web UI, null: without it. */
  readonly preferredUiPort?: number | null;
  readonly searchAttributes?: readonly SearchAttribute[];
  /** Begin with an empty store. */
  readonly fresh?: boolean;
  readonly progress?: (line: string) => void;
}

export interface RunningTemporal {
  readonly address: string;
  readonly port: number;
  readonly uiUrl: string | null;
  readonly pid: number;
  readonly exited: Promise<string>;
  stop(): Promise<void>;
  /** For fault tests. `startTemporal` with the same folder and `preferredPort` brings it back on the same store. */
  kill9(): Promise<void>;
}

interface Ports {
  readonly port: number;
  readonly uiPort: number | null;
}

/** Starts a Temporal development server on the store of `folder`. It ends when this process ends, however it ends.
 *  @throws LaunchError */
export async function startTemporal(options: TemporalOptions): Promise<RunningTemporal> {
  const folder = resolve(options.folder);
  mkdirSync(folder, { recursive: true });
  const store = join(folder, 'temporal.sqlite');
  if (options.fresh === true) {
    for (const suffix of ['', '-wal', '-shm']) rmSync(store + suffix, { force: true });
  }
  const { server, port, uiPort } = await startOnFreePorts(options, folder, store);
  const address = `127.0.0.1:${String(port)}`;
  await addSearchAttributes(address, options.searchAttributes ?? []);
  const uiUrl = uiPort === null ? null : `http://127.0.0.1:${String(uiPort)}`;
  options.progress?.(`Temporal is up on port ${String(port)}${uiUrl === null ? '' : `, its pages on ${uiUrl}`}.`);
  return {
    address,
    port,
    uiUrl,
    pid: server.pid,
    exited: server.exited,
    stop: () => server.stop(),
    kill9: () => server.kill9(),
  };
}

async function startOnFreePorts(
  options: TemporalOptions,
  folder: string,
  store: string,
): Promise<Ports & { server: ServerProcess }> {
  const refused = new Set<number>();
  const logFile = join(folder, 'temporal.log');
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort(options.preferredPort ?? documentedTemporalPort, refused);
    const wantedUi = options.preferredUiPort === undefined ? documentedTemporalUiPort : options.preferredUiPort;
    const uiPort = wantedUi === null ? null : await freePort(wantedUi, new Set([...refused, port]));
    const server = startServerProcess({
      executable: options.executable,
      args: commandLine({ port, uiPort }, store, options.searchAttributes ?? []),
      environment: { HOME: homedir(), TZ: 'UTC' },
      logFile,
      account: null,
      stopSignal: 'SIGTERM',
      graceMilliseconds: 10_000,
    });
    const trouble = await untilHealthy(server, `127.0.0.1:${String(port)}`);
    if (trouble === null) return { server, port, uiPort };
    await server.stop();
    const said = readFileSync(logFile, 'utf8').trim().split('\n').slice(-3).join(' ');
    if (!/address already in use|can't set (frontend|UI) port/i.test(said) || attempt === 20) {
      throw new LaunchError(`Temporal did not start (${trouble}): ${said} The whole log: ${logFile}`);
    }
    refused.add(port);
    if (uiPort !== null) refused.add(uiPort);
  }
}

function commandLine(ports: Ports, store: string, searchAttributes: readonly SearchAttribute[]): string[] {
  return [
    ...['server', 'start-dev', '--ip', '127.0.0.1', '--port', String(ports.port)],
    ...(ports.uiPort === null ? ['--headless'] : ['--ui-port', String(ports.uiPort), '--ui-disable-news-fetch']),
    ...['--db-filename', store, '--log-level', 'error'],
    // One shard at 20 polls a second is the default, and makes a workflow of four activities take 250 ms instead of 60.
    ...['--dynamic-config-value', 'history.transferProcessorMaxPollRPS=2000'],
    // A power cut may lose the last moments, a crash of the server loses nothing.
    ...['--sqlite-pragma', 'journal_mode=wal', '--sqlite-pragma', 'synchronous=normal'],
    ...searchAttributes.flatMap(({ name, kind }) => ['--search-attribute', `${name}=${kind}`]),
  ];
}

/* Returns what went wrong, null where the server answers for its default namespace. */
async function untilHealthy(server: ServerProcess, address: string): Promise<string | null> {
  const deadline = Date.now() + startSeconds * 1000;
  for (;;) {
    const answer = await Promise.race([server.exited, askNamespace(address)]);
    if (answer === null) return null;
    if (!server.running()) return await server.exited;
    if (Date.now() > deadline) return answer;
    await pause(100);
  }
}

/* The command line's are registered with a new store only. */
async function addSearchAttributes(address: string, wanted: readonly SearchAttribute[]): Promise<void> {
  if (wanted.length === 0) return;
  const connection = await Connection.connect({ address });
  try {
    const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace: 'default' });
    const missing = wanted.filter(({ name }) => !(name in customAttributes));
    if (missing.length === 0) return;
    await connection.operatorService.addSearchAttributes({
      namespace: 'default',
      searchAttributes: Object.fromEntries(missing.map(({ name, kind }) => [name, valueTypes[kind]])),
    });
  } finally {
    await connection.close();
  }
}

async function askNamespace(address: string): Promise<string | null> {
  try {
    const connection = await Connection.connect({ address, connectTimeout: 1_000 });
    try {
      await connection.workflowService.describeNamespace({ namespace: 'default' });
      return null;
    } finally {
      await connection.close();
    }
  } catch (error) {
    return reasonOf(error);
  }
}
