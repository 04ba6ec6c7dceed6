import type { PoolClient } from 'pg';
import { stagingOf } from '../database/staging.js';
import { keySeparator } from '../domain/rows.js';
import type { RunRef } from '../domain/run.js';
import type { MappingRef } from './context.js';
import { addFinding } from './problems.js';

/** More of them, and the read is no complete one. */
const mostUnreadable = 100;

/** Reasons for which what is kept of a row may lack its key: text was cut off, or characters were replaced. */
const damaged = ['field_too_long', 'row_too_long', 'invalid_encoding', 'nul_character'];

/** A row that a reader could not make out has no key, but it is there: a record that it may be of is not missing. That is one
 *  whose key stands in its text; where the key itself may be lost, nothing at all is concluded. */
export const spareUnreadable = async (client: PoolClient, run: RunRef, mapping: MappingRef): Promise<void> => {
  const delta = stagingOf(run.runId).delta(mapping.id);
  const unreadable = `(select replace(raw, '"', '') as text, reason from rejected_records
    where run_id = $1 and mapping_id = $2 and kind = 'rejected' and source_key is null) u`;
  const { rows } = await client.query<{ count: number }>(`select count(*)::integer as count from ${unreadable}`, [
    run.runId,
    mapping.id,
  ]);
  const count = rows[0]?.count ?? 0;
  if (count === 0) return;
  const holdsKey = `(select bool_and(position(replace(cell, '"', '') in u.text) > 0) from string_to_table(d.key, $3) as cell)`;
  const { rowCount } = await client.query(
    `with lost as (
       select from ${unreadable} where u.reason = any ($4) and not exists (select from ${delta} d where d.class = 'm' and ${holdsKey}) limit 1)
     delete from ${delta} d where d.class = 'm' and ($5 or exists (select from lost) or exists (select from ${unreadable} where ${holdsKey}))`,
    [run.runId, mapping.id, keySeparator, damaged, count > mostUnreadable],
  );
  if (rowCount === 0) return;
  await addFinding(client, run, {
    kind: 'missing_unclear',
    mappingId: mapping.id,
    systemId: mapping.systemId,
    detail: `${String(count)} rows of ${mapping.definition.name} could not be read; ${String(rowCount)} records that one of them may be of were not taken for missing`,
  });
};
