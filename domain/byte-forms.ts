import { daysIn } from './calendar.js';
import type { RuleDefinition } from './rule-definition.js';

/** Looks at a cell where its bytes of UTF-8 lie, before anybody makes a text of it. True: what is asked surely holds of the cell;
 *  false: it is not known, the text is to be looked at. Cells of one kind are asked: not null, without control characters, quotes
 *  and backslashes. */
export type ByteCheck = (bytes: Uint8Array, from: number, to: number) => boolean;

const zero = 0x30;
const nine = 0x39;
const point = 0x2e;
const minus = 0x2d;
const colon = 0x3a;
const space = 0x20;
const lastAscii = 0x7e;
const letterT = 0x74;
const letterF = 0x66;

const isDigit = (byte: number): boolean => byte >= zero && byte <= nine;
const isVisible = (byte: number): boolean => byte > space && byte <= lastAscii;

export const anyBytes: ByteCheck = () => true;

/** Not blank. */
export const isVisibleText: ByteCheck = (bytes, from, to) => to > from && isVisible(bytes[from] ?? 0);

/** As trimming leaves it. */
export const isTrimmed: ByteCheck = (bytes, from, to) =>
  to > from && isVisible(bytes[from] ?? 0) && isVisible(bytes[to - 1] ?? 0);

/** Two digits as a number, or -1. */
const pairAt = (bytes: Uint8Array, at: number): number => {
  const [tens, ones] = [bytes[at] ?? 0, bytes[at + 1] ?? 0];
  return isDigit(tens) && isDigit(ones) ? (tens - zero) * 10 + ones - zero : -1;
};

/** The date that begins at a place as the number YYYYMMDD; -1: none. */
const dateAt = (bytes: Uint8Array, at: number): number => {
  if (bytes[at + 4] !== minus || bytes[at + 7] !== minus) return -1;
  const [century, year] = [pairAt(bytes, at), pairAt(bytes, at + 2)];
  const [month, day] = [pairAt(bytes, at + 5), pairAt(bytes, at + 8)];
  if (century < 1 || year < 0 || day < 1 || day > daysIn(century * 100 + year, month)) return -1;
  return (century * 100 + year) * 10_000 + month * 100 + day;
};

const dateLength = 10;

/** A date as it is canonical. */
export const isDateForm: ByteCheck = (bytes, from, to) => to - from === dateLength && dateAt(bytes, from) >= 0;

/** A time of day to the second begins at a place. */
const hasTimeAt = (bytes: Uint8Array, at: number): boolean => {
  if (bytes[at + 2] !== colon || bytes[at + 5] !== colon) return false;
  const [hour, minute, second] = [pairAt(bytes, at), pairAt(bytes, at + 3), pairAt(bytes, at + 6)];
  return hour >= 0 && hour < 24 && minute >= 0 && minute < 60 && second >= 0 && second < 60;
};

const timestampLength = 22;

/** An instant in the form that `quickTimestamp` takes. */
export const isTimestampForm: ByteCheck = (bytes, from, to) => {
  if (to - from !== timestampLength || dateAt(bytes, from) < 0) return false;
  if (bytes[from + 19] !== 0x2b || bytes[from + 20] !== zero || bytes[from + 21] !== zero) return false;
  return bytes[from + 10] === space && hasTimeAt(bytes, from + 11);
};

const instantLength = 20;
const separatorT = 0x54;
const suffixZ = 0x5a;

/** An instant as it is canonical, to the second. */
export const isInstantForm: ByteCheck = (bytes, from, to) => {
  if (to - from !== instantLength || dateAt(bytes, from) < 0) return false;
  return bytes[from + 10] === separatorT && bytes[from + 19] === suffixZ && hasTimeAt(bytes, from + 11);
};

/** A truth value as PostgreSQL writes it. */
export const isTruthLetter: ByteCheck = (bytes, from, to) =>
  to - from === 1 && (bytes[from] === letterT || bytes[from] === letterF);

/** How many places a decimal has after its point (0: it has no point); -1: none, or one that begins with zero. */
export const placesOf = (bytes: Uint8Array, from: number, to: number): number => {
  let at = bytes[from] === minus ? from + 1 : from;
  const [start, first] = [at, bytes[at] ?? 0];
  while (at < to && isDigit(bytes[at] ?? 0)) at += 1;
  if (at === start || first === zero) return -1;
  if (at === to) return 0;
  if (bytes[at] !== point) return -1;
  const fraction = at + 1;
  for (at = fraction; at < to; at += 1) if (!isDigit(bytes[at] ?? 0)) return -1;
  return fraction === to ? -1 : to - fraction;
};

/** A decimal in its canonical form. */
export const isCanonicalDecimal: ByteCheck = (bytes, from, to) => {
  const places = placesOf(bytes, from, to);
  return places === 0 || (places > 0 && bytes[to - 1] !== zero);
};

/** A decimal with so many places, of which some may be zeros. */
export const isScaledDecimal =
  (scale: number): ByteCheck =>
  (bytes, from, to) =>
    scale > 0 && placesOf(bytes, from, to) === scale;

/** Also of so many bytes at most, and thus of as many characters. */
export const ofLength =
  (check: ByteCheck, most: number): ByteCheck =>
  (bytes, from, to) =>
    to - from <= most && check(bytes, from, to);

/** A decimal that is canonical but for zeros at its end, none of one that begins with zero. */
export const isDecimal: ByteCheck = (bytes, from, to) => placesOf(bytes, from, to) >= 0;

/** Where the canonical form of such a decimal ends. */
export const endOfDecimal = (bytes: Uint8Array, from: number, to: number): number => {
  let [end, isPlain] = [to, true];
  for (let at = from; at < to && isPlain; at += 1) isPlain = bytes[at] !== point;
  if (isPlain) return to;
  while (bytes[end - 1] === zero) end -= 1;
  return bytes[end - 1] === point ? end - 1 : end;
};

/** A whole number other than zero, in its canonical form. */
export const isWhole: ByteCheck = (bytes, from, to) => placesOf(bytes, from, to) === 0;

const exactDigits = 15;

/** A decimal as a number, where it has so few digits that comparing numbers is exact; NaN: not known. */
const numberAt = (bytes: Uint8Array, from: number, to: number): number => {
  const places = to - from <= exactDigits ? placesOf(bytes, from, to) : -1;
  if (places < 0) return NaN;
  let digits = 0;
  for (let at = from; at < to; at += 1) {
    const byte = bytes[at] ?? 0;
    if (isDigit(byte)) digits = digits * 10 + byte - zero;
  }
  // Both are exact, so that the quotient is the number nearest to the decimal.
  const value = digits / 10 ** places;
  return bytes[from] === minus ? -value : value;
};

const dateText = /^\d{4}-\d{2}-\d{2}$/;
const numberText = /^-?\d{1,15}(?:\.\d+)?$/;

const rangeForm = ({ min, max }: Extract<RuleDefinition, { check: 'range' }>): ByteCheck | null => {
  const bounds = [min, max].filter((bound): bound is string => bound !== undefined);
  const within = (least: number, most: number, valueOf: (text: string) => number) => ({
    least: min === undefined ? least : valueOf(min),
    most: max === undefined ? most : valueOf(max),
  });
  if (bounds.every((bound) => dateText.test(bound))) {
    const { least, most } = within(0, Infinity, (bound) => Number(bound.replaceAll('-', '')));
    return (bytes, from, to) => {
      const date = to - from === dateLength ? dateAt(bytes, from) : -1;
      return date >= 0 && date >= least && date <= most;
    };
  }
  if (!bounds.every((bound) => bound.length <= exactDigits && numberText.test(bound))) return null;
  const { least, most } = within(-Infinity, Infinity, Number);
  return (bytes, from, to) => {
    const value = numberAt(bytes, from, to);
    return value >= least && value <= most;
  };
};

const mostWords = 16;
const visibleWord = /^[!-~]+$/;

/** Any of these words, which are few and of visible ASCII. */
const wordForm = (accepted: readonly string[]): ByteCheck | null => {
  if (accepted.length > mostWords || !accepted.every((word) => visibleWord.test(word))) return null;
  const words = accepted.map((word) => Uint8Array.from(word, (letter) => letter.charCodeAt(0)));
  return (bytes, from, to) => {
    for (const word of words) {
      if (word.length !== to - from) continue;
      let same = 0;
      while (same < word.length && word[same] === bytes[from + same]) same += 1;
      if (same === word.length) return true;
    }
    return false;
  };
};

const longestCharacter = 4;

/** What surely keeps a rule; null: its cells are looked at as texts. `accepted`: the words of an `in_set`. */
export const ruleForm = (rule: RuleDefinition, accepted: readonly string[]): ByteCheck | null => {
  switch (rule.check) {
    case 'required':
      return isVisibleText;
    case 'in_set':
      return wordForm(accepted);
    case 'range':
      return rangeForm(rule);
    case 'length': {
      const [least, most] = [(rule.min ?? 0) * longestCharacter, rule.max ?? Infinity];
      return (_, from, to) => to - from >= least && to - from <= most;
    }
    case 'type':
      if (rule.type === 'decimal') return isDecimal;
      if (rule.type === 'integer') return isWhole;
      return rule.type === 'date' && rule.formats === undefined ? isDateForm : null;
    case 'pattern':
    case 'unique':
    case 'reference_exists':
      return null;
  }
};
