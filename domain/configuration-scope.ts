import type { EntityTypeDefinition } from './entity-type.js';
import { SyncError } from './errors.js';
import type { Configuration } from './job-definition.js';
import type { MappingDefinition } from './mapping-definition.js';
import { resolvePath, type ResolvedPath } from './paths.js';
import { memberOf, type Place } from './shape.js';

/** What a configuration may refer to. `names` also hold what is there but wrong itself, so that one mistake is told once;
 *  the maps hold only what can be used. */
export interface ConfigurationScope {
  readonly names: Readonly<Record<'systems' | 'entityTypes' | 'mappings' | 'codeTables', ReadonlySet<string>>>;
  readonly entityTypes: ReadonlyMap<string, EntityTypeDefinition>;
  readonly mappings: ReadonlyMap<string, MappingDefinition>;
  readonly codeTables: Configuration['codeTables'];
  readonly recipientClasses: ReadonlySet<string>;
}

const singular = {
  systems: 'system',
  entityTypes: 'entity type',
  mappings: 'mapping',
  codeTables: 'code table',
} as const;

const oneOf = (names: Iterable<string>): string => {
  const known = [...names].sort();
  return known.length === 0 ? 'none is configured' : `one of ${known.join(', ')}`;
};

/** Notes a name that nothing has. True where there is such a thing. */
export const checkName = (
  scope: ConfigurationScope,
  kind: keyof ConfigurationScope['names'],
  name: string,
  at: Place,
): boolean => {
  if (scope.names[kind].has(name)) return true;
  at.note(`there is no ${singular[kind]} ${name}`, oneOf(scope.names[kind]));
  return false;
};

/** Notes a column that the source does not have. */
export const checkColumn = (columns: readonly string[], column: string, at: Place): void => {
  if (!columns.includes(column)) at.note(`the column ${column} is not among the columns of the source`, oneOf(columns));
};

/** Notes values that occur twice in a list. */
export const checkDistinct = (values: readonly string[], what: string, at: Place): void => {
  values.forEach((value, index) => {
    if (values.indexOf(value) !== index)
      at.child(index).note(`${what} ${value} is there twice`, 'give each one its own name, once');
  });
};

/** Resolves a path within one entity type, or notes why it leads nowhere. */
export const checkPath = (entityType: EntityTypeDefinition, path: string, at: Place): ResolvedPath | null => {
  const resolved = resolvePath(entityType, path);
  if (typeof resolved === 'string') {
    at.note(resolved, `a path begins with ${oneOf(entityType.groups.map(({ name }) => name))}`);
    return null;
  }
  if (resolved.rest === null) return resolved;
  at.note(`${path} leads to another record`, 'name an attribute of this record');
  return null;
};

/** Runs what compiles a part and notes what it throws, unless its problems were noted already. */
export const checkCompiles = (at: Place, before: number, compile: () => unknown): void => {
  if (at.count > before) return;
  try {
    compile();
  } catch (error) {
    if (!(error instanceof SyncError) || error.code !== 'configuration_invalid') throw error;
    at.note(error.message, 'see the definitions that this part refers to');
  }
};

/** The names in a list of documents, whether or not the documents are right. */
export const namesIn = (documents: unknown): Set<string> => {
  const items: readonly unknown[] = Array.isArray(documents) ? documents : [];
  return new Set(
    items.map((item) => memberOf(item, 'name')).filter((name): name is string => typeof name === 'string'),
  );
};
