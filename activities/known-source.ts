import type { PoolClient } from 'pg';
import type { RunRef } from '../domain/run.js';
import type { InstitutionContext, MappingRef } from './context.js';

/** The entity types of which a source has images, whatever versions of its mapping made them. Who looks up images by their key names
 *  these: the index has the type before the key, and would be searched several times for each key. */
export const imageTypes = async (client: PoolClient, mapping: MappingRef): Promise<number[]> => {
  const next = (after: string): string =>
    `(select entity_type_id from record_images where mapping_id = $1 and entity_type_id > ${after} order by entity_type_id limit 1)`;
  const { rows } = await client.query<{ id: number }>(
    `with recursive types (id) as (select ${next('0')} union all select ${next('types.id')} from types where types.id is not null)
     select id from types where id is not null`,
    [mapping.id],
  );
  return rows.map(({ id }) => id);
};

/** Whether an image `i` of a mapping stands for a row of its source: for one that was read, or one that was made there by telling it
 *  a record of the kind that its rows are. */
export const isOfSource = (context: InstitutionContext, mapping: MappingRef): string =>
  `(i.read_run is not null or i.entity_type_id = ${context.mainType(mapping).id} and i.sub_key = '')`;

/** Whether the row of such an image stood there when a run began to read: it was read before, or told by a run that was over by then.
 *  @param late what is read may be older than the run, as a delivery is: only what was read before stood there for sure */
export const stoodBefore = (run: RunRef, context: InstitutionContext, mapping: MappingRef, late = false): string =>
  late
    ? 'i.read_run is not null'
    : `(i.read_run is not null or ${isOfSource(context, mapping)} and i.last_run in (
        select o.id from sync_runs o, sync_runs me where me.id = ${BigInt(run.runId)} and o.finished_at < me.started_at))`;

/** Whether anything is known of a source: an image, or a row that waits from an earlier run. */
export const isKnown = async (client: PoolClient, mapping: MappingRef): Promise<boolean> => {
  const { rows } = await client.query<{ known: boolean }>(
    `select exists (select 1 from record_images where mapping_id = $1)
       or exists (select 1 from rejected_records where mapping_id = $1 and kind = 'waiting' and state = 'open') as known`,
    [mapping.id],
  );
  return rows[0]?.known === true;
};
