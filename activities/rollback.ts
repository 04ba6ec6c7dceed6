import type { PoolClient } from 'pg';
import { childrenFirst, Couplings, readRollbackInputs, touchedBy } from '../database/rollback-records.js';
import { SyncError } from '../domain/errors.js';
import { planRecordRollback, type RollbackInput } from '../domain/record-rollback.js';
import type { RunRef } from '../domain/run.js';
import { applyRollbackPage, finishRollback, listKept, noteKept } from './rollback-write.js';
import { rollBackPosted } from './post-rollback.js';
import { rollBackTarget } from './rollback-targets.js';
import { previewHashOf } from '../database/rollback-preview.js';
import type { StepCounts } from './contract.js';
import type { ActivityDependencies } from './dependencies.js';
import { fenced, readChunks, recordChunk, takeLease, type Chunk, type Lease } from './lease.js';

const pageSize = 500;

/** The records that a rollback looks at. */
const rollbackTable = (rollbackRunId: string, runId: string): string =>
  `staging.r${BigInt(rollbackRunId).toString()}_rollback_${BigInt(runId).toString()}`;

/** A logged table: once something was set back, neither these nor which of them are kept can be told again. */
const collectRollback = async (client: PoolClient, run: RunRef, runId: string, table: string): Promise<void> => {
  await client.query(`drop table if exists ${table}`);
  await client.query(`create table ${table} (golden_id bigint not null, kept boolean not null)`);
  await client.query(
    `insert into ${table} select distinct x.id, false from (${touchedBy('= $1')}) x join golden_records g on g.id = x.id`,
    [runId],
  );
  await client.query(`create unique index on ${table} (golden_id)`);
  await client.query(`analyze ${table}`);
  await client.query('insert into change_sets (run_id, institution_id) values ($1, $2) on conflict do nothing', [
    run.runId,
    run.institutionId,
  ]);
};

/** The next records that are not kept. */
const readRollbackPage = (
  client: PoolClient,
  run: RunRef,
  runId: string,
  table: string,
  after: string,
): Promise<RollbackInput[]> =>
  readRollbackInputs(
    client,
    runId,
    [run.runId],
    `select golden_id from ${table} where golden_id > $3 and not kept order by golden_id limit $4`,
    [after, pageSize],
  );

const sumOf = (chunks: readonly Chunk[], name: string): number =>
  chunks.reduce((total, { counts }) => total + Number(counts[name] ?? 0), 0);

export const createRollback = (dependencies: ActivityDependencies) => {
  const { hub, configurations, heartbeat, crashPoint } = dependencies;

  /** The run that a rollback is about. */
  const rolledBackRun = async (client: PoolClient, run: RunRef): Promise<string> => {
    const { rows } = await client.query<{ id: string | null }>(
      'select parent_run_id::text as id from sync_runs where id = $1',
      [run.runId],
    );
    const id = rows[0]?.id ?? null;
    if (id === null) throw new SyncError('not_found', 'the rollback names no run');
    return id;
  };

  return {
    /** Runs to roll back, children first. What a person saw in a preview must still hold. */
    async planRollback(run: RunRef): Promise<{ readonly runIds: readonly string[] }> {
      const own = await hub.read(run.institutionId, async (client) => ({
        of: await rolledBackRun(client, run),
        begun: (await readChunks(client, run.runId, 'rollback')).length > 0,
        seen:
          (
            await client.query<{ hash: string | null }>(
              'select preview_hash::text as hash from change_sets where run_id = $1',
              [run.runId],
            )
          ).rows[0]?.hash ?? null,
      }));
      return hub.read(run.institutionId, async (client) => {
        const { rows } = await client.query<{ state: string; finished: boolean; by: string | null }>(
          'select state, finished_at is not null as finished, rolled_back_by::text as by from sync_runs where id = $1',
          [own.of],
        );
        const target = rows[0];
        if (target === undefined) throw new SyncError('not_found', `run ${own.of} is not there`);
        if (!target.finished) throw new SyncError('state_forbids', `run ${own.of} is not over`);
        if (own.begun) return { runIds: await childrenFirst(client, own.of, run.runId) };
        if (target.by !== null) return { runIds: [] };
        const runIds = await childrenFirst(client, own.of, run.runId);
        if (own.seen !== null && own.seen !== (await previewHashOf(client, runIds))) {
          throw new SyncError('preview_outdated', 'data moved since the preview; look at the new one');
        }
        return { runIds };
      });
    },

    /** Sets back in targets what the run wrote there and still stands. Rows of records that are kept are left. */
    async rollBackTargets(run: RunRef, runId: string): Promise<StepCounts> {
      const context = await configurations.of(run.institutionId);
      const lease = await takeLease(hub, run, 'rollback', `${runId}/targets`);
      const table = rollbackTable(run.runId, runId);
      const { planned, done } = await hub.read(run.institutionId, async (client) => ({
        planned: await readChunks(client, run.runId, 'rollback', `${runId}/plan`),
        done: await readChunks(client, run.runId, 'rollback', lease.part),
      }));
      // The golden records may be set back by now, which the targets are compared with.
      if (done[0] !== undefined) return done[0].counts as StepCounts;
      if (planned.length === 0) {
        await fenced(hub, lease, (client) => collectRollback(client, run, runId, table), 'bulk');
        await planKept(runId, lease, table);
      }
      const mappings = await hub.read(run.institutionId, async (client) => {
        const { rows } = await client.query<{ id: number }>(
          `select mapping_id as id from change_set_entries where run_id = $1 and kind = 'target' group by 1
           union select mapping_id from run_chunks, lateral (select split_part(part, '/', 1)::integer as mapping_id) m
             where run_id = $1 and step = 'publish' and part like '%/bulk' order by 1`,
          [runId],
        );
        return rows.map(({ id }) => id);
      });
      const counts = { reversed: 0, kept: 0, failed: 0 };
      for (const id of mappings) {
        const done = await rollBackTarget(dependencies, {
          run,
          runId,
          lease,
          context,
          mapping: context.mapping(id),
          table,
        });
        counts.reversed += done.reversed;
        counts.kept += done.kept;
        counts.failed += done.failed;
        heartbeat();
        crashPoint('rollBackTargets');
      }
      const posted = await rollBackPosted(dependencies, { run, lease, runId, context });
      counts.reversed += posted.reversed;
      counts.kept += posted.kept;
      counts.failed += posted.failed;
      await fenced(hub, lease, (client) => recordChunk(client, lease, 0, { counts }));
      return counts;
    },

    /** Sets golden records back as new versions, restores images, questions, watermarks and deliveries, and remembers the
     *  run's inputs so that they come again as one question. */
    async rollBackGolden(run: RunRef, runId: string): Promise<StepCounts> {
      const context = await configurations.of(run.institutionId);
      const lease = await takeLease(hub, run, 'rollback', `${runId}/golden`);
      const done = await hub.read(run.institutionId, (client) =>
        readChunks(client, run.runId, 'rollback', `${runId}/golden`),
      );
      const counts = { reversed: sumOf(done, 'reversed'), kept: sumOf(done, 'kept') };
      const last = done.at(-1);
      if (last?.counts['last'] === true) return counts;
      const table = rollbackTable(run.runId, runId);
      let [chunk, after] = last === undefined ? [0, '0'] : [last.chunk + 1, last.cursor ?? '0'];
      for (; ; chunk += 1) {
        const page = await hub.read(run.institutionId, (client) => readRollbackPage(client, run, runId, table, after));
        const cursor = page.at(-1)?.goldenId;
        if (cursor === undefined) break;
        const plans = page.map(planRecordRollback);
        const kept = plans.filter((plan) => plan.kept).length;
        const own = { reversed: plans.length - kept, kept };
        await fenced(
          hub,
          lease,
          async (client) => {
            await applyRollbackPage(client, { run, runId, context }, plans);
            await recordChunk(client, lease, chunk, { cursor, counts: own });
          },
          'bulk',
        );
        after = cursor;
        counts.reversed += own.reversed;
        counts.kept += own.kept;
        heartbeat();
        crashPoint('rollBackGolden');
      }
      await fenced(
        hub,
        lease,
        async (client) => {
          await finishRollback(client, run, runId, table);
          await recordChunk(client, lease, chunk, { counts: { last: true } });
          await client.query(`drop table if exists ${table}`);
        },
        'bulk',
      );
      return counts;
    },
  };

  /** What a run put together or parted stays so as a whole. */
  async function keepTogether(client: PoolClient, runId: string, table: string): Promise<void> {
    const couplings = await Couplings.read(client, runId);
    if (couplings.members.length === 0) return;
    const { rows } = await client.query<{ id: string }>(
      `select golden_id::text as id from ${table} where kept and golden_id = any ($1::bigint[])`,
      [couplings.members],
    );
    const kept = couplings.with(rows.map(({ id }) => id));
    await noteKept(client, runId, table, kept);
  }

  /** Decides which records are kept, before any target is touched. */
  async function planKept(runId: string, lease: Lease, table: string): Promise<void> {
    const { run } = lease;
    let after = '0';
    for (;;) {
      const page = await hub.read(run.institutionId, (client) => readRollbackPage(client, run, runId, table, after));
      const last = page.at(-1);
      if (last === undefined) break;
      after = last.goldenId;
      const kept = page
        .map(planRecordRollback)
        .filter((plan) => plan.kept)
        .map(({ goldenId }) => goldenId);
      await fenced(hub, lease, (client) => noteKept(client, runId, table, kept));
      heartbeat();
    }
    await fenced(hub, lease, async (client) => {
      await keepTogether(client, runId, table);
      await listKept(client, run, table);
      await recordChunk(client, { ...lease, part: `${runId}/plan` }, 0, { counts: {} });
    });
  }
};
