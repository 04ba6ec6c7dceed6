import { dataOf } from '../../client/client.js';
import type { ConcordClient, Schemas } from '../../client/client.js';
import type { Call, Command, Outcome } from '../command.js';
import { exitCodes } from '../exit-codes.js';
import { wrongUsage } from '../failure.js';
import { tableOf } from '../terminal.js';
import { readDecisions } from '../decisions-file.js';

type Choice = Schemas['ChoiceBody'];

/** `concord decide` */
export const decide: Command = {
  name: 'decide',
  summary: 'decide a question, or many from a file',
  arguments: [{ name: 'id', description: 'the question', optional: true }],
  options: [
    { name: 'take', value: 'SYSTEM', description: 'take what this system says' },
    { name: 'keep', description: 'keep what stands (of a possible duplicate: these are two)' },
    { name: 'value', value: 'TEXT', description: 'take this value; JSON where it begins with { [ or "' },
    { name: 'none', description: 'decide that there is no value' },
    { name: 'same', description: 'these are the same (of a possible duplicate, or of a key in doubt)' },
    { name: 'different', description: 'these are not the same' },
    { name: 'reason', value: 'TEXT', description: 'why, for those who ask later' },
    {
      name: 'seen',
      value: 'VERSION',
      description: 'the version you looked at (default: the newest); another is refused',
    },
    {
      name: 'file',
      short: 'f',
      value: 'FILE',
      description: 'many: CSV with id,version,take,keep,value,same,reason; - reads standard input',
    },
  ],
  examples: [
    { command: 'concord decide 3 --take hr --reason "confirmed by phone"', does: 'takes what hr says' },
    { command: 'concord decide 3 --keep --seen 2', does: 'keeps what stands, if the question is still at version 2' },
    { command: 'concord decide 3 --value "+41 44 333 33 33"', does: 'takes a value that nobody says' },
    { command: 'concord decide 4 --same', does: 'makes two records one; taken back, they are two again' },
    {
      command: 'concord decide -f decisions.csv --reason "domain changed"',
      does: 'up to 1,000 at once, each with a result of its own',
    },
  ],
  async run(call) {
    const [id, file] = [call.given('id'), call.given('file')];
    if ((id === undefined) === (file === undefined))
      throw wrongUsage('Name one question, or a file of decisions (-f).');
    return id === undefined ? await many(call, file ?? '-') : await one(call, id);
  },
};

async function one(call: Call, conflictId: string): Promise<Outcome> {
  const api = call.api();
  const choice = choiceOf(call);
  const reason = call.given('reason');
  const decided = await dataOf(
    api.POST('/conflicts/{conflictId}/decision', {
      params: { path: { conflictId } },
      body: {
        ...{ version: await seenVersion(call, api, conflictId), choice },
        ...(reason === undefined ? {} : { reason }),
      },
    }),
  );
  return {
    data: decided,
    text: (paint) =>
      `${paint.green('Decided.')} A run of its own carries it out in a moment (batch ${decided.batchId}).\n${paint.dim(`concord conflicts show ${conflictId}`)}`,
  };
}

async function seenVersion(call: Call, api: ConcordClient, conflictId: string): Promise<number> {
  const seen = call.given('seen');
  if (seen === undefined)
    return (await dataOf(api.GET('/conflicts/{conflictId}', { params: { path: { conflictId } } }))).version;
  if (/^[1-9]\d{0,8}$/.test(seen)) return Number(seen);
  throw wrongUsage(`--seen ${seen} is no version.`);
}

function choiceOf(call: Call): Choice {
  const [take, value] = [call.given('take'), call.given('value')];
  const made: Choice[] = [
    ...(take === undefined ? [] : [{ take }]),
    ...(call.flag('keep') ? [{ keep: true }] : []),
    ...(value === undefined ? [] : [{ value: valueIn(value) }]),
    ...(call.flag('none') ? [{ value: null }] : []),
    ...(call.flag('same') ? [{ same: true }] : []),
    ...(call.flag('different') ? [{ same: false }] : []),
  ];
  const [choice] = made;
  if (choice === undefined || made.length > 1)
    throw wrongUsage(
      'Say what is decided, by one of --take SYSTEM, --keep, --value TEXT, --none, --same and --different.',
    );
  return choice;
}

/** A value as typed: JSON where it looks like an object, a list or a quoted text. @throws Failure usage */
export function valueIn(text: string): unknown {
  if (!/^\s*[{["]/.test(text)) return text;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw wrongUsage('The value looks like JSON and is none.', 'Put quotation marks around it: \'"{text}"\'');
  }
}

async function many(call: Call, file: string): Promise<Outcome> {
  const decisions = await readDecisions(file, () => call.input(), valueIn);
  const reason = call.given('reason');
  const result = await dataOf(
    call.api().POST('/conflicts/decisions:batch', {
      body: { decisions, ...(reason === undefined ? {} : { reason }) },
    }),
  );
  const refused = result.items.filter((item) => item.result !== 'decided');
  return {
    data: result,
    text: (paint) =>
      [
        `${String(result.accepted)} decided, ${String(result.rejected)} refused.`,
        ...(refused.length === 0
          ? []
          : [
              tableOf(
                paint,
                ['ID', 'REFUSED BECAUSE', 'IN WORDS'],
                refused.map((item) => [item.conflictId, item.result, item.detail]),
                '',
              ),
            ]),
      ].join('\n'),
    exitCode: refused.length === 0 ? exitCodes.ok : exitCodes.stale,
  };
}
