import type { PoolClient } from 'pg';
import { canonicalRecordTools } from './references.js';
import type { TargetRollback } from './rollback-set-back.js';

/** Of rows that seem restricted, those that are not once the records that a person united are apart again: then a restriction is of
 *  the record that it was of, and a record refers to whom it referred. `owners`: whose row each was before the run. */
export const freeWhenApart = async (
  client: PoolClient,
  { run, runId, context, mapping }: TargetRollback,
  owners: readonly string[],
): Promise<ReadonlySet<string>> => {
  const { rows } = await client.query<{ id: string; type: number; values: readonly (string | null)[] }>(
    `select e.row_id::text as id, g.entity_type_id as type, v.values from change_set_entries e
     join golden_record_versions v on v.golden_id = e.row_id and v.version = e.before_version join golden_records g on g.id = e.row_id
     where e.run_id = $1 and e.kind = 'golden' and e.mapping_id = 0 and e.row_id = any ($2::bigint[]) and e.after ->> 'with' is not null`,
    [runId, owners],
  );
  const free = new Set<string>();
  for (const { id, type, values } of rows) {
    const { references } = canonicalRecordTools(context.entityType(type).definition).facts(values);
    const { rowCount } = await client.query(
      `select 1 from restrictions h join sync_runs u on u.id = $2
       left join change_set_entries e on e.run_id = $3 and e.kind = 'restriction' and e.mapping_id = 0 and e.row_id = h.id
       where h.released_at is null and h.recipient_class in ($4, '*')
         and (h.valid_from is null or h.valid_from <= u.as_of) and (h.valid_to is null or h.valid_to >= u.as_of)
         and coalesce((e.before ->> 'golden_id')::bigint, h.golden_id) = any ($1::bigint[]) limit 1`,
      [
        [id, ...references.map(({ target }) => target)],
        run.runId,
        runId,
        mapping.definition.target?.recipientClass ?? '',
      ],
    );
    if (rowCount === 0) free.add(id);
  }
  return free;
};
