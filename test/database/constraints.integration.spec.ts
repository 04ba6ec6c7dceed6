import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import type { PoolClient } from 'pg';
import { applyConfiguration } from '../../database/configuration-store.js';
import { createHub } from '../../database/hub.js';
import type { Hub } from '../../database/hub.js';
import { memberRoles } from '../../domain/access.js';
import { runKinds } from '../../domain/run.js';
import { createDatabase } from '../harness/database.js';
import type { TestDatabase } from '../harness/database.js';

let database: TestDatabase;
let hub: Hub;
let institution: number;
beforeAll(async () => {
  database = await createDatabase();
  hub = createHub({ url: database.url, role: 'concord_worker', max: 2 });
  const { institutionId } = await applyConfiguration(
    hub,
    {
      institution: { code: 'lakeside', name: 'Lakeside', timeZone: 'UTC' },
      systems: [{ name: 'sis', kind: 'csv', settings: {} }],
      entityTypes: [{ name: 'person', kind: 'mastered', groups: [], subject: 'self' }],
      mappings: [{ name: 'sis.students', system: 'sis', entity: 'students' }],
      codeTables: [],
      jobs: [
        { name: 'nightly', sources: ['sis.students'], targets: [] },
        { name: 'hourly', sources: ['sis.students'], targets: [] },
      ],
    },
    'test',
  );
  institution = institutionId;
});
afterAll(async () => {
  await hub.close();
  await database.drop();
});

/* Carries out each statement in turn, all in one transaction that is taken back; the error code of each, `ok` where it holds. */
const tryInOrder = async (...statements: readonly string[]): Promise<string[]> => {
  const outcomes: string[] = [];
  const takenBack = new Error('taken back');
  const work = hub.transaction(institution, async (client: PoolClient) => {
    for (const statement of statements) {
      await client.query('savepoint attempt');
      try {
        await client.query(statement);
        outcomes.push('ok');
      } catch (error) {
        outcomes.push(error instanceof pg.DatabaseError ? (error.code ?? '') : String(error));
        await client.query('rollback to savepoint attempt');
      }
    }
    throw takenBack;
  });
  await expect(work).rejects.toBe(takenBack);
  return outcomes;
};

let count = 0;
const idOf = (table: string, name: string): string => `(select id from ${table} where name = '${name}')`;
const own = `current_setting('concord.institution')::integer`;
const run = (columns: Readonly<Record<string, string>> = {}): string => {
  count += 1;
  const row = {
    institution_id: own,
    job_id: idOf('synchronization_jobs', 'nightly'),
    kind: `'sync'`,
    workflow_id: `'run-${count}'`,
    actor: `'test'`,
    as_of: `'2026-03-02'`,
    state: `'opened'`,
    ...columns,
  };
  return `insert into sync_runs (${Object.keys(row).join(', ')}) values (${Object.values(row).join(', ')})`;
};
const lastRun = '(select max(id) from sync_runs)';
const question = (columns: Readonly<Record<string, string>> = {}): string => {
  const row = {
    institution_id: own,
    opened_run: lastRun,
    changed_run: lastRun,
    kind: `'value'`,
    entity_type_id: idOf('entity_types', 'person'),
    golden_id: '1',
    group_name: `'email'`,
    candidates: `'[]'`,
    input_hash: `'00000000-0000-0000-0000-000000000000'`,
    ...columns,
  };
  return `insert into sync_conflict_resolutions (${Object.keys(row).join(', ')}) select ${Object.values(row).join(', ')}`;
};
const held = (columns: Readonly<Record<string, string>> = {}): string => {
  const row = {
    institution_id: own,
    job_id: idOf('synchronization_jobs', 'nightly'),
    run_id: lastRun,
    mapping_id: idOf('cross_system_mappings', 'sis.students'),
    cause: `'limit'`,
    operation: `'delete'`,
    row_count: '212',
    base_count: '1900',
    reason: `'over the limit'`,
    input_hash: `'00000000-0000-0000-0000-000000000000'`,
    ...columns,
  };
  return `insert into held_changes (${Object.keys(row).join(', ')}) select ${Object.values(row).join(', ')}`;
};
const record = (columns: Readonly<Record<string, string>> = {}): string => {
  const row = {
    id: `nextval('golden_ids') + 1000`,
    institution_id: own,
    entity_type_id: idOf('entity_types', 'person'),
    values: `'{}'::text[]`,
    created_run: lastRun,
    updated_run: lastRun,
    ...columns,
  };
  return `insert into golden_records (${Object.keys(row).join(', ')}) select ${Object.values(row).join(', ')}`;
};
/* A run and two golden records (1 and 2) that rows can refer to. */
const tryBeside = async (...statements: readonly string[]): Promise<string[]> => {
  const outcomes = await tryInOrder(run(), record({ id: '1' }), record({ id: '2' }), ...statements);
  expect(outcomes.slice(0, 3)).toEqual(['ok', 'ok', 'ok']);
  return outcomes.slice(3);
};
const [unique, check] = ['23505', '23514'];

describe('runs', () => {
  test('one sync run of a job at a time', async () => {
    const finish = 'update sync_runs set finished_at = now()';
    const other = { job_id: idOf('synchronization_jobs', 'hourly') };
    expect(await tryInOrder(run(), run(), run(other), finish, run(), run())).toEqual([
      'ok',
      unique,
      'ok',
      'ok',
      'ok',
      unique,
    ]);
  });

  test('decisions and rollbacks stand beside it', async () => {
    const statements = [run(), run({ kind: `'decision'` }), run({ kind: `'decision'` }), run({ kind: `'rollback'` })];
    expect(await tryInOrder(...statements)).toEqual(['ok', 'ok', 'ok', 'ok']);
  });

  test('a workflow opens one run', async () => {
    const same = { kind: `'rollback'`, workflow_id: `'same'` };
    expect(await tryInOrder(run(same), run(same))).toEqual(['ok', unique]);
  });

  test('kinds are those of the vocabulary', async () => {
    const known = runKinds.map((kind) => run({ kind: `'${kind}'` }));
    expect(await tryInOrder(...known, run({ kind: `'other'` }))).toEqual([...runKinds.map(() => 'ok'), check]);
  });
});

describe('questions', () => {
  const decided = { state: `'decided'`, decision: `'{}'` };

  test('one is open for each group of a record', async () => {
    const statements = [question(), question(), question({ group_name: `'phone'` }), question({ golden_id: '2' })];
    expect(await tryBeside(...statements, question({ kind: `'duplicate'` }))).toEqual(['ok', unique, 'ok', 'ok', 'ok']);
  });

  test('a decided one makes room for the next', async () => {
    expect(await tryBeside(question(decided), question(), question(decided))).toEqual(['ok', 'ok', 'ok']);
  });

  test('an open one has no decision, a decided one has', async () => {
    const statements = [
      question({ decision: `'{}'` }),
      question({ state: `'decided'` }),
      question({ state: `'settled'` }),
      question({ state: `'withdrawn'` }),
      question({ state: `'withdrawn'`, decision: `'{}'` }),
      question({ state: `'agreed'` }),
      question({ state: `'forgotten'` }),
    ];
    expect(await tryBeside(...statements)).toEqual([check, check, check, 'ok', 'ok', 'ok', check]);
  });
});

describe('held changes', () => {
  test('one is held for each job, cause, operation and mapping', async () => {
    const whole = { mapping_id: 'null::integer' };
    const statements = [held(), held(), held({ operation: `'insert'` }), held({ state: `'released'` })];
    expect(await tryBeside(...statements, held(whole), held(whole))).toEqual(['ok', unique, 'ok', 'ok', 'ok', unique]);
  });

  test('states, causes and operations are known ones', async () => {
    const wrong = [held({ state: `'lost'` }), held({ cause: `'mood'` }), held({ operation: `'upsert'` })];
    expect(await tryBeside(...wrong)).toEqual([check, check, check]);
  });
});

test('a golden record is merged exactly when it names the one it was merged into', async () => {
  const statements = [
    record(),
    record({ status: `'merged'`, merged_into: '1' }),
    record({ status: `'merged'` }),
    record({ merged_into: '1' }),
    record({ status: `'deleted'` }),
  ];
  expect(await tryBeside(...statements)).toEqual(['ok', 'ok', check, check, check]);
});

test('an image has one row for each key and sub-key', async () => {
  const image = (key: string, subKey: string): string =>
    `insert into record_images (id, institution_id, system_id, mapping_id, entity_type_id, source_key, sub_key, golden_id,
       mapping_version, created_run, last_run)
     select nextval('image_ids'), ${own}, 1, 1, 1, '${key}', '${subKey}', 1, 1, ${lastRun}, ${lastRun}`;
  expect(await tryBeside(image('a', ''), image('a', 'guardian'), image('a', ''), image('A', ''))).toEqual([
    'ok',
    'ok',
    unique,
    'ok',
  ]);
});

test('a restriction stands once for each record and class', async () => {
  const restriction = `insert into restrictions (institution_id, golden_id, recipient_class, placed_by) values (${own}, 1, 'directory', 'sis')`;
  const release = `update restrictions set released_by = 'test', released_at = now()`;
  expect(await tryBeside(restriction, restriction, release, restriction)).toEqual(['ok', unique, 'ok', 'ok']);
});

test('a delivery is taken once by its digest', async () => {
  const delivery = (state: string): string =>
    `insert into deliveries (institution_id, system_id, digest, name, state, run_id)
     select ${own}, ${idOf('data_source_configurations', 'sis')}, 'abc', 'staff.csv', '${state}', ${lastRun}`;
  expect(await tryBeside(delivery('lost'), delivery('accepted'), delivery('seen'))).toEqual([check, 'ok', unique]);
});

test('keys have a role of ours', async () => {
  const key = (role: string): string =>
    `insert into api_keys (institution_id, prefix, secret_hash, role, name, created_by) values (${own}, '${role}', '', '${role}', 'x', 'test')`;
  expect(await tryInOrder(...memberRoles.map(key), key('host'), key('root'))).toEqual([
    ...memberRoles.map(() => 'ok'),
    check,
    check,
  ]);
});
