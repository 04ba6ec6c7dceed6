import { sensitivities, type Sensitivity } from './access.js';
import type { EntityTypeDefinition } from './entity-type.js';
import type { FieldMapping, GroupMapping, MappingDefinition, TargetColumn } from './mapping-definition.js';
import { isFieldList, isFieldMapping } from './mapping-groups.js';
import { resolvePath } from './paths.js';

/** What a column without a declared sensitivity is. */
const undeclared: Sensitivity = 'personal';

const stricter = (left: Sensitivity, right: Sensitivity): Sensitivity =>
  sensitivities.indexOf(left) >= sensitivities.indexOf(right) ? left : right;

const fieldsOf = (mapped: GroupMapping): readonly FieldMapping[] => {
  if (isFieldList(mapped)) return mapped.flatMap(fieldsOf);
  return isFieldMapping(mapped) ? [mapped] : Object.values(mapped);
};

/** How sensitive each source column of a mapping is: as the most sensitive group that is read from it; where none is, personal. */
export const sourceSensitivities = (
  mapping: MappingDefinition,
  entityTypes: readonly EntityTypeDefinition[],
): ReadonlyMap<string, Sensitivity> => {
  const found = new Map<string, Sensitivity>();
  for (const record of mapping.source?.records ?? []) {
    const groups = entityTypes.find(({ name }) => name === record.entityType)?.groups ?? [];
    for (const [name, mapped] of Object.entries(record.groups)) {
      const own = groups.find((group) => group.name === name)?.sensitivity ?? undeclared;
      for (const { from, fromAll = [] } of fieldsOf(mapped)) {
        for (const column of from === undefined ? fromAll : [from, ...fromAll])
          found.set(column, stricter(found.get(column) ?? own, own));
      }
    }
  }
  return new Map((mapping.source?.columns ?? []).map((column) => [column, found.get(column) ?? undeclared]));
};

/** How sensitive each column of a target is, by the groups that its path leads through; what leads nowhere known is sensitive. */
export const targetSensitivities = (
  mapping: MappingDefinition,
  entityTypes: readonly EntityTypeDefinition[],
): ReadonlyMap<string, Sensitivity> => {
  const { target } = mapping;
  if (target === undefined) return new Map();
  const root = entityTypes.find(({ name }) => name === target.root);
  const columns: readonly TargetColumn[] = [...target.key, ...target.columns];
  const found = new Map<string, Sensitivity>();
  for (const { column, from, firstOf = [] } of columns) {
    const paths = from === undefined ? firstOf : [from, ...firstOf];
    const own = paths.map((path) => alongPath(root, path, entityTypes)).reduce(stricter, found.get(column) ?? 'open');
    found.set(column, paths.length === 0 && !found.has(column) ? undeclared : own);
  }
  return found;
};

const alongPath = (
  type: EntityTypeDefinition | undefined,
  path: string,
  entityTypes: readonly EntityTypeDefinition[],
): Sensitivity => {
  const resolved = type === undefined ? '' : resolvePath(type, path);
  if (typeof resolved === 'string') return 'sensitive';
  const own = type?.groups[resolved.group]?.sensitivity ?? undeclared;
  const next = entityTypes.find(({ name }) => name === resolved.attribute?.references);
  return resolved.rest === null ? own : stricter(own, alongPath(next, resolved.rest, entityTypes));
};
