import type { Cell, RawRow } from './rows.js';

/** The text that a target prints of a cell that is given as this text; null: the type's own reading would have to be asked. */
export type CellSpelling = (text: string) => string | null;

/** The same of a cell of which bytes are at hand, where it has the form that standardizing gives it: dates and whole numbers are printed as
 *  they stand, truth values by their first letter, decimals with so many places, instants in PostgreSQL's own way. A cell of another
 *  form is looked at as a text. */
export type SpelledForm = 'date' | 'whole' | 'boolean' | 'instant' | { readonly places: number };

export interface ColumnSpelling {
  readonly spell: CellSpelling;
  /** Null: its cells are looked at as texts. */
  readonly form: SpelledForm | null;
}

/** How a target prints each column of rows that it is given; null for a column that prints every text as it is. Null as a whole:
 *  rows have to be read back. */
export type RowSpelling = readonly (ColumnSpelling | null)[] | null;

/** The row as the target prints it; null: it has to be read back. */
export const spelledRow = (spelling: RowSpelling, row: RawRow): RawRow | null => {
  if (spelling === null) return null;
  const spelled: Cell[] = [];
  for (let place = 0; place < spelling.length; place += 1) {
    const cell = row[place] ?? null;
    const column = spelling[place] ?? null;
    const text = cell === null || column === null ? cell : column.spell(cell);
    if (cell !== null && text === null) return null;
    spelled.push(text);
  }
  return spelled;
};
