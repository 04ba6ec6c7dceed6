import { jest } from '@jest/globals';
import type pg from 'pg';
import { ConfigurationCache } from '../../activities/context.js';
import type { ActivityDependencies } from '../../activities/dependencies.js';
import { loadKnownRows, mostKnown } from '../../activities/known-rows.js';
import { loadRemembered } from '../../activities/remembered-rows.js';
import { applyConfiguration, loadConfiguration } from '../../database/configuration-store.js';
import type { Hub } from '../../database/hub.js';
import type { EntityTypeDefinition } from '../../domain/entity-type.js';
import type { Configuration } from '../../domain/job-definition.js';
import type { SourceMapping } from '../../domain/mapping-definition.js';
import type { RunRef } from '../../domain/run.js';
import type { TestDatabase } from '../harness/database.js';
import { openStores } from '../harness/stores.js';
import { DirectConductor, directActivities } from '../merge/database-world.js';
import { PeopleWorld } from '../merge/people-world.js';

jest.setTimeout(120_000);

/* What is remembered of a source has to say what its images say, or not to count, whatever wrote images since. */

const person: EntityTypeDefinition = {
  name: 'person',
  kind: 'mastered',
  subject: 'self',
  identifiers: [{ scheme: 'number' }],
  groups: (['name', 'due'] as const).map((name) => ({
    name,
    attributes: [{ name, type: 'text' }],
    strategy: 'source_priority' as const,
    priority: ['one', 'two'],
  })),
};

const sourceOf = (entityType: string): SourceMapping => ({
  columns: ['id', 'number', 'name', 'due', 'seen'],
  key: ['id'],
  watermark: { column: 'seen' },
  records: [
    {
      entityType,
      groups: { name: { from: 'name' }, due: { from: 'due' } },
      identifiers: { number: { from: 'number' } },
    },
  ],
  rules: [{ name: 'named', field: 'name', check: 'required', severity: 'reject' }],
});

const targetOf = {
  root: 'person',
  key: [{ column: 'name', from: 'name' }],
  columns: [{ column: 'due', from: 'due' }],
  recipientClass: 'internal',
  rollback: 'restore',
} as const;

const configurationOf = (code: string, url: string, both: boolean, more: Partial<SourceMapping>): Configuration => ({
  institution: { code, name: code, timeZone: 'UTC', recipientClasses: ['internal'] },
  systems: ['one', 'two', 'mirror'].map((name) => ({ name, kind: 'postgresql', settings: { url } })),
  entityTypes: [person],
  codeTables: [],
  mappings: [
    {
      name: `one.${code}_one`,
      system: 'one',
      entity: `${code}_one`,
      source: { ...sourceOf('person'), ...more },
      ...(both ? { target: targetOf } : {}),
    },
    { name: `two.${code}_two`, system: 'two', entity: `${code}_two`, source: sourceOf('person') },
    { name: `mirror.${code}_to`, system: 'mirror', entity: `${code}_to`, target: targetOf },
  ],
  jobs: [
    { name: 'all', sources: [`one.${code}_one`], targets: [`mirror.${code}_to`] },
    { name: 'marked', sources: [`one.${code}_one`], targets: [`mirror.${code}_to`], reading: 'watermark' },
    { name: 'other', sources: [`two.${code}_two`], targets: [`mirror.${code}_to`] },
    { name: 'back', sources: [`one.${code}_one`], targets: both ? [`one.${code}_one`] : [] },
  ],
});

/** Whether what is remembered of a source counts for the next run; if so, it says of every row that was ever there what the images say. */
const counts = async (
  { hub, institutionId, jobId }: { readonly hub: Hub; readonly institutionId: number; readonly jobId: number },
  name: string,
): Promise<boolean> => {
  const context = await new ConfigurationCache(hub).of(institutionId);
  const mapping = context.mappingNamed(name);
  const asking: RunRef = { runId: '999999999', institutionId, jobId, kind: 'sync' };
  const loading = { signal: undefined, most: mostKnown };
  const remembered = (await loadRemembered((work) => hub.read(institutionId, work), asking, mapping, loading))?.rows;
  if (remembered === undefined) return false;
  return hub.read(institutionId, async (client) => {
    const known = await loadKnownRows(client, asking, context, mapping, loading);
    const sorted = (ids: Iterable<number>): number[] => [...ids].sort((left, right) => left - right);
    expect(sorted(remembered.unseen())).toEqual(sorted(known?.unseen() ?? []));
    const { rows: ever } = await client.query<{ raw: string }>(
      `select raw from record_images where mapping_id = $1 and raw is not null
       union select e.before ->> 'raw' from change_set_entries e where e.kind = 'image' and (e.before ->> 'mapping_id')::integer = $1 and e.before ->> 'raw' is not null
       union select raw from rejected_records where raw is not null`,
      [mapping.id],
    );
    expect(ever.length).toBeGreaterThan(0);
    for (const { raw } of ever) expect(remembered.see(Buffer.from(raw))).toBe(known?.see(Buffer.from(raw)));
    expect(sorted(remembered.unseen())).toEqual(sorted(known?.unseen() ?? []));
    return true;
  });
};

class Interruption extends Error {}

describe('rows that are remembered by their text', () => {
  let database: TestDatabase;
  let hub: Hub;
  let systems: pg.Client;
  let close: () => Promise<void>;

  beforeAll(async () => {
    ({ database, hub, systems, close } = await openStores());
  });
  afterAll(() => close());

  /** @param more what the activities work with otherwise than usual */
  const open = async (code: string, both = false, more: Partial<ActivityDependencies> = {}) => {
    for (const name of ['one', 'two'])
      await systems.query(
        `create table public.${code}_${name} (id text primary key, number text, name text, due text, seen timestamptz default '2026-01-01 00:00:00Z')`,
      );
    await systems.query(`create table public.${code}_to (name text primary key, due text)`);
    const configure = async (more: Partial<SourceMapping> = {}): Promise<number> =>
      (await applyConfiguration(hub, configurationOf(code, database.url, both, more), 'test')).institutionId;
    const institutionId = await configure();
    const jobs = new Map(
      (await loadConfiguration(hub, institutionId)).jobs.map((job) => [job.definition.name, job.id]),
    );
    let breaks = 0;
    const crashPoint = (reached: string): void => {
      if (reached !== 'extract' || breaks === 0) return;
      breaks -= 1;
      if (breaks === 0) throw new Interruption();
    };
    const activities = directActivities(hub, { crashPoint, ...more });
    const { extract } = activities;
    activities.extract = async (...given) => {
      try {
        return await extract(...given);
      } catch (error) {
        if (!(error instanceof Interruption)) throw error;
        return await extract(...given);
      }
    };
    const conductor = new DirectConductor(activities);
    const rows = <T extends pg.QueryResultRow>(sql: string): Promise<T[]> =>
      hub.read(institutionId, async (client) => (await client.query<T>(sql)).rows);
    conductor.parentOf = async (_, batch) =>
      (
        await rows<{ id: string | null }>(`select parent_run_id::text as id from decision_batches where id = ${batch}`)
      )[0]?.id ?? null;
    const jobId = (name: string): number => jobs.get(name) ?? 0;
    const sync = (name = 'all'): Promise<string> => conductor.sync(institutionId, jobId(name));
    const countsOf = async (run: string): Promise<object> => {
      const [counts] = await rows<{ counts: object }>(
        `select counts -> 'rows' as counts from sync_runs where id = ${run}`,
      );
      return counts?.counts ?? {};
    };
    return {
      ...{ institutionId, activities, configure, sync, rows, jobId, countsOf },
      rollback: (run: string, name = 'all') => conductor.rollback(institutionId, jobId(name), run),
      breakOffAt: (time: number) => void (breaks = time),
      add: (from: number, to: number, name = 'one') =>
        systems.query(
          `insert into public.${code}_${name} (id, number, name, due)
           select i::text, 'n' || i, 'Name ' || i || repeat('x', 100), i from generate_series($1::integer, $2::integer) i`,
          [from, to],
        ),
      set: (due: string, where: string, name = 'one') =>
        systems.query(`update public.${code}_${name} set due = ${due} where ${where}`),
      take: (where: string) => systems.query(`delete from public.${code}_one where ${where}`),
      name: (name: string, where: string) =>
        systems.query(`update public.${code}_one set name = ${name} where ${where}`),
      due: async (id: number) =>
        (
          await systems.query<{ due: string }>(`select due from public.${code}_to where name like $1`, [
            `Name ${String(id)}x%`,
          ])
        ).rows[0]?.due,
      /** How a run told rows apart: staged ones, and known ones. */
      read: async (run: string) =>
        (
          await rows<{ staged: number; known: number }>(
            `select sum((counts -> 'rows')::integer)::integer as staged, sum((counts -> 'known')::integer)::integer as known
             from run_chunks where step = 'extract' and run_id = ${run}`,
          )
        )[0],
      settle: async (kind: 'release' | 'discard'): Promise<string> => {
        const batch = await hub.transaction(institutionId, async (client) => {
          const held = await client.query<{ id: string; run: string }>(
            `select id::text, run_id::text as run from held_changes where state = 'held'`,
          );
          const { rows: made } = await client.query<{ id: string }>(
            `insert into decision_batches (institution_id, job_id, kind, parent_run_id, actor) values ($1, $2, $3, $4, 'test') returning id::text`,
            [institutionId, jobId('all'), kind, held.rows[0]?.run],
          );
          await client.query(`update held_changes set state = $1, batch_id = $2 where state = 'held'`, [
            kind === 'release' ? 'released' : 'discarded',
            made[0]?.id,
          ]);
          return made[0]?.id ?? '';
        });
        return conductor.settle(institutionId, jobId('all'), batch, kind === 'release' ? 'release' : 'decision');
      },
      /** Whose rows are in force, or stored. */
      rememberedBy: async () =>
        (await rows<{ run: string }>('select distinct run_id::text as run from remembered_rows order by 1')).map(
          ({ run }) => run,
        ),
      counts: () => counts({ hub, institutionId, jobId: jobId('all') }, `one.${code}_one`),
    };
  };

  /** A source of which 200 rows are remembered, each of which was read once. */
  const remembering = async (code: string, both = false) => {
    const load = await open(code, both);
    await load.add(1, 200);
    await load.sync();
    expect(await load.counts()).toBe(false);
    await load.set(`'first'`, `id = '7'`);
    const run = await load.sync();
    expect(await load.read(run)).toEqual({ staged: 1, known: 199 });
    return load;
  };

  it('are known again after a full read, in which rows changed, came, moved and went', async () => {
    const load = await remembering('full');
    expect(await load.counts()).toBe(true);
    for (let time = 1; time <= 3; time += 1) {
      await load.set(`due || 'b'`, `id in ('${String(10 + time)}', '${String(60 + time)}')`);
      await load.take(`id = '${String(100 + time)}'`);
      await load.add(300 + time, 300 + time);
      await systems.query(`update public.full_one set id = 'm${String(time)}' where id = '${String(150 + time)}'`);
      const run = await load.sync();
      // The row that came under another key is another row.
      expect(await load.read(run)).toEqual({ staged: 4, known: 196 });
      expect(await load.countsOf(run)).toMatchObject({
        extracted: 200,
        unchanged: 196,
        changed: 2,
        new: 2,
        missing: 2,
      });
      expect(await load.counts()).toBe(true);
    }
    expect(await load.due(62)).toBe('62b');
    expect(await load.due(102)).toBeUndefined();
    // Back to what a run before had read.
    await load.set(`'7'`, `id = '7'`);
    expect(await load.countsOf(await load.sync())).toMatchObject({ unchanged: 199, changed: 1 });
    expect(await load.due(7)).toBe('7');
    expect(await load.rows('select distinct run_id from remembered_rows')).toHaveLength(1);
  });

  it('stay in force while few rows changed since, and are remembered anew once more did', async () => {
    const load = await remembering('few');
    const by = await load.rememberedBy();
    expect(by).toHaveLength(1);
    // To another text, back to the one that is remembered, and again to what came after it.
    for (const due of ['later', '5', 'later']) {
      await load.set(`'${due}'`, `id = '5'`);
      const run = await load.sync();
      expect(await load.read(run)).toEqual({ staged: 1, known: 199 });
      expect(await load.countsOf(run)).toMatchObject({ changed: 1, unchanged: 199 });
      expect(await load.rememberedBy()).toEqual(by);
      expect(await load.counts()).toBe(true);
      expect(await load.due(5)).toBe(due);
    }
    await load.set(`'second'`, `id = '6'`);
    await load.take(`id = '150'`);
    await load.add(301, 303);
    expect(await load.countsOf(await load.sync())).toMatchObject({ changed: 1, new: 3, missing: 1, unchanged: 198 });
    expect(await load.rememberedBy()).toEqual(by);
    expect(await load.counts()).toBe(true);
    await load.set(`'once more'`, `id in ('9', '302')`);
    const anew = await load.sync();
    expect(await load.read(anew)).toEqual({ staged: 2, known: 200 });
    expect(await load.rememberedBy()).toEqual([anew]);
    expect(await load.counts()).toBe(true);
    await load.set(`'at last'`, `id in ('10', '303')`);
    expect(await load.countsOf(await load.sync())).toMatchObject({ changed: 2, unchanged: 200 });
    expect(await load.rememberedBy()).toEqual([anew]);
    expect(await load.counts()).toBe(true);
    expect(await Promise.all([5, 6, 9, 10, 301, 302, 303].map((id) => load.due(id)))).toEqual([
      'later',
      'second',
      'once more',
      'at last',
      '301',
      'once more',
      'at last',
    ]);
    expect(await load.due(150)).toBeUndefined();
  });

  it('are remembered anew after a number of runs, though these wrote the same image each time', async () => {
    const load = await remembering('often');
    const by = await load.rememberedBy();
    for (let time = 0; time < 10; time += 1) {
      await load.set(`'${String(time)}'`, `id = '7'`);
      expect(await load.read(await load.sync())).toEqual({ staged: 1, known: 199 });
      expect(await load.rememberedBy()).toEqual(by);
    }
    await load.set(`'again'`, `id = '7'`);
    const anew = await load.sync();
    expect(await load.read(anew)).toEqual({ staged: 1, known: 199 });
    expect(await load.rememberedBy()).toEqual([anew]);
    expect(await load.counts()).toBe(true);
  });

  it('are remembered anew after two records were merged by a decision', async () => {
    const conductorOf = (own: Hub): DirectConductor => {
      const conductor = new DirectConductor(directActivities(own));
      conductor.parentOf = (institutionId, batch) =>
        own.read(institutionId, async (client) => {
          const { rows } = await client.query<{ id: string | null }>(
            'select parent_run_id::text as id from decision_batches where id = $1',
            [batch],
          );
          return rows[0]?.id ?? null;
        });
      return conductor;
    };
    const world = await PeopleWorld.open(database.url, 'merged', conductorOf);
    try {
      const count = (name: string): Promise<boolean> => counts(world, `${name}.merged_${name}`);
      const ann = { id: 'a', number: 'n', name: 'Ann Lee', born: '2004-02-28', phone: '1' };
      const other = { ...ann, id: 'b', name: 'Anna Roe', born: '2004-02-29' };
      await world.put('one', ann);
      await world.put('two', other);
      await world.sync();
      for (const name of ['one', 'two'] as const)
        await world.put(name, { id: 'base', name: `Base ${name}`, phone: '2' });
      await world.sync();
      expect([await count('one'), await count('two')]).toEqual([true, true]);
      const [question] = await world.questions();
      if (question === undefined) throw new Error('nothing is asked');
      const decided = await world.decide(question, { same: true });
      expect([await count('one'), await count('two')]).toEqual([false, false]);
      await world.sync();
      expect([await count('one'), await count('two')]).toEqual([true, true]);
      await world.put('two', { ...other, phone: '7' });
      const later = await world.sync();
      expect([await count('one'), await count('two')]).toEqual([true, true]);
      expect(await world.people()).toContain('Ann Lee 2004-02-28 7 (one/a two/b)');
      await world.rollback(later);
      await world.rollback(decided);
      expect([await count('one'), await count('two')]).toEqual([false, false]);
    } finally {
      await world.close();
    }
  });

  it('are corrected by what runs by watermark and of other sources wrote', async () => {
    const load = await remembering('marks');
    await load.sync('marked');
    await systems.query(
      `update public.marks_one set due = 'later', seen = '2026-02-01 00:00:00Z' where id in ('3', '7', '90')`,
    );
    await systems.query(
      `insert into public.marks_one values ('new', 'nnew', 'Name 901x', 'late', '2026-02-01 00:00:00Z')`,
    );
    expect(await load.countsOf(await load.sync('marked'))).toMatchObject({ extracted: 4, changed: 3, new: 1 });
    expect(await load.counts()).toBe(true);
    // The same people, merged by their numbers.
    await load.add(1, 20, 'two');
    await load.sync('other');
    await load.set(`'two'`, 'true', 'two');
    await load.sync('other');
    expect(await load.counts()).toBe(true);
    await load.set(`'3'`, `id = '3'`);
    await load.take(`id in ('90', 'new', '91')`);
    const run = await load.sync();
    expect(await load.read(run)).toEqual({ staged: 1, known: 197 });
    expect(await load.countsOf(run)).toMatchObject({ changed: 1, unchanged: 197, missing: 3 });
    expect(await load.due(3)).toBe('3');
    expect(await load.due(90)).toBeUndefined();
  });

  it('are not gone by once a run was rolled back, nor once that was, until they are read again', async () => {
    const load = await remembering('undone');
    await load.set(`'second'`, `id in ('5', '6')`);
    await load.take(`id = '8'`);
    await load.add(201, 201);
    const run = await load.sync();
    const undo = await load.rollback(run);
    expect(await load.counts()).toBe(false);
    const again = await load.sync();
    expect(await load.countsOf(again)).toMatchObject({ unchanged: 197, held: 4 });
    expect(await load.counts()).toBe(true);
    await load.rollback(again);
    await load.rollback(undo);
    expect(await load.counts()).toBe(false);
    expect(await load.countsOf(await load.sync())).toMatchObject({ unchanged: 200 });
    expect(await load.due(5)).toBe('second');
  });

  it.each(['release', 'discard'] as const)(
    'are staged as long as they are held, and asked for again after a %s',
    async (kind) => {
      const load = await remembering(kind);
      await load.set(`'second'`, `id in ('5', '6')`);
      const run = await load.sync();
      await load.rollback(run);
      for (let time = 0; time < 2; time += 1) {
        const held = await load.sync();
        expect(await load.read(held)).toEqual({ staged: 2, known: 198 });
        expect(await load.countsOf(held)).toMatchObject({ held: 2, unchanged: 198 });
        expect(await load.counts()).toBe(true);
      }
      await load.settle(kind);
      expect(await load.counts()).toBe(false);
      const next = await load.sync();
      expect(await load.countsOf(next)).toMatchObject({ held: 0, unchanged: 200 });
      await load.set(`'third'`, `id = '9'`);
      await load.sync();
      expect(await load.counts()).toBe(true);
      expect(await load.due(5)).toBe(kind === 'release' ? 'second' : '5');
      await load.set(`'5'`, `id = '5'`);
      await load.sync();
      expect(await load.due(5)).toBe('5');
    },
  );

  it('are staged each time where they are rejected', async () => {
    const load = await remembering('rejected');
    await load.name('null', `id = '20'`);
    for (let time = 0; time < 3; time += 1) {
      const run = await load.sync();
      expect(await load.read(run)).toEqual({ staged: 1, known: 199 });
      expect(await load.countsOf(run)).toMatchObject({ rejected: 1, unchanged: 199, missing: 0 });
      expect(await load.counts()).toBe(true);
    }
    await load.name(`'Name 20' || repeat('x', 100)`, `id = '20'`);
    const run = await load.sync();
    expect(await load.read(run)).toEqual({ staged: 0, known: 200 });
    expect(await load.counts()).toBe(true);
  });

  it('do not count under another version of the mapping', async () => {
    const load = await remembering('version');
    await load.configure({ rules: [] });
    expect(await load.counts()).toBe(false);
    // Every row was looked at, and is known by the new version from then on.
    expect(await load.countsOf(await load.sync())).toMatchObject({ no_effect: 200 });
    expect(await load.counts()).toBe(true);
    await load.set(`'second'`, `id = '5'`);
    await load.sync();
    expect(await load.counts()).toBe(true);
  });

  it('do not count beside a run that may write at any moment', async () => {
    const load = await remembering('beside');
    const going = await load.activities.openRun({
      ...{
        institutionId: load.institutionId,
        jobId: load.jobId('other'),
        kind: 'sync',
        actor: 'test',
        asOf: '2026-01-15',
      },
      workflowId: 'beside',
    });
    expect(await load.counts()).toBe(false);
    if (!('opened' in going)) throw new Error('not opened');
    await load.activities.closeRun(going.opened, 'failed');
    expect(await load.counts()).toBe(true);
  });

  it.each([
    ['and stored none', `id = '6'`],
    ['and stored others', `id in ('1', '2', '3', '4')`],
  ])('are what the run before left where one ends otherwise %s', async (stored, touched) => {
    const code = stored === 'and stored none' ? 'ended' : 'ended_late';
    const load = await remembering(code);
    await load.set(`'touched'`, touched);
    await load.sync();
    const before = await load.rememberedBy();
    await load.set(`'second'`, `id = '5'`);
    const going = await load.activities.openRun({
      ...{
        institutionId: load.institutionId,
        jobId: load.jobId('all'),
        kind: 'sync',
        actor: 'test',
        asOf: '2026-01-15',
      },
      workflowId: code,
    });
    if (!('opened' in going)) throw new Error('not opened');
    const plan = await load.activities.planExtract(going.opened);
    for (const partition of plan.partitions) await load.activities.extract(going.opened, partition);
    expect(await load.rememberedBy()).toHaveLength(code === 'ended' ? 1 : 2);
    await load.activities.closeRun(going.opened, 'failed');
    expect(await load.rememberedBy()).toEqual(before);
    expect(await load.counts()).toBe(true);
    const run = await load.sync();
    expect(await load.read(run)).toEqual({ staged: 1, known: 199 });
    expect(await load.due(5)).toBe('second');
    expect(await load.counts()).toBe(true);
  });

  it('are written once where an attempt is broken off', async () => {
    const load = await remembering('broken');
    // Two chunks, after the first of which the attempt ends.
    await load.add(1_001, 7_000);
    await systems.query('analyze public.broken_one');
    load.breakOffAt(1);
    const run = await load.sync();
    expect(await load.countsOf(run)).toMatchObject({ extracted: 6_200, new: 6_000, unchanged: 200 });
    expect(await load.counts()).toBe(true);
    await load.set(`'second'`, `id = '5000'`);
    load.breakOffAt(1);
    const next = await load.sync();
    expect(await load.read(next)).toEqual({ staged: 1, known: 6_199 });
    expect(await load.counts()).toBe(true);
  });

  it('are not told apart where too many are known: all are read, by attempts that go on after each other', async () => {
    const load = await open('many', false, { mostKnown: 1_000 });
    await load.add(1, 12_000);
    await load.sync();
    for (const [due, chunk] of [
      ['second', 1],
      ['third', 2],
    ] as const) {
      await load.set(`'${due}'`, `id in ('7', '11000')`);
      await load.take(`id = '${String(100 + chunk)}'`);
      load.breakOffAt(chunk);
      const run = await load.sync();
      expect(await load.countsOf(run)).toEqual(
        expect.objectContaining({ extracted: 12_000 - chunk, changed: 2, missing: 1, unchanged: 11_998 - chunk }),
      );
      expect(await load.rows(`select 1 from run_chunks where run_id = ${run} and step = 'extract'`)).toHaveLength(3);
      expect(await Promise.all([load.due(7), load.due(11_000)])).toEqual([due, due]);
      expect(await load.rememberedBy()).toEqual([]);
    }
  });

  it('are forgotten by a crash of the server, after which images are compared', async () => {
    const load = await remembering('emptied');
    await systems.query('truncate concord.remembered_rows');
    expect(await load.counts()).toBe(false);
    await load.set(`'second'`, `id = '5'`);
    expect(await load.read(await load.sync())).toEqual({ staged: 1, known: 199 });
    expect(await load.counts()).toBe(true);
  });

  it('are not remembered of a system that is written to', async () => {
    const load = await remembering('both', true);
    expect(await load.rows('select 1 from remembered_rows')).toEqual([]);
    expect(await load.counts()).toBe(false);
  });
});
