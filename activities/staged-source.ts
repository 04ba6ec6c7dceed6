import type { PoolClient } from 'pg';
import { markAlive, stagingOf } from '../database/staging.js';
import type { RunRef } from '../domain/run.js';
import type { SourcePlan } from './extract.js';
import { recordChunk, type Lease } from './lease.js';

/** The plan of a source that is not read: its rows are staged by something else. */
export const unreadPlan: SourcePlan = {
  mode: 'full',
  complete: false,
  scope: {},
  after: null,
  upTo: null,
  deliveryId: null,
  deliveryDigest: null,
  atOnce: false,
  once: false,
  compare: false,
  partitions: [],
};

/** Brings back the text of rows that is kept with their main canonical records alone. Few runs need it: rows of a first read that
 *  share a key, are held, or have to be standardized again.
 *  @param rows a table of them: key, raw, hash */
export const restoreRaw = async (
  client: PoolClient,
  run: RunRef,
  rows: { readonly table: string; readonly mappingId: number },
): Promise<void> => {
  await client.query(
    `update ${rows.table} r set raw = c.raw from ${stagingOf(run.runId).canon} c
     where c.mapping_id = $1 and c.key = r.key and c.hash = r.hash and c.main and r.raw is null`,
    [rows.mappingId],
  );
};

/** Leaves the chunks that extract, diff and guard would have left, of rows that something else staged in their place: the sums
 *  of the run are made of them. */
export const recordAsRead = async (client: PoolClient, lease: Lease, mappingId: number): Promise<void> => {
  const part = String(mappingId);
  const delta = stagingOf(lease.run.runId).delta(mappingId);
  await markAlive(client, delta);
  const { rows } = await client.query<{ class: string; count: string }>(
    `select class::text, count(*) from ${delta} group by class`,
  );
  const of = (letter: string): number => Number(rows.find((row) => row.class === letter)?.count ?? 0);
  await recordChunk(client, { ...lease, step: 'plan', part }, 0, { counts: unreadPlan });
  const extracted = of('n') + of('c');
  await recordChunk(client, { ...lease, step: 'diff', part }, 0, {
    counts: { extracted, missing: of('m'), rejected: 0, new: of('n'), changed: of('c'), unchanged: 0 },
  });
  await recordChunk(client, { ...lease, step: 'guard', part }, 0, {
    counts: { n: of('n'), c: of('c'), m: of('m') },
  });
};
