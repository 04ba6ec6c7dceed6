import type { PoolClient } from 'pg';
import type { MappingRef } from './context.js';

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

/** Whether anything is known of a source: an image, or a row that waits from an earlier run. */
export const isKnown = async (client: PoolClient, mapping: MappingRef): Promise<boolean> => {
  const { rows } = await client.query<{ known: boolean }>(
    `select exists (select 1 from record_images where mapping_id = $1)
       or exists (select 1 from rejected_records where mapping_id = $1 and kind = 'waiting' and state = 'open') as known`,
    [mapping.id],
  );
  return rows[0]?.known === true;
};
