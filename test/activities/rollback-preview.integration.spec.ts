import { jest } from '@jest/globals';
import fc from 'fast-check';
import type pg from 'pg';
import { applyConfiguration, loadConfiguration } from '../../database/configuration-store.js';
import type { Hub } from '../../database/hub.js';
import { previewRollback } from '../../database/rollback-preview.js';
import type { Configuration } from '../../domain/job-definition.js';
import type { TestDatabase } from '../harness/database.js';
import { openStores } from '../harness/stores.js';
import { DirectConductor, directActivities } from '../merge/database-world.js';

jest.setTimeout(300_000);

/* What a preview says and what the rollback then does, over many histories: two sources that are read by jobs of their own, a
   target, questions and their decisions, rollbacks and rollbacks of those. */

const configurationOf = (code: string, url: string): Configuration => ({
  institution: { code, name: code, timeZone: 'UTC' },
  systems: ['one', 'two', 'out'].map((name) => ({ name, kind: 'postgresql', settings: { url } })),
  entityTypes: [
    {
      name: 'thing',
      kind: 'reconciled',
      subject: 'none',
      naturalKey: ['key'],
      groups: ['key', 'a', 'b'].map((name) => ({
        name,
        attributes: [{ name, type: 'text' as const }],
        strategy: 'three_way' as const,
        fallback: 'source_priority' as const,
        priority: ['one', 'two'],
      })),
    },
  ],
  mappings: [
    ...['one', 'two'].map((name) => ({
      name: `${name}.${code}_${name}`,
      system: name,
      entity: `${code}_${name}`,
      source: {
        columns: ['id', 'a', 'b'],
        key: ['id'],
        records: [
          {
            entityType: 'thing',
            groups: {
              key: { from: 'id' },
              a: { from: 'a', blank: 'empty' as const },
              b: { from: 'b', blank: 'empty' as const },
            },
          },
        ],
      },
    })),
    {
      name: `out.${code}_out`,
      system: 'out',
      entity: `${code}_out`,
      target: {
        root: 'thing',
        key: [{ column: 'id', from: 'key' }],
        columns: [{ column: 'id' }, { column: 'a', from: 'a' }, { column: 'b', from: 'b' }],
        recipientClass: 'staff',
        rollback: 'restore',
      },
    },
  ],
  codeTables: [],
  jobs: ['one', 'two'].map((name) => ({
    name,
    sources: [`${name}.${code}_${name}`],
    targets: [`out.${code}_out`],
    partitions: 1,
  })),
});

type Move =
  | { readonly do: 'edit'; readonly system: 'one' | 'two'; readonly id: string; readonly column: string; value: string }
  | { readonly do: 'delete'; readonly system: 'one' | 'two'; readonly id: string }
  | { readonly do: 'run'; readonly system: 'one' | 'two' }
  | { readonly do: 'decide'; readonly keep: boolean }
  | { readonly do: 'rollback'; readonly which: number };

const system = fc.constantFrom('one' as const, 'two' as const);
const id = fc.constantFrom('k1', 'k2', 'k3');
const move: fc.Arbitrary<Move> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      ...{ do: fc.constant('edit' as const), system, id },
      ...{ column: fc.constantFrom('a', 'b'), value: fc.constantFrom('x', 'y', 'z') },
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('delete' as const), system, id }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('run' as const), system }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('decide' as const), keep: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('rollback' as const), which: fc.nat(8) }) },
);

describe('a rollback and its preview', () => {
  let database: TestDatabase;
  let hub: Hub;
  let systems: pg.Client;
  let histories = 0;
  let close: () => Promise<void>;

  beforeAll(async () => {
    ({ database, hub, systems, close } = await openStores());
  });
  afterAll(() => close());

  /** Plays one history; returns for each rollback what was said and what was done. */
  const play = async (moves: readonly Move[]): Promise<{ said: unknown; done: unknown }[]> => {
    histories += 1;
    const code = `h${histories}`;
    for (const name of ['one', 'two', 'out'])
      await systems.query(`create table public.${code}_${name} (id text primary key, a text, b text)`);
    for (const name of ['one', 'two']) {
      // A record that stays, so that no source is ever empty.
      await systems.query(
        `insert into public.${code}_${name} values ('base', 'x', 'x'), ('k1', 'x', 'x'), ('k2', 'x', 'x')`,
      );
    }
    const { institutionId } = await applyConfiguration(hub, configurationOf(code, database.url), 'test');
    const jobs = new Map(
      (await loadConfiguration(hub, institutionId)).jobs.map((job) => [job.definition.name, job.id]),
    );
    const conductor = new DirectConductor(directActivities(hub));
    conductor.parentOf = (of, batch) =>
      hub.read(of, async (client) => {
        const { rows } = await client.query<{ id: string | null }>(
          'select parent_run_id::text as id from decision_batches where id = $1',
          [batch],
        );
        return rows[0]?.id ?? null;
      });
    const runs: string[] = [];
    for (const name of ['one', 'two']) runs.push(await conductor.sync(institutionId, jobs.get(name) ?? 0));
    const compared: { said: unknown; done: unknown }[] = [];
    for (const one of moves) {
      if (one.do === 'edit') {
        await systems.query(
          `insert into public.${code}_${one.system} (id, ${one.column}) values ($1, $2) on conflict (id) do update set ${one.column} = excluded.${one.column}`,
          [one.id, one.value],
        );
      } else if (one.do === 'delete') {
        await systems.query(`delete from public.${code}_${one.system} where id = $1`, [one.id]);
      } else if (one.do === 'run') {
        runs.push(await conductor.sync(institutionId, jobs.get(one.system) ?? 0));
      } else if (one.do === 'decide') {
        const decided = await decide(institutionId, one.keep);
        if (decided !== null)
          runs.push(await conductor.settle(institutionId, decided.jobId, decided.batchId, 'decision'));
      } else {
        const wanted = runs[one.which % runs.length] ?? '';
        const result = await rollBack(institutionId, conductor, jobs.get('one') ?? 0, wanted);
        if (result !== null) {
          runs.push(result.runId);
          compared.push(result);
        }
      }
    }
    return compared;
  };

  /** Decides the oldest open question as the API does. */
  const decide = (institutionId: number, keep: boolean): Promise<{ jobId: number; batchId: string } | null> =>
    hub.transaction(institutionId, async (client) => {
      const { rows } = await client.query<{ id: string; job: number; run: string; system: string }>(
        `select id::text, job_id as job, opened_run::text as run, candidates #>> '{0,systems,0}' as system
         from sync_conflict_resolutions where state = 'open' order by id limit 1`,
      );
      const [open] = rows;
      if (open === undefined) return null;
      const choice = keep ? { keep: true } : { take: open.system };
      const batch = await client.query<{ id: string }>(
        `insert into decision_batches (institution_id, job_id, kind, parent_run_id, actor, items) values ($1, $2, 'decision', $3, 'test', $4) returning id::text`,
        [institutionId, open.job, open.run, JSON.stringify([{ conflictId: open.id, choice }])],
      );
      const batchId = batch.rows[0]?.id ?? '';
      await client.query(
        `update sync_conflict_resolutions set state = 'decided', decision = $2, batch_id = $3, decided_by = 'test' where id = $1`,
        [open.id, JSON.stringify({ choice }), batchId],
      );
      return { jobId: open.job, batchId };
    });

  const rollBack = async (
    institutionId: number,
    conductor: DirectConductor,
    jobId: number,
    runId: string,
  ): Promise<{ runId: string; said: unknown; done: unknown } | null> => {
    const stands = await hub.read(institutionId, async (client) => {
      const { rows } = await client.query<{ stands: boolean }>(
        'select rolled_back_by is null as stands from sync_runs where id = $1',
        [runId],
      );
      return rows[0]?.stands === true;
    });
    if (!stands) return null;
    const preview = await previewRollback(hub, institutionId, runId, '2026-01-15');
    const touched = preview.reversed + new Set(preview.kept.map(({ goldenId }) => goldenId)).size;
    const rollback = await conductor.rollback(institutionId, jobId, runId);
    const done = await hub.read(institutionId, async (client) => {
      const kept = await client.query<{ id: string }>(
        `select distinct golden_id::text as id from findings where run_id = $1 and kind = 'kept_changed_since' and mapping_id is null order by 1`,
        [rollback],
      );
      const written = await client.query<{ id: string }>(
        `select row_id::text as id from change_set_entries where run_id = $1 and kind = 'golden' order by 1`,
        [rollback],
      );
      return { kept: kept.rows.map(({ id: golden }) => golden), written: written.rows.map(({ id: golden }) => golden) };
    });
    const kept = new Set(done.kept);
    return {
      runId: rollback,
      said: { kept: preview.kept.map(({ goldenId }) => goldenId).sort(), reversed: preview.reversed, touched },
      // Everything that a rollback writes as a golden record it had said to set back.
      done: { kept: [...kept].sort(), reversed: done.written.filter((golden) => !kept.has(golden)).length, touched },
    };
  };

  it('keep a record whose key came again meanwhile as another one', async () => {
    const [first, second] = await play([
      { do: 'edit', system: 'one', id: 'k3', column: 'a', value: 'x' },
      { do: 'run', system: 'one' },
      { do: 'rollback', which: 2 },
      { do: 'edit', system: 'one', id: 'k3', column: 'a', value: 'y' },
      { do: 'run', system: 'one' },
      { do: 'rollback', which: 3 },
    ]);
    expect(first?.said).toEqual(first?.done);
    expect(second?.said).toEqual(second?.done);
    expect(second?.said).toMatchObject({ kept: [expect.any(String)] });
  });

  it('agree, whatever happened before', async () => {
    let rollbacks = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(move, { minLength: 8, maxLength: 22 }), async (moves) => {
        for (const { said, done } of await play(moves)) {
          rollbacks += 1;
          expect(said).toEqual(done);
        }
      }),
      { numRuns: Number(process.env['CONCORD_LAW_RUNS'] ?? 6), endOnFailure: true },
    );
    expect(rollbacks).toBeGreaterThan(0);
  });
});
