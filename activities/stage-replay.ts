import type { PoolClient } from 'pg';
import { recreate, stagingColumns, stagingOf, recreateDelta } from '../database/staging.js';
import type { RawRow } from '../domain/rows.js';
import type { RunRef } from '../domain/run.js';
import type { InstitutionContext } from './context.js';
import type { Lease } from './lease.js';
import { RawChunk } from './raw-chunk.js';
import { recordAsRead } from './staged-source.js';

/** Records that were set aside take the place of an extraction: each as it was corrected, else as it was read. Returns the
 *  mappings that they are of. */
export const stageReplayedRows = async (
  client: PoolClient,
  run: RunRef,
  lease: Lease,
  context: InstitutionContext,
  batch: { readonly id: string },
): Promise<number[]> => {
  const { rows } = await client.query<{ mapping: number; row: string }>(
    `select mapping_id as mapping, coalesce(corrected::text, raw) as row from rejected_records
     where batch_id = $1 and state = 'replaying' order by mapping_id, id`,
    [batch.id],
  );
  const staging = stagingOf(run.runId);
  const mappings = [...new Set(rows.map(({ mapping }) => mapping))];
  for (const id of mappings) {
    const own = rows.filter(({ mapping }) => mapping === id).map(({ row }) => JSON.parse(row) as RawRow);
    await recreate(client, staging.raw(id), stagingColumns.raw);
    await recreateDelta(client, run.runId, id);
    const mapping = context.mapping(id);
    const chunk = new RawChunk({
      ...{ run, context, mapping, source: context.source(mapping), partition: 0 },
      ...{ atOnce: false, once: false },
    });
    for (const row of own) chunk.add(row);
    await chunk.stage(client);
    await client.query(
      `insert into ${staging.delta(id)} (key, class, hash)
       select r.key, case when i.id is null then 'n' else 'c' end::"char", i.raw_hash
       from ${staging.raw(id)} r left join record_images i on i.mapping_id = $1 and i.source_key = r.key and i.main and i.deleted_run is null`,
      [id],
    );
    await recordAsRead(client, lease, id);
  }
  return mappings;
};

/** Settles what a completed replay is about: what came through is resolved; what was set aside again stands where it stood, and
 *  not a second time with the run that tried. */
export const closeReplay = async (client: PoolClient, run: RunRef): Promise<void> => {
  const replayed = `x.batch_id in (select b.id from decision_batches b where b.settle_run_id = $1 and b.kind = 'replay') and x.state = 'replaying'`;
  await client.query(
    `with again as (
       update rejected_records x set state = 'open', version = x.version + 1, batch_id = null, settle_run_id = $1
       from rejected_records n
       where ${replayed} and n.run_id = $1 and n.kind = 'rejected' and n.mapping_id = x.mapping_id
         and n.source_key = coalesce(x.corrected_key, x.source_key)
       returning n.id)
     update rejected_records n set state = 'resolved', version = n.version + 1 from again a where n.id = a.id`,
    [run.runId],
  );
  await client.query(
    `update rejected_records x set state = 'resolved', version = x.version + 1, settle_run_id = $1 where ${replayed}`,
    [run.runId],
  );
};

/** A row that is set aside again as it was, and was corrected and replayed then: nobody has to mend it twice. What it became
 *  stands until its source says something else. */
export const recogniseCorrected = async (client: PoolClient, run: RunRef): Promise<void> => {
  await client.query(
    `update rejected_records n set state = 'resolved', corrected = k.corrected, corrected_key = k.corrected_key, corrected_by = k.corrected_by,
       corrected_at = k.corrected_at, correction_reason = k.correction_reason, settle_run_id = k.settle_run_id
     from rejected_records k
     where n.run_id = $1 and n.kind = 'rejected' and n.state = 'open' and n.corrected is null
       and k.mapping_id = n.mapping_id and k.source_key = n.source_key and k.raw = n.raw
       and k.corrected is not null and k.state = 'resolved' and k.run_id <> $1`,
    [run.runId],
  );
};
