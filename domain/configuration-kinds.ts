import type { Configuration } from './job-definition.js';

/** The kinds of things that a configuration lists, each with its member of `Configuration`, the folder that holds its files,
 *  and what it is called. In the order in which they refer to one another. Kinds are stored: never rename one. */
export const listedKinds = {
  system: { list: 'systems', folder: 'systems', title: 'system' },
  code_table: { list: 'codeTables', folder: 'code-tables', title: 'code table' },
  entity_type: { list: 'entityTypes', folder: 'entity-types', title: 'entity type' },
  mapping: { list: 'mappings', folder: 'mappings', title: 'mapping' },
  job: { list: 'jobs', folder: 'jobs', title: 'job' },
} as const satisfies Readonly<
  Record<string, { list: Exclude<keyof Configuration, 'institution'>; folder: string; title: string }>
>;

export type ListedKind = keyof typeof listedKinds;
export type ListName = (typeof listedKinds)[ListedKind]['list'];

/** Everything that has versions. A rule is part of its mapping, and has versions of its own besides. */
export type ConfigurationKind = 'institution' | 'rule' | ListedKind;

export const listedKindNames = Object.keys(listedKinds) as readonly ListedKind[];
