import { resolve } from 'node:path';
import { readConfig } from '../config/env.js';
import type { Config } from '../config/env.js';
import { LaunchError, reasonOf } from '../launch/launch-error.js';
import { applyJudged, judgeFolder, planJudged } from '../worker/apply-folder.js';
import type { JudgedFolder } from '../worker/apply-folder.js';
import { firstKeysOf, prepareDatabase } from '../worker/prepare.js';
import { updateSchedules } from '../worker/temporal-tasks.js';
import { changeLines, leftOutLines } from './configuration-command.js';
import { exitCodes } from './exit-codes.js';
import { Failure } from './failure.js';
import { findRunning } from './running.js';

interface Place {
  readonly databaseUrl: string;
  /** Null: none that we know of. */
  readonly temporalAddress: string | null;
}

/** Where to: the database that the environment names, else that of the platform that runs here. */
const findPlace = (config: Config): Place => {
  const { databaseUrl, temporal } = config;
  const running = findRunning(config);
  if (databaseUrl !== null)
    return { databaseUrl, temporalAddress: temporal.address ?? running?.temporalAddress ?? null };
  if (running !== null) return running;
  throw new LaunchError(
    'Nothing to apply to: `concord up` is not running here. Start it in another terminal, or set DATABASE_URL.',
  );
};

const judge = async (folder: string): Promise<JudgedFolder> => {
  try {
    return await judgeFolder(folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    throw new LaunchError(`${folder} cannot be read (${reasonOf(error)}): name a folder with institution.yaml in it.`, {
      cause: error,
    });
  }
};

const refusal = ({ problems }: Pick<JudgedFolder, 'problems'>): Failure =>
  new Failure(
    exitCodes.usage,
    'configuration_invalid',
    `Refused: ${String(problems.length)} problem${problems.length === 1 ? '' : 's'}. Nothing was changed.`,
    { parts: problems.map(({ file, line, reason, remedy }) => `${file}:${String(line)}: ${reason}: ${remedy}`) },
  );

/* Returns why they were left as they are, null where they are as configured. */
const bringSchedules = async (config: Config, place: Place, institutionId: number): Promise<string | null> => {
  const { databaseUrl, temporalAddress } = place;
  if (temporalAddress === null) return 'The schedules were left as they are: TEMPORAL_ADDRESS is not set.';
  try {
    await updateSchedules({ config, databaseUrl, temporalAddress, institutionId });
    return null;
  } catch (error) {
    return `Applied, but the schedules were left as they are: Temporal does not answer at ${temporalAddress} (${reasonOf(error)}). Apply again when it does.`;
  }
};

export interface ApplyOptions {
  readonly prune: boolean;
  /** Asked where something that is there changes, with the lines that say what; a first configuration takes nothing away. */
  readonly agreed: (lines: readonly string[]) => Promise<boolean>;
}

export interface AppliedFolder {
  readonly institution: { readonly code: string; readonly name: string };
  readonly changes: Awaited<ReturnType<typeof planJudged>>['changes'];
  /** The changes in words. */
  readonly lines: readonly string[];
  /** What the reader should know besides. */
  readonly warnings: readonly string[];
  /** Of an institution that had none; shown this once. */
  readonly firstKeys: Awaited<ReturnType<typeof firstKeysOf>>;
}

/** Makes a folder of configuration the institution's, whole or not at all: straight into the database, as its owner, for an
 *  institution that has no keys yet. null: it was not agreed to. @throws Failure usage with all that is wrong; LaunchError where there
 *  is no database to apply to */
export async function applyFolder(folder: string, options: ApplyOptions): Promise<AppliedFolder | null> {
  const config = readConfig();
  const judged = await judge(resolve(folder));
  const { configuration } = judged;
  if (configuration === null) throw refusal(judged);
  const place = findPlace(config);
  await prepareDatabase(place.databaseUrl);
  const plan = await planJudged(place.databaseUrl, configuration, options.prune);
  if (plan.problems.length > 0)
    throw refusal({ problems: plan.problems.map((problem) => ({ ...problem, ...judged.locate(problem.path) })) });
  const { code, name } = configuration.institution;
  const lines = [
    `${name}:`,
    ...changeLines(plan.changes),
    ...(options.prune ? [] : leftOutLines(plan.leftOut)),
    ...(plan.changes.length === 0 ? ['Nothing to change.'] : []),
  ];
  if (!plan.changes.every(({ action }) => action === 'create') && !(await options.agreed(lines))) return null;
  const applied = await applyOrRefuse(place.databaseUrl, configuration, options.prune);
  const schedules = await bringSchedules(config, place, applied.institutionId);
  return {
    institution: { code, name },
    ...{ changes: plan.changes, lines },
    warnings: [
      ...judged.unsetSecrets.map((secret) => `${secret} is not set here: the worker needs it in its environment.`),
      ...(schedules === null ? [] : [schedules]),
    ],
    firstKeys: await firstKeysOf(place.databaseUrl, applied.institutionId, 'apply'),
  };
}

/* What the stored records forbid is a refusal too. */
const applyOrRefuse = async (
  databaseUrl: string,
  configuration: Parameters<typeof applyJudged>[1],
  prune: boolean,
): ReturnType<typeof applyJudged> => {
  try {
    return await applyJudged(databaseUrl, configuration, 'apply', prune);
  } catch (cause) {
    if (!(cause instanceof Error) || !('code' in cause) || cause.code !== 'configuration_invalid') throw cause;
    throw new Failure(exitCodes.usage, 'configuration_invalid', `Refused: ${cause.message} Nothing was changed.`, {
      cause,
    });
  }
};
