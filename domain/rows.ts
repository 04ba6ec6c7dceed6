/** One cell of a source or target row, as text; `null` where the system holds no value. Numbers, dates and booleans stay text until a mapping reads them. */
export type Cell = string | null;

/** A row in the column order of its reader. */
export type RawRow = readonly Cell[];

/** Why a row never became a record. `row` is a line or ordinal number in the source, `field` a source column. */
export interface RowProblem {
  readonly row: string;
  readonly key: string | null;
  readonly field: string | null;
  readonly reason: string;
  readonly detail: string;
}

/** A row that was set aside, with what could be read of it. */
export interface RejectedRow {
  readonly problem: RowProblem;
  readonly raw: string;
}

/** The separator of a key of several columns; it may not occur in a key cell. */
export const keySeparator = '\u001f';

/** A key as people read and type it: with bars between the cells. */
export const keyInWords = (key: string): string => key.replaceAll(keySeparator, '|');

/** The text of a key: its cells joined by the unit separator. A key with a null cell is no key and gives `null`. */
export const keyOf = (cells: RawRow): string | null => {
  if (cells.some((cell) => cell === null || cell === '')) return null;
  return cells.join(keySeparator);
};
