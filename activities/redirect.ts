import type { PoolClient } from 'pg';
import { stagingOf } from '../database/staging.js';
import type { RunRef } from '../domain/run.js';
import type { EntityTypeRef } from './context.js';

/** Records that became part of others since they were matched: what was matched to them is the others' now, which are planned in
 *  their place. Returns what is to be planned again, out of what moved. */
export const redirectMerged = async (
  client: PoolClient,
  run: RunRef,
  type: EntityTypeRef,
  moved: readonly string[],
): Promise<string[]> => {
  const staging = stagingOf(run.runId);
  const { rows } = await client.query<{ id: string; into: string }>(
    `with recursive led as (
       select id as origin, id, merged_into from golden_records where id = any ($1::bigint[])
       union all select l.origin, g.id, g.merged_into from led l join golden_records g on g.id = l.merged_into)
     select origin::text as id, id::text as into from led where merged_into is null and origin <> id`,
    [moved],
  );
  if (rows.length === 0) return [...moved];
  await client.query(
    `update ${staging.match(type.id)} m set golden_id = x.target, new_golden = false
     from unnest($1::bigint[], $2::bigint[]) as x (origin, target) where m.golden_id = x.origin`,
    [rows.map(({ id }) => id), rows.map(({ into }) => into)],
  );
  const targets = rows.map(({ into }) => into);
  await client.query(`delete from ${staging.plan(type.id)} where golden_id = any ($1::bigint[])`, [targets]);
  const gone = new Set(rows.map(({ id }) => id));
  return [...new Set([...moved.filter((id) => !gone.has(id)), ...targets])];
};
