import type { PoolClient } from 'pg';
import type { MappingRef } from './context.js';

/** Whether anything is known of a source: an image, or a row that waits from an earlier run. */
export const isKnown = async (client: PoolClient, mapping: MappingRef): Promise<boolean> => {
  const { rows } = await client.query<{ known: boolean }>(
    `select exists (select 1 from record_images where mapping_id = $1)
       or exists (select 1 from rejected_records where mapping_id = $1 and kind = 'waiting' and state = 'open') as known`,
    [mapping.id],
  );
  return rows[0]?.known === true;
};
