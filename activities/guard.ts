import type { PoolClient } from 'pg';
import { isAlive, stagingOf } from '../database/staging.js';
import { SyncError } from '../domain/errors.js';
import { judge } from '../domain/guard.js';
import type { LimitDefinition } from '../domain/job-definition.js';
import type { RunRef } from '../domain/run.js';
import type { StepCounts } from './contract.js';
import type { InstitutionContext, MappingRef } from './context.js';
import type { ActivityDependencies } from './dependencies.js';
import { bareRows } from './bare-rows.js';
import { missingHash } from './diff.js';
import { readSourcePlans, type SourcePlan } from './extract.js';
import { fenced, readChunks, recordChunk, takeLease } from './lease.js';
import { addFinding } from './problems.js';
import { restoreRaw } from './staged-source.js';

type RowOperation = LimitDefinition['operation'];

const classOf: Readonly<Record<RowOperation, string>> = { insert: 'n', update: 'c', delete: 'm' };

export interface Held {
  readonly cause: 'limit' | 'rolled_back_input' | 'identity';
  readonly operation: RowOperation | 'any';
  readonly mapping: MappingRef | null;
  readonly reason: string;
  readonly base: number;
  /** A query of the rows: mapping_id, key, operation, raw, hash, scope, known (the hash of what we hold instead). */
  readonly rows: string;
  /** A query of rows of the same question that this run did not read, as `rows`: they go on being held. */
  readonly unread: string;
}

const operationCase = `case d.class when 'n' then 'insert' when 'c' then 'update' else 'delete' end`;

const rowsOf = (run: RunRef, mappingId: number, where: string): string => {
  const staging = stagingOf(run.runId);
  return `select ${mappingId} as mapping_id, d.key, ${operationCase} as operation, r.raw, r.hash, r.scope, d.hash as known
    from ${staging.delta(mappingId)} d left join ${staging.raw(mappingId)} r on r.key = d.key where ${where}`;
};

const isWhole = (plan: SourcePlan | undefined): boolean =>
  plan?.complete === true && Object.keys(plan.scope).length === 0;

/** Rows that are held by now and that this run did not read: of sources that it did not reach, and those that a read of what is new (or of
 *  a part) did not bring. They stand as they stood. */
const unreadRows = (
  run: RunRef,
  plans: ReadonlyMap<number, SourcePlan>,
  mappingIds: readonly number[],
  { cause, operation, mapping }: Pick<Held, 'cause' | 'operation' | 'mapping'>,
): string => {
  const staging = stagingOf(run.runId);
  const notAmong = (table: string): string => `not exists (select 1 from ${table} x where x.key = r.source_key)`;
  const unread = mappingIds.flatMap((id) =>
    isWhole(plans.get(id))
      ? []
      : [`r.mapping_id = ${id} and ${notAmong(staging.raw(id))} and ${notAmong(staging.delta(id))}`],
  );
  const stands =
    cause === 'rolled_back_input'
      ? `and exists (select 1 from rolled_back_inputs b where b.mapping_id = r.mapping_id and b.source_key = r.source_key
           and b.raw_hash = coalesce(r.raw_hash, '${missingHash}') and not b.discarded)`
      : '';
  return `select r.mapping_id, r.source_key as key, r.operation, r.raw, r.raw_hash as hash, r.scope_key as scope, r.known_hash as known
    from held_rows r join held_changes h on h.id = r.held_id
    where h.state = 'held' and h.job_id is not distinct from ${run.jobId ?? 'null'} and h.cause = '${cause}' and h.operation = '${operation}'
      and h.mapping_id is not distinct from ${mapping?.id ?? 'null'} ${stands}
      and (${[`r.mapping_id <> all ('{${mappingIds.join(',')}}'::integer[])`, ...unread].join(' or ')})`;
};

const rolledBackRows = (run: RunRef, mappingId: number): string =>
  rowsOf(
    run,
    mappingId,
    `exists (select 1 from rolled_back_inputs b where b.mapping_id = ${mappingId} and b.source_key = d.key
       and b.raw_hash = coalesce(r.hash, '${missingHash}') and not b.discarded)`,
  );

/** What a person discarded after it was rolled back stays out without another question: a row of which we hold nothing, and that a row
 *  is gone which is as it was then. Otherwise its image knows what was discarded: said after something else, it is a change. */
const dropDiscarded = async (client: PoolClient, run: RunRef, mappingId: number): Promise<number> => {
  const staging = stagingOf(run.runId);
  const { rowCount } = await client.query(
    `delete from ${staging.delta(mappingId)} d using rolled_back_inputs b
     where b.mapping_id = ${mappingId} and b.source_key = d.key and b.discarded
       and b.raw_hash = coalesce((select r.hash from ${staging.raw(mappingId)} r where r.key = d.key), '${missingHash}')
       and (d.hash is null or d.class = 'm' and exists (
         select 1 from held_rows r join held_changes h on h.id = r.held_id
         where r.mapping_id = ${mappingId} and r.source_key = d.key and r.raw_hash is null and r.known_hash = d.hash and h.state = 'discarded'))`,
  );
  return rowCount ?? 0;
};

/** How many rows leave the run, and how many are held with those that were before and that it did not read. */
interface Kept {
  readonly left: number;
  readonly held: number;
}

/** Keeps rows in logged tables as one held change. The same question is never asked twice while its inputs stand, and one that
 *  a person discarded is not asked again. `held_now` holds the keys until the transaction ends. */
const keepHeld = async (client: PoolClient, run: RunRef, held: Held): Promise<Kept> => {
  await client.query('drop table if exists held_now');
  const { rowCount: count } = await client.query(`create temp table held_now on commit drop as ${held.rows}`);
  await client.query(`insert into held_now ${held.unread}`);
  const { rows } = await client.query<{ count: string; hash: string | null }>(
    `select count(*), md5(string_agg(mapping_id || key || operation || coalesce(hash::text, ''), ',' order by mapping_id, key collate "C"))::uuid as hash from held_now`,
  );
  const kept = { left: count ?? 0, held: Number(rows[0]?.count ?? 0) };
  const hash = rows[0]?.hash ?? null;
  for (const mappingId of await keptElsewhere(client)) await restoreRaw(client, run, { table: 'held_now', mappingId });
  // A run that reads one person asks nothing that a run over whole sources asks: there these rows are held again.
  if (run.subjectKey !== undefined) {
    if (kept.left > 0) await leaveToSync(client, run, held, kept.left);
  } else if (kept.held > 0 && hash !== null) await ask(client, run, held, kept.held, hash);
  return kept;
};

/** Mappings of held rows whose text is kept with their canonical records. */
const keptElsewhere = async (client: PoolClient): Promise<number[]> => {
  const { rows } = await client.query<{ mapping: number }>(
    'select distinct mapping_id as mapping from held_now where raw is null and hash is not null',
  );
  return rows.map(({ mapping }) => mapping);
};

const leaveToSync = (client: PoolClient, run: RunRef, held: Held, count: number): Promise<void> =>
  addFinding(client, run, {
    kind: 'left_to_sync',
    mappingId: held.mapping?.id ?? null,
    systemId: held.mapping?.systemId ?? null,
    detail: `${count} rows were left out (${held.reason}); the next run over the whole source holds them`,
  });

/** Holds rows and takes them out of the run. */
const hold = async (client: PoolClient, run: RunRef, held: Held, mappingIds: readonly number[]): Promise<Kept> => {
  const kept = await keepHeld(client, run, held);
  for (const mappingId of mappingIds) {
    await client.query(
      `delete from ${stagingOf(run.runId).delta(mappingId)} d using held_now h where h.mapping_id = $1 and d.key = h.key`,
      [mappingId],
    );
  }
  return kept;
};

const ask = async (client: PoolClient, run: RunRef, held: Held, count: number, hash: string): Promise<void> => {
  const mappingId = held.mapping?.id ?? null;
  // Rolled back inputs that were discarded are known as such, and do not come here.
  const known = await client.query<{ id: string; state: string; input_hash: string }>(
    `select id::text, state, input_hash::text from held_changes
     where job_id is not distinct from $1 and cause = $2 and operation = $3 and mapping_id is not distinct from $4
       and (state = 'held' or (state = 'discarded' and cause <> 'rolled_back_input' and input_hash = $5)) order by state desc, id desc`,
    [run.jobId, held.cause, held.operation, mappingId, hash],
  );
  if (known.rows.some(({ state }) => state === 'discarded')) return;
  const open = known.rows.find((row) => row.state === 'held');
  if (open?.input_hash === hash) return holdOver(client, open.id);
  const id =
    open === undefined
      ? await openHeld(client, run, held, count, hash)
      : await changeHeld(client, run, open.id, held, count, hash);
  await client.query(
    `insert into held_rows (held_id, mapping_id, source_key, operation, institution_id, raw, raw_hash, scope_key, known_hash)
     select $1, mapping_id, key, operation, $2, raw, hash, scope, known from held_now`,
    [id, run.institutionId],
  );
};

/** The same rows were read again: what we hold instead of them may be something else by now. */
const holdOver = async (client: PoolClient, heldId: string): Promise<void> => {
  await client.query(
    `update held_rows r set known_hash = n.known from held_now n
     where r.held_id = $1 and r.mapping_id = n.mapping_id and r.source_key = n.key and r.known_hash is distinct from n.known`,
    [heldId],
  );
};

const openHeld = async (client: PoolClient, run: RunRef, held: Held, count: number, hash: string): Promise<string> => {
  const { rows } = await client.query<{ id: string }>(
    `insert into held_changes (institution_id, job_id, run_id, mapping_id, cause, operation, row_count, base_count, reason, input_hash)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) returning id::text`,
    [
      run.institutionId,
      run.jobId,
      run.runId,
      held.mapping?.id ?? null,
      held.cause,
      held.operation,
      count,
      held.base,
      held.reason,
      hash,
    ],
  );
  return rows[0]?.id ?? '';
};

const changeHeld = async (
  client: PoolClient,
  run: RunRef,
  id: string,
  held: Held,
  count: number,
  hash: string,
): Promise<string> => {
  await client.query('delete from held_rows where held_id = $1', [id]);
  await client.query(
    `update held_changes set version = version + 1, run_id = $2, row_count = $3, base_count = $4, reason = $5, input_hash = $6 where id = $1`,
    [id, run.runId, count, held.base, held.reason, hash],
  );
  return id;
};

/** What was held and is not over any more, though its source was read as a whole, is withdrawn: the input no longer stands. */
const withdraw = async (
  client: PoolClient,
  run: RunRef,
  plans: ReadonlyMap<number, SourcePlan>,
  mappingIds: readonly number[],
  heldNow: readonly Held[],
): Promise<void> => {
  const kept = heldNow.map((held) => `${held.cause}/${held.operation}/${held.mapping?.id ?? 0}`);
  await client.query(
    `update held_changes set state = 'withdrawn' where state = 'held' and cause = 'limit' and mapping_id = any ($1)
       and not (cause || '/' || operation || '/' || mapping_id = any ($2))`,
    [mappingIds.filter((id) => isWhole(plans.get(id))), kept],
  );
  if (kept.includes('rolled_back_input/any/0')) return;
  await client.query(
    `update held_changes h set state = 'withdrawn' where h.state = 'held' and h.cause = 'rolled_back_input' and h.job_id = $1
       and not exists (select 1 from held_rows r where r.held_id = h.id and not (r.mapping_id = any ($2)))`,
    [run.jobId, mappingIds],
  );
};

const countsOf = async (client: PoolClient, run: RunRef, mapping: MappingRef): Promise<Record<string, number>> => {
  const { rows } = await client.query<{ class: string; count: string }>(
    `select class::text, count(*) from ${stagingOf(run.runId).delta(mapping.id)} group by class`,
  );
  const counts = Object.fromEntries(rows.map((row) => [row.class, Number(row.count)]));
  const bare = await bareRows(client, run, mapping.id);
  return bare === 0 ? counts : { ...counts, n: (counts['n'] ?? 0) + bare };
};

export const createGuard = ({ hub, configurations, heartbeat, crashPoint }: ActivityDependencies) => {
  const judgeSource = async (
    client: PoolClient,
    run: RunRef,
    context: InstitutionContext,
    mapping: MappingRef,
    plans: ReadonlyMap<number, SourcePlan>,
  ): Promise<Held[]> => {
    const limits = context.job(run.jobId ?? 0).definition.limits ?? [];
    const entityType = context.mainType(mapping).definition.name;
    if (limits.length === 0) return [];
    const { rows } = await client.query<{ class: string; count: string }>(
      `select class::text, count(*) from ${stagingOf(run.runId).delta(mapping.id)} group by class`,
    );
    const base = await client.query<{ count: string }>(
      'select count(*) from record_images where mapping_id = $1 and main and deleted_run is null and created_run <> $2',
      [mapping.id, run.runId],
    );
    const live = Number(base.rows[0]?.count ?? 0);
    const totals = (['insert', 'update', 'delete'] as const).map((operation) => ({
      entityType,
      mapping: mapping.definition.name,
      operation,
      base: live,
      count: Number(rows.find((row) => row.class === classOf[operation])?.count ?? 0),
    }));
    return judge(totals, limits).map(({ total: { operation }, reason }) => ({
      cause: 'limit',
      operation,
      mapping,
      reason,
      base: live,
      rows: rowsOf(run, mapping.id, `d.class = '${classOf[operation]}'`),
      unread: unreadRows(run, plans, [mapping.id], { cause: 'limit', operation, mapping }),
    }));
  };

  return {
    /** Holds what is over a limit, and what comes again after it was rolled back; the rest of the run goes on. */
    async guard(run: RunRef): Promise<StepCounts> {
      const context = await configurations.of(run.institutionId);
      const lease = await takeLease(hub, run, 'guard', '');
      const { plans, done } = await hub.read(run.institutionId, async (client) => ({
        plans: await readSourcePlans(client, run.runId),
        done: await readChunks(client, run.runId, 'guard', ''),
      }));
      const finished = done[0];
      if (finished !== undefined) return finished.counts as StepCounts;
      const mappings = [...plans.keys()]
        .map((id) => context.mapping(id))
        .filter((mapping) => !context.isPosted(mapping));
      return fenced(
        hub,
        lease,
        async (client) => {
          const ids = mappings.map(({ id }) => id);
          const holding: Held[] = [];
          const counts: Record<string, number> = { held: 0, heldNew: 0, heldChanged: 0, heldMissing: 0 };
          const take = async (held: Held, of: readonly number[]): Promise<void> => {
            const kept = await hold(client, run, held, of);
            counts['held'] = (counts['held'] ?? 0) + kept.left;
            if (kept.held > 0) holding.push(held);
          };
          await checkDeltas(client, run, mappings);
          if (await anyRolledBack(client, ids)) {
            for (const id of ids) counts['held'] = (counts['held'] ?? 0) + (await dropDiscarded(client, run, id));
            const rolledBack = ids.map((id) => rolledBackRows(run, id)).join(' union all ');
            await findRolledBack(client, run, mappings);
            await take(
              {
                cause: 'rolled_back_input',
                operation: 'any',
                mapping: null,
                reason: 'this input was applied before and rolled back',
                base: 0,
                rows: rolledBack,
                unread: unreadRows(run, plans, ids, { cause: 'rolled_back_input', operation: 'any', mapping: null }),
              },
              ids,
            );
          }
          for (const mapping of mappings) {
            heartbeat();
            for (const held of await judgeSource(client, run, context, mapping, plans)) await take(held, [mapping.id]);
            crashPoint('guard');
          }
          if (run.subjectKey === undefined) await withdraw(client, run, plans, ids, holding);
          for (const mapping of mappings) {
            const left = await countsOf(client, run, mapping);
            await recordChunk(client, { ...lease, part: String(mapping.id) }, 0, { counts: left });
          }
          await recordChunk(client, lease, 0, { counts });
          return counts;
        },
        'bulk',
      );
    },
  };
};

/** One finding a system whose rolled back input came again. */
const findRolledBack = async (client: PoolClient, run: RunRef, mappings: readonly MappingRef[]): Promise<void> => {
  for (const mapping of mappings) {
    const { rows } = await client.query<{ count: string }>(
      `select count(*) from (${rolledBackRows(run, mapping.id)}) x`,
    );
    const count = Number(rows[0]?.count ?? 0);
    if (count === 0) continue;
    await addFinding(client, run, {
      kind: 'rolled_back_input',
      mappingId: mapping.id,
      systemId: mapping.systemId,
      detail: `${count} rows of ${mapping.definition.name} were applied before and rolled back; they are held`,
    });
  }
};

/** The deltas are as `diff` left them, or staging is lost. */
const checkDeltas = async (client: PoolClient, run: RunRef, mappings: readonly MappingRef[]): Promise<void> => {
  for (const mapping of mappings) {
    if (await isAlive(client, stagingOf(run.runId).delta(mapping.id))) continue;
    throw new SyncError('staging_lost', `the delta of ${mapping.definition.name} is gone`);
  }
};

/** Whether an input of these sources was ever rolled back: seldom, and then every row is compared. */
const anyRolledBack = async (client: PoolClient, mappingIds: readonly number[]): Promise<boolean> => {
  const { rowCount } = await client.query('select 1 from rolled_back_inputs where mapping_id = any ($1) limit 1', [
    mappingIds,
  ]);
  return (rowCount ?? 0) > 0;
};
