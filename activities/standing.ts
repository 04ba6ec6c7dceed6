import type { PoolClient } from 'pg';
import { isAlive, markAlive, recreate, stagingColumns, stagingOf } from '../database/staging.js';
import type { RunRef } from '../domain/run.js';
import type { MappingRef } from './context.js';
import { imageTypes } from './known-source.js';

/* Most of what the steps before a merge cost is finding the image of a row among millions of them. It is done once for the rows that a
   run has something to do with; later steps go by that as long as nobody else was at work since. */

/** Stages the images of rows, withdrawn ones included.
 *  @param rows a table of their keys */
export const findStanding = async (
  client: PoolClient,
  run: RunRef,
  mapping: MappingRef,
  rows: string,
): Promise<void> => {
  const table = stagingOf(run.runId).standing(mapping.id);
  await recreate(client, table, stagingColumns.standing);
  await addStanding(client, run, mapping, rows);
  await client.query(`analyze ${table} (key)`);
  await markAlive(client, table);
};

/** Stages images of more rows.
 *  @param rows a table of their keys, or a query in brackets */
export const addStanding = async (
  client: PoolClient,
  run: RunRef,
  mapping: MappingRef,
  rows: string,
): Promise<void> => {
  await client.query(
    `insert into ${stagingOf(run.runId).standing(mapping.id)} (id, entity_type_id, key, sub_key, main, golden_id, raw_hash, mapping_version,
       match_name, match_birth, match_hash, created_run, read_run, deleted_run)
     select i.id, i.entity_type_id, i.source_key, i.sub_key, i.main, i.golden_id, i.raw_hash, i.mapping_version,
       i.match_name, i.match_birth, i.match_hash, i.created_run, i.read_run, i.deleted_run
     from ${rows} r join record_images i on i.mapping_id = $1 and i.entity_type_id = any ($2) and i.source_key = r.key`,
    [mapping.id, await imageTypes(client, mapping)],
  );
};

/** Whether images are as they were when the run began, but for what it wrote itself: no other run was at work. */
const standsStill = async (client: PoolClient, run: RunRef): Promise<boolean> => {
  const { rowCount } = await client.query(
    `select 1 from sync_runs o, sync_runs me where me.id = $1 and o.id <> $1 and o.kind <> 'dry_run'
       and (o.finished_at is null or o.finished_at > me.started_at) limit 1`,
    [run.runId],
  );
  return rowCount === 0;
};

/** Whether the images of the rows of these sources are staged as they are now. */
export const areStanding = async (client: PoolClient, run: RunRef, mappingIds: readonly number[]): Promise<boolean> => {
  for (const id of mappingIds) if (!(await isAlive(client, stagingOf(run.runId).standing(id)))) return false;
  return standsStill(client, run);
};
