import type { PoolClient } from 'pg';
import { stagingOf } from '../database/staging.js';
import type { RunRef } from '../domain/run.js';
import type { MappingRef } from './context.js';
import type { SourcePlan } from './extract.js';
import { readChunks, recordChunk } from './lease.js';

/* A mapping that changed (or its rules, or a code table that it reads by) means something else by the rows that are here
   already. A complete read brings them all again; otherwise they are derived again from the raw rows that their images keep. */

const mappedStep = 'mapped';

/** Main images that a version derived which derived otherwise. Those that this run derived count again where it starts over. */
const stale = `i.mapping_id = $1 and i.main and i.raw is not null and i.deleted_run is null and i.read_run is not null
  and (i.mapping_version < $2 or i.read_run = $3)`;

/** Whether images of a source are to be derived again by its present version. */
export const needsRemap = async (client: PoolClient, run: RunRef, mapping: MappingRef): Promise<boolean> => {
  const { rows } = await client.query<{ needed: boolean }>(
    `select not exists (select 1 from watermarks w where w.mapping_id = $1 and case w.kind when 'mapped' then w.value::integer end >= $2)
       and exists (select 1 from record_images i where ${stale}) as needed`,
    [mapping.id, mapping.derivedSince, run.runId],
  );
  return rows[0]?.needed === true;
};

const isWhole = (plan: SourcePlan): boolean => plan.complete && Object.keys(plan.scope).length === 0;

/** Stages the kept raw rows of images that the read did not bring and that an earlier version derived, as changed ones, under
 *  `part`. Returns how many. */
export const stageStale = async (
  client: PoolClient,
  run: RunRef,
  mapping: MappingRef,
  plan: SourcePlan,
  part: number,
): Promise<number> => {
  if (isWhole(plan) || !(await needsRemap(client, run, mapping))) return 0;
  const staging = stagingOf(run.runId);
  const { rowCount } = await client.query(
    `with back as (
       insert into ${staging.raw(mapping.id)} (part, key, raw, hash, scope)
       select $4::integer, i.source_key, i.raw, i.raw_hash, i.scope_key from record_images i
       where ${stale}
         and not exists (select 1 from ${staging.raw(mapping.id)} r where r.key = i.source_key)
         and not exists (select 1 from ${staging.delta(mapping.id)} d where d.key = i.source_key)
         and not exists (select 1 from rejected_records x where x.run_id = $3 and x.mapping_id = $1 and x.source_key = i.source_key)
       returning key, hash)
     insert into ${staging.delta(mapping.id)} (key, class, hash) select key, 'c', hash from back`,
    [mapping.id, mapping.derivedSince, run.runId, part],
  );
  return rowCount ?? 0;
};

/** Notes by which version this run derives a source; `closeRun` makes it known once the run is through. */
export const noteMapped = (client: PoolClient, run: RunRef, mapping: MappingRef): Promise<void> =>
  recordChunk(client, { run, step: mappedStep, part: String(mapping.id) }, 0, { counts: { version: mapping.version } });

/** From here on nobody looks for images of an older version of these sources. */
export const rememberMapped = async (client: PoolClient, run: RunRef): Promise<void> => {
  for (const { part, counts } of await readChunks(client, run.runId, mappedStep)) {
    await client.query(
      `insert into watermarks (mapping_id, kind, institution_id, value, run_id) values ($1, 'mapped', $2, $3, $4)
       on conflict (mapping_id, kind) do update set value = excluded.value, run_id = excluded.run_id
       where watermarks.value is distinct from excluded.value`,
      [Number(part), run.institutionId, String(counts['version']), run.runId],
    );
  }
};
