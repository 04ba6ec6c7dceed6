import type { EntityTypeDefinition } from './entity-type.js';
import type { CodeTableDefinition } from './job-definition.js';
import type { MappingDefinition } from './mapping-definition.js';

/** Members of a definition whose text names a code table: of a step, and of a rule. */
const naming = new Set(['table', 'codeTable']);

const named = (value: unknown, found: Set<string>): void => {
  if (Array.isArray(value)) {
    for (const item of value) named(item, found);
  } else if (typeof value === 'object' && value !== null) {
    for (const [member, inner] of Object.entries(value)) {
      if (naming.has(member) && typeof inner === 'string') found.add(inner);
      else named(inner, found);
    }
  }
};

/** The code tables by which a mapping may read or write: those that its steps and rules name, and those of the attributes that
 *  it fills or projects. One too many costs a needless derivation; one too few would keep a wrong meaning. */
export const codeTablesOf = (
  mapping: MappingDefinition,
  entityTypes: readonly EntityTypeDefinition[],
): ReadonlySet<string> => {
  const found = new Set<string>();
  named(mapping, found);
  const types = new Set([
    ...(mapping.source?.records ?? []).map(({ entityType }) => entityType),
    ...(mapping.target === undefined ? [] : reachable(mapping.target.root, entityTypes)),
  ]);
  for (const type of entityTypes) {
    if (!types.has(type.name)) continue;
    for (const { codeTable } of type.groups.flatMap(({ attributes }) => attributes))
      if (codeTable !== undefined) found.add(codeTable);
  }
  return found;
};

/** A target may read whatever its root refers to. */
const reachable = (root: string, entityTypes: readonly EntityTypeDefinition[]): ReadonlySet<string> => {
  const found = new Set<string>();
  const add = (name: string): void => {
    if (found.has(name)) return;
    found.add(name);
    const type = entityTypes.find((one) => one.name === name);
    for (const { references } of (type?.groups ?? []).flatMap(({ attributes }) => attributes))
      if (references !== undefined) add(references);
  };
  add(root);
  return found;
};

/** The code tables by which an earlier version of a mapping read: as they are, but for those that were kept as they were. */
export const codeTablesThen = (
  now: readonly CodeTableDefinition[],
  kept: Readonly<Record<string, CodeTableDefinition>> | null,
): readonly CodeTableDefinition[] =>
  kept === null ? now : [...now.filter(({ name }) => !(name in kept)), ...Object.values(kept)];
