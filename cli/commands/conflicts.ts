import { dataOf } from '../../client/client.js';
import type { Schemas } from '../../client/client.js';
import { findJob, firstOf, limitOf, limitOption, moreLine, pageOf } from '../asking.js';
import type { Call, Command, Outcome } from '../command.js';
import { valueOf } from '../showing.js';
import { factsOf, moment, stateOf, tableOf } from '../terminal.js';
import type { Paint } from '../terminal.js';
import { oneOf } from './runs.js';

const states = ['pending', 'decided', 'settled', 'withdrawn', 'agreed', 'all'] as const;
const types = ['value', 'duplicate', 'identity'] as const;

/** `concord conflicts` */
export const conflicts: Command = {
  name: 'conflicts',
  summary: 'list the questions that wait for a person',
  options: [
    { name: 'status', value: 'STATUS', description: 'in this state (default: pending)', choices: states },
    { name: 'type', value: 'TYPE', description: 'only of this kind', choices: types },
    { name: 'job', value: 'JOB', description: 'only of this job, by name or id' },
    { name: 'run', value: 'RUN', description: 'only those that this run opened' },
    { name: 'group', value: 'GROUP', description: 'only about this attribute group, such as phone' },
    limitOption,
  ],
  examples: [
    { command: 'concord conflicts', does: 'what waits, with what each system says' },
    { command: 'concord conflicts show 3', does: 'one question, with what a decision changes' },
    { command: 'concord decide 3 --take hr --reason "confirmed by phone"', does: 'decides it' },
  ],
  async run(call) {
    const api = call.api();
    const most = limitOf(call);
    const [job, run, group] = [call.given('job'), call.given('run'), call.given('group')];
    const status = oneOf(states, call.given('status'));
    const type = oneOf(types, call.given('type'));
    const filter = {
      ...(status === undefined ? {} : { status }),
      ...(type === undefined ? {} : { type }),
      ...(job === undefined ? {} : { job: (await findJob(api, job)).id }),
      ...(run === undefined ? {} : { run }),
      ...(group === undefined ? {} : { group }),
    };
    const { items, more } = await firstOf(most, (cursor) =>
      api.GET('/conflicts/pending', { params: { query: { ...filter, ...pageOf(cursor, most) } } }),
    );
    return {
      data: { items },
      text: (paint) =>
        tableOf(
          paint,
          ['ID', 'V', 'TYPE', 'RECORD', 'ABOUT', 'STANDS', 'SAID', 'OPENED (UTC)'],
          items.map((item) => [
            ...[item.id, item.version, item.type, `${item.entityType} ${item.goldenId}`, item.group],
            ...[item.masked ? '•••' : valueOf(item.base), candidatesOf(item), moment(item.createdAt)],
          ]),
          'Nothing waits for a decision.',
        ) + moreLine(more, most),
    };
  },
  subcommands: [
    {
      name: 'show',
      summary: 'show a question with all that is needed to decide it',
      arguments: [{ name: 'id', description: 'the question' }],
      examples: [{ command: 'concord conflicts show 3', does: 'who says what, what stands, what a decision changes' }],
      async run(call: Call): Promise<Outcome> {
        const conflictId = call.argument('id');
        const found = await dataOf(call.api().GET('/conflicts/{conflictId}', { params: { path: { conflictId } } }));
        return { data: found, text: (paint) => conflictText(found, paint) };
      },
    },
  ],
};

const candidatesOf = (item: Schemas['ConflictView']): string =>
  item.candidates
    .map(
      ({ systems, value, empty }) => `${systems.join('+')}: ${item.masked ? '•••' : empty ? '(none)' : valueOf(value)}`,
    )
    .join(' | ');

const conflictText = (item: Schemas['ConflictView'], paint: Paint): string => {
  const { decision } = item;
  const decide = `concord decide ${item.id} --take ${item.candidates[0]?.systems[0] ?? 'SYSTEM'}   or --keep, or --value TEXT`;
  return [
    `${paint.bold(`Question ${item.id}`)} ${stateOf(paint, item.status)}: ${item.reason}`,
    '',
    factsOf(paint, [
      ['record', `${item.entityType} ${item.goldenId}: concord person show ${item.goldenId}`],
      ['about', item.group],
      ['stands', item.masked ? '•••' : valueOf(item.base)],
      ...item.candidates.map(
        ({ systems, value, empty }) =>
          [`${systems.join(', ')} says`, item.masked ? '•••' : empty ? '(none)' : valueOf(value)] as const,
      ),
      ['suggested', item.suggestion === null ? null : JSON.stringify(item.suggestion)],
      ['a decision changes', JSON.stringify(item.impact)],
      ['version', item.version],
      ['opened', `${moment(item.createdAt)} by run ${item.runId}`],
      ['due', moment(item.dueAt)],
      ['decided', decision === null ? null : `${JSON.stringify(decision.choice)} by ${decision.by}`],
      ['because', decision?.reason ?? null],
      ['carried out by run', decision?.runId ?? null],
    ]),
    ...(item.status === 'pending' ? ['', paint.dim(decide)] : []),
  ].join('\n');
};
