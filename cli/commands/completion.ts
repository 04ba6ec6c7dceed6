import type { Command } from '../command.js';
import { completionScript, shells } from '../completion.js';
import { wrongUsage } from '../failure.js';

/** `concord completion`, for these commands and itself. */
export const completion = (commands: readonly Command[]): Command => {
  const self: Command = {
    name: 'completion',
    summary: 'print a script that completes commands in your shell',
    arguments: [{ name: 'shell', description: shells.join(', ') }],
    examples: [
      { command: 'source <(concord completion bash)', does: 'in ~/.bashrc' },
      { command: 'concord completion zsh > "${fpath[1]}/_concord"', does: 'once, for zsh' },
      { command: 'concord completion fish > ~/.config/fish/completions/concord.fish', does: 'once, for fish' },
    ],
    async run(call) {
      const wanted = call.argument('shell');
      const shell = shells.find((one) => one === wanted);
      if (shell === undefined)
        throw wrongUsage(`There is no completion for ${wanted}.`, `There is for ${shells.join(', ')}.`);
      const script = completionScript(shell, [...commands, self]);
      return { data: { shell, script }, text: () => script };
    },
  };
  return self;
};
