import type { PoolClient } from 'pg';
import { afterRollback, planRecordRollback, type RollbackInput, type RollbackPlan } from '../domain/record-rollback.js';
import { hash128 } from '../platform/hash.js';
import type { Hub } from './hub.js';
import {
  childrenFirst,
  Couplings,
  movedRows,
  readRollbackInputs,
  restrictedRow,
  touchedBy,
} from './rollback-records.js';

/** A record that stays as it is, or a row of a target that is not put back. */
export interface KeptRecord {
  readonly goldenId: string;
  readonly reason: 'changed_since' | 'belongs_together' | 'restricted';
  /** Of a row that may not be sent any more. */
  readonly target: string | null;
}

/** What a rollback would do, for a person to look at first. */
export interface RollbackPreview {
  /** Binds the rollback to what was seen. */
  readonly hash: string;
  readonly runs: readonly { readonly runId: string; readonly kind: string }[];
  /** Golden records that are set back. */
  readonly reversed: number;
  readonly keptCount: number;
  /** The first of those that stay. */
  readonly kept: readonly KeptRecord[];
  readonly targets: readonly { readonly mapping: string; readonly rows: number }[];
  readonly questionsReopened: number;
  readonly questionsWithdrawn: number;
}

/** A hash of everything that the preview of these runs rests on: who is among them, what they changed, and how it stands now. */
export const previewHashOf = async (client: PoolClient, runIds: readonly string[]): Promise<string> => {
  const { rows } = await client.query<{ digest: string | null }>(
    `select md5(string_agg(x.id || ':' || x.version, ',' order by x.id)) as digest from (
       select g.id, g.version from golden_records g where g.created_run = any ($1::bigint[]) or g.id in (
         select row_id from change_set_entries where run_id = any ($1::bigint[]) and kind in ('golden', 'target'))
       union all
       select -c.id, c.version from sync_conflict_resolutions c
       where c.opened_run = any ($1::bigint[]) or c.changed_run = any ($1::bigint[]) or c.settle_run_id = any ($1::bigint[])
       union all
       select i.id, coalesce(i.read_run, 0) from record_images i where i.created_run = any ($1::bigint[])
         or i.id in (select row_id from change_set_entries where run_id = any ($1::bigint[]) and kind = 'image')) x`,
    [runIds],
  );
  return hash128(JSON.stringify([runIds, rows[0]?.digest ?? null]));
};

const keptShown = 1_000;
const pageSize = 500;

/** Plans the rollback of runs, one after the other, without carrying it out: each plan finds what the ones before it would leave. */
class Rehearsal {
  private constructor(
    private readonly client: PoolClient,
    private readonly runIds: readonly string[],
    private readonly couplings: readonly Couplings[],
  ) {}

  static async of(client: PoolClient, runIds: readonly string[]): Promise<Rehearsal> {
    const couplings: Couplings[] = [];
    for (const runId of runIds) couplings.push(await Couplings.read(client, runId));
    return new Rehearsal(client, runIds, couplings);
  }

  /** Records that belong together with others: rehearsed at once. */
  get coupled(): readonly string[] {
    return [...new Set(this.couplings.flatMap(({ members }) => members))];
  }

  /** Those of the records that some of the rollbacks keeps, with the reason. */
  async kept(ids: readonly string[]): Promise<Map<string, KeptRecord['reason']>> {
    const done = new Map<string, (readonly [RollbackInput, RollbackPlan])[]>();
    const kept = new Map<string, KeptRecord['reason']>();
    for (const [index, runId] of this.runIds.entries()) {
      const inputs = await this.inputsOf(runId, this.runIds.slice(0, index), ids);
      const steps = inputs.map((read) => {
        const input = (done.get(read.goldenId) ?? []).reduce(
          (now, [seen, plan]) => afterRollback(now, plan, seen),
          read,
        );
        return [input, planRecordRollback(input)] as const;
      });
      const changed = steps.filter(([, plan]) => plan.kept).map(([, { goldenId }]) => goldenId);
      const together = new Set(this.couplings[index]?.with(changed));
      for (const id of changed) kept.set(id, 'changed_since');
      for (const [input, plan] of steps) {
        const { goldenId } = input;
        if (together.has(goldenId) && !kept.has(goldenId)) kept.set(goldenId, 'belongs_together');
        const carriedOut = together.has(goldenId) ? { ...plan, kept: true } : plan;
        done.set(goldenId, [...(done.get(goldenId) ?? []), [input, carriedOut]]);
      }
    }
    return kept;
  }

  private inputsOf(runId: string, takenBack: readonly string[], ids: readonly string[]): Promise<RollbackInput[]> {
    const touched = `select u.id as golden_id from unnest($3::bigint[]) u (id) where exists (select 1 from change_set_entries e
        where e.run_id = $1 and (e.kind = 'golden' and e.mapping_id = 0 and e.row_id = u.id or e.golden_id = u.id
          or e.kind = 'target' and e.mapping_id in (select m.id from cross_system_mappings m) and e.row_id = u.id))
      or exists (select 1 from golden_records g where g.id = u.id and g.created_run = $1)
      or exists (select 1 from record_images i where i.golden_id = u.id and i.created_run = $1)
      or exists (select 1 from sync_conflict_resolutions q where q.golden_id = u.id and $1 in (q.opened_run, q.changed_run, q.settle_run_id))`;
    return readRollbackInputs(this.client, runId, takenBack, touched, [ids]);
  }
}

/** Records of which a rollback might keep some: others can only be set back, for nobody came after these runs. What is kept is
 *  decided by the plan alone. */
const suspects = `with touched as (select x.id, count(distinct x.run) as runs from (${touchedBy('= any ($1::bigint[])')}) x group by x.id)
  select t.id::text as id from touched t join golden_records g on g.id = t.id
  where (t.runs > 1
    or g.updated_run <> all ($1) and (g.created_run = any ($1)
      or exists (select 1 from change_set_entries e where e.run_id = any ($1) and e.kind = 'golden' and e.mapping_id = 0 and e.row_id = g.id))
    or exists (select 1 from change_set_entries e where e.run_id = any ($1) and e.golden_id = g.id and e.before is not null
      and not exists (select 1 from record_images i where i.id = e.row_id))
    or g.created_run = any ($1) and exists (select 1 from record_images j where j.golden_id = g.id and j.created_run <> all ($1))
    or exists (select 1 from sync_conflict_resolutions q where q.golden_id = g.id and (q.changed_run <> all ($1) or q.settle_run_id <> all ($1)
      or exists (select 1 from change_set_entries e where e.run_id = any ($1) and e.kind = 'question' and e.mapping_id = 0 and e.row_id = q.id))))
  order by t.id`;

const changedBy = `(g.created_run = any ($1::bigint[])
  or exists (select 1 from change_set_entries e where e.run_id = any ($1) and e.kind = 'golden' and e.mapping_id = 0 and e.row_id = g.id))`;

/** What stays, in the order of ids, and how many of them the runs had changed. */
const whatStays = async (
  client: PoolClient,
  runIds: readonly string[],
  asOf: string,
  changedAmong: (ids: readonly string[]) => Promise<number>,
): Promise<{ kept: KeptRecord[]; keptCount: number; changed: number }> => {
  const rehearsal = await Rehearsal.of(client, runIds);
  const { coupled } = rehearsal;
  const found = { kept: [] as KeptRecord[], keptCount: 0, changed: 0 };
  const add = async (kept: ReadonlyMap<string, KeptRecord['reason']>): Promise<void> => {
    found.keptCount += kept.size;
    found.changed += await changedAmong([...kept.keys()]);
    for (const [goldenId, reason] of kept)
      if (found.kept.length < keptShown) found.kept.push({ goldenId, reason, target: null });
  };
  await add(await rehearsal.kept(coupled));
  const together = new Set(coupled);
  await client.query(`declare suspects no scroll cursor for ${suspects}`, [runIds]);
  for (;;) {
    const { rows } = await client.query<{ id: string }>(`fetch ${pageSize} from suspects`);
    if (rows.length === 0) break;
    await add(await rehearsal.kept(rows.map(({ id }) => id).filter((id) => !together.has(id))));
  }
  await client.query('close suspects');
  const restricted = await client.query<{ id: string; mapping: string }>(
    `with moved as (${movedRows})
     select distinct x.golden::text as id, m.name as mapping from (
       select coalesce(w.was, e.row_id) as golden, e.mapping_id from change_set_entries e
       left join moved w on w.mapping_id = e.mapping_id and w.now = e.row_id where e.run_id = any ($1::bigint[]) and e.kind = 'target'
         and e.outcome in ('intended', 'written') and e.rollback_outcome is null and e.before is not null) x
     join cross_system_mappings m on m.id = x.mapping_id
     where ${restrictedRow('x.golden', `m.definition #>> '{target,recipientClass}'`, '$2::date')} order by 1, 2`,
    [runIds, asOf],
  );
  const stays = await rehearsal.kept(restricted.rows.map(({ id }) => id));
  for (const { id, mapping } of restricted.rows.filter((row) => !stays.has(row.id))) {
    found.keptCount += 1;
    if (found.kept.length < keptShown) found.kept.push({ goldenId: id, reason: 'restricted', target: mapping });
  }
  return found;
};

/** Rows of posted types that can be taken back, and rows that a rollback took back so. A part of theirs ends with the target. */
const postedRows = `select m.id, sum((c.counts #>> '{outcome,new}')::bigint) from run_chunks c
    join cross_system_mappings m on m.id = split_part(c.part, '/', -1)::integer
  where c.run_id = any ($1::bigint[]) and c.step = 'post' and (c.counts #>> '{outcome,new}')::bigint > 0
    and m.definition #>> '{target,rollback}' in ('restore', 'compensate') group by 1
  union all
  select split_part(c.part, '/', -1)::integer, sum((c.counts ->> 'reversed')::bigint) from run_chunks c
  where c.run_id = any ($1::bigint[]) and c.step = 'rollback' and (c.counts ->> 'reversed')::bigint > 0 and c.counts ->> 'deed' is not null group by 1`;

/** Previews the rollback of a run with the settle runs of its questions. Reads only. `asOf`: the date of the rollback, by which
 *  restrictions hold. What is kept is decided by the plans of the deed itself. */
export const previewRollback = async (
  hub: Hub,
  institutionId: number,
  runId: string,
  asOf: string,
): Promise<RollbackPreview> =>
  hub.read(institutionId, async (client) => {
    const runIds = await childrenFirst(client, runId, null);
    const number = async (sql: string, ...more: unknown[]): Promise<number> => {
      const { rows } = await client.query<{ count: string }>(sql, [runIds, ...more]);
      return Number(rows[0]?.count ?? 0);
    };
    const runs = await client.query<{ runId: string; kind: string }>(
      `select id::text as "runId", kind from sync_runs where id = any ($1::bigint[]) order by array_position($1::bigint[], id)`,
      [runIds],
    );
    const stays = await whatStays(client, runIds, asOf, (ids) =>
      number(`select count(*) from golden_records g where g.id = any ($2::bigint[]) and ${changedBy}`, ids),
    );
    const targets = await client.query<{ mapping: string; rows: string }>(
      `select m.name as mapping, sum(x.rows) as rows from (
         select mapping_id, count(*) as rows from (
           select mapping_id, row_id from change_set_entries where run_id = any ($1::bigint[]) and kind = 'target' and outcome in ('written', 'intended')
           union select mapping_id, golden_id from record_images where created_run = any ($1::bigint[]) and read_run is null and deleted_run is null) w
         group by 1
         union all ${postedRows}) x
       join cross_system_mappings m on m.id = x.mapping_id group by 1 order by 1`,
      [runIds],
    );
    return {
      hash: await previewHashOf(client, runIds),
      runs: runs.rows,
      reversed: (await number(`select count(*) from golden_records g where ${changedBy}`)) - stays.changed,
      keptCount: stays.keptCount,
      kept: stays.kept,
      targets: targets.rows.map(({ mapping, rows }) => ({ mapping, rows: Number(rows) })),
      questionsReopened: await number(
        `select count(*) from sync_conflict_resolutions where settle_run_id = any ($1::bigint[]) and opened_run <> all ($1::bigint[])`,
      ),
      questionsWithdrawn: await number(
        `select count(*) from sync_conflict_resolutions where opened_run = any ($1::bigint[]) and state in ('open', 'settled')`,
      ),
    };
  });
