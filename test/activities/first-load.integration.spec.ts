import { jest } from '@jest/globals';
import type pg from 'pg';
import { planBatches } from '../../activities/apply-plans.js';
import type { ActivityDependencies } from '../../activities/dependencies.js';
import { holdingCreation } from '../../activities/creation-lock.js';
import { hashOfRow } from '../../activities/projecting.js';
import type { Connector } from '../../connectors/capabilities.js';
import { createConnector } from '../../connectors/registry.js';
import { applyConfiguration, loadConfiguration } from '../../database/configuration-store.js';
import type { Hub } from '../../database/hub.js';
import type { EntityTypeDefinition } from '../../domain/entity-type.js';
import type { Configuration, JobDefinition } from '../../domain/job-definition.js';
import type { SourceMapping } from '../../domain/mapping-definition.js';
import type { RunRef } from '../../domain/run.js';
import type { TestDatabase } from '../harness/database.js';
import { openStores } from '../harness/stores.js';
import { DirectConductor, directActivities } from '../merge/database-world.js';

jest.setTimeout(120_000);

const person: EntityTypeDefinition = {
  name: 'person',
  kind: 'mastered',
  subject: 'self',
  identifiers: [{ scheme: 'number' }],
  groups: (['name', 'born', 'due', 'active', 'seen'] as const).map((name) => ({
    name,
    attributes: [
      {
        name,
        type: ({ name: 'text', born: 'date', due: 'decimal', active: 'boolean', seen: 'timestamp' } as const)[name],
      },
    ],
    strategy: 'source_priority' as const,
    priority: ['one'],
  })),
};

const fields = ['name', 'born', 'due', 'active', 'seen'];

const configurationOf = (code: string, url: string, job: Partial<JobDefinition>): Configuration => ({
  institution: { code, name: code, timeZone: 'UTC', recipientClasses: ['internal', 'public'] },
  systems: ['one', 'mirror'].map((name) => ({ name, kind: 'postgresql', settings: { url } })),
  entityTypes: [person],
  codeTables: [],
  mappings: [
    {
      name: `one.${code}_from`,
      system: 'one',
      entity: `${code}_from`,
      source: {
        columns: ['id', 'number', ...fields, 'secret'],
        key: ['id'],
        records: [
          {
            entityType: 'person',
            groups: Object.fromEntries(fields.map((name) => [name, { from: name }])),
            identifiers: { number: { from: 'number' } },
            restrictions: [{ recipientClass: 'internal', when: { field: 'secret', equals: 'yes' } }],
          },
        ],
        rules: [{ name: 'named', field: 'name', check: 'required', severity: 'reject' }],
      },
    },
    {
      name: `mirror.${code}_to`,
      system: 'mirror',
      entity: `${code}_to`,
      target: {
        root: 'person',
        key: [{ column: 'name', from: 'name' }],
        columns: fields.filter((name) => name !== 'name').map((column) => ({ column, from: column })),
        recipientClass: 'internal',
        rollback: 'restore',
      },
    },
  ],
  jobs: [{ name: 'all', sources: [`one.${code}_from`], targets: [`mirror.${code}_to`], ...job }],
});

const post: EntityTypeDefinition = {
  name: 'post',
  kind: 'reconciled',
  subject: { reference: 'person' },
  naturalKey: ['person'],
  groups: [
    {
      name: 'person',
      attributes: [{ name: 'person', type: 'reference', references: 'person' }],
      strategy: 'source_priority',
      priority: ['one'],
    },
    { name: 'title', attributes: [{ name: 'title', type: 'text' }], strategy: 'source_priority', priority: ['one'] },
  ],
};

const postsOf = (code: string): Configuration['mappings'][number] => ({
  name: `one.${code}_job`,
  system: 'one',
  entity: `${code}_job`,
  source: {
    columns: ['id', 'person', 'title'],
    key: ['id'],
    records: [
      {
        entityType: 'post',
        groups: { title: { from: 'title' } },
        references: { person: { mapping: `one.${code}_from`, key: ['person'] } },
      },
    ],
  },
});

describe('a first load', () => {
  let database: TestDatabase;
  let hub: Hub;
  let systems: pg.Client;
  let close: () => Promise<void>;

  beforeAll(async () => {
    ({ database, hub, systems, close } = await openStores());
  });
  afterAll(() => close());

  /** @param key what the source declares of its ids
   *  @param more what the activities work with otherwise than usual */
  const open = async (
    code: string,
    job: Partial<JobDefinition> = {},
    key = 'primary key',
    more: Partial<ActivityDependencies> = {},
  ) => {
    await systems.query(
      `create table public.${code}_from (id text ${key}, number text, name text, born date, due numeric(8,2), active boolean, seen timestamptz, secret text)`,
    );
    await systems.query(
      `create table public.${code}_to (name text primary key, born date, due numeric(8,2), active boolean, seen timestamptz)`,
    );
    const { institutionId } = await applyConfiguration(hub, configurationOf(code, database.url, job), 'test');
    const jobId = (await loadConfiguration(hub, institutionId)).jobs[0]?.id ?? 0;
    /** Calls of the target's capabilities, by name. */
    const calls: string[] = [];
    /** What others do to the target right after a bulk write of ours. */
    const afterwards: string[] = [];
    const counting: Partial<ActivityDependencies> = {
      openConnector: ({ kind, settings }) => counted(createConnector(kind, settings), calls, afterwards),
    };
    const conductor = new DirectConductor(directActivities(hub, { ...counting, ...more }));
    return {
      institutionId,
      ...{ calls, afterwards },
      configure: async (source: Partial<SourceMapping>): Promise<void> => {
        const { mappings, ...rest } = configurationOf(code, database.url, job);
        const changed = mappings.map((mapping) =>
          mapping.source === undefined ? mapping : { ...mapping, source: { ...mapping.source, ...source } },
        );
        await applyConfiguration(hub, { ...rest, mappings: changed }, 'test');
      },
      sync: () => conductor.sync(institutionId, jobId),
      rollback: (run: string) => conductor.rollback(institutionId, jobId, run),
      add: (from: number, to: number, more = "'no'") =>
        systems.query(
          `insert into public.${code}_from select i::text, 'n' || i, 'Name ' || i, date '2000-01-01' + i, i + 0.5, i % 2 = 0,
             timestamptz '2026-01-01 00:00:00Z' + make_interval(secs => i), ${more} from generate_series($1::integer, $2::integer) i`,
          [from, to],
        ),
      target: async () =>
        (
          await systems.query<{ name: string; due: string }>(
            `select name, due::text from public.${code}_to t order by t.due`,
          )
        ).rows,
      hub: <T extends pg.QueryResultRow>(sql: string) =>
        hub.read(institutionId, async (client) => (await client.query<T>(sql)).rows),
    };
  };

  const counted = (connector: Connector, calls: string[], afterwards: readonly string[]): Connector => {
    const { rows, copy, snapshots } = connector;
    const readCopyText = snapshots?.readCopyText?.bind(snapshots);
    if (rows === undefined || copy === undefined || snapshots === undefined || readCopyText === undefined)
      return connector;
    return {
      ...connector,
      snapshots: {
        ...snapshots,
        planPartitions: snapshots.planPartitions.bind(snapshots),
        readCopyText: (request, ...given) => {
          if (request.entity.endsWith('_to')) calls.push('read back');
          return readCopyText(request, ...given);
        },
      },
      rows: { ...rows, writeRows: (...given) => (calls.push('writeRows'), rows.writeRows(...given)) },
      copy: {
        changeText: (...given) => (calls.push('changeText'), copy.changeText(...given)),
        readText: (...given) => (calls.push('readText'), copy.readText(...given)),
        insertText: async (...given) => {
          calls.push('insertText');
          const written = await copy.insertText(...given);
          for (const sql of afterwards) await systems.query(sql);
          return written;
        },
      },
    };
  };

  it('goes as text to the target, whose spelling of each row is known', async () => {
    const load = await open('plain');
    await load.add(1, 40);
    const run = await load.sync();
    expect(load.calls).toEqual(['insertText', 'read back']);
    expect(await load.target()).toHaveLength(40);

    const standing = await systems.query<string[]>({
      text: `select name, born::text, due::text, case when active then 't' else 'f' end, to_char(seen at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS') || '+00' from public.plain_to order by name collate "C"`,
      rowMode: 'array',
    });
    const images = await load.hub<{ raw_hash: string; told: boolean }>(
      `select raw_hash::text, told_hash <> raw_hash as told from record_images where read_run is null order by source_key`,
    );
    expect(images.map(({ raw_hash }) => raw_hash)).toEqual(standing.rows.map((row) => hashOfRow(row)));
    // `1.5` was told and stands there as `1.50`.
    expect(images.every(({ told }) => told)).toBe(true);
    expect(await load.hub('select 1 from findings')).toEqual([]);

    await load.sync();
    const [second] = await load.hub<{ rows: object; summary: object }>(
      `select counts -> 'rows' as rows, counts -> 'summary' as summary from sync_runs where id > ${run}`,
    );
    expect(second).toMatchObject({ rows: { extracted: 40, unchanged: 40 }, summary: { targetWrites: 0 } });
  });

  it('goes by ranges that hold records, where these have ids far apart', async () => {
    const load = await open('far', { targets: [] });
    await load.add(1, 20);
    await load.sync();
    await systems.query(`select setval('concord.golden_ids', nextval('concord.golden_ids') + 100000000)`);
    await load.add(21, 40);
    await load.sync();
    await applyConfiguration(hub, configurationOf('far', database.url, {}), 'test');
    await load.sync();
    expect(load.calls).toEqual(['insertText', 'read back']);
    expect(await load.target()).toHaveLength(40);
    const [told] = await load.hub<{ chunks: string }>(
      `select count(*) as chunks from run_chunks where step = 'publish' and counts ->> 'fresh' = 'true'`,
    );
    expect(told?.chunks).toBe('1');
  });

  it('is read back: a row that the target has otherwise is found', async () => {
    const load = await open('other');
    await load.add(1, 20);
    load.afterwards.push(`update public.other_to set due = due + 1 where name = 'Name 7'`);
    await load.sync();
    expect(await load.hub(`select source_key from findings where kind = 'verify_differs'`)).toEqual([
      { source_key: 'Name 7' },
    ]);
    // The digest tells that there is a difference, a second reading where.
    expect(load.calls).toEqual(['insertText', 'read back', 'read back']);
  });

  it('leaves statistics that know its mappings, also where it is small beside what is there', async () => {
    const load = await open('many');
    await load.add(1, 1_200);
    await load.sync();
    const mappings = await load.hub<{ id: number }>('select id from cross_system_mappings order by id');
    const known = await systems.query<{ known: boolean }>(
      `select $1::integer[] <@ most_common_vals::text::integer[] as known from pg_stats
       where schemaname = 'concord' and tablename = 'record_images' and attname = 'mapping_id'`,
      [mappings.map(({ id }) => id)],
    );
    expect(known.rows).toEqual([{ known: true }]);
    // Every statement compares the institution.
    const compared = await systems.query<{ tablename: string }>(
      `select tablename from pg_stats where schemaname = 'concord' and attname = 'institution_id'
         and tablename in ('golden_records', 'record_images', 'record_identifiers') order by 1`,
    );
    expect(compared.rows.map(({ tablename }) => tablename)).toEqual([
      'golden_records',
      'record_identifiers',
      'record_images',
    ]);
  });

  it('is followed by changes that are applied in batches side by side and told by chunks, each with its outcome', async () => {
    const load = await open('pages');
    await load.add(1, 6_000);
    await load.sync();
    await systems.query(`update public.pages_from set due = due + 10000`);
    await systems.query(`delete from public.pages_from where id in ('1', '1500')`);
    const run = await load.sync();
    expect(load.calls.filter((call) => call === 'changeText')).toHaveLength(3);
    const [told] = (
      await systems.query<{ rows: number; changed: number }>(
        `select count(*)::integer as rows, count(*) filter (where due > 10000)::integer as changed from public.pages_to`,
      )
    ).rows;
    expect(told).toEqual({ rows: 5_998, changed: 5_998 });
    expect(
      await load.hub(
        `select outcome, count(*)::integer as rows, count(after)::integer as standing from change_set_entries
         where run_id = ${run} and kind = 'target' group by 1`,
      ),
    ).toEqual([{ outcome: 'written', rows: 6_000, standing: 5_998 }]);
    // What was told is known: nothing is left to tell.
    const again = await load.sync();
    expect(await load.hub(`select 1 from change_set_entries where run_id = ${again} and kind = 'target'`)).toEqual([]);
  });

  it('is followed by plans in batches, of which those that ask something come last', async () => {
    const load = await open('asking');
    const batches = await hub.transaction(load.institutionId, async (client) => {
      await client.query('create temp table plans (golden_id bigint, questions jsonb) on commit drop');
      await client.query(
        `insert into plans select i, case when i % 4 = 0 then '[]'::jsonb end from generate_series(1, 12000) i`,
      );
      return planBatches(client, 'plans');
    });
    expect(batches).toEqual([
      { first: '1', last: '6666', asking: false },
      { first: '6667', last: '11999', asking: false },
      { first: '4', last: '12000', asking: true },
    ]);
  });

  it('is followed by reads that stage what is not as it was', async () => {
    const load = await open('again');
    await load.add(1, 40);
    await load.sync();
    const countsOf = async (): Promise<unknown> => {
      const run = await load.sync();
      const [found] = await load.hub<{ rows: object }>(
        `select counts -> 'rows' as rows from sync_runs where id = ${run}`,
      );
      return found?.rows;
    };
    await systems.query(`update public.again_from set due = 99 where id = '7'`);
    await systems.query(`delete from public.again_from where id = '8'`);
    await load.add(41, 41);
    expect(await countsOf()).toMatchObject({
      extracted: 40,
      unchanged: 38,
      changed: 1,
      new: 1,
      missing: 1,
      deleted: 1,
    });
    expect(
      await load.hub(`select (counts -> 'rows')::integer as staged, (counts -> 'known')::integer as known from run_chunks
        where step = 'extract' and counts ? 'known'`),
    ).toEqual([{ staged: 2, known: 38 }]);
    const names = (await load.target()).map(({ name }) => name);
    expect(names).toHaveLength(40);
    expect(names).not.toContain('Name 8');

    // Under a new version of the mapping every row is looked at again, and what is missing is found all the same.
    await load.configure({ rules: [] });
    await systems.query(`delete from public.again_from where id = '9'`);
    expect(await countsOf()).toMatchObject({
      extracted: 39,
      unchanged: 0,
      changed: 0,
      no_effect: 39,
      missing: 1,
      deleted: 1,
    });
    expect(await countsOf()).toMatchObject({ extracted: 39, unchanged: 39, missing: 0 });
    // A source that gives nothing at once is not believed.
    await systems.query('delete from public.again_from');
    await load.sync();
    expect(await load.hub(`select 1 from findings where kind = 'source_empty'`)).toHaveLength(1);
    expect(await load.target()).toHaveLength(39);
  });

  describe('is remembered by its text', () => {
    const rowsOf = async (load: Awaited<ReturnType<typeof open>>, run: string): Promise<unknown> =>
      (await load.hub<{ rows: object }>(`select counts -> 'rows' as rows from sync_runs where id = ${run}`))[0]?.rows;
    /** Of how many partitions the text was that a run read. Without looking at rows it is that of the run before. */
    const partitionsOf = async (load: Awaited<ReturnType<typeof open>>, run: string): Promise<number> =>
      (
        await load.hub<{ partitions: number }>(
          `select coalesce(sum(json_array_length((counts -> 'content' -> 'partitions')::json)), 0)::integer as partitions from run_chunks
           where run_id = ${run} and step = 'extract' and counts -> 'content' <> 'null'`,
        )
      )[0]?.partitions ?? 0;
    const due = async (load: Awaited<ReturnType<typeof open>>, name: string): Promise<string | undefined> =>
      (await load.target()).find((row) => row.name === name)?.due;

    it('so that a read of the same text looks at no row', async () => {
      const load = await open('text', { partitions: 3 });
      // So many that they are read in parts.
      await load.add(1, 15_000);
      await systems.query('analyze public.text_from');
      expect(await partitionsOf(load, await load.sync())).toBe(3);
      for (let time = 0; time < 2; time += 1) {
        const same = await load.sync();
        expect(await partitionsOf(load, same)).toBe(3);
        expect(await rowsOf(load, same)).toMatchObject({ extracted: 15_000, unchanged: 15_000, missing: 0 });
      }
      await systems.query(`update public.text_from set due = 99 where id = '7'`);
      await systems.query(`delete from public.text_from where id = '8'`);
      await load.add(15_001, 15_001);
      const other = await load.sync();
      expect(await partitionsOf(load, other)).toBe(1);
      expect(await rowsOf(load, other)).toMatchObject({
        extracted: 15_000,
        unchanged: 14_998,
        new: 1,
        changed: 1,
        deleted: 1,
      });
      expect(await due(load, 'Name 7')).toBe('99.00');
      expect(await rowsOf(load, await load.sync())).toMatchObject({ extracted: 15_000, unchanged: 15_000 });
    });

    it('until a run wrote records that does not remember it', async () => {
      const load = await open('apart');
      await load.add(1, 40);
      await load.sync();
      // A row that is rejected is told by every run.
      await systems.query(`update public.apart_from set due = 99 where id = '7'`);
      await systems.query(`insert into public.apart_from (id, number) values ('50', 'n50')`);
      for (const changed of [1, 0]) {
        const run = await load.sync();
        expect(await rowsOf(load, run)).toMatchObject({ extracted: 41, rejected: 1, changed });
      }
      await systems.query(`update public.apart_from set due = 7.5 where id = '7'`);
      await systems.query(`delete from public.apart_from where id = '50'`);
      const back = await load.sync();
      expect(await partitionsOf(load, back)).toBe(1);
      expect(await rowsOf(load, back)).toMatchObject({ extracted: 40, changed: 1 });
      expect(await due(load, 'Name 7')).toBe('7.50');
    });

    it('until a run is rolled back: what it read comes again as a question', async () => {
      const load = await open('undone');
      await load.add(1, 40);
      await load.sync();
      await systems.query(`update public.undone_from set due = 99 where id = '7'`);
      const run = await load.sync();
      await load.rollback(run);
      expect(await due(load, 'Name 7')).toBe('7.50');
      const again = await load.sync();
      expect(await rowsOf(load, again)).toMatchObject({ extracted: 40, unchanged: 39, held: 1 });
    });

    it('until its mapping derives otherwise', async () => {
      const load = await open('derived');
      await load.add(1, 40);
      await load.sync();
      await load.configure({
        rules: [{ name: 'no seven', field: 'name', check: 'pattern', pattern: '.*[^7]', severity: 'reject' }],
      });
      expect(await rowsOf(load, await load.sync())).toMatchObject({ extracted: 40, rejected: 4 });
    });
  });

  it('stands where its source is read by a watermark from then on', async () => {
    const load = await open('marked', { reading: 'watermark' });
    await load.add(1, 20);
    await load.sync();
    await systems.query(`update public.marked_from set due = 99, seen = '2026-02-01 00:00:00Z' where id = '7'`);
    const countsOf = async (): Promise<unknown> => {
      const run = await load.sync();
      const [found] = await load.hub<{ rows: object }>(
        `select counts -> 'rows' as rows from sync_runs where id = ${run}`,
      );
      return found?.rows;
    };
    // There is no moment yet to begin after: all of it is read, and what is as it was is not derived again.
    await load.configure({ watermark: { column: 'seen' } });
    expect(await countsOf()).toMatchObject({ extracted: 20, unchanged: 19, changed: 1, no_effect: 0, missing: 0 });
    expect(
      await load.hub(`select (counts -> 'rows')::integer as staged, (counts -> 'known')::integer as known from run_chunks
        where step = 'extract' and counts ? 'known'`),
    ).toEqual([{ staged: 1, known: 19 }]);
    await systems.query(`update public.marked_from set due = 98, seen = '2026-02-02 00:00:00Z' where id = '8'`);
    await systems.query(`delete from public.marked_from where id = '9'`);
    expect(await countsOf()).toMatchObject({ extracted: 1, changed: 1, missing: 0 });
    expect((await load.target()).map(({ due }) => due).slice(-2)).toEqual(['98.00', '99.00']);
    expect(await load.target()).toHaveLength(20);
  });

  it('and what follows it come to the same by a watermark as by reading all, be rows told apart or all staged', async () => {
    const outcome = async (
      code: string,
      reading: 'watermark' | 'full',
      read: { readonly atOnce: boolean; readonly compare: boolean },
    ): Promise<unknown> => {
      const most = read.atOnce ? {} : { mostKnown: 5 };
      const load = await open(code, { reading }, 'primary key', most);
      await load.configure({ watermark: { column: 'seen' } });
      await load.add(1, 20);
      await load.sync();
      const change = (what: string, ids: readonly string[], seen: string): Promise<unknown> =>
        systems.query(`update public.${code}_from set ${what}, seen = $1 where id = any ($2)`, [seen, ids]);
      await change('due = 99', ['3', '4'], '2026-02-01Z');
      await change('name = null', ['5'], '2026-02-01Z');
      await change(`secret = 'yes'`, ['6'], '2026-02-01Z');
      await load.add(21, 22);
      const first = await load.sync();
      await load.rollback(first);
      // Of what comes again, that which was rolled back is held.
      await change('due = 98', ['4'], '2026-02-02Z');
      await change(`name = 'Another'`, ['5'], '2026-02-02Z');
      const second = await load.sync();
      const plans = await load.hub(
        `select counts -> 'atOnce' as "atOnce", counts -> 'compare' as compare from run_chunks where step = 'plan' and part <> '' and run_id in (${first}, ${second})`,
      );
      expect(plans).toEqual([read, read]);
      return {
        runs: await load.hub(
          `select counts -> 'rows' #- '{extracted}' #- '{unchanged}' as rows, counts -> 'summary' as summary from sync_runs order by id`,
        ),
        golden: await load.hub('select "values", version, status from golden_records order by "values"[1]'),
        images: await load.hub(
          `select source_key, raw, statements, deleted_run is not null as gone from record_images where read_run is not null order by source_key`,
        ),
        aside: await load.hub(`select kind, source_key, raw, reason from rejected_records order by run_id, source_key`),
        held: await load.hub(`select source_key, operation, raw from held_rows order by source_key, operation`),
        restricted: await load.hub(
          `select recipient_class, released_at is null as placed from restrictions order by id`,
        ),
        target: await load.target(),
      };
    };
    const byWatermark = await outcome('since', 'watermark', { atOnce: true, compare: false });
    expect(await outcome('compared', 'full', { atOnce: true, compare: true })).toEqual(byWatermark);
    expect(await outcome('whole', 'full', { atOnce: false, compare: false })).toEqual(byWatermark);
    expect(byWatermark).toMatchObject({
      runs: [
        { rows: { new: 20 } },
        { rows: { new: 2, changed: 3, rejected: 1 } },
        {},
        { rows: { changed: 2, held: 4 } },
      ],
      aside: [{ source_key: '5', reason: 'named' }],
      held: [{ source_key: '21' }, { source_key: '22' }, { source_key: '3' }, { source_key: '6' }],
    });
  });

  it('leaves rejected rows and those of one key out, and counts each once', async () => {
    const load = await open('twice', {}, '');
    await load.add(1, 10);
    await load.add(4, 5);
    await systems.query(`update public.twice_from set name = null where id = '9'`);
    const run = await load.sync();
    const [counted_] = await load.hub<{ rows: object }>(
      `select counts -> 'rows' as rows from sync_runs where id = ${run}`,
    );
    expect(counted_).toMatchObject({ rows: { extracted: 12, new: 7, rejected: 5 } });
    const rejected = await load.hub<{ key: string; reason: string }>(
      `select source_key as key, reason from rejected_records
       where raw::jsonb ->> 0 = source_key and raw_hash = encode(substring(sha256(raw::bytea) for 16), 'hex')::uuid order by source_key, id`,
    );
    expect(rejected).toEqual([
      ...['4', '4', '5', '5'].map((key) => ({ key, reason: 'duplicate_key' })),
      { key: '9', reason: 'named' },
    ]);
    expect((await load.target()).map(({ name }) => name)).toEqual([1, 2, 3, 6, 7, 8, 10].map((id) => `Name ${id}`));
  });

  it('stages rows once where nobody may ask for one of them', async () => {
    const load = await open('bare');
    await load.add(1, 10);
    await systems.query(`update public.bare_from set name = null where id = '9'`);
    const run = await load.sync();
    const countsOf = async (id: string): Promise<unknown> =>
      (await load.hub<{ rows: object }>(`select counts -> 'rows' as rows from sync_runs where id = ${id}`))[0]?.rows;
    const bare = (id: string): Promise<unknown> =>
      load.hub(`select counts ->> 'rows' as rows from run_chunks where run_id = ${id} and step = 'bare'`);
    expect(await countsOf(run)).toMatchObject({ extracted: 10, new: 9, rejected: 1, held: 0 });
    expect(await bare(run)).toEqual([{ rows: '9' }]);
    expect(await load.target()).toHaveLength(9);

    // Once they were rolled back, each of them is looked for among what is not applied again.
    await load.rollback(run);
    expect(await load.target()).toEqual([]);
    const again = await load.sync();
    expect(await countsOf(again)).toMatchObject({ extracted: 10, new: 0, held: 9 });
    expect(await bare(again)).toEqual([]);
    expect(await load.hub(`select count(raw)::integer as rows from held_rows`)).toEqual([{ rows: 9 }]);
    expect(await load.target()).toEqual([]);
  });

  it('is read anew where another job reads the same rows first', async () => {
    const load = await open('raced');
    await load.add(1, 10);
    const { jobs, ...rest } = configurationOf('raced', database.url, {});
    const [all] = jobs;
    if (all === undefined) throw new Error('no job');
    await applyConfiguration(hub, { ...rest, jobs: [all, { ...all, name: 'beside' }] }, 'test');
    const jobIds = new Map(
      (await loadConfiguration(hub, load.institutionId)).jobs.map(({ id, definition }) => [definition.name, id]),
    );
    const activities = directActivities(hub);
    const conductor = new DirectConductor(activities);
    const runs: RunRef[] = [];
    const raced = new DirectConductor({
      ...activities,
      guard: async (run) => {
        const counts = await activities.guard(run);
        runs.push(run);
        await conductor.sync(load.institutionId, jobIds.get('beside') ?? 0);
        return counts;
      },
    });
    await expect(raced.sync(load.institutionId, jobIds.get('all') ?? 0)).rejects.toMatchObject({
      code: 'staging_lost',
    });

    const [run] = runs;
    if (run === undefined) throw new Error('no run');
    await conductor.resume({ ...run, reading: await activities.forgetStaging(run) });
    expect(await load.hub(`select counts -> 'rows' as rows from sync_runs where id = ${run.runId}`)).toMatchObject([
      { rows: { extracted: 10, unchanged: 10, new: 0 } },
    ]);
    expect(await load.hub('select count(*)::integer as records from golden_records')).toEqual([{ records: 10 }]);
    expect(await load.target()).toHaveLength(10);
  });

  it.each(['guard', 'standardize'] as const)(
    'and what follows it make nobody twice where another job reads the same rows right after %s',
    async (step) => {
      const load = await open(step, { reading: 'watermark' });
      const { jobs, mappings, ...rest } = configurationOf(step, database.url, { reading: 'watermark' });
      const [all] = jobs;
      if (all === undefined) throw new Error('no job');
      const marked = mappings.map((mapping) =>
        mapping.source === undefined
          ? mapping
          : { ...mapping, source: { ...mapping.source, watermark: { column: 'seen' } } },
      );
      const both: Configuration = { ...rest, mappings: marked, jobs: [all, { ...all, name: 'beside' }] };
      await applyConfiguration(hub, both, 'test');
      const jobIds = new Map(
        (await loadConfiguration(hub, load.institutionId)).jobs.map(({ id, definition }) => [definition.name, id]),
      );
      const activities = directActivities(hub);
      const conductor = new DirectConductor(activities);
      const raced = new DirectConductor({
        ...activities,
        [step]: async (run: RunRef) => {
          const done = await activities[step](run);
          await conductor.sync(load.institutionId, jobIds.get('beside') ?? 0);
          return done;
        },
      });
      await load.add(1, 10);
      await conductor.sync(load.institutionId, jobIds.get('all') ?? 0);
      await load.add(11, 12);
      await systems.query(`update public.${step}_from set due = 99, seen = '2026-02-01 00:00:00Z' where id = '3'`);
      await raced.sync(load.institutionId, jobIds.get('all') ?? 0);
      expect(await load.hub('select count(*)::integer as records from golden_records')).toEqual([{ records: 12 }]);
      expect(await load.target()).toHaveLength(12);
      expect((await load.target()).at(-1)).toEqual({ name: 'Name 3', due: '99.00' });
      expect(await load.hub(`select 1 from sync_conflict_resolutions`)).toEqual([]);
    },
  );

  it('is followed by a run that reads anew in another way, and finds the rows of that reading', async () => {
    const load = await open('anew', { reading: 'watermark' });
    await load.configure({ watermark: { column: 'seen' } });
    await load.add(1, 10);
    await load.sync();
    const change = (id: string): Promise<unknown> =>
      systems.query(`update public.anew_from set due = 99, seen = '2026-02-01 00:00:00Z' where id = $1`, [id]);
    await change('3');
    const activities = directActivities(hub);
    const jobId = (await loadConfiguration(hub, load.institutionId)).jobs[0]?.id ?? 0;
    const opened = await activities.openRun({
      ...{
        institutionId: load.institutionId,
        jobId,
        kind: 'sync',
        actor: 'test',
        asOf: '2026-01-15',
        workflowId: 'anew',
      },
    });
    if (!('opened' in opened)) throw new Error('the job is occupied');
    const run = opened.opened;
    for (const partition of (await activities.planExtract(run)).partitions) await activities.extract(run, partition);
    expect(await activities.diff(run)).toMatchObject({ changed: 1 });
    // By the first reading only the third row had changed; the next one cannot tell rows apart by their keys alone.
    await change('4');
    await load.configure({});
    await systems.query('alter table public.anew_from drop constraint anew_from_pkey');
    await new DirectConductor(activities).resume({ ...run, reading: await activities.forgetStaging(run) });
    expect(await load.hub(`select counts -> 'rows' as rows from sync_runs where id = ${run.runId}`)).toMatchObject([
      { rows: { extracted: 10, changed: 2, unchanged: 8, new: 0 } },
    ]);
    expect((await load.target()).map(({ name }) => name).slice(-2)).toEqual(['Name 3', 'Name 4']);
    expect(await load.target()).toHaveLength(10);
  });

  it('counts rows that are staged once and wait for another', async () => {
    const load = await open('waits', { targets: [] });
    await systems.query('create table public.waits_job (id text primary key, person text, title text)');
    await systems.query(`insert into public.waits_job values ('a', '1', 'cook'), ('b', '7', 'smith')`);
    const { entityTypes, mappings, ...rest } = configurationOf('waits', database.url, {});
    const extended: Configuration = {
      ...rest,
      entityTypes: [...entityTypes, post],
      mappings: [...mappings, postsOf('waits')],
      jobs: [{ name: 'all', sources: ['one.waits_from', 'one.waits_job'], targets: [] }],
    };
    await applyConfiguration(hub, extended, 'test');
    await load.add(1, 3);
    const countsOf = async (): Promise<unknown> => {
      const run = await load.sync();
      return (await load.hub<{ rows: object }>(`select counts -> 'rows' as rows from sync_runs where id = ${run}`))[0]
        ?.rows;
    };
    expect(await countsOf()).toMatchObject({ extracted: 5, new: 4, waiting: 1 });
    expect(
      await load.hub(`select counts ->> 'rows' as rows from run_chunks where step = 'bare' order by part`),
    ).toEqual([{ rows: '3' }, { rows: '2' }]);
    await load.add(7, 7);
    expect(await countsOf()).toMatchObject({ new: 2, waiting: 0 });
  });

  it('makes no record of rows that the guard holds', async () => {
    const load = await open('held', { limits: [{ operation: 'insert', absolute: 3 }] });
    await load.add(1, 5);
    await load.sync();
    expect(await load.target()).toEqual([]);
    expect(await load.hub('select 1 from golden_records')).toEqual([]);
    expect(await load.hub(`select raw::jsonb ->> 2 as name from held_rows order by 1`)).toEqual(
      [1, 2, 3, 4, 5].map((id) => ({ name: `Name ${id}` })),
    );
  });

  it('compares rows where one stands in the target already, and leaves a run twice the same', async () => {
    const load = await open('there');
    await load.add(1, 5);
    await systems.query(`insert into public.there_to values ('Name 2', null, 7, null, null)`);
    await load.sync();
    expect(load.calls).toContain('writeRows');
    expect((await load.target()).map(({ due }) => due)).toEqual(['1.50', '2.50', '3.50', '4.50', '5.50']);
  });

  it('sends no record that is restricted', async () => {
    const load = await open('secret');
    await load.add(1, 5, `case when i = 3 then 'yes' else 'no' end`);
    await load.sync();
    expect((await load.target()).map(({ name }) => name)).toEqual([1, 2, 4, 5].map((id) => `Name ${id}`));
  });

  it('lets nobody create beside it, also where the connection that holds the lock dies', async () => {
    const load = await open('locks');
    const type = { id: 1, definition: person };
    const run: RunRef = { runId: '1', institutionId: load.institutionId, jobId: null, kind: 'sync' };
    const order: string[] = [];
    let next: Promise<void> = Promise.resolve();
    const holder = holdingCreation(hub, run, type, async (client, stillHeld) => {
      const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
      await hub.transaction(run.institutionId, async (own) => {
        await stillHeld(own);
        await systems.query('select pg_terminate_backend($1, 60000)', [rows[0]?.pid]);
        next = holdingCreation(hub, run, type, async () => void order.push('the next holder'));
        await untilWaiting(systems);
        order.push('the transaction of the first');
      });
      await expect(hub.transaction(run.institutionId, (own) => stillHeld(own))).rejects.toThrow('does not answer');
    });
    await expect(holder).rejects.toThrow('does not answer');
    await next;
    expect(order).toEqual(['the transaction of the first', 'the next holder']);
  });
});

const untilWaiting = async (client: pg.Client): Promise<void> => {
  for (;;) {
    const { rowCount } = await client.query(
      `select 1 from pg_locks where locktype = 'advisory' and not granted and mode = 'ExclusiveLock'`,
    );
    if ((rowCount ?? 0) > 0) return;
  }
};
