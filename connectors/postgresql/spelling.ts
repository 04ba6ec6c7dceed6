import { quickDate, quickDecimal, quickScaled } from '../../domain/quick-forms.js';
import type { CellSpelling, ColumnSpelling, RowSpelling } from '../../domain/spelling.js';
import type { RelationColumn } from './relation.js';

const truth: CellSpelling = (text) =>
  text === 'true' || text === 't' ? 't' : text === 'false' || text === 'f' ? 'f' : null;

const whole: CellSpelling = (text) => (quickDecimal(text) === text && !text.includes('.') ? text : null);

const plainDecimal: CellSpelling = (text) => (quickDecimal(text) === text ? text : null);

const instantEnd = 19;

/** RFC 3339 in UTC, as standardizing gives it; our sessions are in UTC. */
const instant: CellSpelling = (text) => {
  if (text.length !== instantEnd + 1 || text[10] !== 'T' || text[instantEnd] !== 'Z') return null;
  const date = text.slice(0, 10);
  return quickDate(date) === null ? null : `${date} ${text.slice(11, instantEnd)}+00`;
};

const scaled = /^numeric\(\d+,(\d+)\)$/;

const dateColumn: ColumnSpelling = { spell: quickDate, form: 'date' };
const wholeColumn: ColumnSpelling = { spell: whole, form: 'whole' };
const truthColumn: ColumnSpelling = { spell: truth, form: 'boolean' };
const instantColumn: ColumnSpelling = { spell: instant, form: 'instant' };
const decimalColumn: ColumnSpelling = { spell: plainDecimal, form: null };

/** More of them are left to the target. */
const mostPlaces = 15;

const scaledColumn = (places: number): ColumnSpelling => ({
  spell: (text) => quickScaled(text, places) ?? spelledAlready(text, places),
  form: places >= 1 && places <= mostPlaces ? { places } : null,
});

/** Null: as given; undefined: the type does not tell. */
const spellingOf = ({ type }: RelationColumn): ColumnSpelling | null | undefined => {
  const scale = scaled.exec(type)?.[1];
  if (scale !== undefined) return scaledColumn(Number(scale));
  if (/^(text|character varying(\(\d+\))?)$/.test(type)) return null;
  if (/^(smallint|integer|bigint)$/.test(type)) return wholeColumn;
  if (type === 'boolean') return truthColumn;
  if (type === 'date') return dateColumn;
  if (type === 'numeric') return decimalColumn;
  if (type === 'timestamp with time zone') return instantColumn;
  return undefined;
};

/** A decimal that has its places already, zeros at the end included. */
const spelledAlready = (text: string, scale: number): string | null => {
  const point = text.indexOf('.');
  return scale > 0 && text.length - point - 1 === scale && point > 0 && quickDecimal(text) !== null ? text : null;
};

/** How the target prints rows that it is given, as far as the types of its columns tell; null where one of them does not. */
export const compileSpelling = (columns: readonly RelationColumn[]): RowSpelling => {
  const spellings = columns.map(spellingOf);
  return spellings.every((spelling) => spelling !== undefined) ? spellings : null;
};
