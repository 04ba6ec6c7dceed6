import { sightOf, type Role, type Sensitivity, type Sight } from './access.js';
import type { EntityTypeDefinition } from './entity-type.js';
import type { FieldMapping, GroupMapping, MappingDefinition } from './mapping-definition.js';
import type { RawRow } from './rows.js';

/* What a role sees of the rows of a source: a column is as sensitive as the most sensitive value that is made of it. */

/** In place of a cell that a role may not see. */
export const dots = '•••';

const order: readonly Sensitivity[] = ['open', 'personal', 'sensitive'];

const columnsOf = (mapping: GroupMapping): readonly string[] => {
  if (isList(mapping)) return mapping.flatMap(columnsOf);
  const { from, fromAll, constant } = mapping as FieldMapping;
  // A field for each attribute has only objects: also where an attribute is called as the origin of a field is.
  if (typeof from === 'string') return [from];
  if (isList(fromAll)) return fromAll;
  return typeof constant === 'string' ? [] : Object.values(mapping as object).flatMap(columnsOf);
};

const isList = <T>(value: T): value is Extract<T, readonly unknown[]> => Array.isArray(value);

/** The sensitivity of each column of a source; one that nothing is made of is personal. */
export const columnSensitivities = (
  mapping: MappingDefinition,
  types: readonly EntityTypeDefinition[],
): ReadonlyMap<string, Sensitivity> => {
  const found = new Map<string, Sensitivity>();
  const use = (columns: readonly string[], sensitivity: Sensitivity = 'personal'): void => {
    for (const column of columns) {
      const before = found.get(column);
      if (before === undefined || order.indexOf(before) < order.indexOf(sensitivity)) found.set(column, sensitivity);
    }
  };
  for (const record of mapping.source?.records ?? []) {
    const type = types.find(({ name }) => name === record.entityType);
    for (const [name, group] of Object.entries(record.groups))
      use(columnsOf(group), type?.groups.find((one) => one.name === name)?.sensitivity);
    for (const [name, field] of Object.entries(record.identifiers ?? {}))
      use(columnsOf(field), type?.identifiers?.find(({ scheme }) => scheme === name)?.sensitivity);
  }
  for (const column of mapping.source?.columns ?? []) if (!found.has(column)) found.set(column, 'personal');
  return found;
};

/** A row as a role sees it; null where the role does not see rows at all, or what was kept is not a row of these columns. */
export const rowInSight = (
  role: Role,
  mapping: MappingDefinition | undefined,
  types: readonly EntityTypeDefinition[],
  row: RawRow | null,
): RawRow | null => {
  const columns = mapping?.source?.columns ?? [];
  if (mapping === undefined || row?.length !== columns.length || sightOf(role, 'personal') !== 'plain') return null;
  const sensitivities = columnSensitivities(mapping, types);
  return row.map((cell, index) =>
    cell === null || sightOf(role, sensitivities.get(columns[index] ?? '')) === 'plain' ? cell : dots,
  );
};

/** What a role sees of the values of an identifier scheme. */
export const identifierSight = (role: Role, type: EntityTypeDefinition, scheme: string): Sight =>
  sightOf(role, type.identifiers?.find((one) => one.scheme === scheme)?.sensitivity);
