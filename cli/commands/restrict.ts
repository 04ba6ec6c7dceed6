import { randomUUID } from 'node:crypto';
import { dataOf } from '../../client/client.js';
import { firstOf, limitOf, limitOption, moreLine, pageOf } from '../asking.js';
import type { Call, Command, OptionSpec, Outcome } from '../command.js';
import { wrongUsage } from '../failure.js';
import { moment, tableOf } from '../terminal.js';
import { goldenIdOf } from './person.js';
import { oneOf } from './runs.js';

const states = ['standing', 'ended', 'released'] as const;
const reasonOption: OptionSpec = {
  name: 'reason',
  value: 'TEXT',
  description: 'why, for those who ask later (needed)',
};

/** `concord restrict` */
export const restrict: Command = {
  name: 'restrict',
  summary: 'list restrictions: what may not be sent to whom',
  options: [
    { name: 'record', value: 'ID', description: 'only of this golden record' },
    { name: 'class', value: 'CLASS', description: 'only against this class of recipients' },
    { name: 'state', value: 'STATE', description: 'only in this state', choices: states },
    limitOption,
  ],
  examples: [
    { command: 'concord restrict --state standing', does: 'those that hold' },
    {
      command: 'concord restrict place 2 --class directory --authority "request of the person" --reason "at the desk"',
      does: 'holds at once; targets of the class are told to forget',
    },
    { command: 'concord restrict release 5 --reason "withdrawn"', does: 'by a steward only' },
  ],
  async run(call) {
    const api = call.api();
    const most = limitOf(call);
    const [goldenId, recipientClass] = [call.given('record'), call.given('class')];
    const state = oneOf(states, call.given('state'));
    const filter = {
      ...(goldenId === undefined ? {} : { goldenId }),
      ...(recipientClass === undefined ? {} : { recipientClass }),
      ...(state === undefined ? {} : { state }),
    };
    const { items, more } = await firstOf(most, (cursor) =>
      api.GET('/restrictions', { params: { query: { ...filter, ...pageOf(cursor, most) } } }),
    );
    return {
      data: { items },
      text: (paint) =>
        tableOf(
          paint,
          ['ID', 'RECORD', 'KEPT FROM', 'STATE', 'BY', 'AUTHORITY', 'SINCE (UTC)'],
          items.map((item) => [
            ...[item.id, `${item.entityType} ${item.goldenId}`, item.recipientClass, item.state],
            ...[item.placedBy, item.authority, moment(item.placedAt)],
          ]),
          'Nothing is restricted.',
        ) + moreLine(more, most),
    };
  },
  subcommands: [
    {
      name: 'place',
      summary: 'keep a record from a class of recipients, at once',
      arguments: [{ name: 'record', description: 'the golden record, by its id or by an identifier SCHEME:VALUE' }],
      options: [
        { name: 'class', value: 'CLASS', description: 'the class of recipients; * is everybody (needed)' },
        { name: 'authority', value: 'TEXT', description: 'by which authority (needed)' },
        reasonOption,
        { name: 'from', value: 'DATE', description: 'its first day (default: at once)' },
        { name: 'to', value: 'DATE', description: 'its last day (default: until it is released)' },
        { name: 'type', value: 'TYPE', description: 'the entity type of the identifier (default: person)' },
      ],
      examples: [
        {
          command:
            'concord restrict place student_no:S2 --class directory --authority "request of the person" --reason "at the desk"',
          does: 'she stands in no directory from now on',
        },
      ],
      async run(call: Call): Promise<Outcome> {
        const [from, to] = [call.given('from'), call.given('to')];
        const body = {
          goldenId: await goldenIdOf(call, call.argument('record')),
          ...{ recipientClass: needed(call, 'class'), authority: needed(call, 'authority') },
          reason: needed(call, 'reason'),
          ...(from === undefined ? {} : { from }),
          ...(to === undefined ? {} : { to }),
        };
        const params = { header: { 'Idempotency-Key': randomUUID() } };
        const placed = await dataOf(call.api().POST('/restrictions', { params, body }));
        return {
          data: placed,
          text: () =>
            `Restriction ${placed.id} holds: ${placed.entityType} ${placed.goldenId} is kept from ${placed.recipientClass}.`,
        };
      },
    },
    {
      name: 'release',
      summary: 'let a restriction hold no more',
      arguments: [{ name: 'id', description: 'the restriction' }],
      options: [reasonOption],
      examples: [
        { command: 'concord restrict release 5 --reason "withdrawn"', does: 'targets are told again at once' },
      ],
      async run(call: Call): Promise<Outcome> {
        const reason = needed(call, 'reason');
        const released = await dataOf(
          call.api().POST('/restrictions/{restrictionId}/release', {
            params: { path: { restrictionId: call.argument('id') } },
            body: { reason },
          }),
        );
        return { data: released, text: () => `Restriction ${released.id} holds no more.` };
      },
    },
  ],
};

function needed(call: Call, option: string): string {
  const value = call.given(option);
  if (value === undefined)
    throw wrongUsage(`--${option} is needed.`, 'concord restrict place --help shows an example.');
  return value;
}
