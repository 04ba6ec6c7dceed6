import { say } from '../languages/say.js';
import { Problem } from './problem.js';

/** The number behind an opaque id. Ids that we never gave out are not found, whatever they look like.
 *  @throws Problem not_found */
export const idOf = (text: string, what: string): string => {
  if (/^[1-9]\d{0,17}$/.test(text)) return text;
  throw notFound(what, text);
};

/** The same for ids that are 32-bit numbers in the database. */
export const smallIdOf = (text: string, what: string): number => {
  const id = Number(idOf(text, what));
  if (id <= 2_147_483_647) return id;
  throw notFound(what, text);
};

/** An id that may be personal is not told back. */
export const notFound = (what: string, id: string): Problem => {
  const values = { what, kind: what.replaceAll(' ', '_') };
  const said = /^[\w.:-]{1,60}$/.test(id)
    ? say('not_found.thing', { ...values, id })
    : say('not_found.thing_unnamed', values);
  return new Problem('not_found', said);
};
