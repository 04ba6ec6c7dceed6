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
    { command: 'concord conflicts --type duplicate', does: 'records that may be the same' },
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
            ...[item.id, item.version, item.type, `${item.entityType} ${item.goldenId}`, aboutOf(item)],
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

type Conflict = Schemas['ConflictView'];

const aboutOf = (item: Conflict): string => {
  if (item.type === 'value') return item.group;
  return item.type === 'duplicate' ? `the same as ${item.otherGoldenId ?? 'one you do not see'}?` : 'still the same?';
};

const candidatesOf = (item: Conflict): string => (item.type === 'duplicate' ? systemsOf(item) : saidBy(item));

const systemsOf = (item: Conflict): string => item.candidates.flatMap(({ systems }) => systems).join('+');

const saidBy = (item: Conflict): string =>
  item.candidates
    .map(
      ({ systems, value, empty }) => `${systems.join('+')}: ${item.masked ? '•••' : empty ? '(none)' : valueOf(value)}`,
    )
    .join(' | ');

/** How each kind of question is decided. */
const decidedBy = (item: Conflict): string =>
  item.type === 'value'
    ? `--take ${item.candidates[0]?.systems[0] ?? 'SYSTEM'}   or --keep, or --value TEXT`
    : '--same   or --different';

/** What we would choose, in words. */
const suggestionOf = ({ suggestion }: Conflict): string | null => {
  if (suggestion === null) return null;
  const { choice, reason, confidence } = suggestion as {
    choice?: Schemas['ChoiceBody'];
    reason?: string;
    confidence?: number;
  };
  const chosen =
    choice?.take !== undefined
      ? `take ${choice.take}`
      : choice?.same !== undefined
        ? choice.same
          ? 'the same'
          : 'different'
        : 'keep what stands';
  return `${chosen}: ${(reason ?? '').replaceAll('_', ' ')} (${String(Math.round((confidence ?? 0) * 100))}%)`;
};

/** What a decision would write, in words. */
const impactOf = ({ impact }: Conflict): string => {
  const { targets } = impact as { targets?: readonly { readonly mapping: string; readonly records: number }[] };
  const rows = (targets ?? []).map(({ mapping, records }) => `${String(records)} of ${mapping}`);
  return rows.length === 0 ? 'no row of a target' : `rows: ${rows.join(', ')}`;
};

const conflictText = (item: Conflict, paint: Paint): string => {
  const { decision } = item;
  const said = (value: unknown, empty: boolean): string => (item.masked ? '•••' : empty ? '(none)' : valueOf(value));
  return [
    `${paint.bold(`Question ${item.id}`)} ${stateOf(paint, item.status)}: ${item.reason}`,
    '',
    factsOf(paint, [
      ['record', `${item.entityType} ${item.goldenId}: concord person show ${item.goldenId}`],
      [
        'may be the same as',
        item.otherGoldenId === null
          ? null
          : `${item.entityType} ${item.otherGoldenId}: concord person show ${item.otherGoldenId}`,
      ],
      ['about', item.group === '' ? null : item.group],
      ['stands', item.type === 'duplicate' ? null : said(item.base, false)],
      ...(item.type === 'duplicate' ? [] : item.candidates).map(
        ({ systems, value, empty }) => [`${systems.join(', ')} says`, said(value, empty)] as const,
      ),
      ['suggested', suggestionOf(item)],
      ['a decision writes at most', impactOf(item)],
      ['version', item.version],
      ['opened', `${moment(item.createdAt)} by run ${item.runId}`],
      ['due', moment(item.dueAt)],
      ['decided', decision === null ? null : `${JSON.stringify(decision.choice)} by ${decision.by}`],
      ['because', decision?.reason ?? null],
      ['carried out by run', decision?.runId ?? null],
    ]),
    ...(item.status === 'pending' ? ['', paint.dim(`concord decide ${item.id} ${decidedBy(item)}`)] : []),
  ].join('\n');
};
