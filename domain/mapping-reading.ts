import type { EntityTypeDefinition } from './entity-type.js';
import { isSame } from './differences.js';
import type { MappingDefinition } from './mapping-definition.js';

/* What the reading of a mapping's rows depends on beside the mapping itself. */

/** The code tables by which the rows of a mapping are read: those of the attributes it maps, and those that its steps and rules
 *  name. One too many only has rows read once more. */
export const codeTablesReadBy = (
  mapping: MappingDefinition,
  entityTypes: readonly EntityTypeDefinition[],
): ReadonlySet<string> => {
  const names = new Set<string>();
  if (mapping.source === undefined) return names;
  collectNames(mapping.source, names);
  for (const { name, groups } of mappedGroups(mapping)) {
    const type = entityTypes.find((one) => one.name === name);
    for (const group of type?.groups.filter((one) => groups.has(one.name)) ?? []) {
      for (const { codeTable } of group.attributes) if (codeTable !== undefined) names.add(codeTable);
    }
  }
  return names;
};

/** The code tables by which the rows of a target may be written: those that its steps name, and those of the groups
 *  that its paths name, of its root and of whatever that refers to. One too many only has its rows judged once more. */
export const codeTablesWrittenBy = (
  mapping: MappingDefinition,
  entityTypes: readonly EntityTypeDefinition[],
): ReadonlySet<string> => {
  const names = new Set<string>();
  if (mapping.target === undefined) return names;
  collectNames(mapping.target, names);
  const { columns, key } = mapping.target;
  const paths = [...columns.flatMap(({ from, firstOf = [] }) => [from, ...firstOf]), ...key.map(({ from }) => from)];
  const steps = new Set(paths.flatMap((path) => path?.split(/[.[]/) ?? []));
  const seen = new Set<string>();
  const visit = (name: string): void => {
    if (seen.has(name)) return;
    seen.add(name);
    const groups = entityTypes.find((one) => one.name === name)?.groups ?? [];
    for (const group of groups.filter((one) => steps.has(one.name))) {
      for (const { codeTable, references } of group.attributes) {
        if (codeTable !== undefined) names.add(codeTable);
        if (references !== undefined) visit(references);
      }
    }
  };
  visit(mapping.target.root);
  return names;
};

/** Whether two definitions of a mapping make the same of every row: they differ at most in which rows are read. What was derived by one
 *  of them stands as if the other had. */
export const derivesAlike = (before: MappingDefinition, after: MappingDefinition): boolean =>
  isSame(withoutReading(before), withoutReading(after));

const withoutReading = (mapping: MappingDefinition): MappingDefinition => {
  if (mapping.source === undefined) return mapping;
  const { watermark: _watermark, completeByDefault: _complete, ...source } = mapping.source;
  return { ...mapping, source };
};

/** Whether a changed entity type has a mapping's rows mean something else: a group that it maps has other attributes. */
export const readsDifferently = (
  mapping: MappingDefinition,
  before: EntityTypeDefinition,
  after: EntityTypeDefinition,
): boolean =>
  mappedGroups(mapping).some(
    ({ name, groups }) =>
      name === after.name && [...groups].some((group) => shapeOf(before, group) !== shapeOf(after, group)),
  );

const mappedGroups = (mapping: MappingDefinition): { readonly name: string; readonly groups: ReadonlySet<string> }[] =>
  (mapping.source?.records ?? []).map(({ entityType, groups, references }) => ({
    name: entityType,
    groups: new Set([
      ...Object.keys(groups),
      ...Object.keys(references ?? {}).map((path) => path.split('.')[0] ?? path),
    ]),
  }));

const shapeOf = (type: EntityTypeDefinition, name: string): string => {
  const group = type.groups.find((one) => one.name === name);
  if (group === undefined) return '';
  const attributes = group.attributes.map((one) => [one.name, one.type, one.references, one.codeTable]);
  return JSON.stringify([group.multiValued ?? false, attributes]);
};

const collectNames = (value: unknown, names: Set<string>): void => {
  if (Array.isArray(value)) for (const item of value) collectNames(item, names);
  if (typeof value !== 'object' || value === null) return;
  for (const [name, member] of Object.entries(value)) {
    if ((name === 'table' || name === 'codeTable') && typeof member === 'string') names.add(member);
    else collectNames(member, names);
  }
};
