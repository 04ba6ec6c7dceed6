import type { PoolClient } from 'pg';
import type { RunRef } from '../domain/run.js';
import { goldenJson, type GoldenJson } from './merge.js';
import type { ImageRow, RollbackInput } from './rollback-plan.js';

/** The records that a rollback looks at. */
export const rollbackTable = (rollbackRunId: string, runId: string): string =>
  `staging.r${BigInt(rollbackRunId).toString()}_rollback_${BigInt(runId).toString()}`;

/** A run with the settle runs that carried out decisions about it, each after its own children, newest first. Runs that are
 *  rolled back already are left out (unless by this very rollback, which is tried again). */
export const childrenFirst = async (client: PoolClient, runId: string, by: string): Promise<string[]> => {
  const { rows } = await client.query<{ id: string }>(
    `select id::text from sync_runs where parent_run_id = $1 and kind in ('decision', 'release') and finished_at is not null
       and apply_started and (rolled_back_by is null or rolled_back_by = $2) order by id desc`,
    [runId, by],
  );
  const children: string[] = [];
  for (const { id } of rows) children.push(...(await childrenFirst(client, id, by)));
  return [...children, runId];
};

/** Every golden record that the run touched: changed, made, or read for. A logged table: once something was set back, neither
 *  these nor which of them are kept can be told again. */
export const collectRollback = async (client: PoolClient, run: RunRef, runId: string, table: string): Promise<void> => {
  await client.query(`drop table if exists ${table}`);
  await client.query(`create table ${table} (golden_id bigint not null, kept boolean not null)`);
  await client.query(
    `insert into ${table} select distinct x.id, false from (
       select row_id as id from change_set_entries where run_id = $1 and kind = 'golden'
       union all select (coalesce(before, after) ->> 'golden_id')::bigint from change_set_entries where run_id = $1 and kind = 'image'
       union all select row_id from change_set_entries where run_id = $1 and kind = 'target'
       union all select id from golden_records where created_run = $1
       union all select golden_id from record_images where created_run = $1
       union all select golden_id from sync_conflict_resolutions where opened_run = $1 or changed_run = $1 or settle_run_id = $1) x
     join golden_records g on g.id = x.id`,
    [runId],
  );
  await client.query(`create unique index on ${table} (golden_id)`);
  await client.query(`analyze ${table}`);
  await client.query('insert into change_sets (run_id, institution_id) values ($1, $2) on conflict do nothing', [
    run.runId,
    run.institutionId,
  ]);
};

const versionJson = `json_build_array(v.version, v.values, v.versions, v.origin_image::text, v.origins::text[], v.sticky, v.status)`;

interface PageRow {
  readonly id: string;
  readonly created: boolean;
  readonly before: GoldenJson | null;
  readonly after: GoldenJson | null;
  readonly current: GoldenJson;
  readonly question: boolean;
  readonly joined: boolean;
  readonly restorations: readonly (readonly [number, GoldenJson | null])[] | null;
  readonly touched:
    readonly { readonly id: string; readonly before: ImageRow | null; readonly read_run: string | null }[] | null;
  readonly images: readonly ImageRow[] | null;
}

/** Runs whose effect stands: not rolled back, and not the rollback under way. */
const standing = (alias: string): string =>
  `(${alias}.rolled_back_by is null and ${alias}.id <> $2 and ${alias}.kind <> 'rollback')`;

/** The next records to roll back, with everything their plan looks at. */
export const readRollbackPage = async (
  client: PoolClient,
  run: RunRef,
  runId: string,
  table: string,
  after: string,
  most: number,
): Promise<RollbackInput[]> => {
  const { rows } = await client.query<PageRow>(
    `select c.golden_id::text as id, g.created_run = $1 as created,
       (select ${versionJson} from golden_record_versions v where v.golden_id = g.id and v.version = e.before_version) as before,
       case when e.after_version is null then null
         when e.after_version = g.version then ${goldenJson}
         else (select ${versionJson} from golden_record_versions v where v.golden_id = g.id and v.version = e.after_version) end as after,
       ${goldenJson} as current,
       exists (select 1 from sync_conflict_resolutions q join sync_runs r on r.id = q.changed_run
         where q.golden_id = g.id and q.kind = 'value' and q.changed_run > $1 and ${standing('r')})
       or exists (select 1 from sync_conflict_resolutions q join sync_runs r on r.id = q.settle_run_id
         where q.golden_id = g.id and q.settle_run_id > $1 and ${standing('r')}) as question,
       g.created_run = $1 and exists (select 1 from record_images i join sync_runs r on r.id = i.created_run
         where i.golden_id = g.id and i.created_run <> $1 and i.read_run is not null and i.deleted_run is null and ${standing('r')}) as joined,
       (select json_agg(json_build_array(u.written::integer, (select ${versionJson} from golden_record_versions v
           where v.golden_id = g.id and v.version = u.restored::integer)))
         from change_set_entries x cross join lateral jsonb_each_text(x.after -> 'restores') as u (written, restored)
         where x.kind = 'golden' and x.row_id = g.id and jsonb_typeof(x.after -> 'restores') = 'object') as restorations,
       (select json_agg(json_build_object('id', y.id::text, 'before', y.before, 'read_run', y.read_run)) from (
          select x.row_id as id, x.before, coalesce(x.after, x.before) ->> 'read_run' as read_run from change_set_entries x
          where x.run_id = $1 and x.kind = 'image' and (coalesce(x.before, x.after) ->> 'golden_id')::bigint = g.id
          union all
          select i.id, null, case when i.read_run is null then null else $1::bigint::text end from record_images i
          where i.golden_id = g.id and i.created_run = $1
            and not exists (select 1 from change_set_entries x where x.run_id = $1 and x.kind = 'image' and x.row_id = i.id)) y) as touched,
       (select json_agg(to_jsonb(i) || jsonb_build_object('identifiers', (select jsonb_agg(to_jsonb(d)) from record_identifiers d where d.image_id = i.id)) order by i.id)
        from record_images i where i.golden_id = g.id) as images
     from ${table} c join golden_records g on g.id = c.golden_id
     left join change_set_entries e on e.run_id = $1 and e.kind = 'golden' and e.mapping_id = 0 and e.row_id = g.id
     where c.golden_id > $3 and not c.kept order by c.golden_id limit $4`,
    [runId, run.runId, after, most],
  );
  return rows.map(toInput);
};

const toInput = (row: PageRow): RollbackInput => {
  const current = new Map((row.images ?? []).map((image) => [String(image.id), image]));
  const touched = new Map((row.touched ?? []).map((one) => [one.id, one]));
  const ids = [...new Set([...touched.keys(), ...current.keys()])];
  return {
    goldenId: row.id,
    before: row.created && row.before === null ? null : (row.before ?? row.current),
    // A record that the run made has no entry: it stands as it was made, in version 1, or it was changed since.
    after: row.after ?? (row.created ? firstVersion(row.current) : row.current),
    current: row.current,
    questionSince: row.question,
    joinedSince: row.joined,
    restorations: new Map(row.restorations ?? []),
    images: ids.map((id) => {
      const one = touched.get(id);
      return {
        id,
        before: one === undefined ? undefined : one.before,
        afterReadRun: one?.read_run ?? null,
        current: current.get(id) ?? null,
      };
    }),
  };
};

/** What a made record was, told by what is now: groups that stand in version 1 are as they were made; any other was changed. */
const firstVersion = (current: GoldenJson): GoldenJson => {
  const [version, values, versions, ...rest] = current;
  return version === 1
    ? current
    : [
        version,
        values,
        values.map((value, index) => (value === null && (versions?.[index] ?? 0) === 0 ? 0 : 1)),
        ...rest,
      ];
};
