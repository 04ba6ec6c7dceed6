import { parseArgs } from 'node:util';
import {
  askForDiff,
  changeLines,
  exitCodes,
  exitOf,
  failed,
  givenOf,
  leftOutLines,
  readGiven,
  type CommandIo,
  type ConfigurationDiff,
} from './configuration-command.js';

/* `concord apply -f FOLDER|FILE [--prune] [--yes] [--json]` */

const usage = 'apply -f FOLDER|FILE [--prune] [--yes] [--json]';

/** Shows what the files change, asks, and applies them: all or nothing. A file changes only what it holds.
 *  Gives 0 (applied, or nothing to do), 2 (problems of the files), 3 (nobody to be asked, or not wanted), 4 (it changed
 *  meanwhile), 5 (not with this key), 1 (anything else). */
export const run = (args: readonly string[], io: CommandIo): Promise<number> =>
  exitOf(async () => {
    const options = optionsOf(args, io);
    if (options === null) return exitCodes.usage;
    const files = await readGiven(options.path, io);
    const diff = await askForDiff(files, options.prune, io);
    if (!options.json) tell(diff, options, io);
    if (diff.changes.length === 0) {
      io.write(options.json ? JSON.stringify(diff) : 'Nothing to change.');
      return exitCodes.ok;
    }
    if (!options.yes && !(await agreed(diff, io))) return exitCodes.decide;
    const body = { configuration: givenOf(files), prune: options.prune };
    const reply = await io.api.post('configuration/apply', body, { 'if-match': `"${diff.state}"` });
    if (reply.status === 412) {
      io.complain('The configuration was changed meanwhile. Nothing was applied: look at the difference again.');
      return exitCodes.stale;
    }
    if (reply.status !== 200) return failed('configuration/apply', reply, io);
    io.write(options.json ? JSON.stringify(reply.body) : 'Applied.');
    return exitCodes.ok;
  });

interface Options {
  readonly path: string;
  readonly prune: boolean;
  readonly yes: boolean;
  readonly json: boolean;
}

const optionsOf = (args: readonly string[], io: CommandIo): Options | null => {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        file: { type: 'string', short: 'f' },
        prune: { type: 'boolean', default: false },
        yes: { type: 'boolean', short: 'y', default: false },
        json: { type: 'boolean', default: false },
      },
    });
    const { file, prune, yes, json } = values;
    if (file !== undefined) return { path: file, prune, yes, json };
    io.complain(usage);
  } catch (error) {
    io.complain(`${error instanceof Error ? error.message : String(error)}\n${usage}`);
  }
  return null;
};

const tell = ({ changes, leftOut }: ConfigurationDiff, { prune }: Options, io: CommandIo): void => {
  for (const line of [...changeLines(changes), ...(prune ? [] : leftOutLines(leftOut))]) io.write(line);
};

const agreed = async ({ changes }: ConfigurationDiff, io: CommandIo): Promise<boolean> => {
  if (io.ask === null) {
    io.complain('Nothing was applied: there is nobody to be asked. Say --yes to apply it.');
    return false;
  }
  if (await io.ask(`Apply ${String(changes.length)} change${changes.length === 1 ? '' : 's'}?`)) return true;
  io.complain('Nothing was applied.');
  return false;
};
