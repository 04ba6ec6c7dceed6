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

export const notFound = (what: string, id: string): Problem =>
  new Problem(
    'not_found',
    `There is no ${what} ${/^[\w.:-]{1,60}$/.test(id) ? id : 'with this id'} in your institution.`,
  );
