import type { EntityTypeRef } from './context.js';

/** Lone new records whose outcome is what their only row says are merged in SQL by `apply`; the core gives the same (tested).
 *  A type with authority rules or multi-valued groups always goes through the core. */
export const lonePathHolds = (type: EntityTypeRef): boolean =>
  type.definition.groups.every((group) => (group.authority ?? []).length === 0 && group.multiValued !== true) &&
  validityGroups(type.definition) !== null;

/** Positions of the groups that say from when to when a record holds; null where they are parts of larger groups. */
export const validityGroups = (
  definition: EntityTypeRef['definition'],
): { from: number; to: number } | 'none' | null => {
  if (definition.validity === undefined) return 'none';
  const from = definition.groups.findIndex(({ name }) => name === definition.validity?.from);
  const to = definition.groups.findIndex(({ name }) => name === definition.validity?.to);
  return from < 0 || to < 0 ? null : { from, to };
};

/** A date out of a lone text value, without failing on what is none. */
const dateOf = (values: string, position: number): string =>
  `case when ${values}[${position + 1}] ~ '^"\\d{4}-\\d{2}-\\d{2}"$' then trim(both '"' from ${values}[${position + 1}])::date end`;

/** From when to when a record with such values holds, in SQL. */
export const validityOf = (definition: EntityTypeRef['definition'], values: string): readonly [string, string] => {
  const span = validityGroups(definition);
  return span === 'none' || span === null
    ? ['null::date', 'null::date']
    : [dateOf(values, span.from), dateOf(values, span.to)];
};
