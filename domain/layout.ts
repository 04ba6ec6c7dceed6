import type { AttributeDefinition, EntityTypeDefinition, GroupDefinition } from './entity-type.js';

/* Values of a record are stored as a list in the order of the groups, each as its group's attributes make it. What a change of
   the type would make unreadable, or would make say something else, is told here. */

const positions = (before: EntityTypeDefinition, after: EntityTypeDefinition): string[] =>
  before.groups.flatMap((group, index) => {
    if (after.groups[index]?.name === group.name) return [];
    return after.groups.some(({ name }) => name === group.name)
      ? [`group ${group.name} has to stay in its place: add new groups after the last one`]
      : [`group ${group.name} cannot be removed or renamed: leave it, and map nothing to it`];
  });

const attributeProblems = (
  before: AttributeDefinition,
  after: AttributeDefinition | undefined,
  where: string,
): string[] => {
  if (after === undefined) return [`attribute ${where} cannot be removed or renamed`];
  if (after.type !== before.type) return [`attribute ${where} has to stay of type ${before.type}`];
  return after.references === before.references
    ? []
    : [`attribute ${where} has to refer to ${before.references ?? 'nothing'} as before`];
};

/* A lone attribute is stored as its value, several as an object of them. */
const groupProblems = (before: GroupDefinition, after: GroupDefinition): string[] => {
  if ((before.multiValued ?? false) !== (after.multiValued ?? false))
    return [`group ${before.name} cannot change between one value and several`];
  if ((before.attributes.length === 1) !== (after.attributes.length === 1))
    return [`group ${before.name} cannot change between one attribute and several: add a group instead`];
  return before.attributes.flatMap((attribute) =>
    attributeProblems(
      attribute,
      after.attributes.find(({ name }) => name === attribute.name),
      `${before.name}.${attribute.name}`,
    ),
  );
};

const sameList = (left: readonly string[] = [], right: readonly string[] = []): boolean =>
  left.length === right.length && left.every((item, index) => item === right[index]);

/** Why records that are stored already could not be read by the changed type; empty where they can. Groups may be added after
 *  the last one, attributes to a group of several, and everything else about a type may change at any time: strategies,
 *  priority, authority, sensitivity, code tables, validity, identifiers. */
export const layoutProblems = (before: EntityTypeDefinition, after: EntityTypeDefinition): readonly string[] => [
  ...(before.kind === after.kind ? [] : [`it has to stay ${before.kind}`]),
  ...(sameList(before.naturalKey, after.naturalKey)
    ? []
    : ['its natural key has to stay: records are identified by it']),
  ...positions(before, after),
  ...before.groups.flatMap((group, index) => {
    const other = after.groups[index];
    return other?.name === group.name ? groupProblems(group, other) : [];
  }),
];
