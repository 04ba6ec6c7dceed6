import { parseArgs } from 'node:util';
import {
  askForDiff,
  changeLines,
  exitCodes,
  exitOf,
  readGiven,
  type Change,
  type CommandIo,
  type ConfigurationDiff,
} from './configuration-command.js';

/* `concord diff -f FOLDER|FILE [--json]` */

const usage = 'diff -f FOLDER|FILE [--json]';

/** Shows where files and platform differ. Gives 0 (they agree), 3 (they do not), 2 (problems of the files), 5, 1. */
export const run = (args: readonly string[], io: CommandIo): Promise<number> =>
  exitOf(async () => {
    const options = optionsOf(args, io);
    if (options === null) return exitCodes.usage;
    const files = await readGiven(options.path, io);
    const diff = await askForDiff(files, false, io);
    // A file alone says nothing of what it does not hold; a folder is all there is to be.
    const missing = files.whole ? diff.leftOut : [];
    if (options.json) io.write(JSON.stringify({ ...diff, leftOut: missing }));
    else for (const line of linesOf(diff, missing)) io.write(line);
    return diff.changes.length + missing.length === 0 ? exitCodes.ok : exitCodes.decide;
  });

const linesOf = ({ changes }: ConfigurationDiff, missing: ConfigurationDiff['leftOut']): readonly string[] => {
  const gone: Change[] = missing.map(({ kind, name }) => ({ kind, name, action: 'archive', differences: [] }));
  if (changes.length + gone.length === 0) return ['The platform is as the files say.'];
  return [
    ...changeLines(changes),
    ...changeLines(gone).map((line) => `${line} (not in the files; archived only by apply --prune)`),
  ];
};

const optionsOf = (
  args: readonly string[],
  io: CommandIo,
): { readonly path: string; readonly json: boolean } | null => {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { file: { type: 'string', short: 'f' }, json: { type: 'boolean', default: false } },
    });
    if (values.file !== undefined) return { path: values.file, json: values.json };
    io.complain(usage);
  } catch (error) {
    io.complain(`${error instanceof Error ? error.message : String(error)}\n${usage}`);
  }
  return null;
};
