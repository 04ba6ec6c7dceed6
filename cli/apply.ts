/* `npm run apply -- FOLDER [--prune] [--yes]`: makes a folder of configuration the institution's, whole or not at all: straight into
   the database, for an institution that has no keys yet. `concord apply` does it through the API. */
import { resolve } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { parseArgs } from 'node:util';
import { readConfig } from '../config/env.js';
import type { Config } from '../config/env.js';
import { LaunchError, reasonOf } from '../launch/launch-error.js';
import { applyJudged, judgeFolder, planJudged } from '../worker/apply-folder.js';
import type { JudgedFolder } from '../worker/apply-folder.js';
import { createFirstKeys, listInstitutions, prepareDatabase } from '../worker/prepare.js';
import { updateSchedules } from '../worker/temporal-tasks.js';
import { changeLines, exitCodes, leftOutLines } from './configuration-command.js';
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

const refuse = ({ problems }: Pick<JudgedFolder, 'problems'>): void => {
  for (const { file, line, reason, remedy } of problems) complain(`${file}:${String(line)}: ${reason}: ${remedy}`);
  complain(`Refused: ${String(problems.length)} problem${problems.length === 1 ? '' : 's'}. Nothing was changed.`);
  process.exitCode = 2;
};

/* Asked only where something that is there changes: a first configuration takes nothing away. */
const agreed = async (plan: Plan, prune: boolean, yes: boolean): Promise<boolean> => {
  for (const line of [...changeLines(plan.changes), ...(prune ? [] : leftOutLines(plan.leftOut))]) write(line);
  if (plan.changes.length === 0) write('Nothing to change.');
  if (yes || plan.changes.every(({ action }) => action === 'create')) return true;
  if (!process.stdin.isTTY) {
    complain('Nothing was changed: there is nobody to be asked. Say --yes to apply it.');
    return false;
  }
  const dialogue = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await dialogue.question('Apply this? [y/N] ');
  dialogue.close();
  return /^y(es)?$/i.test(answer.trim());
};

type Plan = Awaited<ReturnType<typeof planJudged>>;

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

const apply = async (folder: string, prune: boolean, yes: boolean): Promise<void> => {
  const config = readConfig();
  const judged = await judge(folder);
  const { configuration } = judged;
  if (configuration === null) {
    refuse(judged);
    return;
  }
  const place = findPlace(config);
  await prepareDatabase(place.databaseUrl);
  const plan = await planJudged(place.databaseUrl, configuration, prune);
  if (plan.problems.length > 0) {
    refuse({ problems: plan.problems.map((problem) => ({ ...problem, ...judged.locate(problem.path) })) });
    return;
  }
  write(`${configuration.institution.name}:`);
  if (!(await agreed(plan, prune, yes))) {
    process.exitCode = exitCodes.decide;
    return;
  }
  const applied = await applyJudged(place.databaseUrl, configuration, 'apply', prune);
  for (const name of judged.unsetSecrets) complain(`${name} is not set here: the worker needs it in its environment.`);
  await bringSchedules(config, place, applied.institutionId);
  await tellFirstKeys(place.databaseUrl, applied.institutionId);
};

const { values, positionals } = parseArgs({
  options: { prune: { type: 'boolean', default: false }, yes: { type: 'boolean', short: 'y', default: false } },
  allowPositionals: true,
});
const [folder, ...more] = positionals;
try {
  if (folder === undefined || more.length > 0)
    throw new LaunchError('Name one folder: npm run apply -- path/to/configuration');
  await apply(resolve(folder), values.prune, values.yes);
} catch (error) {
  // What the stored records forbid is a refusal too.
  if (!(error instanceof Error) || !('code' in error) || error.code !== 'configuration_invalid') throw error;
  complain(`Refused: ${error.message} Nothing was changed.`);
  process.exitCode = 2;
}
