/* `npm run apply -- FOLDER`: makes a folder of configuration the institution's, whole or not at all. */
import { resolve } from 'node:path';
import { readConfig } from '../config/env.js';
import type { Config } from '../config/env.js';
import { LaunchError, reasonOf } from '../launch/launch-error.js';
import { applyJudged, judgeFolder } from '../worker/apply-folder.js';
import type { JudgedFolder } from '../worker/apply-folder.js';
import { createFirstKeys, listInstitutions, prepareDatabase } from '../worker/prepare.js';
import { updateSchedules } from '../worker/temporal-tasks.js';
import { keyLines } from './keys.js';
import { findRunning } from './running.js';

const write = (line: string): void => void process.stdout.write(`${line}\n`);
const complain = (line: string): void => void process.stderr.write(`${line}\n`);

interface Place {
  readonly databaseUrl: string;
  /** Null: none that we know of. */
  readonly temporalAddress: string | null;
}

/** Where to: the database that the environment names, else that of the `npm start` that runs. */
const findPlace = (config: Config): Place => {
  const { databaseUrl, temporal } = config;
  const running = findRunning(config);
  if (databaseUrl !== null)
    return { databaseUrl, temporalAddress: temporal.address ?? running?.temporalAddress ?? null };
  if (running !== null) return running;
  throw new LaunchError(
    'Nothing to apply to: `npm start` is not running here. Start it in another terminal, or set DATABASE_URL.',
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

const refuse = ({ problems }: JudgedFolder): void => {
  for (const { file, line, reason, remedy } of problems) complain(`${file}:${String(line)}: ${reason}: ${remedy}`);
  complain(`Refused: ${String(problems.length)} problem${problems.length === 1 ? '' : 's'}. Nothing was changed.`);
  process.exitCode = 2;
};

const parts = ['systems', 'entityTypes', 'mappings', 'rules', 'codeTables', 'jobs'] as const;
const titles: Readonly<Record<(typeof parts)[number], string>> = {
  systems: 'systems',
  entityTypes: 'entity types',
  mappings: 'mappings',
  rules: 'rules',
  codeTables: 'code tables',
  jobs: 'jobs',
};

const tellDifference = (name: string, applied: Awaited<ReturnType<typeof applyJudged>>): void => {
  write(`${name}: ${applied.institution}`);
  for (const part of parts) {
    for (const [what, names] of Object.entries(applied[part]) as [string, readonly string[]][]) {
      if (names.length > 0) write(`  ${what.padEnd(8)}  ${titles[part]}: ${names.join(', ')}`);
    }
  }
  const none = parts.every((part) =>
    Object.values(applied[part]).every((names: readonly string[]) => names.length === 0),
  );
  if (none) write('  Everything else is as it was.');
};

const tellFirstKeys = async (databaseUrl: string, institutionId: number): Promise<void> => {
  const institution = (await listInstitutions(databaseUrl)).find(({ id }) => id === institutionId);
  if (institution === undefined || institution.hasKeys) return;
  write('');
  for (const line of keyLines(institution.name, await createFirstKeys(databaseUrl, institutionId, 'apply')))
    write(line);
};

const bringSchedules = async (config: Config, place: Place, institutionId: number): Promise<void> => {
  const { databaseUrl, temporalAddress } = place;
  if (temporalAddress === null) {
    complain('The schedules were left as they are: TEMPORAL_ADDRESS is not set.');
    return;
  }
  try {
    await updateSchedules({ config, databaseUrl, temporalAddress, institutionId });
  } catch (error) {
    complain(
      `Applied, but the schedules were left as they are: Temporal does not answer at ${temporalAddress} (${reasonOf(error)}). Apply again when it does.`,
    );
  }
};

const apply = async (folder: string): Promise<void> => {
  const config = readConfig();
  const judged = await judge(folder);
  const { configuration } = judged;
  if (configuration === null) {
    refuse(judged);
    return;
  }
  const place = findPlace(config);
  await prepareDatabase(place.databaseUrl);
  const applied = await applyJudged(place.databaseUrl, configuration, 'apply');
  tellDifference(configuration.institution.name, applied);
  for (const name of judged.unsetSecrets) complain(`${name} is not set here: the worker needs it in its environment.`);
  await bringSchedules(config, place, applied.institutionId);
  await tellFirstKeys(place.databaseUrl, applied.institutionId);
};

const [folder, ...more] = process.argv.slice(2);
try {
  if (folder === undefined || more.length > 0)
    throw new LaunchError('Name one folder: npm run apply -- path/to/configuration');
  await apply(resolve(folder));
} catch (error) {
  // What the stored records forbid is a refusal too.
  if (!(error instanceof Error) || !('code' in error) || error.code !== 'configuration_invalid') throw error;
  complain(`Refused: ${error.message} Nothing was changed.`);
  process.exitCode = 2;
}
