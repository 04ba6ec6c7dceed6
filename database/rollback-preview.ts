import type { PoolClient } from 'pg';
import { hash128 } from '../platform/hash.js';
import type { Hub } from './hub.js';

/** What a rollback would do, for a person to look at first. */
export interface RollbackPreview {
  /** Binds the rollback to what was seen. */
  readonly hash: string;
  readonly runs: readonly { readonly runId: string; readonly kind: string }[];
  readonly reversed: number;
  readonly kept: readonly { readonly goldenId: string; readonly group: string; readonly reason: string }[];
  readonly targets: readonly { readonly mapping: string; readonly rows: number }[];
  readonly questionsReopened: number;
  readonly questionsWithdrawn: number;
}

const standingChildren = async (client: PoolClient, runId: string): Promise<string[]> => {
  const { rows } = await client.query<{ id: string }>(
    `select id::text from sync_runs where parent_run_id = $1 and kind in ('decision', 'release') and finished_at is not null and apply_started
       and rolled_back_by is null order by id desc`,
    [runId],
  );
  const children: string[] = [];
  for (const { id } of rows) children.push(...(await standingChildren(client, id)));
  return [...children, runId];
};

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

/** Previews the rollback of a run with the settle runs of its questions. Reads only. */
export const previewRollback = async (hub: Hub, institutionId: number, runId: string): Promise<RollbackPreview> =>
  hub.read(institutionId, async (client) => {
    const runIds = await standingChildren(client, runId);
    const number = async (sql: string): Promise<number> => {
      const { rows } = await client.query<{ count: string }>(sql, [runIds]);
      return Number(rows[0]?.count ?? 0);
    };
    const runs = await client.query<{ runId: string; kind: string }>(
      `select id::text as "runId", kind from sync_runs where id = any ($1::bigint[]) order by array_position($1::bigint[], id)`,
      [runIds],
    );
    const kept = await client.query<{ goldenId: string }>(
      `select distinct g.id::text as "goldenId" from golden_records g
       where exists (select 1 from sync_runs u where u.id <> all ($1::bigint[]) and u.kind <> 'rollback' and u.rolled_back_by is null
           and u.id > (select min(r) from unnest($1::bigint[]) r) and (
             u.id = g.updated_run
             or exists (select 1 from sync_conflict_resolutions q where q.golden_id = g.id and u.id in (q.changed_run, q.settle_run_id))
             or (g.created_run = any ($1::bigint[]) and exists (select 1 from record_images j where j.golden_id = g.id and j.created_run = u.id
                   and j.read_run is not null and j.deleted_run is null))))
         and (g.created_run = any ($1::bigint[]) or g.id in (select row_id from change_set_entries where run_id = any ($1::bigint[]) and kind = 'golden'))`,
      [runIds],
    );
    const touched = await number(
      `select count(*) from golden_records g where g.created_run = any ($1::bigint[])
         or g.id in (select row_id from change_set_entries where run_id = any ($1::bigint[]) and kind = 'golden')`,
    );
    const targets = await client.query<{ mapping: string; rows: string }>(
      `select m.name as mapping, count(*) as rows from (
         select mapping_id, row_id from change_set_entries where run_id = any ($1::bigint[]) and kind = 'target' and outcome in ('written', 'intended')
         union select mapping_id, golden_id from record_images where created_run = any ($1::bigint[]) and read_run is null and deleted_run is null) x
       join cross_system_mappings m on m.id = x.mapping_id group by 1 order by 1`,
      [runIds],
    );
    return {
      hash: await previewHashOf(client, runIds),
      runs: runs.rows,
      reversed: touched - kept.rows.length,
      kept: kept.rows.map(({ goldenId }) => ({ goldenId, group: '', reason: 'changed_since' })),
      targets: targets.rows.map(({ mapping, rows }) => ({ mapping, rows: Number(rows) })),
      questionsReopened: await number(
        `select count(*) from sync_conflict_resolutions where settle_run_id = any ($1::bigint[]) and opened_run <> all ($1::bigint[])`,
      ),
      questionsWithdrawn: await number(
        `select count(*) from sync_conflict_resolutions where opened_run = any ($1::bigint[]) and state in ('open', 'settled')`,
      ),
    };
  });
