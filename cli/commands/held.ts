import { dataOf } from '../../client/client.js';
import type { Schemas } from '../../client/client.js';
import { findJob, firstOf, limitOf, limitOption, moreLine, pageOf } from '../asking.js';
import type { Call, Command, OptionSpec, Outcome } from '../command.js';
import { wrongUsage } from '../failure.js';
import { factsOf, moment, stateOf, tableOf } from '../terminal.js';
import { oneOf } from './runs.js';

const states = ['held', 'released', 'discarded', 'applied', 'withdrawn', 'all'] as const;

const decisionOptions: readonly OptionSpec[] = [
  { name: 'reason', value: 'TEXT', description: 'why, for those who ask later (needed)' },
  {
    name: 'seen',
    value: 'VERSION',
    description: 'the version you looked at (default: the newest); another is refused',
  },
];

const heldArgument = { name: 'id', description: 'the held change' };

/** `concord held` */
export const held: Command = {
  name: 'held',
  summary: 'list the changes that were held because they are too much, or came again',
  options: [
    { name: 'status', value: 'STATUS', description: 'in this state (default: held)', choices: states },
    { name: 'job', value: 'JOB', description: 'only of this job, by name or id' },
    { name: 'run', value: 'RUN', description: 'only those that this run held' },
    limitOption,
  ],
  examples: [
    { command: 'concord held', does: 'what is held, and why' },
    { command: 'concord held show 2', does: 'one of them, with the records that it would touch' },
    { command: 'concord held release 2 --reason "HR confirmed it"', does: 'has it carried out' },
    { command: 'concord held discard 2 --reason "a wrong file"', does: 'never carries it out' },
  ],
  async run(call) {
    const api = call.api();
    const most = limitOf(call);
    const [job, run] = [call.given('job'), call.given('run')];
    const status = oneOf(states, call.given('status'));
    const filter = {
      ...(status === undefined ? {} : { status }),
      ...(job === undefined ? {} : { job: (await findJob(api, job)).id }),
      ...(run === undefined ? {} : { run }),
    };
    const { items, more } = await firstOf(most, (cursor) =>
      api.GET('/held-changes', { params: { query: { ...filter, ...pageOf(cursor, most) } } }),
    );
    return {
      data: { items },
      text: (paint) =>
        tableOf(
          paint,
          ['ID', 'V', 'STATE', 'CAUSE', 'WHAT', 'BECAUSE', 'RUN', 'SINCE (UTC)'],
          items.map((item) => [
            ...[item.id, item.version, stateOf(paint, item.status), item.cause.replaceAll('_', ' ')],
            ...[item.words, item.reason, item.runId, moment(item.createdAt)],
          ]),
          'Nothing is held.',
        ) + moreLine(more, most),
    };
  },
  subcommands: [
    {
      name: 'show',
      summary: 'show a held change with the records that it would touch',
      arguments: [heldArgument],
      options: [limitOption],
      examples: [{ command: 'concord held show 2', does: 'why it is held, and what releasing it would do' }],
      run: show,
    },
    {
      name: 'release',
      summary: 'have a held change carried out',
      arguments: [heldArgument],
      options: decisionOptions,
      examples: [
        { command: 'concord held release 2 --reason "HR confirmed it"', does: 'carried out by a run of its own' },
      ],
      run: (call) => decide(call, 'release'),
    },
    {
      name: 'discard',
      summary: 'never carry a held change out',
      arguments: [heldArgument],
      options: decisionOptions,
      examples: [
        { command: 'concord held discard 2 --reason "a wrong file"', does: 'the same input does not ask again' },
      ],
      run: (call) => decide(call, 'discard'),
    },
  ],
};

async function find(call: Call): Promise<Schemas['HeldChangeView']> {
  const heldId = call.argument('id');
  return await dataOf(call.api().GET('/held-changes/{heldId}', { params: { path: { heldId } } }));
}

async function show(call: Call): Promise<Outcome> {
  const change = await find(call);
  const most = limitOf(call);
  const { items, more } = await firstOf(most, (cursor) =>
    call.api().GET('/held-changes/{heldId}/records', {
      params: { path: { heldId: change.id }, query: pageOf(cursor, most) },
    }),
  );
  return {
    data: { ...change, records: items },
    text: (paint) =>
      [
        `${paint.bold(`Held change ${change.id}`)} ${stateOf(paint, change.status)}: ${change.words}`,
        '',
        factsOf(paint, [
          ['because', change.reason],
          ['rows', `${String(change.rows)} of ${String(change.of)}`],
          ['version', change.version],
          ['held', `${moment(change.createdAt)} by run ${change.runId}`],
          ['decided', change.decidedBy === null ? null : `${moment(change.decidedAt)} by ${change.decidedBy}`],
        ]),
        '',
        tableOf(
          paint,
          ['MAPPING', 'KEY', 'WOULD'],
          items.map((row) => [row.mapping, row.sourceKey, row.operation]),
          'No record is listed.',
        ) + moreLine(more, most),
      ].join('\n'),
  };
}

async function decide(call: Call, what: 'release' | 'discard'): Promise<Outcome> {
  const reason = call.given('reason');
  if (reason === undefined) throw wrongUsage('Say why: --reason TEXT.');
  const seen = call.given('seen');
  if (seen !== undefined && !/^[1-9]\d{0,8}$/.test(seen)) throw wrongUsage(`--seen ${seen} is no version.`);
  const version = seen === undefined ? (await find(call)).version : Number(seen);
  const asked = { params: { path: { heldId: call.argument('id') } }, body: { version, reason } };
  const decided = await dataOf(
    what === 'release'
      ? call.api().POST('/held-changes/{heldId}/release', asked)
      : call.api().POST('/held-changes/{heldId}/discard', asked),
  );
  const words = what === 'release' ? 'Released. A run of its own carries it out in a moment' : 'Discarded';
  return { data: decided, text: (paint) => `${paint.green(words)} (batch ${decided.batchId}).` };
}
