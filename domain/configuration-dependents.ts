import type { ConfigurationKind } from './configuration-kinds.js';
import type { Configuration } from './job-definition.js';
import { codeTablesReadBy } from './mapping-reading.js';
import type { MappingDefinition } from './mapping-definition.js';

/** Something that refers to something else, and what for. */
export interface Dependent {
  readonly kind: Exclude<ConfigurationKind, 'institution'>;
  readonly name: string;
  /** In words: `reads it`, `names it in its priority`. */
  readonly how: string;
}

type Named = { readonly kind: Dependent['kind']; readonly name: string };

/** What would be wrong or would change its meaning if this were not there: everything in use that names it. */
export const dependentsOf = (configuration: Configuration, { kind, name }: Named): readonly Dependent[] => {
  switch (kind) {
    case 'system':
      return dependentsOfSystem(configuration, name);
    case 'entity_type':
      return dependentsOfType(configuration, name);
    case 'code_table':
      return dependentsOfTable(configuration, name);
    case 'mapping':
      return dependentsOfMapping(configuration, name);
    case 'rule':
    case 'job':
      return [];
  }
};

const when = (condition: boolean, kind: Dependent['kind'], name: string, how: string): Dependent[] =>
  condition ? [{ kind, name, how }] : [];

const dependentsOfSystem = ({ mappings, entityTypes, codeTables }: Configuration, system: string): Dependent[] => [
  ...mappings.flatMap((one) => when(one.system === system, 'mapping', one.name, 'maps an entity of it')),
  ...entityTypes.flatMap(({ name, groups }) => [
    ...when(
      groups.some(({ priority }) => priority.includes(system)),
      ...(['entity_type', name, 'ranks it in its priority'] as const),
    ),
    ...when(
      groups.some(({ authority }) => (authority ?? []).some(({ systems }) => systems.includes(system))),
      ...(['entity_type', name, 'gives it authority'] as const),
    ),
  ]),
  ...codeTables.flatMap(({ name, entries }) =>
    when(
      entries.some(({ codes }) => Object.hasOwn(codes, system)),
      ...(['code_table', name, 'holds codes of it'] as const),
    ),
  ),
];

const dependentsOfType = ({ mappings, entityTypes, jobs }: Configuration, type: string): Dependent[] => [
  ...entityTypes.flatMap(({ name, groups }) =>
    when(
      name !== type && groups.some(({ attributes }) => attributes.some(({ references }) => references === type)),
      ...(['entity_type', name, 'refers to it'] as const),
    ),
  ),
  ...mappings.flatMap(({ name, source, target }) => [
    ...when(
      (source?.records ?? []).some(({ entityType }) => entityType === type),
      ...(['mapping', name, 'makes records of it'] as const),
    ),
    ...when(target?.root === type, 'mapping', name, 'writes records of it'),
  ]),
  ...jobs.flatMap(({ name, limits }) =>
    when(
      (limits ?? []).some(({ entityType }) => entityType === type),
      ...(['job', name, 'limits changes of it'] as const),
    ),
  ),
];

const dependentsOfTable = ({ mappings, entityTypes }: Configuration, table: string): Dependent[] => [
  ...entityTypes.flatMap(({ name, groups }) =>
    when(
      groups.some(({ attributes }) => attributes.some(({ codeTable }) => codeTable === table)),
      ...(['entity_type', name, 'has an attribute of its codes'] as const),
    ),
  ),
  ...mappings.flatMap((mapping) => [
    ...when(codeTablesReadBy(mapping, entityTypes).has(table), 'mapping', mapping.name, 'reads rows by it'),
    ...when(writesBy(mapping, table), 'mapping', mapping.name, 'writes rows by it'),
  ]),
];

const writesBy = ({ target }: MappingDefinition, table: string): boolean =>
  (target?.columns ?? []).some(({ steps }) => (steps ?? []).some((step) => step['table'] === table));

const dependentsOfMapping = ({ mappings, jobs }: Configuration, mapping: string): Dependent[] => [
  ...jobs.flatMap(({ name, sources, targets }) => [
    ...when(sources.includes(mapping), 'job', name, 'reads it'),
    ...when(targets.includes(mapping), 'job', name, 'publishes to it'),
  ]),
  ...mappings
    .filter(({ name }) => name !== mapping)
    .flatMap(({ name, source }) => [
      ...when(
        (source?.records ?? []).some(({ references }) =>
          Object.values(references ?? {}).some((reference) => reference.mapping === mapping),
        ),
        ...(['mapping', name, 'refers to records of its rows'] as const),
      ),
      ...when(
        (source?.rules ?? []).some((rule) => rule.check === 'reference_exists' && rule.mapping === mapping),
        ...(['mapping', name, 'has a rule that looks its rows up'] as const),
      ),
    ]),
];
