import { readCsv } from '../../formats/csv/reader.js';
import { Problem, type ProblemPart } from '../common/problem.js';
import { validationProblem } from '../common/validation.js';
import { mostRecords, type QualityParameters } from './quality.dto.js';
import type { CheckedRow, UnreadableRow } from './report.js';

export interface ReadRows {
  readonly rows: readonly CheckedRow[];
  readonly unreadable: readonly UnreadableRow[];
}

/** Records of a JSON body, in the columns of the mapping. @throws Problem validation_failed */
export const rowsOfRecords = (
  records: readonly Readonly<Record<string, unknown>>[],
  columns: readonly string[],
): ReadRows => {
  const problems: ProblemPart[] = [];
  const rows = records.map((record, index): CheckedRow => {
    const pointer = `/records/${index}`;
    for (const [name, value] of Object.entries(record)) {
      if (!columns.includes(name))
        problems.push({
          pointer: `${pointer}/${name}`,
          code: 'unknown',
          detail: `the mapping reads no column ${name}`,
        });
      else if (!isCell(value))
        problems.push({
          pointer: `${pointer}/${name}`,
          code: 'invalid',
          detail: 'a cell is a text, a number, a flag or null',
        });
    }
    return { row: String(index + 1), pointer, cells: columns.map((column) => toCell(record[column])) };
  });
  if (problems.length > 0) throw validationProblem(problems.slice(0, 1000));
  return { rows, unreadable: [] };
};

const isCell = (value: unknown): boolean => value === null || ['string', 'number', 'boolean'].includes(typeof value);

const toCell = (value: unknown): string | null => {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : null;
};

/** Records of a CSV body. @throws Problem body_malformed, body_too_large */
export const rowsOfCsv = async (
  body: Buffer,
  parameters: QualityParameters,
  columns: readonly string[],
): Promise<ReadRows> => {
  const rows: CheckedRow[] = [];
  const unreadable: UnreadableRow[] = [];
  const { delimiter, encoding } = parameters;
  const dialect = {
    ...(delimiter === undefined ? {} : { delimiter }),
    ...(encoding === undefined ? {} : { encoding }),
  };
  for await (const batch of readCsv(once(body), dialect)) {
    const positions = columns.map((column) => batch.columns.indexOf(column));
    const missing = columns.filter((_column, index) => positions[index] === -1);
    if (missing.length > 0)
      throw new Problem('body_malformed', `The header lacks the columns ${missing.join(', ')} that the mapping reads.`);
    for (const cells of batch.rows) {
      const row = String(rows.length + unreadable.length + 1);
      rows.push({
        row,
        pointer: `/rows/${Number(row) - 1}`,
        cells: positions.map((position) => cells[position] ?? null),
      });
    }
    unreadable.push(...batch.rejected.map(({ problem }) => ({ pointer: `/lines/${problem.row}`, problem })));
    if (rows.length + unreadable.length > mostRecords) throw tooMany();
  }
  return { rows, unreadable };
};

async function* once(body: Buffer): AsyncGenerator<Buffer> {
  yield body;
}

const tooMany = (): Problem =>
  new Problem('body_too_large', `At most ${mostRecords} records are checked at once. Send them in parts.`);
