import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import type { PoolClient } from 'pg';
import { createHub } from '../../database/hub.js';
import type { Hub } from '../../database/hub.js';
import { databaseRoles } from '../../database/roles.js';
import { createDatabase } from '../harness/database.js';
import type { TestDatabase } from '../harness/database.js';
import { exampleRow, insertExample, tableShapes } from './example-rows.js';
import type { TableShape } from './example-rows.js';

interface Institution {
  readonly id: number;
  /** Table → an id of a row of this institution there. */
  readonly known: Map<string, string>;
}

let database: TestDatabase;
let owner: pg.Client;
let tables: readonly TableShape[];
let north: Institution;
let south: Institution;
const hubs = new Map<string, Hub>();
let marks = 1000;

/* As the owner, for whom row-level security does not hold: a row of the institution in every table. */
async function fillInstitution(): Promise<Institution> {
  const known = new Map<string, string>();
  for (const table of tables) {
    marks += 1;
    const id = await insertExample(owner, table, exampleRow(table, known, marks));
    if (id !== null) known.set(table.name, id);
  }
  return { id: Number(known.get('institutions')), known };
}

beforeAll(async () => {
  database = await createDatabase();
  owner = new pg.Client({ connectionString: database.url });
  await owner.connect();
  tables = await tableShapes(owner);
  // One row a table: what is told of them (events) would be more.
  await owner.query('set session_replication_role = replica');
  north = await fillInstitution();
  south = await fillInstitution();
  await owner.query('set session_replication_role = origin');
  for (const role of databaseRoles) hubs.set(role, createHub({ url: database.url, role, max: 1 }));
});
afterAll(async () => {
  for (const hub of hubs.values()) await hub.close();
  await owner.end();
  await database.drop();
});

const institutionColumn = (table: TableShape): string => (table.name === 'institutions' ? 'id' : 'institution_id');
const countRows = async (client: PoolClient, table: TableShape, institutionId: number): Promise<number> => {
  const answer = await client.query<{ count: string }>(
    `select count(*) as count from ${table.name} where ${institutionColumn(table)} = $1`,
    [institutionId],
  );
  return Number(answer.rows[0]?.count);
};

test('every table holds a row of each institution', () => {
  expect(tables.length).toBeGreaterThan(30);
  expect(north.id).not.toBe(south.id);
});

describe.each(databaseRoles)('%s', (role) => {
  const hubOf = (): Hub => {
    const hub = hubs.get(role);
    if (hub === undefined) throw new Error(`no hub of ${role}`);
    return hub;
  };
  /* Everything that is done to each table, in a transaction that is taken back. */
  const inEveryTable = async (
    work: (client: PoolClient, table: TableShape) => Promise<unknown>,
  ): Promise<unknown[]> => {
    const takenBack = new Error('taken back');
    const results: unknown[] = [];
    for (const table of tables) {
      const attempt = hubOf().transaction(north.id, async (client) => {
        results.push({ table: table.name, result: await work(client, table) });
        throw takenBack;
      });
      await expect(attempt).rejects.toBe(takenBack);
    }
    return results;
  };
  const everywhere = (result: unknown): unknown[] => tables.map((table) => ({ table: table.name, result }));
  const outcomeOf = (statement: Promise<pg.QueryResult | string>): Promise<unknown> =>
    statement.then(
      (answer) => (typeof answer === 'string' ? answer : answer.rowCount),
      (error: unknown) => (error instanceof pg.DatabaseError ? error.code : String(error)),
    );

  test('cannot bypass row-level security', async () => {
    const answer = await owner.query(
      `select rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolcanlogin,
              exists (select from pg_class where relowner = r.oid and relnamespace = 'concord'::regnamespace) as owns
       from pg_roles r where rolname = $1`,
      [role],
    );
    expect(answer.rows).toEqual([
      {
        rolsuper: false,
        rolbypassrls: false,
        rolcreaterole: false,
        rolcreatedb: false,
        rolcanlogin: false,
        owns: false,
      },
    ]);
  });

  test('sees the rows of its institution, and no other', async () => {
    expect(await inEveryTable((client, table) => countRows(client, table, north.id))).toEqual(everywhere(1));
    expect(await inEveryTable((client, table) => countRows(client, table, south.id))).toEqual(everywhere(0));
  });

  test('sees nothing without an institution', async () => {
    const counts = await hubOf().system(async (client) => {
      const seen: unknown[] = [];
      for (const table of tables) seen.push({ table: table.name, result: await countRows(client, table, north.id) });
      return seen;
    });
    expect(counts).toEqual(everywhere(0));
  });

  test('adds rows to its institution, and to no other', async () => {
    const inserted = (institution: Institution): Promise<unknown[]> =>
      inEveryTable((client, table) => {
        marks += 1;
        return outcomeOf(insertExample(client, table, exampleRow(table, institution.known, marks)).then(() => 'added'));
      });
    expect(await inserted(south)).toEqual(everywhere('42501'));
    // Where the key is made of what the row refers to, there is such a row already (23505).
    const own = await inserted(north);
    expect(own).toEqual(
      tables.map(({ name }) => ({
        table: name,
        result: name === 'institutions' ? '42501' : expect.stringMatching(/^(added|23505)$/),
      })),
    );
  });

  test('gives no row away, and takes none', async () => {
    const given = await inEveryTable((client, table) =>
      outcomeOf(client.query(`update ${table.name} set ${institutionColumn(table)} = $1`, [south.id])),
    );
    expect(given).toEqual(
      tables.map(({ name }) => ({ table: name, result: name === 'institutions' ? '428C9' : '42501' })),
    );
    const taken = await inEveryTable((client, table) =>
      outcomeOf(
        client.query(
          `update ${table.name} set ${touchableColumn(table)} = ${touchableColumn(table)} where ${institutionColumn(table)} = $1`,
          [south.id],
        ),
      ),
    );
    expect(taken).toEqual(everywhere(0));
  });

  test('deletes no row of another institution', async () => {
    const deleted = await inEveryTable((client, table) =>
      outcomeOf(client.query(`delete from ${table.name} where ${institutionColumn(table)} = $1`, [south.id])),
    );
    expect(deleted).toEqual(everywhere(0));
  });

  test('truncates nothing', async () => {
    const outcome = await inEveryTable((client, table) => outcomeOf(client.query(`truncate ${table.name} cascade`)));
    expect(outcome).toEqual(everywhere('42501'));
  });

  test(role === 'concord_worker' ? 'makes staging tables' : 'does not enter staging', async () => {
    const made = outcomeOf(
      hubOf().transaction(north.id, (client) => client.query('create unlogged table staging.probe (id integer)')),
    );
    expect(await made).toBe(role === 'concord_worker' ? null : '42501');
    await owner.query('drop table if exists staging.probe');
  });
});

test('what nobody asks for any more is forgotten, in every institution; what is asked for stays', async () => {
  const counts = async (): Promise<unknown> => {
    const { rows } = await owner.query(
      `select (select count(*)::int from concord.events) as events, (select count(*)::int from concord.event_tickets) as tickets,
         (select count(*)::int from concord.webhook_receipts) as receipts, (select count(*)::int from concord.idempotency_keys) as keys`,
    );
    return rows[0];
  };
  const forget = (): Promise<unknown> | undefined =>
    hubs.get('concord_worker')?.system((client) => client.query('select concord.forget_passed()'));
  await owner.query(`update concord.event_tickets set expires_at = now()`);
  const before = await counts();
  await forget();
  expect(await counts()).toEqual(before);
  await owner.query(
    `update concord.events set created_at = now() - interval '25 hours'; update concord.event_tickets set expires_at = now() - interval '2 hours';
     update concord.webhook_receipts set received_at = now() - interval '25 hours'; update concord.idempotency_keys set created_at = now() - interval '3 days'`,
  );
  await forget();
  expect(await counts()).toEqual({ events: 0, tickets: 0, receipts: 0, keys: 0 });
});

test('the API does not read what the worker staged', async () => {
  await hubs
    .get('concord_worker')
    ?.transaction(north.id, (client) => client.query('create table staging.probe as select 1 as id'));
  const reading = hubs.get('concord_api')?.read(north.id, (client) => client.query('select id from staging.probe'));
  await expect(reading).rejects.toMatchObject({ code: '42501' });
});

/* A column that may be set to itself: not one that is generated. */
function touchableColumn(table: TableShape): string {
  return table.name === 'institutions' ? 'name' : 'institution_id';
}
