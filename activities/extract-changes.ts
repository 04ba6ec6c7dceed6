import type { PoolClient } from 'pg';
import type { Partition, ReadRequest, SnapshotReader } from '../connectors/capabilities.js';
import { markAlive, recreate, stagingColumns, stagingOf } from '../database/staging.js';
import { CopySink } from '../platform/copy-sink.js';
import { LineGroups } from '../platform/line-groups.js';
import type { StepCounts } from './contract.js';
import type { ActivityDependencies } from './dependencies.js';
import { loadKnownRows, mostKnown } from './known-rows.js';
import { FilledInTurn, InTurn } from './lanes.js';
import { fenced, recordChunk, type Lease } from './lease.js';
import { RawChunk, type RawSite } from './raw-chunk.js';
import {
  forgetBlocks,
  loadRemembered,
  mayRemember,
  mostTouched,
  storeBlock,
  type RememberedBlocks,
} from './remembered-rows.js';
import { RowsOfText } from './rows-of-text.js';
import { ContentReading, isAsItWas, readContent } from './source-content.js';

const chunkRows = 5_000;

export interface ComparedRead extends RawSite {
  readonly lease: Lease;
  readonly plan: ReadRequest;
  readonly reader: SnapshotReader;
  readonly read: Partition;
}

/** Reads a source of which most is known: stages the rows that are not as they were, and the images whose rows were not seen. Where its
 *  text is what it was, no row is looked at; where groups of its lines are, none of those. An attempt begins anew, since what was seen is in
 *  memory only. Null where too much is known for that. */
export const extractChanges = async (
  { hub, heartbeat, cancelled, crashPoint, mostKnown: most = mostKnown }: ActivityDependencies,
  site: ComparedRead,
): Promise<StepCounts | null> => {
  const { run, context, mapping, lease, plan, reader, read } = site;
  const staging = stagingOf(run.runId);
  await fenced(hub, lease, async (client) => {
    await client.query(`delete from ${staging.raw(mapping.id)} where part = $1`, [read.ordinal]);
    for (const table of site.atOnce ? [staging.canon, staging.problem] : [])
      await client.query(`delete from ${table} where mapping_id = $1`, [mapping.id]);
    await client.query(`delete from run_chunks where run_id = $1 and step = 'extract' and part = $2`, [
      run.runId,
      lease.part,
    ]);
    await forgetBlocks(client, run, mapping.id);
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
  const loading = { signal: cancelled(), most };
  const remembered = await loadRemembered((work) => hub.read(run.institutionId, work), run, mapping, loading);
  const known =
    remembered?.rows ??
    (await hub.read(run.institutionId, (client) => loadKnownRows(client, run, context, mapping, loading)));
  if (known === null) return null;

  let [chunk, rows, staged, blocks] = [0, 0, 0, 0];
  const content = new ContentReading(mapping, read);
  /** What the next read is to know; null where what this one knows is good for that too, or most would have to be asked again. */
  let text = (remembered?.remember ?? mayRemember(run, mapping)) ? new RowsOfText() : null;
  const byGroups = remembered !== null || text !== null;
  const storing = new InTurn();
  const store = async (): Promise<void> => {
    for (const bytes of text?.takeBlocks() ?? []) {
      const block = blocks++;
      await storing.next(() =>
        fenced(hub, lease, (client) => storeBlock(client, run, mapping.id, block, bytes), 'bulk').then(() =>
          text?.giveBack(bytes),
        ),
      );
    }
  };
  const stage = async (filled: RawChunk, isLast: boolean): Promise<void> => {
    const own = { rows: filled.rows, rejected: 0, known: filled.known, last: isLast };
    const last = isLast
      ? {
          content: content.finished(rows + own.rows + own.known),
          ...(text === null ? {} : { remembered: { version: mapping.version, blocks } satisfies RememberedBlocks }),
        }
      : {};
    await fenced(
      hub,
      lease,
      async (client) => {
        await filled.stage(client);
        if (isLast) await stageUnseen(client, site, known.unseen());
        await recordChunk(client, lease, chunk, { counts: { ...own, ...last } });
      },
      'bulk',
    );
    rows += filled.rows + filled.known;
    staged += filled.rows;
    chunk += 1;
    filled.clear();
    if (staged > mostTouched) text = null;
    crashPoint('extract');
  };
  const isKnown = (json: Buffer): boolean => {
    const id = known.see(json);
    text?.addFrom(known.sought, 0, id);
    return id !== 0;
  };
  const chunks = new FilledInTurn(new RawChunk({ ...site, isKnown }), new RawChunk({ ...site, isKnown }), stage);
  const groups = new LineGroups();
  const add = (group: Buffer): void => {
    const seen = byGroups ? known.seeGroup(group, text) : 0;
    chunks.filling.known += seen;
    if (seen > 0 || group.length === 0) return;
    chunks.filling.addText(group);
    text?.endGroup(known.soughtGroup);
  };
  try {
    for await (const batch of readCopyText(plan, read, null, signal)) {
      heartbeat();
      content.add(batch);
      if (byGroups) for (const group of groups.of(batch.text)) add(group);
      else add(batch.text);
      if (chunks.filling.rows >= chunkRows) await chunks.next();
      await store();
    }
    add(groups.rest());
    if (text !== null) known.addUnseen(text);
    text?.endBlock();
    await store();
    await storing.done();
    await chunks.end();
  } finally {
    await Promise.all([storing.settled(), chunks.settled()]);
  }
  return { rows, rejected: 0 };
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
