import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import { parseArgs } from 'node:util';
import { exitCodes, exitOf, failed, type CommandIo } from './configuration-command.js';

/* `concord export -f FOLDER [--force]` */

const usage = 'export -f FOLDER [--force]';

/** Writes all that is configured into a folder, as files that `apply` takes. A folder that holds something is only written into
 *  with `--force`. Gives 0, 2 (no such folder to write to), 5, 1. */
export const run = (args: readonly string[], io: CommandIo): Promise<number> =>
  exitOf(async () => {
    const options = optionsOf(args, io);
    if (options === null) return exitCodes.usage;
    const folder = resolve(options.path);
    const present = await filesIn(folder);
    if (present.length > 0 && !options.force) {
      io.complain(`${folder} is not empty. Name another folder, or say --force to write over what is there.`);
      return exitCodes.usage;
    }
    const reply = await io.api.get('configuration/export');
    if (reply.status !== 200) return failed('configuration/export', reply, io);
    // Sound: the reply is that of the document of the API.
    const { files } = reply.body as { readonly files: readonly { readonly path: string; readonly text: string }[] };
    for (const { path, text } of files) await writeInto(folder, path, text);
    io.write(`${String(files.length)} files are written to ${folder}.`);
    tellStale(present, new Set(files.map(({ path }) => path)), io);
    return exitCodes.ok;
  });

/* A path that leads out of the folder is none of ours. */
const writeInto = async (folder: string, path: string, text: string): Promise<void> => {
  const target = resolve(join(folder, ...path.split('/')));
  if (!target.startsWith(folder + sep)) throw new Error(`a file of the export leads out of the folder: ${path}`);
  await mkdir(dirname(target), { recursive: true });
  await writeFile(target, text);
};

const filesIn = async (folder: string): Promise<readonly string[]> => {
  try {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) =>
        join(entry.parentPath, entry.name)
          .slice(folder.length + 1)
          .split(sep)
          .join('/'),
      );
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
};

const tellStale = (present: readonly string[], written: ReadonlySet<string>, io: CommandIo): void => {
  const stale = present.filter((path) => /\.ya?ml$/.test(path) && !written.has(path));
  if (stale.length > 0)
    io.complain(`These files are of nothing that is configured, and were left: ${stale.sort().join(', ')}.`);
};

const optionsOf = (
  args: readonly string[],
  io: CommandIo,
): { readonly path: string; readonly force: boolean } | null => {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { file: { type: 'string', short: 'f' }, force: { type: 'boolean', default: false } },
    });
    if (values.file !== undefined) return { path: values.file, force: values.force };
    io.complain(usage);
  } catch (error) {
    io.complain(`${error instanceof Error ? error.message : String(error)}\n${usage}`);
  }
  return null;
};
