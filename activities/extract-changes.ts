import type { Partition, ReadRequest, SnapshotReader } from '../connectors/capabilities.js';
import { markAlive, recreate, stagingColumns, stagingOf } from '../database/staging.js';
import { CopySink } from '../platform/copy-sink.js';
import type { StepCounts } from './contract.js';
import type { ActivityDependencies } from './dependencies.js';
import { loadKnownRows } from './known-rows.js';
import { fenced, recordChunk, type Lease } from './lease.js';
import { RawChunk, type RawSite } from './raw-chunk.js';

const chunkRows = 5_000;

export interface ComparedRead extends RawSite {
  readonly lease: Lease;
  readonly plan: ReadRequest;
  readonly reader: SnapshotReader;
  readonly read: Partition;
}

/** Reads a source of which most is known: stages the rows that are not as they were, and the images whose rows were not seen. An
 *  attempt begins anew, since what was seen is in memory only. Null where too much is known for that. */
export const extractChanges = async (
  { hub, heartbeat, cancelled, crashPoint }: ActivityDependencies,
  site: ComparedRead,
): Promise<StepCounts | null> => {
  const { run, mapping, lease, plan, reader, read } = site;
  const staging = stagingOf(run.runId);
  await fenced(hub, lease, async (client) => {
    await client.query(`delete from ${staging.raw(mapping.id)} where part = $1`, [read.ordinal]);
    await client.query(`delete from run_chunks where run_id = $1 and step = 'extract' and part = $2`, [
      run.runId,
      lease.part,
    ]);
  });
  const known = await hub.read(run.institutionId, (client) => loadKnownRows(client, run, mapping, cancelled()));
  if (known === null || reader.readCopyText === undefined) return null;

  let [chunk, rows] = [0, 0];
  const stage = async (filled: RawChunk, isLast: boolean): Promise<void> => {
    await fenced(
      hub,
      lease,
      async (client) => {
        await filled.stage(client);
        if (isLast) {
          const unseen = staging.unseen(mapping.id);
          await recreate(client, unseen, stagingColumns.unseen);
          const sink = new CopySink(client, `copy ${unseen} (id) from stdin`);
          for (const id of known.unseen()) {
            const wait = sink.add([String(id)]);
            if (wait !== null) await wait;
          }
          await sink.finish();
          await markAlive(client, unseen);
        }
        const counts = { rows: filled.rows, rejected: 0, known: filled.known, last: isLast };
        await recordChunk(client, lease, chunk, { counts });
      },
      'bulk',
    );
    rows += filled.rows + filled.known;
    chunk += 1;
    filled.clear();
    crashPoint('extract');
  };
  const filling = new RawChunk({ ...site, isKnown: (json) => known.see(json) });
  for await (const { text } of reader.readCopyText(plan, read, null, cancelled() ?? new AbortController().signal)) {
    heartbeat();
    filling.addText(text);
    if (filling.rows >= chunkRows) await stage(filling, false);
  }
  await stage(filling, true);
  return { rows, rejected: 0 };
};
