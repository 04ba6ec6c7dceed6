import { setTimeout as pause } from 'node:timers/promises';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Client, Connection } from '@temporalio/client';
import { ConfigError, readSecret, temporalConnectionOptions, type Config } from '../config/env.js';
import { createHub } from '../database/hub.js';
import { listen } from '../database/listen.js';
import { previewRollback } from '../database/rollback-preview.js';
import { systemClock } from '../platform/clock.js';
import { createLog } from '../platform/log.js';
import { startOperatorServer } from '../platform/operator-server.js';
import type { OperatorServer } from '../platform/operator-server.js';
import { judgeSignIn } from '../domain/grants.js';
import { Provider } from './access/provider.js';
import { createApi } from './application.js';
import { createReadiness } from './health/readiness.js';
import type { Readiness } from './health/readiness.js';
import { createApiMetrics } from './metrics.js';
import type { ApiMetrics } from './metrics.js';
import { createRunStarter } from './temporal/run-starter.js';
import { traceStarts } from './temporal/trace-starts.js';

export interface ApiProcessOptions {
  readonly config: Config;
  /** Follows ids and names of task queues: separates installations that share a Temporal namespace. */
  readonly scope?: string;
  /** Default: only this machine can reach it. */
  readonly host?: string;
}

export interface ApiProcess {
  readonly url: string;
  /** Answers what is at hand, then ends. */
  stop(): Promise<void>;
}

const connections = 10;

/* What is at hand when the process is asked to end has so long. */
const finishMilliseconds = 20_000;

/** The API with its connections, listening. Neither PostgreSQL nor Temporal need be there yet: `/readyz` tells. */
export async function startApi(options: ApiProcessOptions): Promise<ApiProcess> {
  const { config, scope = '', host = '127.0.0.1' } = options;
  const { databaseUrl, temporal, apiPort, logLevel } = config;
  const providers = createProviders(config);
  if (databaseUrl === null || temporal.address === null) {
    throw new Error('The API alone needs DATABASE_URL and TEMPORAL_ADDRESS; `npm start` brings both with it.');
  }
  const log = createLog({ level: logLevel, name: 'api' });
  const { tracesUrl } = config;
  const tracing =
    tracesUrl === null
      ? null
      : (await import('../platform/start-tracing.js')).startTracing({ url: tracesUrl, service: 'concord-api' });
  const hub = createHub({ url: databaseUrl, role: 'concord_api', max: connections });
  const { namespace } = temporal;
  const connection = Connection.lazy(temporalConnectionOptions(temporal, temporal.address));
  const { workflow } = new Client({ connection, namespace, interceptors: { workflow: [traceStarts] } });
  let ending = false;
  const accepting = (): boolean => !ending;
  const readiness = createReadiness({ hub, connection, namespace, scope, accepting });
  const metrics = createApiMetrics({ accepting });
  const application = await createApi({
    ...{ hub, log, clock: systemClock, previewRollback, readiness, metrics, accepting },
    starter: createRunStarter(workflow, scope, config.access.publicUrl),
    listenForEvents: (heard) =>
      listen({
        ...{ url: databaseUrl, role: 'concord_api', channel: 'concord_events', heard },
        failed: (error) => log.warn({ err: error }, 'cannot listen for events; tried again'),
      }),
    spoolFolder: config.spoolFolder,
    access: { ...config.access, providers },
    docs: true,
  });
  const operators = await startOperators({ config, host, metrics, readiness });
  const close = async (): Promise<void> => {
    await finish(application);
    await operators?.close();
    await connection.close();
    await hub.close();
    await tracing?.stop();
  };
  try {
    await application.listen({ port: apiPort, host });
  } catch (error) {
    await close();
    throw error;
  }
  const url = await application.getUrl();
  log.info({ url, scope, metricsPort: operators?.port ?? null }, 'the API is up');
  return {
    url,
    async stop() {
      ending = true;
      log.info({ seconds: config.drainSeconds }, 'the API takes no more work');
      await pause(config.drainSeconds * 1000);
      await close();
      log.info('the API is down');
    },
  };
}

/** The providers that the file of CONCORD_SIGN_IN names. @throws ConfigError with all that is wrong with it */
function createProviders({ access: { signIn, publicUrl } }: Config): readonly Provider[] {
  if (signIn === null) return [];
  const { settings, problems } = judgeSignIn(signIn);
  if (settings === null) {
    throw new ConfigError(
      problems.map(
        ({ path, reason, remedy }) => `the file of CONCORD_SIGN_IN, at ${path || '/'}: ${reason}: ${remedy}`,
      ),
    );
  }
  const secrets = settings.providers.flatMap(({ clientSecret }) => clientSecret?.env ?? []);
  const unset = secrets.filter((name) => readSecret(name) === null);
  if (unset.length > 0)
    throw new ConfigError(unset.map((name) => `${name} is not set, but the file of CONCORD_SIGN_IN names it`));
  return settings.providers.map((one) => {
    const secret = one.clientSecret === undefined ? null : readSecret(one.clientSecret.env);
    return new Provider(one, secret, publicUrl);
  });
}

/* Takes no new connection, answers what is at hand, and cuts off what takes longer. */
async function finish(application: NestFastifyApplication): Promise<void> {
  const { server } = application.getHttpAdapter().getInstance();
  // A client may keep the connection open on which it was answered.
  const idle = setInterval(() => {
    server.closeIdleConnections();
  }, 200);
  const late = setTimeout(() => {
    server.closeAllConnections();
  }, finishMilliseconds);
  try {
    await application.close();
  } finally {
    clearInterval(idle);
    clearTimeout(late);
  }
}

async function startOperators(options: {
  readonly config: Config;
  readonly host: string;
  readonly metrics: ApiMetrics;
  readonly readiness: Readiness;
}): Promise<OperatorServer | null> {
  const { config, host, metrics, readiness } = options;
  if (config.metricsPort === null) return null;
  return await startOperatorServer({
    ...{ port: config.metricsPort, host },
    metrics: () => metrics.read(),
    ready: async () => Object.fromEntries((await readiness.check()).map(({ part, ready }) => [part, ready])),
  });
}
