import { accessSync, constants, existsSync, mkdirSync, statfsSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, resolve } from 'node:path';
import { ConfigError, readConfig, secretsSet } from '../config/env.js';
import type { Config } from '../config/env.js';
import { reasonOf } from '../launch/launch-error.js';
import { projectFolder } from '../launch/project-folder.js';
import { Checkup, checkClock } from '../platform/checkup.js';
import type { Observation } from '../platform/checkup.js';
import { examineDatabase } from '../worker/doctor-database.js';
import { examineTemporal } from '../worker/doctor-temporal.js';
import { findRunning } from './running.js';

export interface DoctorReport {
  readonly observations: readonly Observation[];
  /** What is in force, without secrets. */
  readonly configuration: Readonly<Record<string, string>>;
}

export interface DoctorOptions {
  /** Where the API is asked. */
  readonly apiUrl: string;
  /** Follows the names of the task queues. */
  readonly scope?: string;
}

/** Looks at everything that Concord stands on. Changes nothing. */
export async function examine(options: DoctorOptions): Promise<DoctorReport> {
  const environment = new Checkup('environment');
  const config = configOrNull(environment);
  if (config === null)
    return { observations: [...examineMachine(null), ...environment.observations], configuration: {} };
  const running = findRunning(config);
  const databaseUrl = config.databaseUrl ?? running?.databaseUrl ?? null;
  const temporalAddress = config.temporal.address ?? running?.temporalAddress ?? null;
  environment.ok(
    'platform here',
    running === null ? '`concord up` is not running here' : `runs, process ${String(running.pid)}`,
  );
  if (databaseUrl === null || temporalAddress === null)
    environment.wrong(
      'where to look',
      `there is no ${databaseUrl === null ? 'DATABASE_URL' : 'TEMPORAL_ADDRESS'}, and no platform runs here`,
      'Start it (`concord up`), or set DATABASE_URL and TEMPORAL_ADDRESS.',
    );
  const [database, temporal, api] = await Promise.all([
    databaseUrl === null ? [] : examineDatabase(databaseUrl),
    temporalAddress === null ? [] : examineTemporal(config.temporal, temporalAddress, options.scope),
    examineApi(options.apiUrl),
  ]);
  const ports = running === null ? await examinePorts(config) : [];
  return {
    observations: [...examineMachine(config), ...ports, ...environment.observations, ...database, ...temporal, ...api],
    configuration: configurationOf(config, databaseUrl, temporalAddress),
  };
}

function configOrNull(checkup: Checkup): Config | null {
  try {
    const config = readConfig();
    checkup.ok('variables', 'are right');
    return config;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const problem of error.problems) checkup.wrong('variables', problem, '.env.example says what each may be.');
    return null;
  }
}

const gibibyte = 1024 ** 3;

function examineMachine(config: Config | null): readonly Observation[] {
  const checkup = new Checkup('machine');
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  checkup.expect(
    'Node',
    major > 20 || (major === 20 && minor >= 19),
    process.versions.node,
    'Install Node 20.19 or later.',
  );
  const built = existsSync(resolve(projectFolder(), 'dist', 'workflow-bundle.js'));
  checkup.expect('build', built, built ? 'is there' : 'is missing', 'npm run build');
  if (config === null) return checkup.observations;
  const folder = resolve(projectFolder(), config.dataFolder);
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
    checkup.ok('data folder', folder);
  } catch (error) {
    checkup.wrong(
      'data folder',
      reasonOf(error),
      'Make it writable for this user, or set CONCORD_DATA_FOLDER to another.',
    );
  }
  const { bavail, bsize } = statfsSync(existsSync(folder) ? folder : dirname(folder));
  const free = (bavail * bsize) / gibibyte;
  const found = `${free.toFixed(1)} GiB free`;
  const remedy =
    'Make room: PostgreSQL stops where its disk is full. A run of a million rows takes some gigabytes for a while.';
  if (free >= 10) checkup.ok('disk', found);
  else if (free >= 1) checkup.warning('disk', found, remedy);
  else checkup.wrong('disk', found, remedy);
  return checkup.observations;
}

async function examinePorts(config: Config): Promise<readonly Observation[]> {
  const checkup = new Checkup('machine');
  const free = await canListen(config.apiPort);
  const found = `${String(config.apiPort)} ${free ? 'is free' : 'is taken'}`;
  if (free) checkup.ok('port of the API', found);
  else checkup.warning('port of the API', found, '`concord up` takes another one; or set CONCORD_API_PORT.');
  return checkup.observations;
}

const canListen = (port: number): Promise<boolean> =>
  new Promise((settle) => {
    const probe = createServer();
    probe.once('error', () => settle(false));
    probe.listen({ port, host: '127.0.0.1', exclusive: true }, () => probe.close(() => settle(true)));
  });

async function examineApi(url: string): Promise<readonly Observation[]> {
  const checkup = new Checkup('api');
  try {
    const before = Date.now();
    const reply = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(10_000) });
    const between = (Date.now() - before) / 1000;
    const { parts } = (await reply.json()) as { parts?: readonly { part: string; ready: boolean }[] };
    if (parts === undefined) throw new Error('that was no answer of Concord');
    checkup.ok('reachable', url);
    const missing = parts.filter(({ ready }) => !ready).map(({ part }) => part);
    checkup.expect(
      'ready',
      missing.length === 0,
      missing.length === 0 ? parts.map(({ part }) => part).join(', ') : `not ready: ${missing.join(', ')}`,
      'What stands above under database and temporal says why.',
    );
    const date = reply.headers.get('date');
    if (date !== null) checkClock(checkup, 'the API', new Date(date), new Date(), between + 1);
  } catch (error) {
    const cause = error instanceof Error && error.cause !== undefined ? reasonOf(error.cause) : reasonOf(error);
    checkup.wrong(
      'reachable',
      `${url}: ${cause}`,
      'Start it (`concord up`, or node dist/api/main.js), or name where it is: --url.',
    );
  }
  return checkup.observations;
}

function configurationOf(
  config: Config,
  databaseUrl: string | null,
  temporalAddress: string | null,
): Readonly<Record<string, string>> {
  const { temporal } = config;
  const shown = databaseUrl === null ? null : new URL(databaseUrl);
  if (shown !== null && shown.password !== '') shown.password = 'set';
  const embedded = 'of `concord up`';
  return {
    DATABASE_URL: shown === null ? 'not set' : `${shown.href}${config.databaseUrl === null ? ` (${embedded})` : ''}`,
    TEMPORAL_ADDRESS: `${temporalAddress ?? 'not set'}${temporal.address === null && temporalAddress !== null ? ` (${embedded})` : ''}`,
    TEMPORAL_NAMESPACE: temporal.namespace,
    TEMPORAL_API_KEY: temporal.apiKey === null ? 'not set' : 'set',
    TEMPORAL_TLS:
      temporal.tls === null ? 'off' : temporal.tls.clientCertificate === null ? 'on' : 'on, with a client certificate',
    CONCORD_API_PORT: String(config.apiPort),
    CONCORD_METRICS_PORT: config.metricsPort === null ? 'not set' : String(config.metricsPort),
    CONCORD_DRAIN_SECONDS: String(config.drainSeconds),
    CONCORD_PUBLIC_URL: config.access.publicUrl,
    OTEL_EXPORTER_OTLP_ENDPOINT: config.tracesUrl ?? 'not set',
    CONCORD_LOG_LEVEL: config.logLevel,
    CONCORD_DATA_FOLDER: config.dataFolder,
    CONCORD_SECRET_: secretsSet().join(', ') || 'none set',
  };
}
