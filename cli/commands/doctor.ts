import type { Command } from '../command.js';
import { exitCodes } from '../exit-codes.js';
import { factsOf, tableOf } from '../terminal.js';
import type { Paint } from '../terminal.js';

const marks = {
  ok: (paint: Paint) => paint.green('ok'),
  warning: (paint: Paint) => paint.yellow('warning'),
  wrong: (paint: Paint) => paint.red('wrong'),
} as const;

/** `concord doctor` */
export const doctor: Command = {
  name: 'doctor',
  summary: 'look at everything that Concord stands on, and say what to do',
  options: [
    { name: 'configuration', short: 'c', description: 'show the settings in force besides, without secrets' },
    {
      name: 'scope',
      value: 'NAME',
      description: 'look for workers of this installation, where several share a namespace',
    },
  ],
  examples: [
    { command: 'concord doctor', does: 'machine, environment, database, Temporal, API; 1 where something is wrong' },
    { command: 'concord doctor --json', does: 'for a monitor, with the settings in force' },
  ],
  async run(call) {
    const { examine } = await import('../doctor.js');
    const scope = call.given('scope');
    call.progress.now('Looking …');
    const report = await examine({ apiUrl: call.settings.url, ...(scope === undefined ? {} : { scope }) });
    const { observations, configuration } = report;
    const wrong = observations.filter(({ state }) => state === 'wrong').length;
    const warnings = observations.filter(({ state }) => state === 'warning').length;
    return {
      data: { healthy: wrong === 0, ...report },
      text: (paint) =>
        [
          tableOf(
            paint,
            ['', 'PART', 'CHECK', 'FOUND'],
            observations.map(({ part, check, state, found }) => [marks[state](paint), part, check, found]),
            '',
          ),
          ...observations
            .filter(({ remedy }) => remedy !== null)
            .map(({ part, check, remedy }) => `\n${paint.bold(`${part}, ${check}:`)} ${remedy ?? ''}`),
          ...(call.flag('configuration') ? ['', factsOf(paint, Object.entries(configuration))] : []),
          '',
          `${String(observations.length - wrong - warnings)} ok, ${String(warnings)} warnings, ${String(wrong)} wrong`,
        ].join('\n'),
      exitCode: wrong === 0 ? exitCodes.ok : exitCodes.failed,
    };
  },
};
