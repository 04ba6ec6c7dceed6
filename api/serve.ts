import { Client, Connection } from '@temporalio/client';
import { ConfigError, readSecret, temporalConnectionOptions, type Config } from '../config/env.js';
import { createHub } from '../database/hub.js';
import { listen } from '../database/listen.js';
import { previewRollback } from '../database/rollback-preview.js';
import { systemClock } from '../platform/clock.js';
import { createLog } from '../platform/log.js';
import { judgeSignIn } from '../domain/grants.js';
import { Provider } from './access/provider.js';
import { createApi } from './application.js';
import { createReadiness } from './health/readiness.js';
import { createRunStarter } from './temporal/run-starter.js';

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

/** The API with its connections, listening. Neither PostgreSQL nor Temporal need be there yet: `/readyz` tells. */
export async function startApi(options: ApiProcessOptions): Promise<ApiProcess> {
  const { config, scope = '', host = '127.0.0.1' } = options;
  const { databaseUrl, temporal, apiPort, logLevel } = config;
  const providers = createProviders(config);
  if (databaseUrl === null || temporal.address === null) {
    throw new Error('The API alone needs DATABASE_URL and TEMPORAL_ADDRESS; `npm start` brings both with it.');
  }
  const log = createLog({ level: logLevel, name: 'api' });
  const hub = createHub({ url: databaseUrl, role: 'concord_api', max: connections });
  const connection = Connection.lazy(temporalConnectionOptions(temporal, temporal.address));
  const { workflow } = new Client({ connection, namespace: temporal.namespace });
  const application = await createApi({
    ...{ hub, log, clock: systemClock, previewRollback },
    starter: createRunStarter(workflow, scope),
    listenForEvents: (heard) =>
      listen({
        ...{ url: databaseUrl, role: 'concord_api', channel: 'concord_events', heard },
        failed: (error) => log.warn({ err: error }, 'cannot listen for events; tried again'),
      }),
    readiness: createReadiness(hub, connection),
    spoolFolder: config.spoolFolder,
    access: { ...config.access, providers },
    docs: true,
  });
  const close = async (): Promise<void> => {
    await application.close();
    await connection.close();
    await hub.close();
  };
  try {
    await application.listen({ port: apiPort, host });
  } catch (error) {
    await close();
    throw error;
  }
  const url = await application.getUrl();
  log.info({ url, scope }, 'the API is up');
  return {
    url,
    async stop() {
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
