import type { PoolClient } from 'pg';
import type { GoldenRow, OriginRow, Provenance, VersionRow } from './golden-row.js';
import { originOf, versionOf } from './golden-row.js';

/** A golden record; `lock`: no other transaction writes it until this one ends. */
export const findGolden = async (client: PoolClient, id: string, lock = false): Promise<GoldenRow | null> => {
  const { rows } = await client.query<GoldenRow>(
    `select g.id, t.name as type, t.definition, g.version, g.values, g.versions, g.origin_image, g.origins, g.sticky, g.status, g.merged_into,
       g.valid_from, g.valid_to, g.created_run, g.updated_run
     from concord.golden_records g join concord.entity_types t on t.id = g.entity_type_id
     where g.id = $1 ${lock ? 'for update of g' : ''}`,
    [id],
  );
  return rows[0] ?? null;
};

/** Where the values of a record come from. */
export const findProvenance = async (client: PoolClient, row: GoldenRow): Promise<Provenance> => {
  const groups = row.definition.groups.map((_group, index) => index);
  const origins = [...new Set(groups.map((index) => originOf(row, index)).filter((id) => id !== null))];
  const versions = [...new Set(groups.map((index) => versionOf(row, index)))].filter((version) => version > 0);
  const images = await client.query<OriginRow>(
    `select i.id, s.name as system, i.source_key from concord.record_images i
     join concord.data_source_configurations s on s.id = i.system_id where i.id = any ($1::bigint[])`,
    [origins],
  );
  // A version was made by the run that superseded the one before it; the first by the run that created the record.
  const runs = await client.query<VersionRow>(
    `select v.version, r.id as run_id, r.kind, r.actor, r.started_at
     from unnest($2::int[]) as v (version)
       left join concord.golden_record_versions before on before.golden_id = $1 and before.version = v.version - 1
       join concord.sync_runs r on r.id = case when v.version = 1 then $3::bigint else before.superseded_run end`,
    [row.id, versions, row.created_run],
  );
  return {
    origins: new Map(images.rows.map((image) => [image.id, image])),
    versions: new Map(runs.rows.map((version) => [version.version, version])),
  };
};

export interface SourceRow {
  readonly system: string;
  readonly mapping: string;
  readonly source_key: string;
  readonly deleted: boolean;
}

export const listSources = async (client: PoolClient, goldenId: string): Promise<readonly SourceRow[]> => {
  const { rows } = await client.query<SourceRow>(
    `select s.name as system, m.name as mapping, i.source_key, i.deleted_run is not null as deleted
     from concord.record_images i
       join concord.data_source_configurations s on s.id = i.system_id
       join concord.cross_system_mappings m on m.id = i.mapping_id
     where i.golden_id = $1 order by s.name, m.name, i.source_key, i.sub_key limit 1000`,
    [goldenId],
  );
  return rows;
};

export interface IdentifierRow {
  readonly scheme: string;
  readonly value: string;
  readonly system: string;
}

export const listIdentifiers = async (client: PoolClient, goldenId: string): Promise<readonly IdentifierRow[]> => {
  const { rows } = await client.query<IdentifierRow>(
    `select distinct n.scheme, n.value, s.name as system
     from concord.record_images i
       join concord.record_identifiers n on n.image_id = i.id
       join concord.data_source_configurations s on s.id = i.system_id
     where i.golden_id = $1 and i.deleted_run is null and n.state = 'current' order by n.scheme, n.value, s.name limit 1000`,
    [goldenId],
  );
  return rows;
};

export const listQuestionsOf = async (
  client: PoolClient,
  goldenId: string,
): Promise<readonly { readonly id: string; readonly group_name: string }[]> => {
  const { rows } = await client.query<{ id: string; group_name: string }>(
    `select id, group_name from concord.sync_conflict_resolutions where golden_id = $1 and state = 'open' order by id limit 1000`,
    [goldenId],
  );
  return rows;
};
