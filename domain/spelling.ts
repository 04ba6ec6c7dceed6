import type { Cell, RawRow } from './rows.js';

/** The text that a target prints of a cell that is given as this text; null: the type's own reading would have to be asked. */
export type CellSpelling = (text: string) => string | null;

/** How a target prints each column of rows that it is given; null for a column that prints every text as it is. Null as a whole:
 *  rows have to be read back. */
export type RowSpelling = readonly (CellSpelling | null)[] | null;

/** The row as the target prints it; null: it has to be read back. */
export const spelledRow = (spelling: RowSpelling, row: RawRow): RawRow | null => {
  if (spelling === null) return null;
  const spelled: Cell[] = [];
  for (let place = 0; place < spelling.length; place += 1) {
    const cell = row[place] ?? null;
    const spell = spelling[place] ?? null;
    const text = cell === null || spell === null ? cell : spell(cell);
    if (cell !== null && text === null) return null;
    spelled.push(text);
  }
  return spelled;
};
