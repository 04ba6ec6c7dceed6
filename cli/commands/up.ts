import type { Command } from '../command.js';

/** `concord up` */
export const up: Command = {
  name: 'up',
  summary: 'start the whole platform here, until Ctrl-C',
  examples: [
    {
      command: 'concord up',
      does: 'PostgreSQL, Temporal with its Web UI, worker and API; their data stay in .concord/',
    },
    {
      command: 'DATABASE_URL=… TEMPORAL_ADDRESS=… concord up',
      does: 'worker and API on a PostgreSQL and a Temporal of your own',
    },
  ],
  async run() {
    // Read when it is needed: no other command pays for loading the platform.
    const { up: start } = await import('../up.js');
    await start();
    return { data: { stopped: true }, text: () => '' };
  },
};
