import { join, resolve } from 'node:path';
import type { Config } from '../config/env.js';
import { bothOf } from '../platform/both.js';
import { claimFolder } from './folder-claim.js';
import type { FolderClaim } from './folder-claim.js';
import { LaunchError, reasonOf } from './launch-error.js';
import { projectFolder } from './project-folder.js';
import { startPostgres } from './postgres.js';
import type { RunningPostgres } from './postgres.js';
import { findTemporal } from './temporal-binary.js';
import { startTemporal } from './temporal-server.js';
import type { RunningTemporal, SearchAttribute } from './temporal-server.js';

export interface EnvironmentOptions {
  /** Names the data folder, so that two commands do not share one: `start`, `demo`, `bench` … */
  readonly name: string;
  readonly config: Config;
  readonly searchAttributes?: readonly SearchAttribute[];
  /** Begin with empty data. Only ever empties what is embedded. */
  readonly fresh?: boolean;
  /** Over the settings of the embedded PostgreSQL. */
  readonly postgresSettings?: Readonly<Record<string, string>>;
  /** One-line messages; by default to standard error. */
  readonly progress?: (line: string) => void;
}

export interface Environment {
  /** Database `concord` as its owner. Holds the password. */
  readonly databaseUrl: string;
  readonly temporalAddress: string;
  /** Temporal's Web UI, null where the server is not ours. */
  readonly temporalUiUrl: string | null;
  /** The embedded servers, null where others are configured. */
  readonly postgres: RunningPostgres | null;
  readonly temporal: RunningTemporal | null;
  /** The embedded ones, for whoever keeps them up. */
  readonly embedded: readonly EmbeddedServer[];
  /** Where this command may keep files of its own. */
  readonly folder: string;
  /** Stops what was started, Temporal first. Safe to call twice. */
  stop(): Promise<void>;
}

/** An embedded server as its keeper sees it. */
export interface EmbeddedServer {
  readonly name: 'PostgreSQL' | 'Temporal';
  readonly logFile: string;
  /** Resolves when the one that runs now is gone, with how it ended. */
  exited(): Promise<string>;
  /** Starts it again on its data, under the same address. @throws LaunchError where that is taken meanwhile */
  restart(): Promise<void>;
}

/** Brings up PostgreSQL and Temporal, or takes those that the configuration names. What is started here ends with this
 *  process, however it ends. @throws LaunchError */
export async function bringUp(options: EnvironmentOptions): Promise<Environment> {
  const progress = options.progress ?? printProgress;
  const { config } = options;
  const dataFolder = resolve(projectFolder(), config.dataFolder);
  const claim = claimOrRefuse(join(dataFolder, options.name), options.name);
  const servers: { postgres: RunningPostgres | null; temporal: RunningTemporal | null } = {
    postgres: null,
    temporal: null,
  };
  const stop = async (): Promise<void> => {
    await servers.temporal?.stop();
    await servers.postgres?.stop();
    claim.release();
  };
  const { folder } = claim;
  const fresh = options.fresh ?? false;
  const settings = options.postgresSettings ?? {};
  const searchAttributes = options.searchAttributes ?? [];
  const embedded: EmbeddedServer[] = [];
  try {
    // The address is looked for while PostgreSQL starts: each may take seconds on a first run.
    const [postgres, executable] = await bothOf(
      config.databaseUrl === null
        ? startPostgres({ folder, fresh, progress, settings }).then((started) => (servers.postgres = started))
        : null,
      config.temporal.address === null ? findTemporal({ folder: join(dataFolder, 'bin'), progress }) : null,
    );
    if (postgres !== null) {
      const { port } = postgres;
      embedded.push({
        name: 'PostgreSQL',
        logFile: join(folder, 'postgres.log'),
        exited: () => servers.postgres?.exited ?? gone,
        restart: async () => {
          const again = await startPostgres({ folder, settings, preferredPort: port });
          servers.postgres = again;
          if (again.port !== port) await refuseMoved(again, 'PostgreSQL', port);
        },
      });
    }
    if (executable !== null) {
      const started = await startTemporal({ executable, folder, fresh, progress, searchAttributes });
      servers.temporal = started;
      const { port, uiUrl } = started;
      const preferredUiPort = uiUrl === null ? null : Number(new URL(uiUrl).port);
      embedded.push({
        name: 'Temporal',
        logFile: join(folder, 'temporal.log'),
        exited: () => servers.temporal?.exited ?? gone,
        restart: async () => {
          const again = await startTemporal({
            ...{ executable, folder, searchAttributes },
            ...{ preferredPort: port, preferredUiPort },
          });
          servers.temporal = again;
          if (again.port !== port) await refuseMoved(again, 'Temporal', port);
        },
      });
    }
    return {
      databaseUrl: postgres?.url ?? required(config.databaseUrl),
      temporalAddress: servers.temporal?.address ?? required(config.temporal.address),
      temporalUiUrl: servers.temporal?.uiUrl ?? null,
      postgres: servers.postgres,
      temporal: servers.temporal,
      embedded,
      folder,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

const gone = Promise.resolve('it was never started');

/* Workers and API know the address that it had. */
async function refuseMoved(server: { stop(): Promise<void> }, name: string, port: number): Promise<never> {
  await server.stop();
  throw new LaunchError(`${name} cannot come back: its port ${String(port)} was taken by another program.`);
}

function claimOrRefuse(folder: string, name: string): FolderClaim {
  const claim = claimOwn(folder);
  if ('folder' in claim) return claim;
  throw new LaunchError(
    `Another \`${name}\` of this project is running (process ${String(claim.heldBy)}): stop it first, or set CONCORD_DATA_FOLDER to a folder of its own.`,
  );
}

function claimOwn(folder: string): ReturnType<typeof claimFolder> {
  try {
    return claimFolder(folder);
  } catch (cause) {
    throw new LaunchError(
      `${folder} cannot be written to (${reasonOf(cause)}): it may belong to another user. Become that user, or set CONCORD_DATA_FOLDER to a folder of yours.`,
      { cause },
    );
  }
}

function required(value: string | null): string {
  if (value === null) throw new LaunchError('Neither an embedded server nor an address of another is there.');
  return value;
}

function printProgress(line: string): void {
  process.stderr.write(`${line}\n`);
}
