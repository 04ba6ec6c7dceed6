import type { PoolClient } from 'pg';
import type { EntityTypeDefinition } from '../../domain/entity-type.js';
import type { ChangeKind } from './run.view.js';

/** Where a page of changes ended: kinds come one after the other. */
export interface ChangePosition {
  readonly kind: ChangeKind;
  readonly mappingId: number;
  readonly rowId: string;
}

export interface ChangeFilter {
  readonly runId: string;
  readonly outcomes: readonly string[] | null;
  readonly system: string | null;
}

interface AnyChange {
  readonly row_id: string;
  readonly mapping_id: number;
  readonly outcome: string;
  readonly rollback_outcome: string | null;
  readonly created: boolean;
}

export interface GoldenChangeRow extends AnyChange {
  readonly kind: 'golden';
  readonly entity_type: string;
  readonly definition: EntityTypeDefinition;
  readonly before: GoldenVersion | null;
  readonly after: GoldenVersion | null;
}

export interface GoldenVersion {
  readonly version: number;
  readonly values: readonly (string | null)[];
  readonly status: string;
}

export interface ImageChangeRow extends AnyChange {
  readonly kind: 'image';
  readonly golden_id: string;
  readonly mapping: string;
  readonly system: string;
  readonly source_key: string;
  /** Whole rows of `record_images`; null: it was not there, or what it was is known no more. */
  readonly before: ImageState | null;
  readonly after: ImageState | null;
}

export interface ImageState {
  readonly raw: string | null;
  readonly deleted_run: number | string | null;
}

export interface TargetChangeRow extends AnyChange {
  readonly kind: 'target';
  readonly mapping: string;
  readonly system: string;
  readonly before: TargetCells | null;
  readonly after: TargetCells | null;
}

export interface TargetCells {
  readonly key: string;
  /** Absent: what stood there is not kept. */
  readonly row?: readonly (string | null)[];
}

export type ChangeRow = GoldenChangeRow | ImageChangeRow | TargetChangeRow;

const versionOf = (alias: string): string =>
  `jsonb_build_object('version', ${alias}.version, 'values', to_jsonb(${alias}.values), 'status', ${alias}.status)`;

/* A record that the run made has no entry: its row says so. */
const goldenChanges = `
  with changed as (
    (select e.row_id, e.before_version, e.after_version, e.outcome, e.rollback_outcome, false as created
     from concord.change_set_entries e
     where e.run_id = $1 and e.kind = 'golden' and e.row_id > $2 and ($3::text[] is null or e.outcome = any ($3))
     order by e.row_id limit $4)
    union all
    (select g.id, null, 1, 'written', null, true from concord.golden_records g
     where g.created_run = $1 and g.id > $2 and ($3::text[] is null or 'written' = any ($3))
       and not exists (select from concord.change_set_entries e where e.run_id = $1 and e.kind = 'golden' and e.row_id = g.id)
     order by g.id limit $4))
  select 'golden' as kind, c.row_id, 0 as mapping_id, c.outcome, c.rollback_outcome, c.created, t.name as entity_type, t.definition,
    coalesce((select ${versionOf('v')} from concord.golden_record_versions v where v.golden_id = c.row_id and v.version = c.before_version),
      case when g.version = c.before_version then ${versionOf('g')} end) as before,
    case when g.version = c.after_version then ${versionOf('g')}
      else (select ${versionOf('v')} from concord.golden_record_versions v where v.golden_id = c.row_id and v.version = c.after_version) end as after
  from changed c join concord.golden_records g on g.id = c.row_id join concord.entity_types t on t.id = g.entity_type_id
  order by c.row_id limit $4`;

/* What an image of its own making was is known while no later run has read it. */
const imageChanges = `
  with changed as (
    (select e.row_id, e.before, e.after, e.outcome, e.rollback_outcome, false as created
     from concord.change_set_entries e
     where e.run_id = $1 and e.kind = 'image' and e.row_id > $2 and ($3::text[] is null or e.outcome = any ($3))
     order by e.row_id limit $4)
    union all
    (select i.id, null, case when i.last_run = $1 then jsonb_build_object('raw', i.raw, 'deleted_run', i.deleted_run) end, 'written', null, true
     from concord.record_images i join concord.data_source_configurations s on s.id = i.system_id
     where i.created_run = $1 and i.id > $2 and i.read_run is not null and ($3::text[] is null or 'written' = any ($3))
       and ($5::text is null or s.name = $5)
       and not exists (select from concord.change_set_entries e where e.run_id = $1 and e.kind = 'image' and e.row_id = i.id)
     order by i.id limit $4))
  select 'image' as kind, c.row_id, i.mapping_id, c.outcome, c.rollback_outcome, c.created, i.golden_id, m.name as mapping, s.name as system,
    i.source_key, c.before, c.after
  from changed c join concord.record_images i on i.id = c.row_id join concord.cross_system_mappings m on m.id = i.mapping_id
    join concord.data_source_configurations s on s.id = i.system_id
  where $5::text is null or s.name = $5 order by c.row_id limit $4`;

/* Rows that a target was given in bulk have no entry: the image says that the run made it, and no more than its key. */
const targetChanges = `
  with changed as (
    (select e.row_id, e.mapping_id, e.before, e.after, e.outcome, e.rollback_outcome, false as created
     from concord.change_set_entries e join concord.cross_system_mappings m on m.id = e.mapping_id
       join concord.data_source_configurations s on s.id = m.system_id
     where e.run_id = $1 and e.kind = 'target' and (e.row_id, e.mapping_id) > ($2::bigint, $6::int)
       and ($3::text[] is null or e.outcome = any ($3)) and ($5::text is null or s.name = $5)
     order by e.row_id, e.mapping_id limit $4)
    union all
    (select i.golden_id, i.mapping_id, null, jsonb_build_object('key', i.source_key), 'written', null, true
     from concord.record_images i join concord.data_source_configurations s on s.id = i.system_id
     where i.created_run = $1 and i.read_run is null and i.golden_id >= $2 and (i.golden_id, i.mapping_id) > ($2::bigint, $6::int)
       and ($3::text[] is null or 'written' = any ($3)) and ($5::text is null or s.name = $5)
       and not exists (select from concord.change_set_entries e
         where e.run_id = $1 and e.kind = 'target' and e.mapping_id = i.mapping_id and e.row_id = i.golden_id)
     order by i.golden_id, i.mapping_id limit $4))
  select 'target' as kind, c.*, m.name as mapping, s.name as system
  from changed c join concord.cross_system_mappings m on m.id = c.mapping_id join concord.data_source_configurations s on s.id = m.system_id
  order by c.row_id, c.mapping_id limit $4`;

/** The changes of one kind after a position. */
export const listChanges = async (
  client: PoolClient,
  filter: ChangeFilter,
  kind: ChangeKind,
  after: Pick<ChangePosition, 'mappingId' | 'rowId'>,
  most: number,
): Promise<readonly ChangeRow[]> => {
  const parameters = [filter.runId, after.rowId, filter.outcomes, most];
  switch (kind) {
    case 'golden':
      return (await client.query<GoldenChangeRow>(goldenChanges, parameters)).rows;
    case 'image':
      return (await client.query<ImageChangeRow>(imageChanges, [...parameters, filter.system])).rows;
    case 'target':
      return (await client.query<TargetChangeRow>(targetChanges, [...parameters, filter.system, after.mappingId])).rows;
  }
};
