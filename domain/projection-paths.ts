import type { Stated } from './canonical.js';
import type { AttributeDefinition, EntityTypeDefinition } from './entity-type.js';
import { SyncError } from './errors.js';
import { compilePath, resolvePath, type RecordPath } from './paths.js';

export type Values = readonly (Stated | null)[];

/** The values of the records that a root record refers to, by reference path (`person`, `affiliation.person`). */
export type ReferencedValues = Readonly<Record<string, Values | null>>;

/** A record that a projection reads besides its root, and what of it. */
export interface NeededReference {
  readonly path: string;
  /** The path of the record that makes the reference; '' is the root. */
  readonly parent: string;
  /** Position of the reference's group in the parent's entity type. */
  readonly group: number;
  /** Null where the reference is that group's only attribute. */
  readonly attribute: string | null;
  readonly entityType: string;
  /** Positions of the groups that are read. */
  readonly groups: readonly number[];
}

/** What a projection reads, gathered while its columns are compiled. */
export interface NeededPaths {
  readonly rootGroups: Set<number>;
  readonly references: Map<string, NeededReference & { readonly groups: number[] }>;
}

/** A path from the root, through references, to an attribute. */
export interface ProjectedPath {
  /** '' where the attribute is the root's own. */
  readonly reference: string;
  readonly leaf: RecordPath;
}

const invalid = (message: string): SyncError => new SyncError('configuration_invalid', message);

const entityTypeNamed = (entityTypes: readonly EntityTypeDefinition[], name: string): EntityTypeDefinition => {
  const found = entityTypes.find((one) => one.name === name);
  if (found === undefined) throw invalid(`there is no entity type ${name}`);
  return found;
};

const needGroup = (needed: NeededPaths, reference: string, group: number): void => {
  const groups = needed.references.get(reference)?.groups;
  if (reference === '') needed.rootGroups.add(group);
  else if (groups?.includes(group) === false) groups.push(group);
};

interface Hop {
  readonly reference: string;
  readonly entityType: EntityTypeDefinition;
  readonly rest: string;
}

/** Follows one reference of a path, and notes that it is needed. */
const followReference = (
  at: { readonly reference: string; readonly entityType: EntityTypeDefinition },
  path: string,
  entityTypes: readonly EntityTypeDefinition[],
  needed: NeededPaths,
): Hop | null => {
  const resolved = resolvePath(at.entityType, path);
  if (typeof resolved === 'string') throw invalid(resolved);
  const { group, attribute, rest } = resolved;
  if (rest === null) return null;
  const definition = at.entityType.groups[group];
  if (attribute?.references === undefined || definition === undefined)
    throw invalid(`${path} refers to no entity type`);
  if (definition.multiValued === true) throw invalid(`${path} goes through a group of several values`);
  const name = path.slice(0, path.length - rest.length - 1);
  const reference = at.reference === '' ? name : `${at.reference}.${name}`;
  const entityType = entityTypeNamed(entityTypes, attribute.references);
  needGroup(needed, at.reference, group);
  if (!needed.references.has(reference)) {
    const only = definition.attributes.length === 1 ? null : attribute.name;
    const entry = {
      path: reference,
      parent: at.reference,
      group,
      attribute: only,
      entityType: entityType.name,
      groups: [],
    };
    needed.references.set(reference, entry);
  }
  return { reference, entityType, rest };
};

/** Compiles a path that may go through references. @throws SyncError configuration_invalid */
export const compileProjectedPath = (
  root: EntityTypeDefinition,
  path: string,
  entityTypes: readonly EntityTypeDefinition[],
  needed: NeededPaths,
): ProjectedPath & { readonly attribute: AttributeDefinition } => {
  let at = { reference: '', entityType: root };
  let rest = path;
  for (;;) {
    const hop = followReference(at, rest, entityTypes, needed);
    if (hop === null) break;
    at = hop;
    rest = hop.rest;
  }
  const leaf = compilePath(at.entityType, rest);
  if (leaf.attribute === null) throw invalid(`${path} names a group of several attributes: name one of them`);
  needGroup(needed, at.reference, leaf.group);
  return { reference: at.reference, leaf, attribute: leaf.attribute };
};
