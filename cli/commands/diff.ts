import type { Command } from '../command.js';
import { run } from '../configuration-diff.js';
import { configurationIo, outcomeOf } from '../configuration-io.js';

/** `concord diff` */
export const diff: Command = {
  name: 'diff',
  summary: 'show where a folder of YAML and the platform differ',
  arguments: [{ name: 'folder', description: 'the folder, or one file of it' }],
  examples: [
    { command: 'concord diff college', does: '0 where they agree, 3 where they do not' },
    { command: 'concord diff college/jobs/people.yaml --json', does: 'one file, for a script' },
  ],
  async run(call) {
    const io = configurationIo(call);
    const json = call.flag('json') ? ['--json'] : [];
    return outcomeOf(call, io, await run(['-f', call.argument('folder'), ...json], io));
  },
};
