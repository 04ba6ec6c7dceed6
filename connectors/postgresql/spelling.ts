import { quickDate, quickDecimal, quickScaled } from '../../domain/quick-forms.js';
import type { CellSpelling, RowSpelling } from '../../domain/spelling.js';
import type { RelationColumn } from './relation.js';

const asGiven: CellSpelling = (text) => text;

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

const spellingOf = ({ type }: RelationColumn): CellSpelling | null => {
  const scale = scaled.exec(type)?.[1];
  if (scale !== undefined) return (text) => quickScaled(text, Number(scale)) ?? spelledAlready(text, Number(scale));
  if (/^(text|character varying(\(\d+\))?)$/.test(type)) return asGiven;
  if (/^(smallint|integer|bigint)$/.test(type)) return whole;
  if (type === 'boolean') return truth;
  if (type === 'date') return quickDate;
  if (type === 'numeric') return plainDecimal;
  if (type === 'timestamp with time zone') return instant;
  return null;
};

/** A decimal that has its places already, zeros at the end included. */
const spelledAlready = (text: string, scale: number): string | null => {
  const point = text.indexOf('.');
  return scale > 0 && text.length - point - 1 === scale && point > 0 && quickDecimal(text) !== null ? text : null;
};

/** How the target prints rows that it is given, as far as the types of its columns tell; null where one of them does not. */
export const compileSpelling = (columns: readonly RelationColumn[]): RowSpelling => {
  const spellings = columns.map(spellingOf);
  return spellings.every((spelling) => spelling !== null)
    ? spellings.map((spell) => (spell === asGiven ? null : spell))
    : null;
};
