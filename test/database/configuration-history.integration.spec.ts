import { afterAll, beforeAll, expect, test } from '@jest/globals';
import pg from 'pg';
import { migrate, revert } from '../../database/migrate.js';
import { createDatabase } from '../harness/database.js';
import type { TestDatabase } from '../harness/database.js';

/* What was configured before there was a history begins its history with what stood. */

let database: TestDatabase;
let client: pg.Client;
beforeAll(async () => {
  database = await createDatabase({ empty: true });
  client = new pg.Client({ connectionString: database.url, options: '-c search_path=concord' });
  await client.connect();
});
afterAll(async () => {
  await client.end();
  await database.drop();
});

test('a database of the version before gets the history of what stands in it', async () => {
  await migrate(database.url);
  for (let name = await revert(database.url); name?.startsWith('0005') !== true;) name = await revert(database.url);
  await client.query(`
    insert into institutions (code, name, time_zone, updated_by) values ('one', 'One', 'UTC', 'before');
    insert into data_source_configurations (institution_id, name, kind, settings, updated_by) values (1, 'sis', 'csv', '{"incoming": null}', 'before');
    insert into entity_types (institution_id, name, kind, definition, updated_by, version) values (1, 'person', 'mastered', '{"name": "person"}', 'before', 4);
    insert into cross_system_mappings (institution_id, system_id, name, entity, definition, updated_by, version) values (1, 1, 'sis.people', 'people', '{}', 'before', 2);
    insert into mapping_versions (mapping_id, version, institution_id, definition, created_by) values (1, 1, 1, '{"a": 1}', 'first'), (1, 2, 1, '{"a": 2}', 'second');
    insert into code_tables (institution_id, name, definition, updated_by) values (1, 'codes', '{"name": "codes"}', 'before');
    insert into synchronization_jobs (institution_id, name, definition, updated_by) values (1, 'nightly', '{"name": "nightly"}', 'before')`);
  await migrate(database.url);
  const { rows } = await client.query<{ line: unknown[] }>(
    `select json_build_array(kind, object_id, version, action, definition, changed_by) as line
     from configuration_versions order by kind, version`,
  );
  expect(rows.map(({ line }) => line)).toEqual([
    ['code_table', 1, 1, 'created', { name: 'codes' }, 'before'],
    ['entity_type', 1, 4, 'created', { name: 'person' }, 'before'],
    ['institution', 1, 1, 'created', { code: 'one', name: 'One', timeZone: 'UTC' }, 'before'],
    ['job', 1, 1, 'created', { name: 'nightly' }, 'before'],
    ['mapping', 1, 1, 'created', { a: 1 }, 'first'],
    ['mapping', 1, 2, 'changed', { a: 2 }, 'second'],
    ['system', 1, 1, 'created', { name: 'sis', kind: 'csv', settings: { incoming: null } }, 'before'],
  ]);
});
