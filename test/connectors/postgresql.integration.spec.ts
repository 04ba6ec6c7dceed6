import { jest } from '@jest/globals';
import pg from 'pg';
import type { Connector, ReadRequest, RowTarget, SnapshotReader, TargetEntity } from '../../connectors/capabilities.js';
import { createPostgresConnector } from '../../connectors/postgresql/connector.js';
import type { RawRow } from '../../domain/rows.js';
import { copyIn, copyOut } from '../../platform/copy.js';
import { createDatabase } from '../harness/database.js';
import type { TestDatabase } from '../harness/database.js';
import {
  copyText,
  describeRowTarget,
  describeSource,
  describeTextChanges,
  rowsOfText,
  type CopyTargetWorld,
} from './contract.js';

// The machine may be busy with other test files.
jest.setTimeout(60_000);

let database: TestDatabase;
let client: pg.Client;
let connector: Connector;
const never = new AbortController().signal;

beforeAll(async () => {
  database = await createDatabase({ empty: true });
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
  connector = createPostgresConnector({ url: database.url });
});
afterAll(async () => {
  await connector.close();
  await client.end();
  await database.drop();
});

const has = <T>(capability: T | undefined): T => {
  if (capability === undefined) throw new Error('a capability is missing');
  return capability;
};
const snapshots = (): SnapshotReader => has(connector.snapshots);
const target = (): RowTarget => has(connector.rows);

const readAll = async (request: ReadRequest, wanted = 1, reader = snapshots()): Promise<RawRow[]> => {
  const rows: RawRow[] = [];
  for (const partition of await reader.planPartitions(request, wanted)) {
    for await (const batch of reader.readPartition(request, partition, null, never)) rows.push(...batch.rows);
  }
  return rows;
};

describe('PostgreSQL', () => {
  const count = 12_000;
  beforeAll(async () => {
    await client.query(`
      create table students (id integer primary key, name text, note text);
      insert into students select n, 'Name ' || n, case when n % 3 = 0 then E'tab\\tand\\nline\\\\' when n % 3 = 1 then '' end
        from generate_series(1, ${String(count)}) n order by random();
      create table "Odd ""names" (code text collate "und-x-icu", part integer, "Näme" text, primary key (code, part));
      insert into "Odd ""names" select case when n % 2 = 0 then 'a' else 'B' end || (n / 7), n % 7, 'ä' || n from generate_series(1, 11000) n;
      create view loose as select id % 5000 as id, name, null::text as note from students union all select null, 'none', n::text from generate_series(1, 5500) n;
    `);
  });
  const world =
    (entity: string, columns: readonly string[], key: readonly string[], expected: () => readonly RawRow[]) => () => ({
      reader: { ...snapshots(), ...connector.catalogue },
      request: { entity, columns, key },
      expected: expected(),
      aside: 0,
    });
  const students = Array.from({ length: count }, (_, index): RawRow => {
    const id = index + 1;
    return [String(id), `Name ${String(id)}`, id % 3 === 0 ? 'tab\tand\nline\\' : id % 3 === 1 ? '' : null];
  });
  describeSource(
    'a table',
    world('students', ['id', 'name', 'note'], ['id'], () => students),
  );

  const odd = Array.from({ length: 11_000 }, (_, index): RawRow => {
    const n = index + 1;
    return [(n % 2 === 0 ? 'a' : 'B') + String(Math.floor(n / 7)), String(n % 7), `ä${String(n)}`];
  }).sort((left, right) =>
    (left[0] ?? '') < (right[0] ?? '') ? -1 : left[0] === right[0] ? Number(left[1]) - Number(right[1]) : 1,
  );
  describeSource(
    'a table with a compound key in another collation',
    world('Odd "names', ['code', 'part', 'Näme'], ['code', 'part'], () => odd),
  );

  let loose: RawRow[] = [];
  beforeAll(async () => {
    const { rows } = await client.query<(string | null)[]>({
      text: `select id::text, name, note from loose order by loose.id nulls last, id::text collate "C", name collate "C", note collate "C"`,
      rowMode: 'array',
    });
    loose = rows;
  });
  describeSource(
    'a view whose key is neither unique nor always there',
    world('loose', ['id', 'name', 'note'], ['id'], () => loose),
  );

  const accounts = (): CopyTargetWorld => ({
    copy: has(connector.copy),
    rows: target(),
    target: { entity: 'accounts', key: ['id'], columns: ['id', 'name', 'amount', 'active'] },
    row: (id, name) => [String(id), name, '1.50', 't'],
    refused: (id) => [String(id), 'somebody', 'forbidden value', 't'],
    standing: async () => {
      const { rows } = await client.query<(string | null)[]>({
        text: `select id::text, name, amount::text, left(active::text, 1) from accounts order by accounts.id`,
        rowMode: 'array',
      });
      return rows;
    },
    reset: async () => {
      await client.query(`
        create table if not exists accounts (id bigint primary key, name text, amount numeric(10,2), active boolean);
        truncate accounts`);
    },
  });
  describeRowTarget('PostgreSQL', accounts);
  describeTextChanges('PostgreSQL', accounts);
});

const cutReaders = (): Promise<unknown> =>
  client.query("select pg_terminate_backend(pid) from pg_stat_activity where query like 'copy (%large%'");

describe('what PostgreSQL has of its own, as a source', () => {
  it('describes columns, types and keys of its schema and of others', async () => {
    await client.query(`
      create schema other;
      create table other.thing (b char(3) not null, a numeric(10,2) not null, c text, d bigint generated always as (1) stored, primary key (a, b))`);
    const shape = await connector.catalogue.describeEntity('other.thing');
    expect(shape).toEqual({
      entity: 'other.thing',
      key: ['a', 'b'],
      columns: [
        { name: 'b', type: 'character(3)', nullable: false },
        { name: 'a', type: 'numeric(10,2)', nullable: false },
        { name: 'c', type: 'text', nullable: true },
        { name: 'd', type: 'bigint', nullable: true },
      ],
    });
    const scoped = createPostgresConnector({ url: database.url, schema: 'other' });
    expect((await scoped.catalogue.describeEntity('thing')).columns).toEqual(shape.columns);
    await scoped.close();
  });

  it('divides a large table into ranges of about the same size without reading it', async () => {
    await client.query(`create table large as select n as id, md5(n::text) as code from generate_series(1, 60000) n;
      alter table large add primary key (code)`);
    const request = { entity: 'large', columns: ['code', 'id'], key: ['code'] };
    const partitions = await snapshots().planPartitions(request, 4);
    expect(partitions).toHaveLength(4);
    for (const partition of partitions) {
      let rows = 0;
      for await (const batch of snapshots().readPartition(request, partition, null, never)) rows += batch.rows.length;
      expect(rows).toBeGreaterThan(9_000);
      expect(rows).toBeLessThan(21_000);
    }
    expect(new Set((await readAll(request, 4)).map(([code]) => code)).size).toBe(60_000);
  });

  it('reads by an index of the key, no matter how the key is read', async () => {
    await client.query('analyze large');
    const { rows } = await client.query<Record<string, string>>(
      `explain select code from large where (code) > (current_setting('application_name')::text) order by code limit 10`,
    );
    expect(JSON.stringify(rows)).toContain('Index');
  });

  it('spells every value in one way, whatever the database is set to', async () => {
    await client.query(`
      alter database ${database.name} set timezone = 'Australia/Sydney';
      alter database ${database.name} set datestyle = 'German';
      alter database ${database.name} set intervalstyle = 'postgres_verbose';
      create table spelled (id int primary key, at timestamptz, day date, span interval, flag boolean, code char(4), ip inet, data bytea, amount numeric(8,3), f float8, doc jsonb);
      insert into spelled values (1, '2024-01-31 23:30:00+11', '2024-02-29', '1 day 02:00', true, 'ab', '10.0.0.1', '\\x00ff', 1.5, 0.1, '{"b":1,"a":[]}')`);
    const fresh = createPostgresConnector({ url: database.url });
    const columns = ['id', 'at', 'day', 'span', 'flag', 'code', 'ip', 'data', 'amount', 'f', 'doc'];
    const expected = [
      '1',
      '2024-01-31 12:30:00+00',
      '2024-02-29',
      'P1DT2H',
      't',
      'ab  ',
      '10.0.0.1',
      '\\x00ff',
      '1.500',
      '0.1',
      '{"a": [], "b": 1}',
    ];
    expect(await readAll({ entity: 'spelled', columns, key: ['id'] }, 1, has(fresh.snapshots))).toEqual([expected]);
    // What is read back, row by row, is the same text: a baseline, a comparison and a verification agree.
    const spelled: TargetEntity = { entity: 'spelled', key: ['id'], columns };
    const rows = has(fresh.rows);
    expect(await rows.readRows(spelled, [['1']])).toEqual(new Map([['1', expected]]));
    const keyed = has(fresh.keyed);
    expect(await keyed.readKeys(spelled, [['1'], ['2'], ['no number'], [null]])).toEqual(new Map([['1', expected]]));
    await expect(keyed.readKeys({ ...spelled, entity: 'gone' }, [['1']])).rejects.toMatchObject({
      code: 'source_schema_changed',
    });
    // Equal values in another spelling are equal: numbers, padded text, times in another zone, documents.
    const before = [
      '1',
      '2024-01-31 22:30:00+10',
      '2024-02-29',
      '1 day 02:00',
      'true',
      'ab',
      '10.0.0.1/32',
      '\\x00FF',
      '1.5',
      '0.10',
      '{"a":[],"b":1}',
    ];
    const after = before.with(8, '1.75');
    expect(await rows.writeRows(spelled, [{ key: ['1'], before, after }])).toEqual([{ status: 'written' }]);
    expect(await rows.writeRows(spelled, [{ key: ['1'], before, after }])).toEqual([{ status: 'already' }]);
    expect(await rows.writeRows(spelled, [{ key: ['1'], before, after: before }])).toEqual([
      { status: 'origin_differs', actual: expected.with(8, '1.750') },
    ]);
    await fresh.close();
  });

  it('reads by watermark: first all up to it, then what is after the last', async () => {
    await client.query(`create table changes (id int primary key, at timestamptz);
      insert into changes values (1, '2024-01-01'), (2, '2024-01-02'), (3, '2024-01-03'), (4, null)`);
    const watermarks = has(connector.watermarks);
    const request = (after: string | null, upTo: string): ReadRequest => ({
      entity: 'changes',
      columns: ['id'],
      key: ['id'],
      watermark: { column: 'at', after, upTo },
    });
    const upTo = await watermarks.newestWatermark('changes', 'at', 0);
    expect(upTo).toBe('2024-01-03 00:00:00+00');
    expect(await readAll(request(null, '2024-01-02 00:00:00+00'))).toEqual([['1'], ['2'], ['4']]);
    expect(await readAll(request('2024-01-02 00:00:00+00', upTo ?? ''))).toEqual([['3']]);
    // The source's clock is long past these rows, so nothing is held back; a row of this moment is.
    expect(await watermarks.newestWatermark('changes', 'at', 60)).toBe(upTo);
    await client.query('insert into changes values (5, clock_timestamp())');
    const lagged = new Date(String(await watermarks.newestWatermark('changes', 'at', 60)));
    expect(Date.now() - lagged.getTime()).toBeGreaterThan(50_000);
    await client.query('delete from changes');
    expect(await watermarks.newestWatermark('changes', 'at', 60)).toBeNull();
    await expect(watermarks.newestWatermark('changes', 'gone', 0)).rejects.toMatchObject({
      code: 'source_schema_changed',
    });
  });

  it('ends the query on the server when it is stopped', async () => {
    const request = { entity: 'slow', columns: ['id', 'wait'], key: ['id'] };
    await client.query(
      'create view slow as select n as id, pg_sleep(0.05)::text as wait from generate_series(1, 100000) n',
    );
    const controller = new AbortController();
    const [partition] = await snapshots().planPartitions(request, 1);
    const reading = (async () => {
      for await (const _ of snapshots().readPartition(request, has(partition), null, controller.signal));
    })();
    const stopped = expect(reading).rejects.toThrow('enough');
    await new Promise((resolve) => setTimeout(resolve, 200));
    controller.abort(new Error('enough'));
    await stopped;
    const { rows } = await client.query(
      "select from pg_stat_activity where query like 'copy%slow%' and state = 'active'",
    );
    expect(rows).toHaveLength(0);
  });

  it('says who must act when the server refuses, without its words', async () => {
    const url = new URL(database.url);
    const failing = async (change: (url: URL) => void): Promise<unknown> => {
      const copy = new URL(url);
      change(copy);
      const broken = createPostgresConnector({ url: copy.href });
      try {
        return await broken.checker.checkConnection();
      } finally {
        await broken.close();
      }
    };
    await expect(failing(() => undefined)).resolves.toMatchObject({ product: 'PostgreSQL' });
    await expect(failing((to) => (to.port = '1'))).rejects.toMatchObject({
      code: 'source_unreachable',
      retryable: true,
    });
    await expect(failing((to) => (to.pathname = '/no_such_database'))).rejects.toMatchObject({
      code: 'configuration_invalid',
    });
    await client.query(`create role limited login password 'pw'; create table secret (id int primary key)`);
    const limited = new URL(database.url);
    limited.username = 'limited';
    limited.password = 'pw';
    const forbidden = createPostgresConnector({ url: limited.href });
    await expect(
      readAll({ entity: 'secret', columns: ['id'], key: ['id'] }, 1, has(forbidden.snapshots)),
    ).rejects.toMatchObject({ code: 'source_forbidden' });
    await expect(
      has(forbidden.rows).writeRows({ entity: 'secret', key: ['id'], columns: ['id'] }, [
        { key: ['1'], before: null, after: ['1'] },
      ]),
    ).rejects.toMatchObject({ code: 'target_forbidden' });
    await forbidden.close();
    await client.query('drop table secret; drop role limited');
  });

  it('calls a connection that is cut in the middle unreachable, and goes on with the next', async () => {
    const request = { entity: 'large', columns: ['code', 'id'], key: ['code'] };
    const [partition] = await snapshots().planPartitions(request, 1);
    const cursors: string[] = [];
    const rows: RawRow[] = [];
    const reading = async (): Promise<void> => {
      for await (const batch of snapshots().readPartition(request, has(partition), cursors.at(-1) ?? null, never)) {
        rows.push(...batch.rows);
        cursors.push(batch.cursor);
        if (cursors.length === 1) await cutReaders();
      }
    };
    await expect(reading()).rejects.toMatchObject({ code: 'source_unreachable' });
    await reading();
    expect(new Set(rows.map(([code]) => code)).size).toBe(60_000);
    expect(rows).toHaveLength(60_000);
  });
});

describe('what PostgreSQL has of its own, as a target', () => {
  it('names constraint, column and state of what it refuses, never a value', async () => {
    await client.query(`
      create table parents (id int primary key);
      create table children (id int primary key, parent int references parents deferrable initially deferred, mail text unique, name varchar(5) not null);
      insert into children values (100, null, 'taken@x', 'x')`);
    const children: TargetEntity = { entity: 'children', key: ['id'], columns: ['id', 'parent', 'mail', 'name'] };
    const insert = (...row: (string | null)[]) => ({ key: [row[0] ?? null], before: null, after: row });
    const outcomes = await target().writeRows(children, [
      insert('1', null, 'a@x', 'ok'),
      insert('2', null, 'taken@x', 'ok'),
      insert('3', '77', 'c@x', 'ok'),
      insert('4', null, 'd@x', 'too long'),
      insert('5', null, 'e@x', null),
      insert('6', 'Smith', 'f@x', 'ok'),
      insert('7', null, 'NUL\0', 'ok'),
      insert('', null, 'g@x', 'ok'),
      insert('8', null, 'h@x', 'ok'),
    ]);
    expect(outcomes).toEqual([
      { status: 'written' },
      { status: 'refused', reason: 'constraint children_mail_key, SQLSTATE 23505' },
      { status: 'refused', reason: 'constraint children_parent_fkey, SQLSTATE 23503' },
      { status: 'refused', reason: 'SQLSTATE 22001' },
      { status: 'refused', reason: 'column name, SQLSTATE 23502' },
      { status: 'refused', reason: 'SQLSTATE 22P02' },
      { status: 'refused', reason: 'SQLSTATE 22021' },
      { status: 'refused', reason: 'the key is not whole' },
      { status: 'written' },
    ]);
  });

  it('writes a row that refers to another of the same batch, though a third is refused', async () => {
    await client.query('create table nodes (id int primary key, parent int references nodes, n int check (n > 0))');
    const nodes: TargetEntity = { entity: 'nodes', key: ['id'], columns: ['id', 'parent', 'n'] };
    const insert = (...row: (string | null)[]) => ({ key: [row[0] ?? null], before: null, after: row });
    const outcomes = await target().writeRows(nodes, [
      insert('3', '2', '1'),
      insert('2', '1', '1'),
      insert('9', null, '0'),
      insert('1', null, '1'),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(['written', 'written', 'refused', 'written']);
  });

  it('writes identity keys as they stand, leaves computed columns to the target, and can change a key', async () => {
    await client.query(
      `create table made (id int generated always as identity primary key, a int, twice int generated always as (a * 2) stored)`,
    );
    const made: TargetEntity = { entity: 'made', key: ['id'], columns: ['id', 'a', 'twice'] };
    const write = { key: ['41'], before: null, after: ['41', '5', '10'] };
    expect(await target().writeRows(made, [write])).toEqual([{ status: 'written' }]);
    expect(await target().writeRows(made, [write])).toEqual([{ status: 'already' }]);
    expect(
      await target().insertRows(
        made,
        (async function* () {
          yield [['42', '6', '12']];
        })(),
      ),
    ).toBe(1);
    await client.query('create table renamed (id text primary key, a text)');
    const renamed: TargetEntity = { entity: 'renamed', key: ['id'], columns: ['id', 'a'] };
    await target().writeRows(renamed, [{ key: ['x'], before: null, after: ['x', '1'] }]);
    expect(await target().writeRows(renamed, [{ key: ['x'], before: ['x', '1'], after: ['y', '2'] }])).toEqual([
      { status: 'written' },
    ]);
    expect((await client.query('select id, a from renamed')).rows).toEqual([{ id: 'y', a: '2' }]);
  });

  it('says that a write was not taken where a trigger drops it or the key is no key', async () => {
    await client.query(`
      create table dropping (id int, a text);
      insert into dropping values (7, 'x'), (7, 'x');
      create function drop_it() returns trigger language plpgsql as 'begin if new.a = ''drop'' then return null; end if; return new; end';
      create trigger t before insert or update on dropping for each row execute function drop_it()`);
    const dropping: TargetEntity = { entity: 'dropping', key: ['id'], columns: ['id', 'a'] };
    const outcomes = await target().writeRows(dropping, [
      { key: ['1'], before: null, after: ['1', 'drop'] },
      { key: ['2'], before: null, after: ['2', 'keep'] },
      { key: ['7'], before: ['7', 'x'], after: ['7', 'y'] },
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(['refused', 'written', 'refused']);
    expect((await client.query("select from dropping where a = 'x'")).rows).toHaveLength(2);
  });

  it('never writes over what another session commits meanwhile', async () => {
    await client.query(
      `create table raced (id int primary key, a text); insert into raced select n, 'before' from generate_series(1, 50) n`,
    );
    const raced: TargetEntity = { entity: 'raced', key: ['id'], columns: ['id', 'a'] };
    const other = new pg.Client({ connectionString: database.url });
    await other.connect();
    await other.query('begin');
    await other.query("update raced set a = 'theirs' where id = 25");
    await other.query("insert into raced values (60, 'theirs')");
    const writing = target().writeRows(raced, [
      ...Array.from({ length: 50 }, (_, index) => ({
        key: [String(index + 1)],
        before: [String(index + 1), 'before'],
        after: [String(index + 1), 'ours'],
      })),
      { key: ['60'], before: null, after: ['60', 'ours'] },
    ]);
    await new Promise((resolve) => setTimeout(resolve, 100));
    await other.query('commit');
    await other.end();
    const outcomes = await writing;
    expect(outcomes.filter(({ status }) => status === 'written')).toHaveLength(49);
    expect(outcomes[24]).toEqual({ status: 'origin_differs', actual: ['25', 'theirs'] });
    expect(outcomes[50]).toEqual({ status: 'origin_differs', actual: ['60', 'theirs'] });
  });

  it.each([
    ['a trigger', 'create trigger t before update on TABLE for each row execute function as_it_is()'],
    ['a rule', 'create rule r as on update to TABLE do also notify changed'],
    ['a computed column', 'alter table TABLE drop column b, add column b int generated always as (length(a)) stored'],
    ['keys and nothing else', 'alter table TABLE drop column b, drop column a, add column a int, add column b int'],
  ])('changes no text, without asking, where there is %s', async (what, sql) => {
    await client.query(`
      create or replace function as_it_is() returns trigger language plpgsql as 'begin return new; end';
      drop table if exists taking;
      create table taking (id int primary key, a text, b int);
      insert into taking values (1, 'x', 1);
      ${sql.replace('TABLE', 'taking')}`);
    const columns = what.startsWith('keys') ? ['id'] : ['id', 'a', 'b'];
    const intend = jest.fn(() => Promise.resolve(true));
    const taking: TargetEntity = { entity: 'taking', key: ['id'], columns };
    expect(
      await has(connector.copy).changeText(taking, copyText([['1', 'y', '1'].slice(0, columns.length)]), intend),
    ).toBeNull();
    expect(intend).not.toHaveBeenCalled();
  });

  it('changes texts in the parts of a table, where no part has a trigger of its own', async () => {
    await client.query(`
      create table parted (id int primary key, amount numeric(8,2), code char(4)) partition by range (id);
      create table parted_low partition of parted for values from (0) to (10);
      create table parted_high partition of parted for values from (10) to (20);
      insert into parted select n, n, 'a' from generate_series(1, 19) n;
      create view seen as select * from parted`);
    const parted: TargetEntity = { entity: 'parted', key: ['id'], columns: ['id', 'amount', 'code'] };
    const { changeText } = has(connector.copy);
    const yes = (): Promise<boolean> => Promise.resolve(true);
    const rows = (amount: string): RawRow[] => [12, 3].map((id) => [String(id), amount, 'b']);
    expect(rowsOfText((await changeText(parted, copyText(rows('1.5')), yes)) ?? [])).toEqual([
      ['12', '1.50', 'b   '],
      ['3', '1.50', 'b   '],
    ]);
    // A value that is none of its type, a row twice, a view.
    expect(await changeText(parted, copyText(rows('much')), yes)).toBeNull();
    expect(await changeText(parted, copyText([...rows('2'), ...rows('3')]), yes)).toBeNull();
    expect(await changeText({ ...parted, entity: 'seen' }, copyText(rows('2')), yes)).toBeNull();
    await client.query('create trigger t before update on parted_high for each row execute function as_it_is()');
    expect(await changeText(parted, copyText(rows('2')), yes)).toBeNull();
    expect((await client.query('select from parted where amount = 1.5')).rowCount).toBe(2);
  });

  it('changes no text where a deferred constraint, or a policy, would have a say', async () => {
    await client.query(`
      create table deferring (id int primary key, parent int references parents deferrable initially deferred);
      insert into deferring values (1, null), (2, null)`);
    const deferring: TargetEntity = { entity: 'deferring', key: ['id'], columns: ['id', 'parent'] };
    const yes = (): Promise<boolean> => Promise.resolve(true);
    const change = (reached: Connector): Promise<readonly Buffer[] | null> =>
      has(reached.copy).changeText(
        deferring,
        copyText([
          ['1', null],
          ['2', '404'],
        ]),
        yes,
      );
    expect(await change(connector)).toBeNull();
    await client.query(`
      create role guarded login password 'pw';
      grant select, update on deferring to guarded;
      alter table deferring enable row level security;
      create policy seen on deferring for select to guarded using (true);
      create policy changed on deferring for update to guarded using (id = 1)`);
    const url = new URL(database.url);
    url.username = 'guarded';
    url.password = 'pw';
    const guarded = createPostgresConnector({ url: url.href });
    const same = copyText([
      ['1', null],
      ['2', null],
    ]);
    expect(await has(guarded.copy).changeText(deferring, same, yes)).toBeNull();
    await client.query(`revoke temporary on database ${database.name} from public`);
    const intend = jest.fn(yes);
    expect(await has(guarded.copy).changeText(deferring, copyText([['1', null]]), intend)).toBeNull();
    expect(intend).not.toHaveBeenCalled();
    await guarded.close();
    await client.query(
      `grant temporary on database ${database.name} to public; drop owned by guarded; drop role guarded`,
    );
  });

  it('passes over keys that are no values of their type', async () => {
    const nodes: TargetEntity = { entity: 'nodes', key: ['id'], columns: ['id'] };
    expect(await target().readRows(nodes, [['Smith'], ['1'], [null], ['99999999999999']])).toEqual(
      new Map([['1', ['1']]]),
    );
  });

  it('reads text by keys of several columns, whatever they are spelled with', async () => {
    const odd = `it's "odd", {x}\\N é`;
    await client.query(`
      create table odd_keys (kind char(3), name text, at date, due numeric(8,2), primary key (kind, name))`);
    await client.query(
      `insert into odd_keys values ('ab', $1, '2026-01-02', 1.5), ('abc', $1, null, 2), ('abc', 'NULL', null, null)`,
      [odd],
    );
    const entity = { entity: 'odd_keys', key: ['kind', 'name'], columns: ['name', 'kind', 'at', 'due'] };
    const read = async (...keys: RawRow[]): Promise<RawRow[]> =>
      rowsOfText((await has(connector.copy).readText(entity, keys)) ?? []);
    expect(await read(['ab ', odd])).toEqual([[odd, 'ab ', '2026-01-02', '1.50']]);
    expect(await read(['abc', 'NULL'], ['abc', odd.toUpperCase()])).toEqual([['NULL', 'abc', null, null]]);
  });
});

describe('COPY streams', () => {
  it('survive a source that breaks, a consumer that leaves and a signal', async () => {
    await client.query('create temp table copied (a text, b text)');
    const lines = async function* (broken: boolean): AsyncGenerator<string> {
      for (let at = 0; at < 20_000; at += 1) yield `${String(at)}\t\\N\n`;
      if (broken) throw new Error('broken');
    };
    await expect(copyIn(client, 'copy copied from stdin', lines(true))).rejects.toThrow('broken');
    expect((await client.query('select from copied')).rowCount).toBe(0);
    expect(await copyIn(client, 'copy copied from stdin', lines(false))).toBe(20_000);
    const controller = new AbortController();
    const stopping = (async function* () {
      yield '1\t2\n';
      controller.abort(new Error('enough'));
      yield '3\t4\n';
    })();
    await expect(copyIn(client, 'copy copied from stdin', stopping, { signal: controller.signal })).rejects.toThrow(
      'enough',
    );
    for await (const rows of copyOut(client, 'copy (select c.* from copied c, generate_series(1, 100)) to stdout')) {
      expect(rows[0]).toEqual(['0', null]);
      break;
    }
    const reading = (async () => {
      for await (const _ of copyOut(client, 'copy (select pg_sleep(60)) to stdout', {
        signal: AbortSignal.timeout(100),
      }));
    })();
    await expect(reading).rejects.toMatchObject({ name: 'TimeoutError' });
    const failing = (async () => {
      for await (const _ of copyOut(client, 'copy (select 1 / (a::int - 5) from copied) to stdout'));
    })();
    await expect(failing).rejects.toMatchObject({ code: '22012' });
    expect((await client.query<{ one: number }>('select 1 as one')).rows[0]?.one).toBe(1);
  });
});
