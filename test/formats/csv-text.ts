import type { RejectedRow } from '../../domain/rows.js';
import { readCsv } from '../../formats/csv/reader.js';
import type { CsvReadOptions } from '../../formats/csv/reader.js';
import type { CsvDialect } from '../../formats/csv/dialect.js';

export interface ReadResult {
  readonly columns: readonly string[];
  readonly rows: (readonly (string | null)[])[];
  readonly rejected: RejectedRow[];
}

/** The bytes in chunks of a size, so that tests can cut a file at every place. */
export async function* chunksOf(bytes: Buffer, size = bytes.length || 1): AsyncGenerator<Buffer, void, undefined> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

export const readAll = async (
  content: string | Buffer,
  dialect: CsvDialect = {},
  options: CsvReadOptions & { readonly chunk?: number } = {},
): Promise<ReadResult> => {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content;
  const rows: (readonly (string | null)[])[] = [];
  const rejected: RejectedRow[] = [];
  let columns: readonly string[] = [];
  for await (const batch of readCsv(chunksOf(bytes, options.chunk), dialect, options)) {
    ({ columns } = batch);
    rows.push(...batch.rows);
    rejected.push(...batch.rejected);
  }
  return { columns, rows, rejected };
};

/** Line and reason of each row that was set aside. */
export const asideOf = (result: ReadResult): [string, string][] =>
  result.rejected.map(({ problem }) => [problem.row, problem.reason]);
