import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import {
  applyConfiguration,
  loadConfiguration,
  loadMappingReading,
  loadMappingVersion,
} from '../../database/configuration-store.js';
import type { ConfigurationDifference, Difference } from '../../database/configuration-store.js';
import { createHub } from '../../database/hub.js';
import type { Hub } from '../../database/hub.js';
import type { EntityTypeDefinition, GroupDefinition } from '../../domain/entity-type.js';
import type { Configuration } from '../../domain/job-definition.js';
import type { MappingDefinition } from '../../domain/mapping-definition.js';
import type { RuleDefinition } from '../../domain/rule-definition.js';
import { createDatabase } from '../harness/database.js';
import type { TestDatabase } from '../harness/database.js';

let database: TestDatabase;
let hub: Hub;
let code: string;
let count = 0;
beforeAll(async () => {
  database = await createDatabase();
  hub = createHub({ url: database.url, role: 'concord_worker', max: 4 });
});
beforeEach(() => {
  count += 1;
  code = `institution-${count}`;
});
afterAll(async () => {
  await hub.close();
  await database.drop();
});

const group = (name: string): GroupDefinition => ({
  name,
  attributes: [{ name, type: 'text' }],
  strategy: 'three_way',
  priority: ['sis', 'hr'],
});
const person: EntityTypeDefinition = {
  name: 'person',
  kind: 'mastered',
  groups: [group('name'), group('email')],
  subject: 'self',
};
const required: RuleDefinition = { name: 'name_required', field: 'name', severity: 'reject', check: 'required' };
const short: RuleDefinition = { name: 'name_short', field: 'name', severity: 'warn', check: 'length', max: 80 };
const students: MappingDefinition = {
  name: 'sis.students',
  system: 'sis',
  entity: 'students',
  source: {
    columns: ['id', 'name'],
    key: ['id'],
    records: [{ entityType: 'person', groups: { name: { from: 'name' } } }],
    rules: [required, short],
  },
};
const staff: MappingDefinition = {
  name: 'hr.staff',
  system: 'hr',
  entity: 'staff',
  target: { root: 'person', key: [{ column: 'id', source: true }], columns: [], recipientClass: 'internal' },
};
const configuration = (changes: Partial<Configuration> = {}): Configuration => ({
  institution: { code, name: 'Lakeside', timeZone: 'Africa/Nairobi' },
  systems: [
    { name: 'sis', kind: 'postgres', settings: { url: { env: 'CONCORD_SECRET_SIS' }, empty: null } },
    { name: 'hr', kind: 'csv', settings: { folder: 'hr' }, owner: 'Human resources' },
  ],
  entityTypes: [person],
  mappings: [students, staff],
  codeTables: [{ name: 'country', entries: [{ concept: 'KE', codes: { sis: ['404'] } }] }],
  jobs: [{ name: 'nightly', sources: ['sis.students'], targets: ['hr.staff'] }],
  ...changes,
});
const withRules = (rules: readonly RuleDefinition[]): MappingDefinition => ({
  ...students,
  ...(students.source === undefined ? {} : { source: { ...students.source, rules } }),
});
const none: Difference = { created: [], changed: [], archived: [] };
const nothing = {
  institution: 'unchanged',
  ...{ systems: none, entityTypes: none, mappings: none, rules: none, codeTables: none, jobs: none },
};
const apply = (changes: Partial<Configuration> = {}): Promise<ConfigurationDifference> =>
  applyConfiguration(hub, configuration(changes), 'test');

interface State {
  readonly configured: readonly { name: string; version: number; archived: boolean }[];
  readonly versions: readonly { mapping_id: number; version: number }[];
}
const stateOf = (institutionId: number): Promise<State> =>
  hub.read(institutionId, async (client) => {
    const tables = ['data_source_configurations', 'entity_types', 'cross_system_mappings', 'data_quality_rules'];
    const configured = await client.query<State['configured'][number]>(
      [...tables, 'code_tables', 'synchronization_jobs']
        .map((table) => `select name, version, archived from ${table}`)
        .join(' union all ') + ' order by name',
    );
    const versions = await client.query<State['versions'][number]>(
      'select mapping_id, version from mapping_versions order by mapping_id, version',
    );
    return { configured: configured.rows, versions: versions.rows };
  });

describe('an institution', () => {
  test('keeps its recipient classes, and undeclares them again', async () => {
    const institution = { code: 'classes', name: 'Classes', timeZone: 'UTC' };
    const { institutionId } = await apply({ institution: { ...institution, recipientClasses: ['b', 'a'] } });
    expect((await loadConfiguration(hub, institutionId)).institution.recipientClasses).toEqual(['b', 'a']);
    expect((await apply({ institution })).institution).toBe('changed');
    expect((await loadConfiguration(hub, institutionId)).institution).not.toHaveProperty('recipientClasses');
    expect((await apply({ institution })).institution).toBe('unchanged');
  });
});

describe('applying a configuration', () => {
  test('makes everything, and it is loaded as it was given', async () => {
    const difference = await apply();
    expect(difference).toEqual({
      institutionId: difference.institutionId,
      institution: 'created',
      systems: { ...none, created: ['sis', 'hr'] },
      entityTypes: { ...none, created: ['person'] },
      mappings: { ...none, created: ['sis.students', 'hr.staff'] },
      rules: { ...none, created: ['sis.students/name_required', 'sis.students/name_short'] },
      codeTables: { ...none, created: ['country'] },
      jobs: { ...none, created: ['nightly'] },
    });
    const loaded = await loadConfiguration(hub, difference.institutionId);
    const given = configuration();
    const definitions = (list: readonly { definition: unknown }[]): unknown[] => list.map((each) => each.definition);
    expect(loaded.institution).toEqual({ id: difference.institutionId, ...given.institution });
    expect(definitions(loaded.systems)).toEqual(given.systems);
    expect(definitions(loaded.entityTypes)).toEqual(given.entityTypes);
    expect(definitions(loaded.mappings)).toEqual(given.mappings);
    expect(definitions(loaded.codeTables)).toEqual(given.codeTables);
    expect(definitions(loaded.jobs)).toEqual(given.jobs);
    expect(loaded.mappings.map((mapping) => mapping.systemId)).toEqual(loaded.systems.map((system) => system.id));
    expect(loaded.archived).toEqual({ systems: [], entityTypes: [], mappings: [], codeTables: [], jobs: [] });
  });

  test('twice changes nothing', async () => {
    const { institutionId } = await apply();
    const before = await stateOf(institutionId);
    expect(await apply()).toEqual({ institutionId, ...nothing });
    expect(await stateOf(institutionId)).toEqual(before);
  });

  test('a changed mapping gets a new version, and the old one stays', async () => {
    const { institutionId } = await apply();
    const changed: MappingDefinition = { ...staff, target: { ...requiredTarget(staff), onEnd: 'delete' } };
    const difference = await apply({ mappings: [students, changed] });
    expect(difference).toEqual({ institutionId, ...nothing, mappings: { ...none, changed: ['hr.staff'] } });
    const loaded = await loadConfiguration(hub, institutionId);
    const mapping = loaded.mappings.find((each) => each.definition.name === 'hr.staff');
    expect(mapping).toMatchObject({ version: 2, definition: changed });
    const id = mapping?.id ?? 0;
    expect(await loadMappingVersion(hub, institutionId, id, 1)).toEqual(staff);
    expect(await loadMappingVersion(hub, institutionId, id, 2)).toEqual(changed);
    await expect(loadMappingVersion(hub, institutionId, id, 3)).rejects.toMatchObject({ code: 'not_found' });
  });

  test('what only reads other rows derives the same as before; all else, and what was out of use, does not', async () => {
    const sinceOf = async (changes: Partial<Configuration>): Promise<readonly number[]> => {
      const { institutionId } = await apply(changes);
      const [mapping] = (await loadConfiguration(hub, institutionId)).mappings;
      return [mapping?.version ?? 0, mapping?.derivedSince ?? 0];
    };
    const source = requiredSource(students);
    const marked: MappingDefinition = { ...students, source: { ...source, watermark: { column: 'name' } } };
    const whole: MappingDefinition = { ...students, source: { ...source, completeByDefault: true } };
    const other: MappingDefinition = { ...whole, source: { ...requiredSource(whole), key: ['name'] } };
    expect(await sinceOf({ mappings: [students] })).toEqual([1, 1]);
    expect(await sinceOf({ mappings: [marked] })).toEqual([2, 1]);
    expect(await sinceOf({ mappings: [whole] })).toEqual([3, 1]);
    expect(await sinceOf({ mappings: [other] })).toEqual([4, 4]);
    expect(await sinceOf({ mappings: [{ ...other, source: { ...source, key: ['name'] } }] })).toEqual([5, 4]);
    // What it reads by changed together with it.
    const typed = { ...person, groups: [{ ...group('name'), attributes: [{ name: 'name', type: 'date' as const }] }] };
    expect(await sinceOf({ mappings: [other], entityTypes: [typed] })).toEqual([6, 6]);
    await apply({ mappings: [], jobs: [] });
    expect(await sinceOf({ mappings: [other] })).toEqual([8, 8]);
  });

  test('rules are rows, and changing one is a new version of its mapping', async () => {
    const { institutionId } = await apply();
    const harder: RuleDefinition = { ...required, severity: 'warn' };
    const difference = await apply({ mappings: [withRules([short, harder]), staff] });
    expect(difference).toMatchObject({
      mappings: { ...none, changed: ['sis.students'] },
      rules: { ...none, changed: ['sis.students/name_required'] },
    });
    const loaded = await loadConfiguration(hub, institutionId);
    const mapping = loaded.mappings.find((each) => each.definition.name === 'sis.students');
    expect(mapping?.definition.source?.rules).toEqual([short, harder]);
    const old = await loadMappingVersion(hub, institutionId, mapping?.id ?? 0, 1);
    expect(old.source?.rules).toEqual([required, short]);

    const fewer = await apply({ mappings: [withRules([harder]), staff] });
    expect(fewer.rules).toEqual({ ...none, archived: ['sis.students/name_short'] });
    const rows = await hub.read(institutionId, async (client) => {
      const mappings = await client.query<{ definition: MappingDefinition }>(
        `select definition from cross_system_mappings where name = 'sis.students'`,
      );
      const rules = await client.query<{ definition: RuleDefinition }>(
        'select definition from data_quality_rules where not archived order by id',
      );
      return { mapping: mappings.rows[0]?.definition, rules: rules.rows.map((row) => row.definition) };
    });
    expect(rows.mapping?.source).not.toHaveProperty('rules');
    expect(rows.rules).toEqual([harder]);
  });

  test('what is left out is archived, and comes back where it is wanted again', async () => {
    const { institutionId } = await apply();
    const first = await loadConfiguration(hub, institutionId);
    const less = await apply({ mappings: [staff], codeTables: [], jobs: [] });
    expect(less).toMatchObject({
      mappings: { ...none, archived: ['sis.students'] },
      rules: { ...none, archived: ['sis.students/name_required', 'sis.students/name_short'] },
      codeTables: { ...none, archived: ['country'] },
      jobs: { ...none, archived: ['nightly'] },
    });
    const loaded = await loadConfiguration(hub, institutionId);
    expect(loaded.jobs).toEqual([]);
    // Out of use is a version too: whoever changes what was archived meanwhile is told.
    expect(loaded.archived.jobs).toEqual(first.jobs.map((job) => ({ ...job, version: 2 })));
    expect(loaded.archived.mappings).toEqual(
      first.mappings
        .filter((each) => each.definition.name === 'sis.students')
        .map((mapping) => ({ ...mapping, version: 2, derivedSince: 2 })),
    );

    const back = await apply();
    expect(back).toMatchObject({
      mappings: { ...none, changed: ['sis.students'] },
      rules: { ...none, changed: ['sis.students/name_required', 'sis.students/name_short'] },
      jobs: { ...none, changed: ['nightly'] },
    });
    const again = await loadConfiguration(hub, institutionId);
    expect(again.jobs.map((job) => job.id)).toEqual(first.jobs.map((job) => job.id));
    expect(await apply()).toEqual({ institutionId, ...nothing });
  });

  test('is all or nothing', async () => {
    const { institutionId } = await apply();
    const before = await stateOf(institutionId);
    const unstorable = { name: 'later', entries: [{ concept: '\u0000', codes: {} }] };
    const changed = { systems: [{ name: 'sis', kind: 'csv', settings: {} }, ...configuration().systems.slice(1)] };
    await expect(apply({ ...changed, codeTables: [unstorable] })).rejects.toThrow();
    expect(await stateOf(institutionId)).toEqual(before);
    expect(await loadConfiguration(hub, institutionId)).toMatchObject({ systems: [{ version: 1 }, { version: 1 }] });
  });

  test('a new institution that is refused is not made', async () => {
    const unstorable = { name: 'later', entries: [{ concept: '\u0000', codes: {} }] };
    await expect(apply({ codeTables: [unstorable] })).rejects.toThrow();
    const found = await hub.system((client) => client.query('select institution_by_code($1) as id', [code]));
    expect(found.rows).toEqual([{ id: null }]);
  });

  test('two at once are done one after the other', async () => {
    const both = await Promise.all([apply(), apply()]);
    expect(new Set(both.map((each) => each.institutionId)).size).toBe(1);
    expect(both.map((each) => each.systems.created.length).sort()).toEqual([0, 2]);
  });

  test('wrong names are refused, all together', async () => {
    const wrong = apply({
      systems: [
        { name: 'sis', kind: 'csv', settings: {} },
        { name: 'sis', kind: 'csv', settings: {} },
      ],
      mappings: [withRules([required, required]), staff],
    });
    await expect(wrong).rejects.toMatchObject({
      code: 'configuration_invalid',
      message:
        'systems: sis is there twice; rules of sis.students: name_required is there twice; mapping hr.staff: there is no system hr',
    });
  });

  test('an institution is renamed', async () => {
    await apply();
    const difference = await apply({ institution: { code, name: 'Riverside', timeZone: 'Africa/Nairobi' } });
    expect(difference).toMatchObject({ ...nothing, institution: 'changed' });
    const loaded = await loadConfiguration(hub, difference.institutionId);
    expect(loaded.institution.name).toBe('Riverside');
  });
});

describe('the history', () => {
  const historyOf = (institutionId: number, kind: string): Promise<unknown[]> =>
    hub.read(institutionId, async (client) => {
      const answer = await client.query<{ line: unknown[] }>(
        `select json_build_array(definition ->> 'name', version, action, changed_by) as line
         from configuration_versions where kind = $1 order by object_id, version`,
        [kind],
      );
      return answer.rows.map(({ line }) => line);
    });

  test('keeps every version of everything, with who and how it came about', async () => {
    const { institutionId } = await apply();
    const renamed = {
      institution: { code, name: 'Riverside', timeZone: 'Africa/Nairobi', recipientClasses: ['internal'] },
    };
    await applyConfiguration(
      hub,
      configuration({ ...renamed, jobs: [], mappings: [withRules([short]), staff] }),
      'two',
    );
    await applyConfiguration(hub, configuration(renamed), 'three');
    expect(await historyOf(institutionId, 'institution')).toEqual([
      ['Lakeside', 1, 'created', 'test'],
      ['Riverside', 2, 'changed', 'two'],
    ]);
    expect(await historyOf(institutionId, 'job')).toEqual([
      ['nightly', 1, 'created', 'test'],
      ['nightly', 2, 'archived', 'two'],
      ['nightly', 3, 'restored', 'three'],
    ]);
    expect(await historyOf(institutionId, 'rule')).toEqual([
      ['name_required', 1, 'created', 'test'],
      ['name_required', 2, 'archived', 'two'],
      ['name_required', 3, 'restored', 'three'],
      ['name_short', 1, 'created', 'test'],
    ]);
    expect(await historyOf(institutionId, 'mapping')).toHaveLength(4);
    expect(await historyOf(institutionId, 'system')).toHaveLength(2);
    expect((await loadConfiguration(hub, institutionId)).institution).toEqual({
      id: institutionId,
      ...renamed.institution,
    });
  });

  test('a mapping that reads by a changed code table is read anew, and its former versions by the former table', async () => {
    const byTable: EntityTypeDefinition = {
      ...person,
      groups: [
        ...person.groups,
        { ...group('country'), attributes: [{ name: 'country', type: 'code', codeTable: 'country' }] },
      ],
    };
    const mapped = { ...students, source: { ...requiredSource(students), columns: ['id', 'name', 'land'] } };
    const reading: MappingDefinition = {
      ...mapped,
      source: {
        ...mapped.source,
        records: [{ entityType: 'person', groups: { country: { from: 'land', steps: [{ use: 'code' }] } } }],
      },
    };
    const before = { entityTypes: [byTable], mappings: [reading, staff] };
    const { institutionId } = await apply(before);
    const table = { name: 'country', entries: [{ concept: 'CH', codes: { sis: ['404'] } }] };
    const difference = await apply({ ...before, codeTables: [table] });
    expect(difference.mappings).toEqual({ ...none, changed: ['sis.students'] });
    const id = (await loadConfiguration(hub, institutionId)).mappings[0]?.id ?? 0;
    expect(await loadMappingReading(hub, institutionId, id, 1)).toEqual({
      definition: reading,
      codeTables: configuration().codeTables,
    });
    expect(await loadMappingReading(hub, institutionId, id, 2)).toEqual({ definition: reading, codeTables: [table] });
    expect(await apply({ ...before, codeTables: [table] })).toEqual({ institutionId, ...nothing });
  });
});

describe('the layout of an entity type', () => {
  const types = (...names: readonly string[]): Partial<Configuration> => ({
    entityTypes: [{ ...person, groups: names.map(group) }],
  });
  const addRecord = (institutionId: number): Promise<unknown> =>
    hub.transaction(institutionId, (client) =>
      client.query(
        `insert into golden_records (id, institution_id, entity_type_id, values, created_run, updated_run)
         select nextval('golden_ids'), institution_id, id, '{"a"}', 1, 1 from entity_types`,
      ),
    );

  test('may change while there are no records', async () => {
    await apply();
    expect((await apply(types('email', 'name'))).entityTypes.changed).toEqual(['person']);
  });

  test('only grows at its end when there are', async () => {
    const { institutionId } = await apply();
    await addRecord(institutionId);
    expect((await apply(types('name', 'email', 'phone'))).entityTypes.changed).toEqual(['person']);
    for (const wrong of [types('email', 'name', 'phone'), types('name', 'email'), types('name', 'x', 'email')]) {
      await expect(apply(wrong)).rejects.toMatchObject({ code: 'configuration_invalid' });
    }
  });
});

describe('loading', () => {
  test('gives the same object while nothing changes, and the new state after it', async () => {
    const { institutionId } = await apply();
    const first = await loadConfiguration(hub, institutionId);
    expect(await loadConfiguration(hub, institutionId)).toBe(first);
    const other = createHub({ url: database.url, role: 'concord_api', max: 1 });
    await applyConfiguration(other, configuration({ jobs: [] }), 'test');
    await other.close();
    const second = await loadConfiguration(hub, institutionId);
    expect(second).not.toBe(first);
    expect(second.jobs).toEqual([]);
  });

  test('an institution that is not there is not found', async () => {
    await expect(loadConfiguration(hub, 999_999)).rejects.toMatchObject({ code: 'not_found' });
  });

  test('knows nothing of other institutions', async () => {
    const { institutionId } = await apply();
    code = `${code}-other`;
    const other = await apply({ jobs: [] });
    expect((await loadConfiguration(hub, other.institutionId)).jobs).toEqual([]);
    const loaded = await loadConfiguration(hub, institutionId);
    const [mapping] = loaded.mappings;
    await expect(loadMappingVersion(hub, other.institutionId, mapping?.id ?? 0, 1)).rejects.toMatchObject({
      code: 'not_found',
    });
  });
});

function requiredTarget(mapping: MappingDefinition): NonNullable<MappingDefinition['target']> {
  if (mapping.target === undefined) throw new Error('no target');
  return mapping.target;
}

function requiredSource(mapping: MappingDefinition): NonNullable<MappingDefinition['source']> {
  if (mapping.source === undefined) throw new Error('no source');
  return mapping.source;
}
