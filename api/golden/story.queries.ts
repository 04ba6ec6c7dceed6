import type { PoolClient } from 'pg';
import type { RunKind } from '../../domain/run.js';
import type { OriginRow } from './golden-row.js';

/* What became of a record: its versions, what systems say of it, what targets hold of it. */

/** A version of a record, and what made it. */
export interface VersionState {
  readonly version: number;
  readonly values: readonly (string | null)[];
  readonly versions: readonly (number | null)[] | null;
  readonly origin_image: string | null;
  readonly origins: readonly (string | null)[] | null;
  readonly sticky: readonly number[] | null;
  readonly status: string;
  readonly valid_from: string | null;
  readonly valid_to: string | null;
  /** Since when it was known. */
  readonly known_at: Date;
  readonly run_id: string;
  readonly kind: RunKind;
  readonly actor: string;
}

/* A version was made by what superseded the one before it; the first by the run that created the record. */
const versionStates = `
  select s.version, s.values, s.versions, s.origin_image, s.origins, s.sticky, s.status, s.valid_from, s.valid_to,
    coalesce(before.superseded_at, r.started_at) as known_at, r.id as run_id, r.kind, r.actor
  from (
    select version, values, versions, origin_image, origins, sticky, status, valid_from, valid_to from concord.golden_record_versions where golden_id = $1
    union all
    select version, values, versions, origin_image, origins, sticky, status, valid_from, valid_to from concord.golden_records where id = $1) s
  left join lateral (
    select v.superseded_at, v.superseded_run from concord.golden_record_versions v
    where v.golden_id = $1 and v.version < s.version order by v.version desc limit 1) before on true
  join concord.golden_records g on g.id = $1
  join concord.sync_runs r on r.id = coalesce(before.superseded_run, g.created_run)`;

/** Versions, newest first, below one (null: from the newest). */
export const listVersions = async (
  client: PoolClient,
  goldenId: string,
  below: string | null,
  most: number,
): Promise<readonly VersionState[]> => {
  const { rows } = await client.query<VersionState>(
    `${versionStates} where $2::int is null or s.version < $2 order by s.version desc limit $3`,
    [goldenId, below, most],
  );
  return rows;
};

/** The version that was known at a moment; null: none was. */
export const findVersionAt = async (
  client: PoolClient,
  goldenId: string,
  moment: string,
): Promise<VersionState | null> => {
  const { rows } = await client.query<VersionState>(
    `select * from (${versionStates}) k where k.known_at <= $2 order by k.version desc limit 1`,
    [goldenId, moment],
  );
  return rows[0] ?? null;
};

export const findOrigins = async (
  client: PoolClient,
  images: readonly string[],
): Promise<ReadonlyMap<string, OriginRow>> => {
  const { rows } = await client.query<OriginRow>(
    `select i.id, s.name as system, i.source_key from concord.record_images i
     join concord.data_source_configurations s on s.id = i.system_id where i.id = any ($1::bigint[])`,
    [[...new Set(images)]],
  );
  return new Map(rows.map((row) => [row.id, row]));
};

/** A live image of a record, as what it says is read of it. */
export interface ImageRow {
  readonly id: string;
  readonly system: string;
  readonly mapping_id: number;
  readonly mapping: string;
  readonly source_key: string;
  readonly sub_key: string;
  readonly raw: string | null;
  readonly mapping_version: number;
  readonly statements: readonly (string | null)[] | null;
  readonly states: string | null;
  readonly settled_version: number;
  readonly settled: readonly number[] | null;
  readonly read_run: string | null;
}

export const listImages = async (client: PoolClient, goldenId: string): Promise<readonly ImageRow[]> => {
  const { rows } = await client.query<ImageRow>(
    `select i.id, s.name as system, i.mapping_id, m.name as mapping, i.source_key, i.sub_key, i.raw, i.mapping_version, i.statements, i.states,
       i.settled_version, i.settled, i.read_run
     from concord.record_images i
       join concord.data_source_configurations s on s.id = i.system_id
       join concord.cross_system_mappings m on m.id = i.mapping_id
     where i.golden_id = $1 and i.deleted_run is null order by s.name, m.name, i.source_key, i.sub_key limit 1000`,
    [goldenId],
  );
  return rows;
};

/** What one target holds of a record. */
export interface TargetRow {
  readonly mapping_id: number;
  readonly image_id: string | null;
  readonly source_key: string | null;
  readonly published_version: number | null;
  readonly untold: boolean | null;
  readonly deleted: boolean | null;
  readonly run_id: string | null;
  readonly since: Date | null;
  /** A run wrote the record, or one that it refers to, and the target was not offered that yet. */
  readonly pending: boolean;
  readonly restricted_since: Date | null;
  readonly due: string | null;
  readonly finding: string | null;
  readonly finding_run: string | null;
}

/** What targets of these mappings hold of a record, in their order. `class`: the recipient class of each. */
export const listTargets = async (
  client: PoolClient,
  goldenId: string,
  targets: readonly { readonly mappingId: number; readonly recipientClass: string }[],
  day: string,
): Promise<readonly TargetRow[]> => {
  const { rows } = await client.query<TargetRow>(
    `with near as (
       select $1::bigint as id union select target_id from concord.golden_references where golden_id = $1
       union select n.target_id from concord.golden_references r join concord.golden_references n on n.golden_id = r.target_id where r.golden_id = $1)
     select t.mapping_id, i.id as image_id, i.source_key, i.published_version, i.untold, i.deleted_run is not null as deleted,
       r.id as run_id, coalesce(r.finished_at, r.started_at) as since,
       exists (select from concord.target_pending p join concord.golden_records g on g.updated_run = p.run_id
               where p.mapping_id = t.mapping_id and g.id in (select id from near)) as pending,
       (select min(h.placed_at) from concord.restrictions h where h.golden_id in (select id from near) and h.released_at is null
          and h.recipient_class in ('*', t.class) and (h.valid_from is null or h.valid_from <= $4::date) and (h.valid_to is null or h.valid_to >= $4::date)) as restricted_since,
       (select min(d.due) from concord.target_due d where d.golden_id = $1 and d.mapping_id = t.mapping_id) as due,
       f.kind as finding, f.run_id as finding_run
     from unnest($2::integer[], $3::text[]) with ordinality as t (mapping_id, class, place)
       left join concord.record_images i on i.golden_id = $1 and i.mapping_id = t.mapping_id and i.sub_key = ''
         and i.entity_type_id = (select entity_type_id from concord.golden_records where id = $1)
       left join concord.sync_runs r on r.id = i.last_run
       left join lateral (select f.kind, f.run_id from concord.findings f where f.golden_id = $1 and f.mapping_id = t.mapping_id
                          order by f.id desc limit 1) f on true
     order by t.place`,
    [goldenId, targets.map(({ mappingId }) => mappingId), targets.map(({ recipientClass }) => recipientClass), day],
  );
  return rows;
};
