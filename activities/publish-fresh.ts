import type { PoolClient } from 'pg';
import type { CopyTarget } from '../connectors/capabilities.js';
import { SyncError } from '../domain/errors.js';
import type { RowSpelling } from '../domain/spelling.js';
import { copyOutBytes } from '../platform/copy.js';
import { BinarySink } from '../platform/copy-sink.js';
import { FreshRows, toldColumns } from './fresh-rows.js';
import { GoldenLine, goldenColumns } from './golden-line.js';
import { inLanes } from './lanes.js';
import { fenced, recordChunk } from './lease.js';
import { noteDue, noteProblems } from './publish-record.js';
import type { GoldenRange, Publishing } from './publishing.js';

const chunkSize = 50_000;
/** While PostgreSQL makes the images of one chunk, the next one is projected. */
const lanes = 2;

export interface FreshPublish {
  /** Ranges of golden ids that are done: rows, images, due dates and findings. */
  readonly done: readonly GoldenRange[];
  /** There are no others. */
  readonly whole: boolean;
  readonly written: number;
  readonly withheld: number;
}

export const nothingDone: FreshPublish = { done: [], whole: false, written: 0, withheld: 0 };

/** The chunk is not what this way is for; rows of it that stand in the target were intended. */
class NotFresh extends Error {}

/**
 * The first publish to a target of which we know no row: golden records go as text to the target and, as keys and hashes, to the
 * images, without an object for each in between. Chunks as in `insertBulk`: intent, one transaction of the target, outcome. Gives
 * up where a record may need more than its own values (references, identifiers, restrictions) or a row stands there already:
 * what is left is then published as ever.
 */
export const publishFresh = async (publishing: Publishing): Promise<FreshPublish> => {
  const { connector, baseline, judge, dependencies, run } = publishing;
  const { rows, copy } = connector;
  if (baseline || !judge.takesPlainValues || rows === undefined || copy === undefined) return nothingDone;
  const bounds = await dependencies.hub.read(run.institutionId, async (client) =>
    (await knowsRows(client, publishing)) ? [] : chunkBounds(client, publishing),
  );
  if (bounds.length === 0) return nothingDone;
  const spelling = await rows.spelling(publishing.target);
  const done: GoldenRange[] = [];
  let [written, withheld] = [0, 0];
  try {
    await inLanes(bounds.entries(), lanes, async ([chunk, range]) => {
      const told = await tellChunk(publishing, copy, spelling, chunk, range);
      done.push(range);
      written += told.written;
      withheld += told.withheld;
    });
  } catch (error) {
    if (!(error instanceof NotFresh)) throw error;
  }
  return { done, whole: done.length === bounds.length, written, withheld };
};

/** Whether rows of the target are known already, or some of an earlier attempt may stand there. */
const knowsRows = async (client: PoolClient, { run, mapping }: Publishing): Promise<boolean> => {
  const { rows } = await client.query<{ known: boolean }>(
    `select exists (select 1 from record_images where mapping_id = $1)
       or exists (select 1 from run_chunks where run_id = $2 and step = 'publish' and part = $3) as known`,
    [mapping.id, run.runId, `${mapping.id}/bulk`],
  );
  return rows[0]?.known !== false;
};

const rootOf = ({ context, mapping }: Publishing): number =>
  context.entityTypeNamed(mapping.definition.target?.root ?? '').id;

const chunkBounds = async (client: PoolClient, publishing: Publishing): Promise<GoldenRange[]> => {
  const close = await client.query<{ first: string | null; last: string; count: string }>(
    `select min(id)::text as first, max(id)::text as last, count(*)::text as count from golden_records where entity_type_id = $1`,
    [rootOf(publishing)],
  );
  const { first = null, last = '0', count = '0' } = close.rows[0] ?? {};
  if (first === null) return [];
  const ranges = evenRanges([BigInt(first), BigInt(last)]);
  if (ranges.length <= 2 * Math.ceil(Number(count) / chunkSize)) return ranges;
  // Ids with wide gaps: records of other types lie between.
  const { rows } = await client.query<{ first: string; last: string }>(
    `select min(id)::text as first, max(id)::text as last
     from (select id, (row_number() over (order by id) - 1) / ${chunkSize} as chunk from golden_records where entity_type_id = $1) g
     group by chunk order by chunk`,
    [rootOf(publishing)],
  );
  return rows.map(({ first, last }) => [BigInt(first), BigInt(last)] as const);
};

const evenRanges = ([first, last]: GoldenRange): GoldenRange[] => {
  const size = BigInt(chunkSize);
  const count = Number((last - first) / size) + 1;
  return Array.from({ length: count }, (_, index) => {
    const from = first + BigInt(index) * size;
    return [from, from + size - 1n < last ? from + size - 1n : last];
  });
};

const goldenRows = (publishing: Publishing, [first, last]: GoldenRange): string =>
  `copy (select ${goldenColumns} from golden_records g
     where g.id between ${first} and ${last} and g.entity_type_id = ${rootOf(publishing)} and g.status = 'active' order by g.id) to stdout`;

/** Rows that may not be shown to everybody: they are looked at one by one. */
const anyRestriction = async (client: PoolClient): Promise<boolean> => {
  const { rowCount } = await client.query('select 1 from restrictions where released_at is null limit 1');
  return (rowCount ?? 0) > 0;
};

interface ToldChunk {
  readonly written: number;
  readonly withheld: number;
}

const tellChunk = async (
  publishing: Publishing,
  copy: CopyTarget,
  spelling: RowSpelling,
  chunk: number,
  range: GoldenRange,
): Promise<ToldChunk> => {
  const { dependencies, lease, run, mapping } = publishing;
  const part = { ...lease, part: `${mapping.id}/bulk` };
  const cursor = range.join('-');
  await fenced(dependencies.hub, lease, (client) =>
    recordChunk(client, part, chunk, { cursor, counts: { fresh: true }, state: 'intended' }),
  );
  return dependencies.hub.read(run.institutionId, (reading) =>
    fenced(
      dependencies.hub,
      lease,
      async (client) => {
        if (await anyRestriction(reading)) throw await forgotten(publishing, chunk);
        await client.query(`create temp table told_${chunk} (${toldColumns}) on commit drop`);
        const sink = new BinarySink(client, `copy told_${chunk} from stdin (format binary)`);
        const rows = new FreshRows(publishing.context.target(mapping), spelling, publishing.asOf, sink);
        const text = targetText(publishing, reading, range, rows);
        const written = await insertText(publishing, copy, text, sink, chunk);
        const { noted } = rows;
        await sink.finish();
        dependencies.crashPoint('publish');
        await insertImages(client, publishing, `told_${chunk}`);
        await noteDue(client, run, mapping, noted);
        await noteProblems(client, run, mapping, noted);
        const counts = { fresh: true, rows: written };
        await recordChunk(client, part, chunk, { cursor, counts, digest: rows.digest.hex(), state: 'done' });
        return { written, withheld: noted.filter(({ problems }) => problems.length > 0).length };
      },
      'bulk',
    ),
  );
};

/** Nothing of the chunk was written: its intent goes. */
const forgotten = async ({ dependencies, lease, run, mapping }: Publishing, chunk: number): Promise<NotFresh> => {
  await fenced(dependencies.hub, lease, (client) =>
    client.query(`delete from run_chunks where run_id = $1 and step = 'publish' and part = $2 and chunk = $3`, [
      run.runId,
      `${mapping.id}/bulk`,
      chunk,
    ]),
  );
  return new NotFresh();
};

const insertText = async (
  publishing: Publishing,
  copy: CopyTarget,
  text: AsyncIterable<Buffer>,
  sink: BinarySink,
  chunk: number,
): Promise<number> => {
  try {
    const written = await copy.insertText(publishing.target, text);
    if (written !== null) return written;
  } catch (error) {
    sink.abandon();
    if (!(error instanceof SyncError) || error.code !== 'target_row_exists') throw error;
  }
  sink.abandon();
  throw await forgotten(publishing, chunk);
};

const flushAt = 64 * 1024;

/** The rows of a chunk as the target takes them. */
async function* targetText(
  publishing: Publishing,
  reading: PoolClient,
  range: GoldenRange,
  rows: FreshRows,
): AsyncGenerator<Buffer, void, undefined> {
  const { dependencies, context, mapping } = publishing;
  const line = new GoldenLine(context.entityTypeNamed(mapping.definition.target?.root ?? '').definition.groups.length);
  const query = goldenRows(publishing, range);
  for await (const bytes of copyOutBytes(reading, query, { signal: dependencies.cancelled() })) {
    for (let at = 0; at < bytes.length;) {
      at = line.read(bytes, at);
      const wait = rows.add(line);
      if (wait !== null) await wait;
      if (rows.text.size >= flushAt) yield rows.text.take();
    }
    dependencies.heartbeat();
  }
  if (rows.text.size > 0) yield rows.text.take();
}

/** Their keys are new: no image of the target was known. In the order of the key, so that its index grows at one place. */
const insertImages = async (client: PoolClient, publishing: Publishing, told: string): Promise<void> => {
  const { run, mapping } = publishing;
  await client.query(
    `insert into record_images (id, institution_id, system_id, mapping_id, entity_type_id, source_key, golden_id, raw_hash, told_hash, mapping_version,
       settled_version, published_version, subject_key, created_run, last_run)
     select nextval('image_ids'), $2, $3, $4, $5, t.key, t.golden_id, t.raw_hash, t.told_hash, $6, t.version, t.version, t.subject_key, $1, $1
     from ${told} t order by t.key`,
    [run.runId, run.institutionId, mapping.systemId, mapping.id, rootOf(publishing), mapping.version],
  );
};
