import type { PoolClient } from 'pg';
import { isThere, stagingOf } from '../database/staging.js';
import type { RunRef } from '../domain/run.js';
import type { EntityTypeRef } from './context.js';

/** Places the restrictions that rows of the run carry, also rejected ones. Only a named role releases one: that a source does
 *  not repeat it changes nothing. */
export const placeRestrictions = async (client: PoolClient, run: RunRef, type: EntityTypeRef): Promise<number> => {
  const table = stagingOf(run.runId).problem;
  if (!(await isThere(client, table))) return 0;
  const { rowCount } = await client.query(
    `insert into restrictions (institution_id, golden_id, recipient_class, mapping_id, source_key, placed_run, placed_by, subject_key)
     select distinct on (i.golden_id, p.reason) $2::integer, i.golden_id, p.reason, p.mapping_id, p.key, $1::bigint, m.name, i.subject_key
     from ${table} p
     join record_images i on i.mapping_id = p.mapping_id and i.source_key = p.key and i.sub_key = p.sub_key and i.entity_type_id = p.entity_type_id
     join cross_system_mappings m on m.id = p.mapping_id
     where p.kind = 'restriction' and p.entity_type_id = $3
     on conflict (golden_id, recipient_class) where released_at is null do nothing`,
    [run.runId, run.institutionId, type.id],
  );
  return rowCount ?? 0;
};
