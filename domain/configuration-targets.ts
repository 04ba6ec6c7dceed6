import { fieldsOf } from './condition.js';
import { checkCompiles, checkDistinct, checkName, checkPath, type ConfigurationScope } from './configuration-scope.js';
import { checkSteps } from './configuration-sources.js';
import type { EntityTypeDefinition } from './entity-type.js';
import { SyncError } from './errors.js';
import { contextOf } from './mapping.js';
import type { MappingDefinition, TargetColumn, TargetKey, TargetMapping } from './mapping-definition.js';
import { compileTarget } from './projection.js';
import { compileProjectedPath, type NeededPaths } from './projection-paths.js';
import type { Place } from './shape.js';

interface TargetSite {
  readonly mapping: MappingDefinition;
  readonly target: TargetMapping;
  readonly root: EntityTypeDefinition;
  readonly scope: ConfigurationScope;
}

/** The code table of the attribute at the end of a path, which steps may need; notes a path that leads nowhere. */
const checkProjectedPath = (site: TargetSite, path: string, at: Place): string | null => {
  const needed: NeededPaths = { rootGroups: new Set(), references: new Map() };
  try {
    const types = [...site.scope.entityTypes.values()];
    return compileProjectedPath(site.root, path, types, needed).attribute.codeTable ?? null;
  } catch (error) {
    if (!(error instanceof SyncError) || error.code !== 'configuration_invalid') throw error;
    at.note(error.message, `a path begins with a group of ${site.root.name}`);
    return null;
  }
};

const checkColumn = (column: TargetColumn, site: TargetSite, at: Place): void => {
  const tables = [
    ...(column.from === undefined ? [] : [checkProjectedPath(site, column.from, at.child('from'))]),
    ...(column.firstOf ?? []).map((path, index) => checkProjectedPath(site, path, at.child('firstOf').child(index))),
  ];
  const context = contextOf(site.mapping, site.scope.codeTables);
  checkSteps(
    column.steps,
    { ...context, codeTable: tables.find((table) => table !== null) ?? null },
    at.child('steps'),
  );
};

/** The entity type that a reference path leads to; null where it leads nowhere, which is noted. */
const referredType = (site: TargetSite, path: string, at: Place): EntityTypeDefinition | null => {
  let entityType = site.root;
  let rest: string | null = path;
  while (rest !== null) {
    const resolved = checkReferenceStep(entityType, rest, at);
    const name: string | undefined = resolved?.references;
    const next: EntityTypeDefinition | undefined = name === undefined ? undefined : site.scope.entityTypes.get(name);
    if (resolved === null || next === undefined) return null;
    entityType = next;
    rest = resolved.rest;
  }
  return entityType;
};

const checkReferenceStep = (
  entityType: EntityTypeDefinition,
  path: string,
  at: Place,
): { readonly references: string | undefined; readonly rest: string | null } | null => {
  const dots = [...path.matchAll(/\./g)].map(({ index }) => index);
  for (const end of [...dots, path.length]) {
    const attribute = attributeAt(entityType, path.slice(0, end));
    if (attribute?.type === 'reference') {
      return { references: attribute.references, rest: end === path.length ? null : path.slice(end + 1) };
    }
  }
  at.note(`${path} is no reference of ${entityType.name}`, 'name a reference attribute');
  return null;
};

const attributeAt = (
  entityType: EntityTypeDefinition,
  path: string,
): EntityTypeDefinition['groups'][number]['attributes'][number] | null => {
  const [groupName, attributeName, more] = path.split('.');
  const group = entityType.groups.find(({ name }) => name === groupName);
  if (group === undefined || more !== undefined) return null;
  if (attributeName === undefined) return group.attributes.length === 1 ? (group.attributes[0] ?? null) : null;
  return group.attributes.length > 1 ? (group.attributes.find(({ name }) => name === attributeName) ?? null) : null;
};

const checkKey = (key: TargetKey, site: TargetSite, at: Place): void => {
  if (key.from !== undefined) checkProjectedPath(site, key.from, at.child('from'));
  if (key.of !== undefined && key.identifier === undefined) {
    at.child('of').note('of says whose identifier it is', 'add identifier or leave of out');
  }
  if (key.source === true) {
    const read = site.mapping.source?.records ?? [];
    if (!read.some(({ entityType }) => entityType === site.root.name)) {
      at.child('source').note('this mapping does not read the record that it writes', 'use identifier or from');
    }
  }
  if (key.identifier === undefined) return;
  const owner = key.of === undefined ? site.root : referredType(site, key.of, at.child('of'));
  if (owner !== null && !(owner.identifiers ?? []).some(({ scheme }) => scheme === key.identifier)) {
    at.child('identifier').note(
      `entity type ${owner.name} has no identifier scheme ${key.identifier}`,
      'add it to the entity type',
    );
  }
};

/** What is only ever added to is taken back by further entries, where the mapping says what these look like. */
const checkCompensation = ({ target, root }: TargetSite, at: Place): void => {
  const { rollback, compensation } = target;
  if (rollback === 'compensate' && root.kind !== 'posted') {
    at.child('rollback').note(`${root.name} is not posted: its rows are set back`, 'say restore or impossible');
  } else if (rollback === 'compensate' && compensation === undefined) {
    at.child('rollback').note('nothing says what an entry that takes another one back looks like', 'add compensation');
  }
  if (compensation === undefined) return;
  const place = at.child('compensation');
  if (rollback !== 'compensate') place.note('it is asked for by rollback: compensate alone', 'leave it out');
  const keys = new Set(target.key.map(({ column }) => column));
  const columns = new Set(target.columns.map(({ column }) => column).filter((column) => !keys.has(column)));
  const checkOwn = (column: string, where: Place): void => {
    if (!columns.has(column))
      where.note(`${column} is no column of the target beside its key`, 'name one of its columns');
  };
  if (!keys.has(compensation.key.column)) {
    const where = place.child('key').child('column');
    where.note(`${compensation.key.column} is no key column of the target`, `one of ${[...keys].join(', ')}`);
  }
  compensation.negate.forEach((column, index) => {
    checkOwn(column, place.child('negate').child(index));
  });
  for (const column of Object.keys(compensation.set ?? {})) checkOwn(column, place.child('set').child(column));
  if (compensation.original !== undefined) checkOwn(compensation.original, place.child('original'));
};

/** Checks the target part of a mapping against what is configured with it. */
export const checkTarget = (
  mapping: MappingDefinition,
  target: TargetMapping,
  scope: ConfigurationScope,
  at: Place,
): void => {
  const before = at.count;
  if (!scope.recipientClasses.has(target.recipientClass)) {
    at.child('recipientClass').note(
      `there is no recipient class ${target.recipientClass}`,
      'add it to the institution’s recipientClasses',
    );
  }
  checkDistinct(
    target.columns.map(({ column }) => column),
    'column',
    at.child('columns'),
  );
  checkDistinct(
    target.key.map(({ column }) => column),
    'column',
    at.child('key'),
  );
  if (!checkName(scope, 'entityTypes', target.root, at.child('root'))) return;
  const root = scope.entityTypes.get(target.root);
  // Paths may lead through any type: while one of them is wrong itself, what they lead to cannot be told.
  if (root === undefined || scope.entityTypes.size < scope.names.entityTypes.size) return;
  const site: TargetSite = { mapping, target, root, scope };
  if (target.filter !== undefined)
    for (const field of fieldsOf(target.filter)) checkPath(root, field, at.child('filter'));
  target.key.forEach((key, index) => checkKey(key, site, at.child('key').child(index)));
  target.columns.forEach((column, index) => checkColumn(column, site, at.child('columns').child(index)));
  checkCompensation(site, at);
  if ((target.leadDays !== undefined || target.lagDays !== undefined) && root.validity === undefined) {
    at.note(
      `entity type ${root.name} has no validity: there is no day to lead or lag`,
      'leave leadDays and lagDays out',
    );
  }
  checkCompiles(at, before, () =>
    compileTarget({ ...mapping, source: undefined }, [...scope.entityTypes.values()], scope.codeTables),
  );
};
