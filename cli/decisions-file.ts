import { createReadStream } from 'node:fs';
import type { Schemas } from '../client/client.js';
import { readCsv } from '../formats/csv/reader.js';
import { wrongUsage } from './failure.js';

type Decision = Schemas['BatchItemBody'];
type Choice = Schemas['ChoiceBody'];

const known = ['id', 'version', 'take', 'keep', 'value', 'same', 'reason'] as const;
type Column = (typeof known)[number];

/** The API takes so many at once. */
const most = 1_000;

/** Decisions from CSV with a header: `id` and `version` of each question, one of `take`, `keep` (yes), `value` and `same` (yes or
 *  no), perhaps a `reason`. `file` `-`: from `input`. @throws Failure usage with the line that is wrong */
export async function readDecisions(
  file: string,
  input: () => Promise<string>,
  valueIn: (text: string) => unknown,
): Promise<Decision[]> {
  const source = file === '-' ? toChunks(await input()) : createReadStream(file);
  const decisions: Decision[] = [];
  try {
    for await (const batch of readCsv(source, { encoding: 'utf-8' })) {
      const [rejected] = batch.rejected;
      if (rejected !== undefined) {
        const { row, reason } = rejected.problem;
        throw wrongUsage(`${nameOf(file)}: line ${row} cannot be read (${reason}).`);
      }
      const columns = columnsOf(file, batch.columns);
      for (const row of batch.rows) {
        const cell = (column: Column): string => row[columns.indexOf(column)] ?? '';
        decisions.push(decisionOf(`${nameOf(file)}: decision ${String(decisions.length + 1)}`, cell, valueIn));
        if (decisions.length > most)
          throw wrongUsage(`${nameOf(file)} holds more than ${String(most)} decisions: divide it.`);
      }
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'EACCES' || code === 'EISDIR')
      throw wrongUsage(`${file} cannot be read (${code}).`);
    throw error;
  }
  if (decisions.length === 0) throw wrongUsage(`${nameOf(file)} holds no decision.`);
  return decisions;
}

const nameOf = (file: string): string => (file === '-' ? 'Standard input' : file);

async function* toChunks(text: string): AsyncGenerator<Buffer> {
  yield Buffer.from(text);
}

function columnsOf(file: string, columns: readonly string[]): readonly string[] {
  const unknown = columns.filter((column) => !known.some((name) => name === column));
  if (unknown.length > 0)
    throw wrongUsage(
      `${nameOf(file)}: ${unknown.join(', ')} is no column of decisions.`,
      `Columns are ${known.join(', ')}.`,
    );
  for (const needed of ['id', 'version'])
    if (!columns.includes(needed)) throw wrongUsage(`${nameOf(file)} lacks the column ${needed}.`);
  return columns;
}

const answers: ReadonlyMap<string, boolean> = new Map([
  ['yes', true],
  ['true', true],
  ['no', false],
  ['false', false],
]);

function decisionOf(where: string, cell: (column: Column) => string, valueIn: (text: string) => unknown): Decision {
  const [take, keep, value, reason] = [cell('take'), cell('keep'), cell('value'), cell('reason')];
  const same = cell('same');
  const version = Number(cell('version'));
  if (!Number.isInteger(version) || version < 1) throw wrongUsage(`${where}: version must be a number.`);
  if (keep !== '' && !answers.has(keep)) throw wrongUsage(`${where}: keep is yes or empty.`);
  if (same !== '' && !answers.has(same)) throw wrongUsage(`${where}: same is yes, no or empty.`);
  const choices: Choice[] = [
    ...(take === '' ? [] : [{ take }]),
    ...(answers.get(keep) === true ? [{ keep: true }] : []),
    ...(value === '' ? [] : [{ value: valueIn(value) }]),
    ...(same === '' ? [] : [{ same: answers.get(same) === true }]),
  ];
  const [choice] = choices;
  if (choice === undefined || choices.length > 1) throw wrongUsage(`${where}: fill one of take, keep, value and same.`);
  return { conflictId: cell('id'), version, choice, ...(reason === '' ? {} : { reason }) };
}
