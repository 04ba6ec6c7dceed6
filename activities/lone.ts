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
