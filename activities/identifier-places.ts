import type { EntityTypeRef } from './context.js';

/** A table of the places that a record of the type may have identifiers at: `n`. (Of `generate_series` PostgreSQL expects a thousand
 *  rows, and plans accordingly.) */
export const identifierPlaces = ({ definition }: EntityTypeRef): string => {
  const places = Array.from({ length: Math.max(1, (definition.identifiers ?? []).length) }, (_, place) => `(${place})`);
  return `(values ${places.join(', ')}) as places (n)`;
};
