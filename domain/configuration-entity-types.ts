import { fieldsOf } from './condition.js';
import { checkDistinct, checkName, checkPath, type ConfigurationScope } from './configuration-scope.js';
import type { AttributeDefinition, EntityTypeDefinition, GroupDefinition } from './entity-type.js';
import type { Place } from './shape.js';

const plainName = /^[a-z][a-z0-9_]*$/;

const checkPlainName = (name: string, at: Place): void => {
  if (!plainName.test(name))
    at.note(`${name} cannot be used in paths`, 'use lower-case letters, digits and underscores');
};

const checkAttribute = (
  attribute: AttributeDefinition,
  group: GroupDefinition,
  entityType: EntityTypeDefinition,
  scope: ConfigurationScope,
  at: Place,
): void => {
  checkPlainName(attribute.name, at.child('name'));
  const { type, references, codeTable } = attribute;
  if (type === 'reference') {
    if (entityType.kind === 'mastered')
      at.note('a mastered type cannot refer', 'make the relation a reconciled type of its own, which refers to both');
    else if (references === undefined)
      at.note('a reference refers to nothing', 'add references: the name of an entity type');
    else checkName(scope, 'entityTypes', references, at.child('references'));
    if (group.multiValued === true)
      at.note('a group of several values cannot refer', 'make the records a type of their own');
  } else if (references !== undefined) {
    at.child('references').note(
      'only attributes of type reference refer',
      'set type: reference or leave references out',
    );
  }
  if (codeTable === undefined) return;
  if (type === 'code') checkName(scope, 'codeTables', codeTable, at.child('codeTable'));
  else at.child('codeTable').note('only attributes of type code have a table', 'set type: code or leave codeTable out');
};

const checkSystems = (systems: readonly string[], scope: ConfigurationScope, at: Place): void => {
  systems.forEach((system, index) => checkName(scope, 'systems', system, at.child(index)));
  checkDistinct(systems, 'system', at);
};

const checkAuthority = (
  group: GroupDefinition,
  entityType: EntityTypeDefinition,
  scope: ConfigurationScope,
  at: Place,
): void =>
  (group.authority ?? []).forEach((rule, index) => {
    const place = at.child(index);
    checkSystems(rule.systems, scope, place.child('systems'));
    if (rule.population !== undefined) {
      for (const field of fieldsOf(rule.population)) checkPath(entityType, field, place.child('population'));
    }
    if (rule.from !== undefined && rule.to !== undefined && rule.from > rule.to) {
      place.note('the period ends before it begins', 'exchange from and to');
    }
  });

const checkGroup = (
  group: GroupDefinition,
  entityType: EntityTypeDefinition,
  scope: ConfigurationScope,
  at: Place,
): void => {
  checkPlainName(group.name, at.child('name'));
  group.attributes.forEach((attribute, index) =>
    checkAttribute(attribute, group, entityType, scope, at.child('attributes').child(index)),
  );
  checkDistinct(
    group.attributes.map(({ name }) => name),
    'attribute',
    at.child('attributes'),
  );
  checkSystems(group.priority, scope, at.child('priority'));
  checkAuthority(group, entityType, scope, at.child('authority'));
  if (group.strategy === 'set_union' && group.multiValued !== true) {
    at.child('strategy').note('set_union is for groups of several values', 'set multiValued: true or another strategy');
  }
  for (const [end, name] of Object.entries(group.validity ?? {})) {
    const attribute = group.attributes.find((one) => one.name === name);
    const place = at.child('validity').child(end);
    if (group.attributes.length < 2) place.note('a lone attribute has no period', 'make the period part of the group');
    else if (attribute?.type !== 'date')
      place.note(`${name} is no date of this group`, 'name an attribute of type date');
  }
};

const checkNaturalKey = (entityType: EntityTypeDefinition, at: Place): void => {
  const { kind, naturalKey } = entityType;
  if (kind === 'reconciled' && naturalKey === undefined) {
    at.note('a reconciled type needs its natural key', 'add naturalKey: the paths that identify a record');
  }
  if (kind === 'mastered' && naturalKey !== undefined) {
    at.child('naturalKey').note(
      'a mastered type is matched, it has no natural key',
      'leave it out or set kind: reconciled',
    );
  }
  (naturalKey ?? []).forEach((path, index) => {
    const place = at.child('naturalKey').child(index);
    const resolved = checkPath(entityType, path, place);
    if (resolved === null) return;
    if (resolved.attribute === null || entityType.groups[resolved.group]?.multiValued === true) {
      place.note(`${path} is not one attribute with one value`, 'name such an attribute');
    }
  });
};

const checkSubject = (entityType: EntityTypeDefinition, at: Place): void => {
  const { subject } = entityType;
  if (typeof subject === 'string') return;
  const place = at.child('subject').child('reference');
  const resolved = checkPath(entityType, subject.reference, place);
  if (resolved !== null && resolved.attribute?.type !== 'reference') {
    place.note(`${subject.reference} is no reference`, 'name the reference to the person whose data it is');
  }
};

const checkDatePath = (entityType: EntityTypeDefinition, path: string, at: Place): void => {
  const resolved = checkPath(entityType, path, at);
  if (resolved !== null && resolved.attribute?.type !== 'date')
    at.note(`${path} is no date`, 'name an attribute of type date');
};

/** Checks one entity type against what is configured with it. */
export const checkEntityType = (entityType: EntityTypeDefinition, scope: ConfigurationScope, at: Place): void => {
  checkPlainName(entityType.name, at.child('name'));
  entityType.groups.forEach((group, index) => checkGroup(group, entityType, scope, at.child('groups').child(index)));
  checkDistinct(
    entityType.groups.map(({ name }) => name),
    'group',
    at.child('groups'),
  );
  checkNaturalKey(entityType, at);
  checkSubject(entityType, at);
  const { validity, corroboration, identifiers } = entityType;
  if (validity !== undefined) {
    checkDatePath(entityType, validity.from, at.child('validity').child('from'));
    checkDatePath(entityType, validity.to, at.child('validity').child('to'));
  }
  checkDistinct(
    (identifiers ?? []).map(({ scheme }) => scheme),
    'identifier scheme',
    at.child('identifiers'),
  );
  (entityType.search ?? []).forEach((path, index) => checkPath(entityType, path, at.child('search').child(index)));
  if (corroboration === undefined) return;
  corroboration.name.forEach((path, index) =>
    checkPath(entityType, path, at.child('corroboration').child('name').child(index)),
  );
  if (corroboration.birthDate !== undefined) {
    checkDatePath(entityType, corroboration.birthDate, at.child('corroboration').child('birthDate'));
  }
};

const referredBy = (entityType: EntityTypeDefinition): string[] =>
  entityType.groups
    .flatMap(({ attributes }) => attributes.map(({ references }) => references))
    // A record may refer to another of its own type (a part to its whole): that orders records, not types.
    .filter((name): name is string => name !== undefined && name !== entityType.name);

/** Entity types in an order in which each comes after those it refers to; `cyclic` ones refer to each other in a circle. Among
 *  equals the configured order stays. */
export const orderByReference = (
  entityTypes: readonly EntityTypeDefinition[],
): { readonly ordered: readonly EntityTypeDefinition[]; readonly cyclic: readonly EntityTypeDefinition[] } => {
  const ordered: EntityTypeDefinition[] = [];
  let waiting = [...entityTypes];
  while (waiting.length > 0) {
    const names = new Set(waiting.map(({ name }) => name));
    const next = waiting.find((entityType) => !referredBy(entityType).some((name) => names.has(name)));
    if (next === undefined) break;
    ordered.push(next);
    waiting = waiting.filter((entityType) => entityType !== next);
  }
  return { ordered, cyclic: waiting };
};
