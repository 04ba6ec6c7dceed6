import type { Configuration } from '../../domain/job-definition.js';
import type { MappingDefinition } from '../../domain/mapping-definition.js';
import type { Keeping } from './crowd.js';
import { systemsOf } from './histories.js';
import type { Scenario } from './scenario.js';

/** The table of a system: id, value and name. */
export const tableOf = (code: string, system: string): string => `${code}_${system}`;

const nameOf = (code: string, system: string): string => `${system}.${tableOf(code, system)}`;

/** Systems as tables of one database; one job reads all sources and tells all targets. */
export const configurationOf = (
  scenario: Scenario,
  code: string,
  url: string,
  kind: Keeping['kind'],
): Configuration => ({
  institution: { code, name: code, timeZone: 'UTC' },
  systems: systemsOf(scenario).map((name) => ({ name, kind: 'postgresql', settings: { url } })),
  entityTypes: [entityTypeOf(scenario, kind)],
  mappings: systemsOf(scenario).map((system) => mappingOf(scenario, code, system, kind)),
  codeTables: [],
  jobs: [
    {
      name: 'all',
      sources: systemsOf(scenario, 'source').map((system) => nameOf(code, system)),
      targets: systemsOf(scenario, 'target').map((system) => nameOf(code, system)),
      partitions: 1,
    },
  ],
});

const entityTypeOf = (scenario: Scenario, kind: Keeping['kind']): Configuration['entityTypes'][number] => {
  const plain = (name: string): Configuration['entityTypes'][number]['groups'][number] => ({
    name,
    attributes: [{ name, type: 'text' }],
    strategy: 'source_priority',
    priority: [],
  });
  const { strategy, priority, authority } = scenario;
  const v = {
    ...plain('v'),
    ...{ strategy, fallback: 'source_priority' as const, priority, reassertion: 'reassert' as const },
    ...(authority === null ? {} : { authority: [{ systems: authority }] }),
  };
  return kind === 'reconciled'
    ? { name: 'thing', kind, subject: 'none', naturalKey: ['key'], groups: [plain('key'), v] }
    : {
        ...{ name: 'thing', kind, subject: 'self', identifiers: [{ scheme: 'number' }] },
        ...{ corroboration: { name: ['name'] }, groups: [plain('key'), v, plain('name')] },
      };
};

const mappingOf = (scenario: Scenario, code: string, system: string, kind: Keeping['kind']): MappingDefinition => {
  const name = kind === 'mastered';
  const source: NonNullable<MappingDefinition['source']> = {
    columns: ['id', 'v', 'name'],
    key: ['id'],
    records: [
      {
        entityType: 'thing',
        groups: { key: { from: 'id' }, v: { from: 'v', blank: 'empty' }, ...(name ? { name: { from: 'name' } } : {}) },
        ...(name ? { identifiers: { number: { from: 'id' } } } : {}),
      },
    ],
  };
  const key = { column: 'id', from: 'key' };
  const target: NonNullable<MappingDefinition['target']> = {
    root: 'thing',
    key: [key],
    columns: [key, { column: 'v', from: 'v' }, ...(name ? [{ column: 'name', from: 'name' }] : [])],
    recipientClass: 'staff',
    create: true,
  };
  const roles = scenario.systems[system] ?? [];
  return {
    ...{ name: nameOf(code, system), system, entity: tableOf(code, system) },
    ...(roles.includes('source') ? { source } : {}),
    ...(roles.includes('target') ? { target } : {}),
  };
};
