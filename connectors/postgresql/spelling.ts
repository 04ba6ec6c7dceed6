import { quickDate, quickDecimal, quickScaled } from '../../domain/quick-forms.js';
import type { Cell, RawRow } from '../../domain/rows.js';
import type { RelationColumn } from './relation.js';

/** The text that `COPY` prints of a value that is given as this text; null: the type's own reading would have to be asked. */
type Spelling = (text: string) => string | null;

const asGiven: Spelling = (text) => text;

const truth: Spelling = (text) =>
  text === 'true' || text === 't' ? 't' : text === 'false' || text === 'f' ? 'f' : null;

const whole: Spelling = (text) => (text === '0' || (quickDecimal(text) === text && !text.includes('.')) ? text : null);

const plainDecimal: Spelling = (text) => (quickDecimal(text) === text ? text : null);

const instantEnd = 19;

/** RFC 3339 in UTC, as standardizing gives it; our sessions are in UTC. */
const instant: Spelling = (text) => {
  if (text.length !== instantEnd + 1 || text[10] !== 'T' || text[instantEnd] !== 'Z') return null;
  const date = text.slice(0, 10);
  return quickDate(date) === null ? null : `${date} ${text.slice(11, instantEnd)}+00`;
};

const scaled = /^numeric\(\d+,(\d+)\)$/;

const spellingOf = ({ type }: RelationColumn): Spelling | null => {
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

/** How the target prints rows that it is given, as far as the types of its columns tell; null for a row of which they do not. */
export const compileSpelling = (columns: readonly RelationColumn[]): ((row: RawRow) => RawRow | null) => {
  const spellings = columns.map(spellingOf);
  if (spellings.includes(null)) return () => null;
  return (row) => {
    const spelled: Cell[] = [];
    for (let place = 0; place < spellings.length; place += 1) {
      const cell = row[place] ?? null;
      const text = cell === null ? null : (spellings[place]?.(cell) ?? null);
      if (cell !== null && text === null) return null;
      spelled.push(text);
    }
    return spelled;
  };
};
