import { dataOf } from '../../client/client.js';
import type { Command } from '../command.js';
import { moment, stateOf, tableOf } from '../terminal.js';

/** `concord status` */
export const status: Command = {
  name: 'status',
  summary: 'see the state of everything: systems, jobs, what waits for whom',
  examples: [
    { command: 'concord status', does: 'one sentence, then the systems and what someone should look at' },
    { command: 'concord status --json | jq .alerts', does: 'for a monitor' },
  ],
  async run(call) {
    const overview = await dataOf(call.api().GET('/status/overview'));
    return {
      data: overview,
      text: (paint) =>
        [
          `${stateOf(paint, overview.overall)}: ${overview.words}`,
          '',
          tableOf(
            paint,
            ['SYSTEM', 'KIND', 'STATE', 'LAST USED (UTC)', 'PROBLEM'],
            overview.systems.map((system) => [
              ...[system.name, system.kind, stateOf(paint, system.state), moment(system.lastRunAt), system.problem],
            ]),
            'There is no system yet. `concord apply FOLDER` makes a folder of YAML the configuration.',
          ),
          ...overview.alerts.map(({ words, actor }) => `${paint.red('!')} ${words} The ${actor} acts.`),
          ...overview.next.map(({ jobName, rhythm }) => `${paint.dim('next:')} ${jobName} ${rhythm}`),
        ].join('\n'),
    };
  },
};
