import { randomUUID } from 'node:crypto';
import { dataOf } from '../../client/client.js';
import type { Schemas } from '../../client/client.js';
import { exitCodeOfRun, firstOf, limitOf, limitOption, moreLine, pageOf, watchRun } from '../asking.js';
import type { Call, Command, OptionSpec, Outcome } from '../command.js';
import { exitCodes } from '../exit-codes.js';
import { Failure } from '../failure.js';
import { runText, valueOf } from '../showing.js';
import { stateOf, tableOf } from '../terminal.js';
import type { Paint } from '../terminal.js';

const typeOption: OptionSpec = { name: 'type', value: 'TYPE', description: 'the entity type (default: person)' };

/** `concord person` */
export const person: Command = {
  name: 'person',
  summary: 'find, show and synchronize golden records: what we hold to be true of somebody, and why',
  examples: [
    { command: 'concord person find national_id:756-2', does: 'who has this identifier' },
    { command: 'concord person show 2', does: 'every value with where it comes from' },
  ],
  subcommands: [
    {
      name: 'find',
      summary: 'find records by the words of a name, or by an identifier',
      arguments: [{ name: 'words', description: 'the beginnings of words of a name, or SCHEME:VALUE' }],
      options: [typeOption, limitOption],
      examples: [
        { command: 'concord person find "oka am"', does: 'by name, in any order, former names too' },
        { command: 'concord person find student_number:S-1042', does: 'who has this number' },
        { command: 'concord person find --type organisation unitid:100654', does: 'a record of another type' },
      ],
      async run(call: Call): Promise<Outcome> {
        const api = call.api();
        const most = limitOf(call);
        const words = call.argument('words');
        const type = call.given('type') ?? 'person';
        const sought = isIdentifier(words) ? { identifier: words } : { q: words };
        const { items, more } = await firstOf(most, (cursor) =>
          api.GET('/golden-records', { params: { query: { type, ...sought, ...pageOf(cursor, most) } } }),
        );
        return {
          data: { items },
          text: (paint) =>
            tableOf(
              paint,
              ['ID', 'NAME', 'TYPE', 'STATUS'],
              items.map((item) => [item.id, item.label, item.type, stateOf(paint, item.status)]),
              `Nobody of type ${type} is known by ${words}.`,
            ) + moreLine(more, most),
        };
      },
    },
    {
      name: 'show',
      summary: 'show a record: every value with where it comes from',
      arguments: [{ name: 'id', description: 'the golden record, by its id or by an identifier SCHEME:VALUE' }],
      options: [typeOption],
      examples: [
        { command: 'concord person show 2', does: 'values, systems, identifiers, open questions' },
        { command: 'concord person show student_no:S2', does: 'the same, by an identifier' },
      ],
      async run(call: Call): Promise<Outcome> {
        const goldenId = await goldenIdOf(call, call.argument('id'));
        const found = await dataOf(call.api().GET('/golden-records/{goldenId}', { params: { path: { goldenId } } }));
        return { data: found, text: (paint) => recordText(found, paint) };
      },
    },
    {
      name: 'sync',
      summary: 'synchronize one record alone, now',
      arguments: [{ name: 'id', description: 'the golden record, by its id or by an identifier SCHEME:VALUE' }],
      options: [
        typeOption,
        { name: 'no-watch', description: 'return when it has begun' },
        { name: 'idempotency-key', value: 'KEY', description: 'a text of your own: the same never starts two runs' },
      ],
      examples: [
        {
          command: 'concord person sync 2',
          does: 'reads it from each system that can be asked, merges, tells the targets',
        },
        { command: 'concord person sync student_no:S2', does: 'the same, by an identifier' },
      ],
      async run(call: Call): Promise<Outcome> {
        const goldenId = await goldenIdOf(call, call.argument('id'));
        const key = call.given('idempotency-key') ?? randomUUID();
        const started = await dataOf(
          call.api().POST('/golden-records/{goldenId}/sync', {
            params: { path: { goldenId }, header: { 'Idempotency-Key': key } },
          }),
        );
        if (call.flag('no-watch'))
          return { data: started, text: () => `It is begun (workflow ${started.workflowId}).` };
        const ended = await watchRun(call, started);
        return { data: ended, text: (paint) => runText(ended, paint), exitCode: exitCodeOfRun(ended) };
      },
    },
  ],
};

const isIdentifier = (words: string): boolean => /^[^:\s]+:./.test(words);

/** The id of the one record that is meant. @throws Failure where none or several have the identifier */
export async function goldenIdOf(call: Call, wanted: string): Promise<string> {
  if (!isIdentifier(wanted)) return wanted;
  const type = call.given('type') ?? 'person';
  const { items } = await dataOf(
    call.api().GET('/golden-records', { params: { query: { type, identifier: wanted } } }),
  );
  const [found] = items;
  if (found !== undefined && items.length === 1) return found.id;
  const which = items.length === 0 ? 'Nobody' : `More than one (${items.map(({ id }) => id).join(', ')})`;
  throw new Failure(exitCodes.failed, 'not_found', `${which} of type ${type} is known by ${wanted}.`);
}

const recordText = (record: Schemas['GoldenRecordView'], paint: Paint): string =>
  [
    `${paint.bold(`${record.type} ${record.id}`)} ${stateOf(paint, record.status)}, version ${String(record.version)}` +
      (record.mergedInto === null ? '' : `, merged into ${record.mergedInto}`),
    '',
    tableOf(
      paint,
      ['ABOUT', 'VALUE', 'FROM'],
      record.groups.map((group) => [group.name, group.masked ? '•••' : valueOf(group.value), group.words]),
      'There is no value.',
    ),
    '',
    tableOf(
      paint,
      ['SYSTEM', 'MAPPING', 'KEY', ''],
      record.sources.map((source) => [
        source.system,
        source.mapping,
        source.sourceKey,
        source.deleted ? 'deleted there' : '',
      ]),
      'No system has this record.',
    ),
    '',
    tableOf(
      paint,
      ['IDENTIFIER', 'VALUE', 'SAYS'],
      record.identifiers.map(({ scheme, value, system }) => [scheme, value, system]),
      'It has no identifier.',
    ),
    ...record.questions.map(
      ({ id, group }) =>
        `${paint.yellow('open question')} about ${group === '' ? 'the record' : group}: concord conflicts show ${id}`,
    ),
  ].join('\n');
