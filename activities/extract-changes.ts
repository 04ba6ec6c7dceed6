import type { PoolClient } from 'pg';
import type { Partition, ReadRequest, SnapshotReader } from '../connectors/capabilities.js';
import { markAlive, recreate, stagingColumns, stagingOf } from '../database/staging.js';
import { CopySink } from '../platform/copy-sink.js';
import type { StepCounts } from './contract.js';
import type { ActivityDependencies } from './dependencies.js';
import { knownRowsText, LoadingRows, RowsAside } from './known-rows.js';
import { fenced, recordChunk, type Lease } from './lease.js';
import { RawChunk, type RawSite } from './raw-chunk.js';
import { ContentReading, isAsItWas, readContent } from './source-content.js';

const chunkRows = 5_000;
/** Two known rows are loaded for each that is read, and so many more: images were made in batches side by side, of partitions that were
 *  read side by side. */
const ahead = 100_000;

export interface ComparedRead extends RawSite {
  readonly lease: Lease;
  readonly plan: ReadRequest;
  readonly reader: SnapshotReader;
  readonly read: Partition;
}

/** Reads a source of which most is known: stages the rows that are not as they were, and the images whose rows were not seen. Where its
 *  text is what it was, no row is looked at. An attempt begins anew, since what was seen is in memory only. Null where too much is
 *  known for that. */
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
  const readCopyText = reader.readCopyText?.bind(reader);
  if (readCopyText === undefined) return null;
  const signal = cancelled() ?? new AbortController().signal;
  const before = await hub.read(run.institutionId, (client) => readContent(client, run, mapping));
  const again = { readCopyText, request: plan, signal, beat: heartbeat };
  if (before !== null && (await isAsItWas(again, before))) {
    const known = before.partitions.reduce((total, partition) => total + partition.rows, 0);
    await fenced(hub, lease, async (client) => {
      await stageUnseen(client, site, []);
      const counts = { rows: 0, rejected: 0, known, last: true, content: before };
      await recordChunk(client, lease, 0, { counts });
    });
    crashPoint('extract');
    return { rows: known, rejected: 0 };
  }
  const aside = new RowsAside();
  const loading = new LoadingRows((add) =>
    hub.read(run.institutionId, async (client) => {
      for await (const text of knownRowsText(client, run, mapping, cancelled())) add(text);
    }),
  );
  const { known } = loading;
  let [chunk, rows] = [0, 0];
  const content = new ContentReading(mapping, read);
  const stage = async (filled: RawChunk, isLast: boolean): Promise<void> => {
    const own = { rows: filled.rows, rejected: 0, known: filled.known, last: isLast };
    const text = isLast ? { content: content.finished(rows + own.rows + own.known) } : {};
    await fenced(
      hub,
      lease,
      async (client) => {
        await filled.stage(client);
        if (isLast) await stageUnseen(client, site, known.unseen());
        await recordChunk(client, lease, chunk, { counts: { ...own, ...text } });
      },
      'bulk',
    );
    rows += filled.rows + filled.known;
    chunk += 1;
    filled.clear();
    crashPoint('extract');
  };
  let allLoaded = false;
  const isKnown = (json: Buffer): boolean | null => {
    if (known.see(json)) return true;
    if (allLoaded) return false;
    aside.add(json);
    return null;
  };
  const filling = new RawChunk({ ...site, isKnown });
  /** False where too much is known. */
  const lookAgain = async (): Promise<boolean> => {
    if (!(await loading.all())) return false;
    allLoaded = true;
    for (const row of aside.take()) {
      filling.add(row);
      if (filling.rows >= chunkRows) await stage(filling, false);
    }
    return true;
  };
  try {
    for await (const batch of readCopyText(plan, read, null, signal)) {
      heartbeat();
      content.add(batch);
      if (!allLoaded) await loading.until(2 * (rows + filling.known + aside.rows) + ahead);
      filling.addText(batch.text);
      if (!allLoaded && (loading.isOver || aside.isFull) && !(await lookAgain())) return null;
      if (filling.rows >= chunkRows) await stage(filling, false);
    }
    if (!allLoaded && !(await lookAgain())) return null;
    await stage(filling, true);
    return { rows, rejected: 0 };
  } finally {
    await loading.settled();
  }
};

/** Stages the images of which no row was seen. */
const stageUnseen = async (
  client: PoolClient,
  { run, mapping }: ComparedRead,
  images: Iterable<number>,
): Promise<void> => {
  const unseen = stagingOf(run.runId).unseen(mapping.id);
  await recreate(client, unseen, stagingColumns.unseen);
  const sink = new CopySink(client, `copy ${unseen} (id) from stdin`);
  for (const id of images) {
    const wait = sink.add([String(id)]);
    if (wait !== null) await wait;
  }
  await sink.finish();
  await markAlive(client, unseen);
};
