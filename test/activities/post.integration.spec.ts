import pg from 'pg';
import { ConfigurationCache } from '../../activities/context.js';
import type { ExtractPlan, StepCounts } from '../../activities/contract.js';
import type { ActivityDependencies } from '../../activities/dependencies.js';
import { createExtract } from '../../activities/extract.js';
import { takeLease } from '../../activities/lease.js';
import { rollBackPosted } from '../../activities/post-rollback.js';
import { createPost, postedWholly } from '../../activities/post.js';
import { createRuns } from '../../activities/runs.js';
import type { Connector } from '../../connectors/capabilities.js';
import { createPostgresConnector } from '../../connectors/postgresql/connector.js';
import { applyConfiguration } from '../../database/configuration-store.js';
import { createHub } from '../../database/hub.js';
import type { Hub } from '../../database/hub.js';
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
    const told = { extracted: 4_700, new: 4_691, unchanged: 0, no_effect: 0, rejected: 9, filtered: 0 };
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

  it.each(['compensate', 'impossible'] as const)('%s: the rows stand and are listed', async (setting) => {
    await configure({ rollback: setting });
    await pay(1, 1_400);
    const { run } = await wholeRun();
    const rollback = await openRun(run.runId);
    expect(await undo(run, rollback)).toEqual({ reversed: 0, kept: 1_398, failed: 0 });
    expect(await entries()).toMatchObject({ count: 1_398 });
    const [finding] = await findings(rollback);
    expect(finding).toMatchObject({ kind: 'posted_kept' });
  });
});
