import type { PoolClient } from 'pg';
import { stagingOf } from '../database/staging.js';
import { SyncError } from '../domain/errors.js';
import type { RunRef } from '../domain/run.js';
import type { InstitutionContext, MappingRef } from './context.js';
import { readSourcePlans } from './extract.js';
import { hasApart } from './identity.js';
import { isKnown } from './known-source.js';
import { readChunks, recordChunk } from './lease.js';

/* Rows of a first read that are staged as their main canonical records alone (`SourcePlan.once`). Where nothing can be asked of one
   of them before it is applied they stay so, bare: neither among the staged rows nor in the delta, but counted as new. */

const bareStep = 'bare';

/** Whether nobody will ask for one of the rows: none was known, rolled back or waited for, and nothing limits or compares them. */
export const mayBeBare = async (
  client: PoolClient,
  run: RunRef,
  context: InstitutionContext,
  mapping: MappingRef,
): Promise<boolean> => {
  if (run.jobId === null || run.subjectKey !== undefined) return false;
  if ((context.job(run.jobId).definition.limits ?? []).length > 0 || (await hasApart(client, run))) return false;
  for (const [id] of await readSourcePlans(client, run.runId)) {
    const source = context.mapping(id);
    if (!context.isPosted(source) && context.source(source).setRules.length > 0) return false;
  }
  if (await isKnown(client, mapping)) return false;
  const undone = await client.query('select 1 from rolled_back_inputs where mapping_id = $1 limit 1', [mapping.id]);
  return undone.rowCount === 0;
};

/** Stages rows as everybody expects them, but for their text (`restoreRaw`). */
export const restoreRows = async (client: PoolClient, run: RunRef, mapping: MappingRef): Promise<void> => {
  const staging = stagingOf(run.runId);
  await client.query(
    `insert into ${staging.raw(mapping.id)} (part, key, hash, scope)
     select 0, c.key, c.hash, c.scope from ${staging.canon} c where c.mapping_id = $1 and c.main`,
    [mapping.id],
  );
};

export const noteBare = (client: PoolClient, run: RunRef, mapping: MappingRef, rows: number): Promise<void> =>
  recordChunk(client, { run, step: bareStep, part: String(mapping.id) }, 0, { counts: { rows } });

/** How many rows of a source are bare: all of them are new, and each has a main canonical record. */
export const bareRows = async (client: PoolClient, run: RunRef, mappingId: number): Promise<number> => {
  const [chunk] = await readChunks(client, run.runId, bareStep, String(mappingId));
  return Number(chunk?.counts['rows'] ?? 0);
};

/** A source whose rows are bare is known by nobody still: another run did not read it meanwhile.
 *  @throws SyncError staging_lost: it is read anew, and compared */
export const checkBare = async (client: PoolClient, run: RunRef, mapping: MappingRef): Promise<void> => {
  if ((await bareRows(client, run, mapping.id)) === 0) return;
  const { rowCount } = await client.query('select 1 from record_images where mapping_id = $1 limit 1', [mapping.id]);
  if ((rowCount ?? 0) > 0)
    throw new SyncError('staging_lost', `rows of ${mapping.definition.name} became known while they were read`);
};
