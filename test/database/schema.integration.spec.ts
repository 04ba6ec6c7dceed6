import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { migrate, revert } from '../../database/migrate.js';
import { dumpSchema } from '../../scripts/schema-dump.js';
import { createDatabase } from '../harness/database.js';
import type { TestDatabase } from '../harness/database.js';

/* Written anew with UPDATE_SCHEMA=1, and reviewed like code. */
const committed = 'test/schema.sql';

let database: TestDatabase;
let client: pg.Client;
beforeAll(async () => {
  database = await createDatabase({ empty: true });
  await migrate(database.url);
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
});
afterAll(async () => {
  await client.end();
  await database.drop();
});

const names = async (query: string): Promise<string[]> => {
  const answer = await client.query<{ name: string }>(query);
  return answer.rows.map((row) => row.name);
};

test('the schema is the one that was reviewed', async () => {
  const dump = await dumpSchema(client);
  if (process.env['UPDATE_SCHEMA'] === '1') writeFileSync(committed, dump);
  expect(dump).toBe(readFileSync(committed, 'utf8'));
});

test('up, down and up again is the same schema, and down leaves nothing', async () => {
  const everything = (): Promise<string[]> =>
    names(`select c.oid::regclass::text as name from pg_class c where c.relnamespace not in
             ('pg_catalog'::regnamespace, 'information_schema'::regnamespace, 'pg_toast'::regnamespace)
           union all select nspname from pg_namespace where nspname !~ '^pg_' and nspname not in ('information_schema', 'public')
           union all select p.oid::regprocedure::text from pg_proc p where p.pronamespace = 'public'::regnamespace`);
  const other = await createDatabase({ empty: true });
  const own = client;
  client = new pg.Client({ connectionString: other.url });
  await client.connect();
  try {
    const before = await everything();
    await migrate(other.url);
    const first = await dumpSchema(client);
    for (let last = await revert(other.url); last !== null;) last = await revert(other.url);
    expect(await everything()).toEqual(before);
    await migrate(other.url);
    expect(await dumpSchema(client)).toBe(first);
  } finally {
    await client.end();
    client = own;
    await other.drop();
  }
});

describe('rules of the house', () => {
  test('every row belongs to an institution', async () => {
    const without = await names(`
      select c.relname as name from pg_class c
      where c.relnamespace = 'concord'::regnamespace and c.relkind in ('r', 'p') and not exists (
        select from pg_attribute a where a.attrelid = c.oid and a.attname = 'institution_id' and a.attnotnull)`);
    expect(without).toEqual(['institutions']);
  });

  test('every table has row-level security, by one policy; another may only narrow what the API sees', async () => {
    const without = await names(`
      select c.relname as name from pg_class c
      where c.relnamespace = 'concord'::regnamespace and c.relkind in ('r', 'p')
        and not (c.relrowsecurity and 1 = (select count(*) from pg_policy p where p.polrelid = c.oid and p.polpermissive))`);
    expect(without).toEqual([]);
    const narrowing = await names(`
      select distinct r.rolname as name from pg_policy p join pg_roles r on r.oid = any (p.polroles) where not p.polpermissive`);
    expect(narrowing).toEqual(['concord_api']);
  });

  test('the records of a person are narrowed to whoever may see them', async () => {
    const open = await names(`
      select distinct c.relname as name from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'subject_key'
      where c.relnamespace = 'concord'::regnamespace and c.relkind in ('r', 'p')
        and not exists (select from pg_policy p where p.polrelid = c.oid and p.polname = 'shown') order by 1`);
    // A run that reads one person is a run like others.
    expect(open).toEqual(['sync_runs']);
  });

  /* Columns by which personal data is known; a new table with one of them has to say whose it is. */
  const personalColumns = [
    ...['raw', 'source_key', 'golden_id', 'values', 'statements', 'candidates', 'corrected', 'before'],
    'subject_key',
  ];

  test('every table with personal data carries the key of its subject', async () => {
    const list = personalColumns.map((name) => `'${name}'`).join(', ');
    const personal = await names(`
      select distinct c.relname as name from pg_class c join pg_attribute a on a.attrelid = c.oid
      where c.relnamespace = 'concord'::regnamespace and c.relkind in ('r', 'p') and a.attname in (${list}) order by c.relname`);
    const keyed = await names(`
      select c.relname as name from pg_class c join pg_attribute a on a.attrelid = c.oid
      where c.relnamespace = 'concord'::regnamespace and c.relkind in ('r', 'p') and a.attname = 'subject_key'
        and format_type(a.atttypid, a.atttypmod) = 'bigint' order by c.relname`);
    expect(keyed).toEqual([
      ...[
        'change_set_entries',
        'disclosures',
        'findings',
        'golden_record_versions',
        'golden_records',
        'golden_references',
        'golden_words',
        'held_rows',
      ],
      ...['record_identifiers', 'record_images', 'rejected_records', 'restrictions', 'sync_conflict_resolutions'],
      ...['sync_runs', 'target_due'],
    ]);
    // A key of a row and a hash of it, for as long as the rollback stands; found through the images of the key.
    expect(personal.filter((table) => !keyed.includes(table))).toEqual(['rolled_back_inputs']);
  });

  /* What they refer to is never deleted, and these tables are small and read by other columns. */
  const neverFollowed = [
    ...['decision_batches.parent_run_id', 'decision_batches.settle_run_id', 'held_changes.settle_run_id'],
    ...['restrictions.mapping_id', 'restrictions.placed_run', 'sync_conflict_resolutions.changed_run'],
    ...['sync_conflict_resolutions.entity_type_id', 'sync_conflict_resolutions.job_id'],
    ...['sync_conflict_resolutions.settle_run_id', 'target_files.run_id', 'watermarks.run_id'],
  ];

  test('every foreign key that is followed has an index', async () => {
    const without = await names(`
      select format('%s.%s', (select c.relname from pg_class c where c.oid = k.conrelid), a.attname) as name
      from pg_constraint k join pg_attribute a on a.attrelid = k.conrelid and a.attnum = k.conkey[1]
      where k.contype = 'f' and k.connamespace = 'concord'::regnamespace
        and k.confrelid <> 'concord.institutions'::regclass
        and not exists (select from pg_index i where i.indrelid = k.conrelid and i.indkey[0] = k.conkey[1])
      order by 1`);
    expect(without).toEqual(neverFollowed);
  });

  test('no function is open to everybody, and each one that looks across institutions fixes its search path', async () => {
    const wrong = await names(`
      select p.oid::regprocedure::text as name from pg_proc p
      where p.pronamespace = 'concord'::regnamespace and (
        has_function_privilege('public', p.oid, 'execute')
        or p.prosecdef and not coalesce('search_path=concord, pg_temp' = any (p.proconfig), false))`);
    expect(wrong).toEqual([]);
  });
});
