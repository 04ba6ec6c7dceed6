import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { createDataSource, withInstitution } from '../../database/data-source.js';
import { CodeTableEntity } from '../../database/entities/code-table.js';
import { InstitutionEntity } from '../../database/entities/institution.js';
import { createHub } from '../../database/hub.js';
import { createDatabase } from '../harness/database.js';
import type { TestDatabase } from '../harness/database.js';
import { ensureInstitution } from './institutions.js';

let database: TestDatabase;
let dataSource: DataSource;
let north: number;
let south: number;
beforeAll(async () => {
  database = await createDatabase();
  const hub = createHub({ url: database.url, role: 'concord_worker', max: 1 });
  north = await ensureInstitution(hub, 'north');
  south = await ensureInstitution(hub, 'south');
  await hub.close();
  dataSource = await createDataSource({ url: database.url, role: 'concord_api', max: 2 }).initialize();
});
afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
});

test('TypeORM never changes the schema', () => {
  expect(dataSource.options).toMatchObject({ synchronize: false, migrationsRun: false, installExtensions: false });
  expect(dataSource.migrations).toEqual([]);
});

describe('entities and schema agree', () => {
  interface Column {
    readonly column: string;
    readonly type: string;
    readonly required: boolean;
    readonly key: boolean;
  }
  const inDatabase = async (table: string): Promise<readonly Column[]> =>
    await dataSource.query<readonly Column[]>(
      `select a.attname as column, format_type(a.atttypid, a.atttypmod) as type, a.attnotnull as required,
              coalesce(a.attnum = any (i.indkey), false) as key
       from pg_attribute a left join pg_index i on i.indrelid = a.attrelid and i.indisprimary
       where a.attrelid = $1::regclass and a.attnum > 0 and not a.attisdropped order by a.attname`,
      [`concord.${table}`],
    );

  const tables = [
    ...['institutions', 'data_source_configurations', 'entity_types', 'cross_system_mappings', 'mapping_versions'],
    ...['data_quality_rules', 'code_tables', 'synchronization_jobs', 'api_keys', 'sync_runs'],
    ...['sync_conflict_resolutions', 'held_changes', 'configuration_versions', 'inquiries'],
  ];

  test('there is an entity for each table that has one', () => {
    expect(dataSource.entityMetadatas.map((metadata) => metadata.tableName).sort()).toEqual([...tables].sort());
  });

  test.each(tables)('%s', async (table) => {
    const metadata = dataSource.entityMetadatas.find((candidate) => candidate.tableName === table);
    const mapped = (metadata?.columns ?? []).map((column) => ({
      column: column.databaseName,
      type: dataSource.driver.normalizeType(column) + (column.isArray ? '[]' : ''),
      required: !column.isNullable,
      key: column.isPrimary,
    }));
    mapped.sort((left, right) => (left.column < right.column ? -1 : 1));
    expect(metadata?.schema).toBe('concord');
    expect(mapped).toEqual(await inDatabase(table));
  });
});

describe('within an institution', () => {
  test('its rows are written and read, and no other institution sees them', async () => {
    const definition = { name: 'country', entries: [{ concept: 'KE', codes: { sis: ['404'] } }] };
    const saved = await withInstitution(dataSource, north, (manager) =>
      manager
        .getRepository(CodeTableEntity)
        .save({ institutionId: north, name: 'country', definition, updatedBy: 'test' }),
    );
    const read = (institution: number): Promise<CodeTableEntity[]> =>
      withInstitution(dataSource, institution, (manager) => manager.find(CodeTableEntity));
    expect(await read(north)).toMatchObject([{ id: saved.id, definition, version: 1, archived: false }]);
    expect(await read(south)).toEqual([]);
    expect(await dataSource.manager.find(CodeTableEntity)).toEqual([]);
    expect(await withInstitution(dataSource, south, (manager) => manager.find(InstitutionEntity))).toMatchObject([
      { id: south, code: 'south' },
    ]);
  });

  test('rows of another cannot be written', async () => {
    const intrusion = withInstitution(dataSource, south, (manager) =>
      manager.insert(CodeTableEntity, {
        institutionId: north,
        name: 'other',
        definition: { name: 'other', entries: [] },
        updatedBy: 'test',
      }),
    );
    await expect(intrusion).rejects.toThrow('row-level security');
  });

  test('what throws is rolled back', async () => {
    const fault = new Error('no');
    const work = withInstitution(dataSource, north, async (manager) => {
      await manager.update(CodeTableEntity, { name: 'country' }, { version: 2 });
      throw fault;
    });
    await expect(work).rejects.toBe(fault);
    const rows = await withInstitution(dataSource, north, (manager) => manager.find(CodeTableEntity));
    expect(rows.map((row) => row.version)).toEqual([1]);
  });
});
