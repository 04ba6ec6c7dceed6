import pg from 'pg';
import { ConfigurationCache } from '../../activities/context.js';
import type { ExtractPlan, StepCounts } from '../../activities/contract.js';
import type { ActivityDependencies } from '../../activities/dependencies.js';
import { createExtract } from '../../activities/extract.js';
import { takeLease } from '../../activities/lease.js';
import { rollBackPosted } from '../../activities/post-rollback.js';
import { createPost, postedWholly } from '../../activities/post.js';
import { createRollback } from '../../activities/rollback.js';
import { createRuns } from '../../activities/runs.js';
import { createStageBatch } from '../../activities/stage-batch.js';
import type { Connector } from '../../connectors/capabilities.js';
import { createPostgresConnector } from '../../connectors/postgresql/connector.js';
import { applyConfiguration } from '../../database/configuration-store.js';
import { createHub } from '../../database/hub.js';
import type { Hub } from '../../database/hub.js';
import { previewRollback } from '../../database/rollback-preview.js';
import { SyncError } from '../../domain/errors.js';
import type { Configuration } from '../../domain/job-definition.js';
import type { TargetMapping } from '../../domain/mapping-definition.js';
import type { RunRef } from '../../domain/run.js';
import { createDatabase } from '../harness/database.js';
import type { TestDatabase } from '../harness/database.js';

const chunkRows = 1_000;

const group = (name: string, type: 'text' | 'decimal' | 'date' = 'text') => ({
  name,
  attributes: [{ name, type }],
  strategy: 'source_priority' as const,
  priority: ['bursar'],
});

interface Setting {
  readonly rollback: TargetMapping['rollback'];
  readonly watermark?: boolean;
  readonly entity?: string;
  readonly rules?: NonNullable<Configuration['mappings'][number]['source']>['rules'];
}

const configurationOf = ({ rollback, watermark = false, entity = 'entries', rules }: Setting): Configuration => ({
  institution: { code: 'posting', name: 'Posting', timeZone: 'UTC' },
  systems: ['bursar', 'archive'].map((name) => ({ name, kind: 'postgresql', settings: {} })),
  entityTypes: [
    {
      name: 'payment',
      kind: 'posted',
      subject: 'none',
      groups: [group('number'), group('amount', 'decimal'), group('currency'), group('booked_on', 'date')],
    },
  ],
  codeTables: [],
  mappings: [
    {
      name: 'bursar.payments',
      system: 'bursar',
      entity: 'payments',
      source: {
        columns: ['payment_no', 'amount', 'currency', 'booked_on', 'entered'],
        key: ['payment_no'],
        ...(watermark ? { watermark: { column: 'entered' } } : {}),
        records: [
          {
            entityType: 'payment',
            groups: {
              number: { from: 'payment_no' },
              amount: { from: 'amount', steps: [{ use: 'decimal' }] },
              currency: { from: 'currency', steps: [{ use: 'trim' }] },
              booked_on: { from: 'booked_on' },
            },
          },
        ],
        rules: rules ?? [
          { name: 'currency_known', field: 'currency', check: 'in_set', values: ['CHF', 'EUR'], severity: 'reject' },
        ],
      },
    },
    {
      name: 'archive.entries',
      system: 'archive',
      entity,
      target: {
        root: 'payment',
        key: [{ column: 'number', from: 'number' }],
        columns: [
          { column: 'amount', from: 'amount' },
          { column: 'currency', from: 'currency' },
          { column: 'booked_on', from: 'booked_on' },
          { column: 'origin', constant: 'bursar' },
        ],
        recipientClass: 'internal',
        ...(rollback === undefined ? {} : { rollback }),
        ...(rollback === 'compensate'
          ? {
              compensation: {
                key: { column: 'number', suffix: '-R' },
                negate: ['amount'],
                set: { origin: 'reversal' },
              },
            }
          : {}),
      },
    },
  ],
  jobs: [{ name: 'payments', sources: ['bursar.payments'], targets: ['archive.entries'] }],
});

describe('posting', () => {
  let hubDatabase: TestDatabase;
  let store: TestDatabase;
  let hub: Hub;
  let sql: pg.Client;
  let institutionId: number;
  let jobId: number;
  let runs = 0;
  /** What the next connector does in the middle of things. */
  let spoil: (connector: Connector) => Connector;

  const dependencies = (): ActivityDependencies => ({
    hub,
    configurations: new ConfigurationCache(hub),
    openConnector: () => spoil(createPostgresConnector({ url: store.url })),
    heartbeat: () => undefined,
    cancelled: () => undefined,
    crashPoint: () => undefined,
  });

  const configure = async (setting: Setting): Promise<void> => {
    ({ institutionId } = await applyConfiguration(hub, configurationOf(setting), 'test'));
    jobId = await hub.read(institutionId, async (client) => {
      const { rows } = await client.query<{ id: number }>(
        `select id from synchronization_jobs where name = 'payments'`,
      );
      return rows[0]?.id ?? 0;
    });
    // What an earlier test took back is no input of this one.
    await hub.transaction(institutionId, async (client) => {
      await client.query('delete from rolled_back_inputs');
      await client.query('delete from held_changes');
    });
  };

  const openRun = async (rollbackOf?: string): Promise<RunRef> => {
    runs += 1;
    const opened = await createRuns(dependencies()).openRun({
      ...{ institutionId, jobId, actor: 'test', asOf: '2026-10-01', workflowId: `post-${String(runs)}` },
      ...(rollbackOf === undefined ? { kind: 'sync' } : { kind: 'rollback', rollbackOf }),
    });
    if (!('opened' in opened)) throw new Error('the job is occupied');
    return opened.opened;
  };

  const postAll = async (run: RunRef, plan: ExtractPlan): Promise<StepCounts> => {
    const { post } = createPost(dependencies(), { chunkRows });
    const all: StepCounts[] = [];
    for (const partition of plan.posted) all.push(await post(run, partition));
    const names = [...new Set(all.flatMap((counts) => Object.keys(counts)))];
    return Object.fromEntries(
      names.map((name) => [name, all.reduce((total, counts) => total + (counts[name] ?? 0), 0)]),
    );
  };

  const wholeRun = async (): Promise<{ run: RunRef; counts: StepCounts }> => {
    const run = await openRun();
    const counts = await postAll(run, await createExtract(dependencies()).planExtract(run));
    // Refuses a run whose sums do not balance.
    await createRuns(dependencies()).closeRun(run, 'completed');
    return { run, counts };
  };

  const pay = async (from: number, to: number): Promise<void> => {
    await sql.query(
      `insert into payments select 'P' || lpad(i::text, 6, '0'), i % 90 + 0.5, case when i % 500 = 0 then 'XXX' else 'CHF' end,
         date '2026-01-01' + i % 300, i from generate_series($1::int, $2::int) i`,
      [from, to],
    );
  };

  const entries = async (): Promise<{ count: number; distinct: number; sum: string }> => {
    const { rows } = await sql.query<{ count: number; distinct: number; sum: string }>(
      'select count(*)::int as count, count(distinct number)::int as distinct, coalesce(sum(amount), 0)::text as sum from entries',
    );
    return rows[0] ?? { count: 0, distinct: 0, sum: '' };
  };

  const paid = async (): Promise<string> => {
    const { rows } = await sql.query<{ sum: string }>(
      `select coalesce(sum(amount), 0)::numeric(12, 2)::text as sum from payments where currency in ('CHF', 'EUR')`,
    );
    return rows[0]?.sum ?? '';
  };

  const findings = async (run: RunRef): Promise<{ kind: string; source_key: string | null; detail: string }[]> =>
    hub.read(institutionId, async (client) => {
      const { rows } = await client.query<{ kind: string; source_key: string | null; detail: string }>(
        'select kind, source_key, detail from findings where run_id = $1 order by id',
        [run.runId],
      );
      return rows;
    });

  beforeAll(async () => {
    hubDatabase = await createDatabase();
    store = await createDatabase({ empty: true });
    hub = createHub({ url: hubDatabase.url, role: 'concord_worker', max: 6 });
    sql = new pg.Client({ connectionString: store.url });
    await sql.connect();
  });

  beforeEach(async () => {
    spoil = (connector) => connector;
    await sql.query('drop table if exists payments, entries, keyless');
    await sql.query(
      'create table payments (payment_no text primary key, amount numeric, currency text, booked_on date, entered bigint)',
    );
    const columns =
      'number text, amount numeric(12, 2) check (amount < 1000), currency text, booked_on date, origin text';
    await sql.query(`create table entries (${columns}, primary key (number))`);
    await sql.query(`create table keyless (${columns})`);
  });

  afterAll(async () => {
    await sql.end();
    await hub.close();
    await hubDatabase.drop();
    await store.drop();
  });

  it('posts what is right, sets the rest aside, and changes nothing the second time', async () => {
    await configure({ rollback: 'impossible' });
    await pay(1, 4_700);
    const { run, counts } = await wholeRun();
    const told = { extracted: 4_700, new: 4_691, unchanged: 0, no_effect: 0, rejected: 9, filtered: 0, held: 0 };
    expect(counts).toEqual(told);
    expect(await entries()).toEqual({ count: 4_691, distinct: 4_691, sum: await paid() });
    const rejected = await hub.read(institutionId, async (client) => {
      const { rows } = await client.query<{ source_key: string; reason: string }>(
        'select source_key, reason from rejected_records where run_id = $1 order by source_key',
        [run.runId],
      );
      return rows;
    });
    expect(rejected).toHaveLength(9);
    expect(rejected[0]).toEqual({ source_key: 'P000500', reason: 'currency_known' });

    const before = await sql.query('select xmin, * from entries order by number');
    const writes: number[] = [];
    spoil = (connector) => ({
      ...connector,
      ...(connector.rows === undefined
        ? {}
        : {
            rows: {
              ...connector.rows,
              writeRows: (target, given) => {
                writes.push(given.length);
                return connector.rows?.writeRows(target, given) ?? Promise.resolve([]);
              },
            },
          }),
    });
    expect((await wholeRun()).counts).toEqual({ ...told, new: 0, unchanged: 4_691 });
    expect((await sql.query('select xmin, * from entries order by number')).rows).toEqual(before.rows);
    // Chunks that still stand are known by their digest: only the row at the end of each is looked at.
    expect(writes.every((count) => count === 1)).toBe(true);
  });

  it('posts what is new among rows that stand already', async () => {
    await configure({ rollback: 'impossible' });
    await pay(1, 1_500);
    await wholeRun();
    await pay(1_501, 3_000);
    const { counts } = await wholeRun();
    expect(counts).toMatchObject({ extracted: 3_000, new: 1_497, unchanged: 1_497, rejected: 6 });
    expect(await entries()).toEqual({ count: 2_994, distinct: 2_994, sum: await paid() });
  });

  it('reads only what came after the watermark, which goes on when all is posted', async () => {
    await configure({ rollback: 'impossible', watermark: true });
    await pay(1, 2_200);
    const first = await wholeRun();
    expect(first.counts).toMatchObject({ extracted: 2_200 });
    await pay(2_201, 2_300);
    const second = await wholeRun();
    expect(second.counts).toMatchObject({ extracted: 100, new: 100 });
    expect(await entries()).toMatchObject({ count: 2_296 });
  });

  it('leaves a key with other content alone and tells of it', async () => {
    await configure({ rollback: 'impossible' });
    await pay(1, 1_200);
    await sql.query(
      `insert into entries values ('P000007', 7.5, 'CHF', '2026-01-08', 'bursar'), ('P000008', 999, 'CHF', '2026-01-09', 'hand')`,
    );
    const { run, counts } = await wholeRun();
    expect(counts).toMatchObject({ extracted: 1_200, new: 1_196, unchanged: 1, no_effect: 1, rejected: 2 });
    expect(await findings(run)).toMatchObject([{ kind: 'posted_differs', source_key: 'P000008' }]);
    expect((await sql.query<{ amount: string }>(`select amount from entries where number = 'P000008'`)).rows).toEqual([
      { amount: '999.00' },
    ]);
  });

  it('sets aside what the target refuses; the rest of the chunk is posted', async () => {
    await configure({ rollback: 'impossible' });
    await pay(1, 600);
    await sql.query(`update payments set amount = 5000 where payment_no = 'P000123'`);
    const { run, counts } = await wholeRun();
    expect(counts).toMatchObject({ extracted: 600, new: 598, rejected: 2 });
    const { rows } = await hub.read(institutionId, (client) =>
      client.query(`select reason, source_key from rejected_records where run_id = $1 and reason = 'target_refused'`, [
        run.runId,
      ]),
    );
    expect(rows).toEqual([{ reason: 'target_refused', source_key: 'P000123' }]);
  });

  it('never doubles a row where the target has no key of its own', async () => {
    await configure({ rollback: 'impossible', entity: 'keyless' });
    await pay(1, 1_200);
    await wholeRun();
    expect((await wholeRun()).counts).toMatchObject({ new: 0, unchanged: 1_198 });
    const { rows } = await sql.query<{ count: number }>('select count(*)::int as count from keyless');
    expect(rows).toEqual([{ count: 1_198 }]);
  });

  it('judges values over all rows: repeated ones are set aside', async () => {
    await configure({
      rollback: 'impossible',
      rules: [{ name: 'entered_once', field: 'entered', check: 'unique', severity: 'reject' }],
    });
    await pay(1, 2_400);
    await sql.query(`update payments set entered = 1 where payment_no = 'P002000'`);
    expect((await wholeRun()).counts).toMatchObject({ extracted: 2_400, new: 2_398, rejected: 2 });
  });

  describe.each([
    ['before the target is written', 'before'],
    ['after the target is written, before it is recorded', 'after'],
  ] as const)('an attempt that breaks off %s', (_, moment) => {
    /** The n-th write of a chunk fails for good, as if the process had ended. */
    const breaksAt = (n: number): ((connector: Connector) => Connector) => {
      let writes = 0;
      return (connector) => ({
        ...connector,
        ...(connector.copy === undefined
          ? {}
          : {
              copy: {
                ...connector.copy,
                insertText: async (target, text) => {
                  writes += 1;
                  if (writes === n && moment === 'before') throw new SyncError('target_unreachable', 'broken off');
                  const count = (await connector.copy?.insertText(target, text)) ?? null;
                  if (writes === n) throw new SyncError('target_unreachable', 'broken off');
                  return count;
                },
              },
            }),
      });
    };

    it.each([1, 2, 4])('at chunk %i: the next attempt neither doubles nor loses', async (n) => {
      await configure({ rollback: 'restore' });
      await pay(1, 4_700);
      const run = await openRun();
      const plan = await createExtract(dependencies()).planExtract(run);
      spoil = breaksAt(n);
      await expect(postAll(run, plan)).rejects.toThrow('broken off');
      const whole = (): Promise<boolean> =>
        hub.read(institutionId, (client) => postedWholly(client, run.runId, plan.posted[0]?.mappingId ?? 0));
      expect(await whole()).toBe(false);
      spoil = (connector) => connector;
      expect(await postAll(run, plan)).toMatchObject({ extracted: 4_700, new: 4_691, unchanged: 0, rejected: 9 });
      expect(await whole()).toBe(true);
      expect(await entries()).toEqual({ count: 4_691, distinct: 4_691, sum: await paid() });
      // Again after its end: nothing.
      expect(await postAll(run, plan)).toMatchObject({ extracted: 4_700, new: 4_691 });
      await createRuns(dependencies()).closeRun(run, 'completed');
    });

    it('and is rolled back: every row of it that came to stand is gone', async () => {
      await configure({ rollback: 'restore' });
      await sql.query(`insert into entries values ('A1', 1, 'CHF', '2026-01-08', 'hand')`);
      await pay(1, 2_600);
      const run = await openRun();
      const plan = await createExtract(dependencies()).planExtract(run);
      spoil = breaksAt(2);
      await expect(postAll(run, plan)).rejects.toThrow('broken off');
      spoil = (connector) => connector;
      await undo(run, run);
      expect(await entries()).toEqual({ count: 1, distinct: 1, sum: '1.00' });
      await createRuns(dependencies()).closeRun(run, 'rolled_back');
    });
  });

  /** By a rollback; a run that is under way takes itself back. */
  const undo = async ({ runId }: RunRef, by: RunRef): Promise<unknown> => {
    const context = await dependencies().configurations.of(institutionId);
    const lease = await takeLease(hub, by, 'rollback', `${runId}/targets`);
    return rollBackPosted(dependencies(), { run: by, lease, runId, context });
  };

  /** With everything else that a rollback does. */
  const rollBack = async ({ runId }: RunRef): Promise<{ rollback: RunRef; counts: unknown }> => {
    const rollback = await openRun(runId);
    const activities = createRollback(dependencies());
    const counts = await activities.rollBackTargets(rollback, runId);
    await activities.rollBackGolden(rollback, runId);
    await createRuns(dependencies()).closeRun(rollback, 'completed');
    return { rollback, counts };
  };

  it('refuses an attempt that a newer one took over', async () => {
    await configure({ rollback: 'impossible' });
    await pay(1, 3_000);
    const run = await openRun();
    const plan = await createExtract(dependencies()).planExtract(run);
    let first = true;
    spoil = (connector) => ({
      ...connector,
      ...(connector.copy === undefined
        ? {}
        : {
            copy: {
              ...connector.copy,
              insertText: async (target, text) => {
                if (first) {
                  first = false;
                  await postAll(run, plan);
                }
                return (await connector.copy?.insertText(target, text)) ?? null;
              },
            },
          }),
    });
    await expect(postAll(run, plan)).rejects.toMatchObject({ code: 'lease_lost' });
    expect(await entries()).toMatchObject({ count: 2_994, distinct: 2_994 });
    await createRuns(dependencies()).closeRun(run, 'completed');
  });

  it('takes back exactly the rows it wrote that still stand; twice is once', async () => {
    await configure({ rollback: 'restore' });
    await pay(1, 500);
    await wholeRun();
    await pay(501, 1_900);
    const { run } = await wholeRun();
    await sql.query(`update entries set amount = 1 where number = 'P001700'`);
    await sql.query(`delete from payments where entered > 1000`);
    const rollback = await openRun(run.runId);
    expect(await undo(run, rollback)).toEqual({ reversed: 1_397, kept: 1, failed: 0 });
    expect(await undo(run, rollback)).toEqual({ reversed: 1_397, kept: 1, failed: 0 });
    expect(await entries()).toMatchObject({ count: 500 });
    expect(await findings(rollback)).toMatchObject([{ kind: 'posted_kept', source_key: 'P001700' }]);
  });

  it('without a way to take them back the rows stand and are listed', async () => {
    await configure({ rollback: 'impossible' });
    await pay(1, 1_400);
    const { run } = await wholeRun();
    const rollback = await openRun(run.runId);
    expect(await undo(run, rollback)).toEqual({ reversed: 0, kept: 1_398, failed: 0 });
    expect(await entries()).toMatchObject({ count: 1_398 });
    const [finding] = await findings(rollback);
    expect(finding).toMatchObject({ kind: 'posted_kept' });
  });

  describe('where entries are only added', () => {
    const opposites = async (): Promise<{ number: string; amount: string; origin: string }[]> => {
      const { rows } = await sql.query<{ number: string; amount: string; origin: string }>(
        `select number, amount::text, origin from entries where number like '%-R%' order by number limit 3`,
      );
      return rows;
    };

    it('takes back what it wrote by opposites of what stands, which are taken back like anything else', async () => {
      await configure({ rollback: 'compensate' });
      await pay(1, 1_400);
      const { run } = await wholeRun();
      await sql.query(`update entries set amount = 1 where number = 'P000700'`);
      await sql.query(`delete from entries where number = 'P000701'`);
      const preview = await previewRollback(hub, institutionId, run.runId, '2026-10-01');
      expect(preview.targets).toEqual([{ mapping: 'archive.entries', rows: 1_398 }]);
      const rollback = await openRun(run.runId);
      expect(await undo(run, rollback)).toEqual({ reversed: 1_397, kept: 1, failed: 0 });
      expect(await undo(run, rollback)).toEqual({ reversed: 1_397, kept: 1, failed: 0 });
      expect(await entries()).toEqual({ count: 1_397 + 1_396, distinct: 1_397 + 1_396, sum: '1.00' });
      expect((await opposites())[0]).toEqual({
        number: `P000001-R${rollback.runId}`,
        amount: '-1.50',
        origin: 'reversal',
      });
      expect(await findings(rollback)).toMatchObject([{ kind: 'posted_kept', source_key: 'P000700' }]);
      await createRuns(dependencies()).closeRun(rollback, 'completed');

      const again = await openRun(rollback.runId);
      const back = await previewRollback(hub, institutionId, rollback.runId, '2026-10-01');
      expect(back.targets).toEqual([{ mapping: 'archive.entries', rows: 1_397 }]);
      expect(await undo(rollback, again)).toMatchObject({ reversed: 1_396, kept: 0, failed: 0 });
      // Of every entry the amount, its opposite and the amount again.
      const { rows } = await sql.query<{ sum: string }>(
        `select sum(amount)::text as sum from entries where number like 'P000001%' having count(*) = 3`,
      );
      expect(rows).toEqual([{ sum: '1.50' }]);
    });

    it('broken off between intent and deed it neither doubles nor forgets an opposite', async () => {
      await configure({ rollback: 'compensate' });
      await pay(1, 2_300);
      const { run } = await wholeRun();
      const rollback = await openRun(run.runId);
      let writes = 0;
      spoil = (connector) => ({
        ...connector,
        ...(connector.rows === undefined
          ? {}
          : {
              rows: {
                ...connector.rows,
                writeRows: async (target, rows) => {
                  const outcomes = (await connector.rows?.writeRows(target, rows)) ?? [];
                  writes += 1;
                  // The opposites of the second chunk stand; nobody was told.
                  if (writes === 4) throw new SyncError('target_unreachable', 'broken off');
                  return outcomes;
                },
              },
            }),
      });
      await expect(undo(run, rollback)).rejects.toThrow('broken off');
      spoil = (connector) => connector;
      expect(await undo(run, rollback)).toEqual({ reversed: 2_296, kept: 0, failed: 0 });
      expect(await entries()).toEqual({ count: 2 * 2_296, distinct: 2 * 2_296, sum: '0.00' });
    });

    it('tells of entries that come again though they were taken back', async () => {
      await configure({ rollback: 'compensate' });
      await pay(1, 400);
      const { run } = await wholeRun();
      await rollBack(run);
      await pay(401, 450);
      const later = await wholeRun();
      expect(later.counts).toMatchObject({ extracted: 450, new: 50, unchanged: 400, held: 0 });
      expect(await findings(later.run)).toMatchObject([{ kind: 'posted_taken_back', detail: /^400 entries/ }]);
    });
  });

  describe('rows that were taken out and come again', () => {
    const held = async (): Promise<{ id: string; state: string; row_count: string; rows: number; version: number }[]> =>
      hub.read(institutionId, async (client) => {
        const { rows } = await client.query<{
          id: string;
          state: string;
          row_count: string;
          rows: number;
          version: number;
        }>(
          `select h.id::text, h.state, h.row_count::text, h.version, (select count(*)::int from held_rows r where r.held_id = h.id) as rows
           from held_changes h where cause = 'rolled_back_input' order by h.id`,
        );
        return rows;
      });

    /** Decides as the API does. */
    const decide = async (heldId: string, state: 'released' | 'discarded', run: RunRef): Promise<RunRef> => {
      const kind = state === 'released' ? 'release' : 'discard';
      const batchId = await hub.transaction(institutionId, async (client) => {
        const { rows } = await client.query<{ id: string }>(
          `insert into decision_batches (institution_id, job_id, kind, parent_run_id, actor, items)
           values ($1, $2, $3, $4, 'test', jsonb_build_array(jsonb_build_object('heldId', $5::text))) returning id::text`,
          [institutionId, jobId, kind, run.runId, heldId],
        );
        await client.query(`update held_changes set state = $2, batch_id = $3, decided_by = 'test' where id = $1`, [
          ...[heldId, state, rows[0]?.id],
        ]);
        return rows[0]?.id ?? '';
      });
      runs += 1;
      const opened = await createRuns(dependencies()).openRun({
        ...{ institutionId, jobId, actor: 'test', asOf: '2026-10-01', workflowId: `post-${String(runs)}` },
        ...{ kind: 'release', batchId },
      });
      if (!('opened' in opened)) throw new Error('the release was not opened');
      await createStageBatch(dependencies()).stageBatch(opened.opened);
      await createRuns(dependencies()).closeRun(opened.opened, 'completed');
      return opened.opened;
    };

    const takenOut = async (): Promise<RunRef> => {
      await configure({ rollback: 'restore' });
      await pay(1, 1_400);
      const { rollback } = await rollBack((await wholeRun()).run);
      expect(await entries()).toMatchObject({ count: 0 });
      return rollback;
    };

    it('are held as one question, once; released they are posted, and that is taken back as well', async () => {
      await takenOut();
      await pay(1_401, 1_410);
      const later = await wholeRun();
      expect(later.counts).toMatchObject({ extracted: 1_410, new: 10, held: 1_398, rejected: 2 });
      expect(await held()).toMatchObject([{ state: 'held', row_count: '1398', rows: 1_398, version: 1 }]);
      const more = await wholeRun();
      expect(more.counts).toMatchObject({ extracted: 1_410, new: 0, unchanged: 10, held: 1_398 });
      const [question] = await held();
      expect(question).toMatchObject({ version: 1 });

      const release = await decide(question?.id ?? '', 'released', more.run);
      expect(await entries()).toEqual({ count: 1_408, distinct: 1_408, sum: await paid() });
      expect((await wholeRun()).counts).toMatchObject({ new: 0, unchanged: 1_408, held: 0 });
      expect((await rollBack(release)).counts).toEqual({ reversed: 1_398, kept: 0, failed: 0 });
      expect(await entries()).toMatchObject({ count: 10 });
      expect((await wholeRun()).counts).toMatchObject({ new: 0, unchanged: 10, held: 1_398 });
    });

    it('are put back where the rollback is taken back, and are not asked about any more', async () => {
      const rollback = await takenOut();
      await sql.query(`insert into entries values ('P000007', 1, 'CHF', '2026-01-08', 'hand')`);
      expect((await rollBack(rollback)).counts).toEqual({ reversed: 1_397, kept: 1, failed: 0 });
      expect((await wholeRun()).counts).toMatchObject({ new: 0, unchanged: 1_397, no_effect: 1, held: 0 });
    });

    it('discarded they stay out without another question', async () => {
      await takenOut();
      const later = await wholeRun();
      const [question] = await held();
      await decide(question?.id ?? '', 'discarded', later.run);
      expect((await wholeRun()).counts).toMatchObject({ new: 0, held: 1_398 });
      expect(await held()).toMatchObject([{ state: 'discarded' }]);
      expect(await entries()).toMatchObject({ count: 0 });
    });
  });
});
