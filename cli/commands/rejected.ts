import { firstOf, limitOf, limitOption, moreLine, pageOf } from '../asking.js';
import type { Command } from '../command.js';
import { tableOf } from '../terminal.js';
import { oneOf } from './runs.js';

const kinds = ['rejected', 'waiting'] as const;

/** `concord rejected` */
export const rejected: Command = {
  name: 'rejected',
  summary: 'list the records that a run set aside, each with the reason',
  arguments: [{ name: 'run', description: 'the run' }],
  options: [
    { name: 'kind', value: 'KIND', description: 'rejected, or waiting for a record they refer to', choices: kinds },
    { name: 'reason', value: 'REASON', description: 'only for this reason' },
    limitOption,
  ],
  examples: [
    { command: 'concord rejected 17', does: 'what run 17 set aside' },
    { command: 'concord rejected 17 --reason birth_date_is_a_date --json', does: 'those of one rule, for a script' },
  ],
  async run(call) {
    const api = call.api();
    const most = limitOf(call);
    const runId = call.argument('run');
    const kind = oneOf(kinds, call.given('kind'));
    const reason = call.given('reason');
    const filter = { ...(kind === undefined ? {} : { kind }), ...(reason === undefined ? {} : { reason }) };
    const { items, more } = await firstOf(most, (cursor) =>
      api.GET('/runs/{runId}/rejected', {
        params: { path: { runId }, query: { ...filter, ...pageOf(cursor, most) } },
      }),
    );
    return {
      data: { items },
      text: (paint) =>
        tableOf(
          paint,
          ['ID', 'MAPPING', 'KIND', 'KEY', 'AT', 'FIELD', 'REASON', 'IN WORDS'],
          items.map((row) => [
            ...[row.id, row.mapping, row.kind, row.sourceKey, row.position, row.field, row.reason, row.detail],
          ]),
          'The run set nothing aside.',
        ) + moreLine(more, most),
    };
  },
};
