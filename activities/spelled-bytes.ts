import { isDateForm, isInstantForm, isWhole, placesOf } from '../domain/byte-forms.js';
import type { SpelledForm } from '../domain/spelling.js';
import type { GrowingBytes } from '../platform/growing-bytes.js';

const quote = 0x22;
const point = 0x2e;
const zero = 0x30;
const space = 0x20;
const dateLength = 10;
const timeEnd = 19;
const utc = Buffer.from('+00');

/** Whether a target prints a cell as it stands or otherwise, as far as its bytes tell. */
export type Spelled = 'same' | 'other' | 'unknown';

/** How a target that prints cells so prints this one, which lies between two places. */
export const howSpelled = (form: SpelledForm, cell: Buffer, from: number, to: number): Spelled => {
  switch (form) {
    case 'date':
      return isDateForm(cell, from, to) ? 'same' : 'unknown';
    case 'whole':
      return isWhole(cell, from, to) ? 'same' : 'unknown';
    case 'boolean':
      return isWord(cell, from, to, 'true') || isWord(cell, from, to, 'false') ? 'other' : 'unknown';
    case 'instant':
      return isInstantForm(cell, from, to) ? 'other' : 'unknown';
    default:
      return scaledHow(form.places, cell, from, to);
  }
};

const isWord = (cell: Buffer, from: number, to: number, word: string): boolean => {
  if (to - from !== word.length) return false;
  for (let index = 0; index < word.length; index += 1) if (cell[from + index] !== word.charCodeAt(index)) return false;
  return true;
};

/** A canonical decimal, or one that has its places already. */
const scaledHow = (places: number, cell: Buffer, from: number, to: number): Spelled => {
  const has = placesOf(cell, from, to);
  if (has === places) return 'same';
  return has < 0 || has > places || (has > 0 && cell[to - 1] === zero) ? 'unknown' : 'other';
};

/** Adds the JSON of a cell that is printed otherwise (`howSpelled`). */
export const addSpelled = (json: GrowingBytes, form: SpelledForm, cell: Buffer, from: number, to: number): void => {
  json.addByte(quote);
  if (form === 'instant') {
    json.addBytes(cell, from, from + dateLength);
    json.addByte(space);
    json.addBytes(cell, from + dateLength + 1, from + timeEnd);
    json.addBytes(utc, 0, utc.length);
  } else if (typeof form === 'object') {
    const has = placesOf(cell, from, to);
    json.addBytes(cell, from, to);
    if (has === 0) json.addByte(point);
    for (let place = has; place < form.places; place += 1) json.addByte(zero);
  } else json.addBytes(cell, from, from + 1);
  json.addByte(quote);
};
