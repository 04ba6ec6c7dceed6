import { EMPTY, fromStated, toStated, type Stated } from './canonical.js';
import type { AttributeType } from './entity-type.js';
import { isJsonObject } from './paths.js';

/** What JSON escapes: quotes, backslashes, control characters, halves of surrogate pairs (whole pairs are looked at as well: without
 *  the flag `u` the test takes a fifth of the time). */
// eslint-disable-next-line no-control-regex
const needsCare = /["\\\u0000-\u001f\ud800-\udfff]/;
const halfPair = /\p{Cs}/u;

/** PostgreSQL's jsonb refuses the character NUL and halves of surrogate pairs. */
const isStorable = (text: string): boolean => !text.includes('\u0000') && !halfPair.test(text);

/** The canonical JSON of a text; null where it holds a character that cannot be stored. */
export const quoted = (text: string): Stated | null => {
  if (!needsCare.test(text)) return `"${text}"`;
  return isStorable(text) ? JSON.stringify(text) : null;
};

/** The canonical JSON of a standardized text of an attribute type; null where it holds a character that cannot be stored. */
export const encodeScalar = (type: AttributeType, text: string): Stated | null =>
  type === 'boolean' ? (text === 'true' ? 'true' : 'false') : quoted(text);

/** A group's value with a reference set, once the golden id of the record meant is known. `attribute` is null where the
 *  reference is the group's only attribute. */
export const withReference = (value: Stated | null, attribute: string | null, goldenId: string): Stated => {
  const id = JSON.stringify(goldenId);
  if (attribute === null) return id;
  if (value === null || value === EMPTY) return `{${JSON.stringify(attribute)}:${id}}`;
  const said = fromStated(value);
  return toStated({ ...(isJsonObject(said) ? said : {}), [attribute]: goldenId });
};
