import { EMPTY, fromStated, toStated, type Stated } from './canonical.js';
import type { AttributeType } from './entity-type.js';
import { isJsonObject } from './paths.js';

/** Whether JSON may escape something: quotes, backslashes, control characters, halves of surrogate pairs (whole pairs are looked at
 *  as well). Most texts are so short that a regular expression takes twice as long. */
const needsCare = (text: string): boolean => {
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    if (unit < 0x20 || unit === 0x22 || unit === 0x5c || (unit >= 0xd800 && unit <= 0xdfff)) return true;
  }
  return false;
};
const halfPair = /\p{Cs}/u;

/** PostgreSQL's jsonb refuses the character NUL and halves of surrogate pairs. */
const isStorable = (text: string): boolean => !text.includes('\u0000') && !halfPair.test(text);

/** The canonical JSON of a text; null where it holds a character that cannot be stored. */
export const quoted = (text: string): Stated | null => {
  if (!needsCare(text)) return `"${text}"`;
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
