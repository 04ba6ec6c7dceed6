import type { Command } from '../command.js';
import { run } from '../configuration-export.js';
import { configurationIo, outcomeOf } from '../configuration-io.js';

/** `concord export` */
export const exportFiles: Command = {
  name: 'export',
  summary: 'write all that is configured into a folder, as files that `apply` takes',
  arguments: [{ name: 'folder', description: 'an empty folder, or one that is not there yet' }],
  options: [{ name: 'force', description: 'write over what is there' }],
  examples: [
    { command: 'concord export college', does: 'a file for each system, entity type, mapping …' },
    { command: 'concord export college --force', does: 'over files that are there; git shows what changed' },
  ],
  async run(call) {
    const io = configurationIo(call);
    const force = call.flag('force') ? ['--force'] : [];
    return outcomeOf(call, io, await run(['-f', call.argument('folder'), ...force], io));
  },
};
