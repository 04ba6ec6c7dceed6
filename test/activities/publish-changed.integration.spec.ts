import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import type pg from 'pg';
import type { Connector } from '../../connectors/capabilities.js';
import { createConnector } from '../../connectors/registry.js';
import { applyConfiguration, loadConfiguration } from '../../database/configuration-store.js';
import type { Hub } from '../../database/hub.js';
import type { EntityTypeDefinition } from '../../domain/entity-type.js';
import type { Configuration } from '../../domain/job-definition.js';
import type { TestDatabase } from '../harness/database.js';
import { openStores } from '../harness/stores.js';
import { DirectConductor, directActivities } from '../merge/database-world.js';

/* Changes of known rows are told by chunks or row by row: nobody can tell by what is stored, told and taken back which it was. */

jest.setTimeout(180_000);

const fields = ['number', 'name', 'note', 'due', 'born', 'active', 'seen', 'until'] as const;
type Field = (typeof fields)[number];
const types: Partial<Record<Field, 'date' | 'decimal' | 'boolean' | 'timestamp'>> = {
  ...{ due: 'decimal', born: 'date', active: 'boolean', seen: 'timestamp', until: 'date' },
};

const person: EntityTypeDefinition = {
  name: 'person',
  kind: 'mastered',
  subject: 'self',
  identifiers: [{ scheme: 'id' }],
  validity: { from: 'born', to: 'until' },
  groups: fields.map((name) => ({
    name,
    attributes: [{ name, type: types[name] ?? 'text' }],
    strategy: 'source_priority',
    priority: ['one'],
  })),
};

const configurationOf = (code: string, url: string): Configuration => ({
  institution: { code, name: code, timeZone: 'UTC', recipientClasses: ['internal'] },
  systems: ['one', 'mirror'].map((name) => ({ name, kind: 'postgresql', settings: { url } })),
  entityTypes: [person],
  codeTables: [],
  mappings: [
    {
      ...{ name: `one.${code}_from`, system: 'one', entity: `${code}_from` },
      source: {
        columns: ['id', ...fields, 'secret'],
        key: ['id'],
        records: [
          {
            entityType: 'person',
            groups: Object.fromEntries(fields.map((name) => [name, { from: name }])),
            identifiers: { id: { from: 'id' } },
            restrictions: [{ recipientClass: 'internal', when: { field: 'secret', equals: 'yes' } }],
          },
        ],
      },
    },
    {
      ...{ name: `mirror.${code}_to`, system: 'mirror', entity: `${code}_to` },
      target: {
        root: 'person',
        key: [{ column: 'number', from: 'number' }],
        columns: [
          ...fields.slice(1, -1).map((column) => ({ column, from: column })),
          { column: 'short', from: 'name', maxLength: 24 },
        ],
        recipientClass: 'internal',
        rollback: 'restore',
      },
    },
  ],
  jobs: [{ name: 'all', sources: [`one.${code}_from`], targets: [`mirror.${code}_to`] }],
});

/** What becomes of a row of the source. */
type Change = Partial<Record<Field | 'secret', string | null>> | 'gone' | 'as it is';

const texts = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom('a', 'Zoë', 'Wiśniewska', '😀', 'Łódź', 'true', 'null', '12.5', 'x  y') },
  {
    weight: 2,
    arbitrary: fc.constantFrom('', '"', '\\', '\\N', 'a\tb', 'a\nb', 'a\rb', '\u0001', '\u0008\u000b', '{"a":"x"}'),
  },
  { weight: 1, arbitrary: fc.constant(null) },
);
const changes: fc.Arbitrary<Change> = fc.oneof(
  {
    weight: 60,
    arbitrary: fc.record(
      {
        name: fc.oneof({ weight: 40, arbitrary: texts }, { weight: 1, arbitrary: fc.constant('long '.repeat(6)) }),
        note: texts,
        due: fc.constantFrom('1.5', '1.50', '-3', '0', '100.25', '2', null),
        born: fc.constantFrom('2001-02-03', '1999-12-31', null),
        active: fc.constantFrom('true', 'false', null),
        seen: fc.constantFrom('2026-01-01 00:00:01+00', '2026-01-01 00:00:01.5+00', null),
      },
      { requiredKeys: [] },
    ),
  },
  { weight: 3, arbitrary: fc.constantFrom<Change[]>({ until: '2026-03-01' }, { until: '2025-12-31' }) },
  { weight: 1, arbitrary: fc.constant<Change>({ secret: 'yes', note: 'hidden' }) },
  { weight: 1, arbitrary: fc.constant<Change>('gone') },
  { weight: 3, arbitrary: fc.constant<Change>('as it is') },
);

const count = 700;

describe('changes of known rows', () => {
  let database: TestDatabase;
  let hub: Hub;
  let systems: pg.Client;
  let close: () => Promise<void>;

  beforeAll(async () => {
    ({ database, hub, systems, close } = await openStores());
  });
  afterAll(() => close());

  class Interruption extends Error {}

  let worlds = 0;
  /** A source of so many rows, all of them in the target. `chunks`: whether changes may go by chunks. */
  const open = async (chunks: boolean) => {
    worlds += 1;
    const code = `w${String(worlds)}`;
    await systems.query(`
      create table public.${code}_from (id text primary key, number text, name text, note text, due text, born date, active boolean, seen timestamptz, until date, secret text);
      create table public.${code}_to (number varchar(20) primary key, name text, note text, due numeric(8,2) constraint fits check (due < 900000), born date, active boolean, seen timestamptz, short varchar(40));
      insert into public.${code}_from select i::text, 'n' || i, 'Name ' || i, null, i || '.5', date '2000-01-01' + i, i % 2 = 0, timestamptz '2026-01-01 00:00:00Z' + make_interval(secs => i), null, 'no' from generate_series(1, ${String(count)}) i`);
    const { institutionId } = await applyConfiguration(hub, configurationOf(code, database.url), 'test');
    const jobId = (await loadConfiguration(hub, institutionId)).jobs[0]?.id ?? 0;
    const world = {
      code,
      /** Of each chunk that was offered to the target: whether it was changed. */
      offered: [] as boolean[],
      /** What others do in the target between the intent and the write of a chunk. */
      meanwhile: '',
      /** What others do in the target between the last write and the verification. */
      afterwards: '',
      /** How many rows were read back by chunks. */
      readBack: 0,
      /** What verifying told of the rows of each run. */
      verified: [] as unknown[],
      /** At which of the crash points of publishing the attempt ends, once; 0: none. */
      crashAt: 0,
    };
    const wrapped = (connector: Connector): Connector => {
      const { copy } = connector;
      if (copy === undefined) return connector;
      const changeText: typeof copy.changeText = async (target, text, intend) => {
        if (!chunks) return null;
        const changed = await copy.changeText(target, text, async (standing) => {
          const goesOn = await intend(standing);
          if (world.meanwhile !== '') await systems.query(world.meanwhile);
          return goesOn;
        });
        world.offered.push(changed !== null);
        return changed;
      };
      const readText: typeof copy.readText = async (target, keys) => {
        world.readBack += keys.length;
        return await copy.readText(target, keys);
      };
      return { ...connector, copy: { insertText: copy.insertText.bind(copy), changeText, readText } };
    };
    const activities = directActivities(hub, {
      openConnector: ({ kind, settings }) => wrapped(createConnector(kind, settings)),
      crashPoint: (name) => {
        if (name !== 'publish' || world.crashAt === 0) return;
        world.crashAt -= 1;
        if (world.crashAt === 0) throw new Interruption();
      },
    });
    const publish: typeof activities.publish = async (...given) => {
      try {
        return await activities.publish(...given);
      } catch (error) {
        if (!(error instanceof Interruption)) throw error;
        return await activities.publish(...given);
      }
    };
    const verify: typeof activities.verify = async (...given) => {
      if (world.afterwards !== '') await systems.query(world.afterwards);
      const told = await activities.verify(...given);
      world.verified.push(told);
      return told;
    };
    const conductor = new DirectConductor({ ...activities, publish, verify });
    const rows = async (sql: string): Promise<unknown[]> =>
      hub.read(institutionId, async (client) => (await client.query<object>(sql)).rows);
    return Object.assign(world, {
      sync: () => conductor.sync(institutionId, jobId),
      rollback: (run: string) => conductor.rollback(institutionId, jobId, run),
      change: async (all: readonly Change[]): Promise<void> => {
        for (const [index, change] of all.entries()) {
          if (change === 'as it is') continue;
          const id = String(index + 1);
          if (change === 'gone') await systems.query(`delete from public.${code}_from where id = $1`, [id]);
          else
            for (const [column, cell] of Object.entries(change))
              await systems.query(`update public.${code}_from set ${column} = $2 where id = $1`, [id, cell]);
        }
      },
      target: async (): Promise<unknown[]> =>
        (await systems.query<object>(`select t::text from public.${code}_to t order by t.number collate "C"`)).rows,
      /** All that a run told and noted, without ids. */
      stored: async (run: string): Promise<unknown> => ({
        entries: await rows(
          `select before, after, outcome, rollback_outcome, subject_key = row_id as own from change_set_entries
           where run_id = ${run} and kind = 'target' order by coalesce(before, after) ->> 'key' collate "C"`,
        ),
        images: await rows(
          `select i.source_key, i.raw_hash, i.told_hash, i.published_version, i.settled_version, i.untold, i.raw, i.statements,
             i.deleted_run = ${run} as deleted, i.last_run = ${run} as now, i.mapping_version, i.subject_key = i.golden_id as own
           from record_images i where i.read_run is null order by i.source_key`,
        ),
        findings: await rows(
          `select f.kind, f.field, f.detail, coalesce(f.source_key, g.values[1]) as key from findings f left join golden_records g on g.id = f.golden_id
           where f.run_id = ${run} order by 4, 1, 2, 3`,
        ),
        due: await rows(
          `select d.due, g.values[1] as number from target_due d join golden_records g on g.id = d.golden_id order by 2, 1`,
        ),
      }),
      counts: async (run: string): Promise<unknown> =>
        rows(`select counts from run_chunks where run_id = ${run} and step = 'publish' and part like '%/counts'`),
    });
  };

  type World = Awaited<ReturnType<typeof open>>;

  /** All that two worlds tell of their run, which has to be the same; then both are taken back. */
  const expectSame = async (left: World, right: World, act: (world: World) => Promise<string>, counts = true) => {
    const before = await left.target();
    const [one, other] = [await act(left), await act(right)];
    expect(await left.stored(one)).toEqual(await right.stored(other));
    expect(await left.target()).toEqual(await right.target());
    if (counts) expect(await left.counts(one)).toEqual(await right.counts(other));
    const after = await left.target();
    const undone = [await left.rollback(one), await right.rollback(other)];
    expect(await left.target()).toEqual(await right.target());
    expect(await left.stored(one)).toEqual(await right.stored(other));
    expect(await left.stored(undone[0] ?? '')).toEqual(await right.stored(undone[1] ?? ''));
    return { before, after, undone: await left.target(), one };
  };

  const pair = async (): Promise<readonly [World, World]> => {
    const both = [await open(true), await open(false)] as const;
    for (const world of both) await world.sync();
    return both;
  };

  const everyName = (more: string): Change[] => Array.from({ length: count }, (_, at) => ({ name: `${more} ${at}` }));

  test('are stored, told and taken back as they are row by row', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(changes, { minLength: count, maxLength: count }), async (all) => {
        const [chunks, pages] = await pair();
        const { before, after, undone } = await expectSame(chunks, pages, async (world) => {
          await world.change(all);
          return await world.sync();
        });
        expect(chunks.offered).toEqual([true]);
        expect(after).not.toEqual(before);
        // What is restricted now is not put back.
        const isHidden = (row: unknown): boolean =>
          all.some(
            (change, at) =>
              typeof change === 'object' && change.secret === 'yes' && JSON.stringify(row).includes(`(n${at + 1},`),
          );
        expect(undone).toEqual(before.filter((row) => !isHidden(row)));
      }),
      { numRuns: 3, endOnFailure: true },
    );
  });

  test.each([1, 2, 3])('are ours where an attempt broke off at its point %d', async (point) => {
    const [chunks, pages] = await pair();
    const { before, after, undone } = await expectSame(
      chunks,
      pages,
      async (world) => {
        await world.change(everyName('new').map((change, at) => ({ ...(change as object), due: `${at}.25` })));
        world.crashAt = world === chunks ? point : 0;
        return await world.sync();
      },
      false,
    );
    expect(chunks.crashAt).toBe(0);
    expect(chunks.offered).toEqual(point === 2 ? [true, false] : [true]);
    // Of several attempts no digest tells.
    expect([chunks.readBack, chunks.verified.at(-1)]).toEqual([0, { verified: count, differing: 0 }]);
    expect(after).toHaveLength(count);
    expect(undone).toEqual(before);
  });

  test('leave what was edited there before them, and say so', async () => {
    const [chunks, pages] = await pair();
    const { one } = await expectSame(chunks, pages, async (world) => {
      await systems.query(`update public.${world.code}_to set note = 'theirs' where number in ('n7', 'n300')`);
      await systems.query(`delete from public.${world.code}_to where number = 'n9'`);
      await world.change(everyName('new'));
      return await world.sync();
    });
    expect(chunks.offered).toEqual([false]);
    expect(await chunks.stored(one)).toMatchObject({
      findings: ['n300', 'n7', 'n9'].map((key) => ({ kind: 'update_origin_differs', key })),
    });
    expect(JSON.stringify(await chunks.target())).toContain('theirs');
  });

  test('leave what is edited there after the intent, and tell the others', async () => {
    const world = await open(true);
    await world.sync();
    await world.change(everyName('new'));
    world.meanwhile = `update public.${world.code}_to set note = 'theirs' where number = 'n7'`;
    const run = await world.sync();
    expect(world.offered).toEqual([false]);
    expect(await world.stored(run)).toMatchObject({ findings: [{ kind: 'update_origin_differs', key: 'n7' }] });
    const told = await world.target();
    expect(told.filter((row) => JSON.stringify(row).includes('new '))).toHaveLength(count - 1);
    expect(told.filter((row) => JSON.stringify(row).includes('theirs'))).toHaveLength(1);
  });

  test('are read back by chunks where nothing was told otherwise', async () => {
    const world = await open(true);
    await world.sync();
    await world.change(everyName('new'));
    const run = await world.sync();
    expect([world.readBack, world.verified.at(-1)]).toEqual([count, { verified: count, differing: 0 }]);
    expect(await world.stored(run)).toMatchObject({ findings: [] });
    await world.change(everyName('newer').with(6, 'gone'));
    await world.sync();
    expect([world.readBack, world.verified.at(-1)]).toEqual([count, { verified: count - 1, differing: 0 }]);
  });

  test.each([
    ['changed', `update public.CODE_to set note = 'theirs' where number = 'n7'`],
    [
      'changed in two rows that become each other',
      `update public.CODE_to set name = case number when 'n7' then 'new 7' else 'new 6' end where number in ('n7', 'n8')`,
    ],
    ['taken away', `delete from public.CODE_to where number = 'n7'`],
  ])('are found to differ where one is %s there before they are read back', async (_, afterwards) => {
    const world = await open(true);
    await world.sync();
    await world.change(everyName('new'));
    world.afterwards = afterwards.replaceAll('CODE', world.code);
    const run = await world.sync();
    const keys = afterwards.includes('n8') ? ['n7', 'n8'] : ['n7'];
    expect(world.offered).toEqual([true]);
    expect(world.verified.at(-1)).toEqual({ verified: count, differing: keys.length });
    expect(await world.stored(run)).toMatchObject({ findings: keys.map((key) => ({ kind: 'verify_differs', key })) });
  });

  test('are told but for the row that the target refuses', async () => {
    const [chunks, pages] = await pair();
    const { one } = await expectSame(chunks, pages, async (world) => {
      await world.change(everyName('new').with(41, { due: '900000' }));
      return await world.sync();
    });
    expect(chunks.offered).toEqual([false]);
    expect(await chunks.stored(one)).toMatchObject({ findings: [{ kind: 'target_refused', key: 'n42' }] });
  });

  test('go row by row to a target that does more than it is told', async () => {
    const [chunks, pages] = await pair();
    await systems.query(
      `create function public.louder() returns trigger language plpgsql as 'begin new.note := upper(new.name); return new; end'`,
    );
    const { after } = await expectSame(chunks, pages, async (world) => {
      await systems.query(
        `create trigger louder before update on public.${world.code}_to for each row execute function public.louder()`,
      );
      await world.change(everyName('new'));
      return await world.sync();
    });
    expect(chunks.offered).toEqual([false]);
    expect(after.filter((row) => JSON.stringify(row).includes('NEW '))).toHaveLength(count);
  });
});
