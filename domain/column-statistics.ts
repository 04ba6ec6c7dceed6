import { isDate } from './calendar.js';
import type { RawRow } from './rows.js';

/** What the cells of a column have in common; *mixed*: nothing but that they are texts. */
export type CellForm = 'integer' | 'decimal' | 'boolean' | 'date' | 'timestamp' | 'email' | 'phone' | 'mixed';

/** A column in figures. No cell of it is told. */
export interface ColumnStatistics {
  readonly column: string;
  /** Share of blank cells, 0 to 1. */
  readonly blank: number;
  /** How many different values there are among those that are not blank. */
  readonly distinct: number;
  /** Length of the longest, in characters. */
  readonly longest: number;
  /** Null: all cells are blank. */
  readonly form: CellForm | null;
}

/* In this order: a whole number is a decimal too. */
const forms: readonly (readonly [CellForm, (cell: string) => boolean])[] = [
  ['boolean', (cell) => /^(true|false|t|f|yes|no|y|n)$/i.test(cell)],
  ['integer', (cell) => /^[+-]?\d{1,18}$/.test(cell)],
  ['decimal', (cell) => /^[+-]?\d{1,18}([.,]\d{1,18})?$/.test(cell)],
  ['date', (cell) => isDate(cell) || /^\d{1,2}[./-]\d{1,2}[./-]\d{4}$/.test(cell)],
  ['timestamp', (cell) => /^\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}/.test(cell)],
  ['email', (cell) => /^[^\s@]{1,64}@[^\s@]{1,250}\.[^\s@.]{1,60}$/.test(cell)],
  ['phone', (cell) => /^\+?[\d ()/-]{6,24}$/.test(cell)],
];

/** The columns of some rows in figures. */
export const statisticsOf = (columns: readonly string[], rows: readonly RawRow[]): readonly ColumnStatistics[] =>
  columns.map((column, index) => {
    const cells = rows.map((row) => (row[index] ?? '').trim()).filter((cell) => cell !== '');
    const form = forms.find(([, fits]) => cells.every(fits))?.[0] ?? 'mixed';
    return {
      column,
      blank: rows.length === 0 ? 0 : Math.round((1 - cells.length / rows.length) * 1000) / 1000,
      distinct: new Set(cells).size,
      longest: cells.reduce((longest, cell) => Math.max(longest, cell.length), 0),
      form: cells.length === 0 ? null : form,
    };
  });
