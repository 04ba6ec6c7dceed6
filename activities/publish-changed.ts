import { Readable } from 'node:stream';
import type { PoolClient } from 'pg';
import type { CopyTarget } from '../connectors/capabilities.js';
import { stagingOf } from '../database/staging.js';
import type { RowSpelling } from '../domain/spelling.js';
import { BinaryRows } from '../platform/copy-binary.js';
import { CopyEncoder, piecesOf } from '../platform/copy-text.js';
import { copyOutBytes } from '../platform/copy.js';
import { createSetDigest, hash128, hash128Of, sha256Octets } from '../platform/hash.js';
import { noteDone, noteRangesDone } from './candidates.js';
import { changedColumns, ChangedRows, type ChangedRow } from './changed-rows.js';
import type { MappingRef } from './context.js';
import { inLanes } from './lanes.js';
import { fenced, recordChunk } from './lease.js';
import { noteDue, recordIntents, recordWritten, type WrittenRow } from './publish-record.js';
import type { GoldenRange, PublishCounts, Publishing } from './publishing.js';
import { RowLines } from './row-lines.js';

const chunkSize = 2_500;
/** While the target changes the rows of one chunk, the next one is projected. */
const lanes = 2;
/** Fewer are told as quickly row by row. */
const fewestInChunks = 500;
const pieceSize = 64 * 1024;

/** The part under which chunks are recorded, for whoever verifies them: golden ids, rows, the digest of these as they stand. */
export const changedPart = ({ id }: MappingRef): string => `${String(id)}/changed`;

/**
 * Publishes what changed of rows that we know, chunk by chunk: golden records go as text to the target, which changes all rows of a
 * chunk at once, or none. Intent, write and outcome as ever. Candidates that are done with are noted as such; what is left is looked
 * at row by row: records that need more than their own values (restrictions), are not active, have not exactly one image, or get
 * another key; and whole chunks of which something does not stand in the target as we know it, or is refused there. No candidate may
 * be part of another record by now: rows of those make room for others.
 * @returns whether nothing is left
 */
export const publishChanged = async (
  publishing: Publishing,
  spelling: RowSpelling,
  counts: PublishCounts,
): Promise<boolean> => {
  const { connector, baseline, judge, dependencies, run, lease, mapping } = publishing;
  const { copy } = connector;
  if (!baseline || !judge.takesPlainValues || copy === undefined) return false;
  const chunks = await dependencies.hub.read(run.institutionId, (client) => chunksOf(client, publishing));
  const whole: GoldenRange[] = [];
  let fits = true;
  await inLanes(chunks.entries(), lanes, async ([chunk, { range, size }]) => {
    if (!fits) return;
    const told = await tellChunk(publishing, { copy, spelling, chunk, range, size }, counts);
    if (told === 'whole') whole.push(range);
    if (told === 'unfit') fits = false;
  });
  if (whole.length === chunks.length) return chunks.length > 0;
  if (whole.length > 0) await fenced(dependencies.hub, lease, (client) => noteRangesDone(client, run, mapping, whole));
  return false;
};

interface CandidateChunk {
  readonly range: GoldenRange;
  /** Candidates in it. */
  readonly size: number;
}

/** None where the candidates are few. The first is half a chunk: lanes side by side then wait for different things. */
const chunksOf = async (client: PoolClient, { dependencies, run, mapping }: Publishing): Promise<CandidateChunk[]> => {
  const { rows } = await client.query<{ first: string; last: string; size: number }>(
    `select min(golden_id)::text as first, max(golden_id)::text as last, count(*)::integer as size
     from (select golden_id, (row_number() over (order by golden_id) - 1 + ${chunkSize / 2}) / ${chunkSize} as chunk
       from ${stagingOf(run.runId).candidates(mapping.id)}) c group by chunk order by chunk`,
  );
  const fewest = dependencies.fewestInChunks ?? fewestInChunks;
  if (rows.reduce((sum, { size }) => sum + size, 0) < fewest) return [];
  return rows.map(({ first, last, size }) => ({ range: [BigInt(first), BigInt(last)], size }));
};

interface ChunkSite extends CandidateChunk {
  readonly copy: CopyTarget;
  readonly spelling: RowSpelling;
  readonly chunk: number;
}

/** `whole`: nothing of the chunk is left. `unfit`: nothing can be told in this way; the target did not even ask for the intent. */
const tellChunk = async (
  publishing: Publishing,
  site: ChunkSite,
  counts: PublishCounts,
): Promise<'whole' | 'part' | 'unfit'> => {
  const { dependencies, target } = publishing;
  const rows = await projectChunk(publishing, site);
  let written = nothingWritten;
  if (rows.changed.length > 0) {
    let left: 'part' | 'unfit' = 'unfit';
    const text = Readable.from(piecesOf(rows.text.look(), pieceSize));
    const standing = await site.copy.changeText(target, text, (before) => {
      left = 'part';
      return intend(publishing, rows, before);
    });
    if (standing === null) return left;
    dependencies.crashPoint('publish');
    written = writtenChunk(publishing, rows, standing);
  }
  const isWhole = rows.same.length + written.rows.length === site.size;
  await noteChunk(publishing, site, rows, written, isWhole);
  for (const { known, standing } of written.rows) counts[known === standing ? 'already' : 'written'] += 1;
  dependencies.crashPoint('publish');
  return isWhole ? 'whole' : 'part';
};

/** As `imagesOfRecord`, of one mapping and with their number. */
const oneImage = ({ id }: MappingRef): string =>
  `select *, count(*) over () as images from record_images one where one.golden_id = g.id and one.mapping_id = ${id} offset 0`;

/** Records with exactly one image, which stands in the target for all that we know, and nothing but their own values to be told. */
const candidatesOf = ({ run, mapping }: Publishing, [first, last]: GoldenRange): string =>
  `copy (select ${changedColumns}
     from (select golden_id from ${stagingOf(run.runId).candidates(mapping.id)} where golden_id between ${first} and ${last}) c
     join golden_records g on g.id = c.golden_id and g.status = 'active'
     join lateral (${oneImage(mapping)}) i on i.images = 1 and i.sub_key = '' and i.entity_type_id = g.entity_type_id
       and i.deleted_run is null and not i.untold and i.raw_hash is not null and i.raw is null and i.statements is null
     where not exists (select 1 from restrictions h where h.golden_id = g.id and h.released_at is null)
     order by g.id) to stdout`;

const projectChunk = async (publishing: Publishing, { spelling, range }: ChunkSite): Promise<ChangedRows> => {
  const { dependencies, run, context, mapping, asOf } = publishing;
  const target = context.target(mapping);
  const rows = new ChangedRows(target, spelling, asOf, context.entityTypeNamed(target.root).definition.groups.length);
  await dependencies.hub.read(run.institutionId, async (client) => {
    const query = candidatesOf(publishing, range);
    for await (const bytes of copyOutBytes(client, query, { signal: dependencies.cancelled() })) {
      for (let at = 0; at < bytes.length;) at = rows.read(bytes, at);
      dependencies.heartbeat();
    }
  });
  return rows;
};

/** Each row that stands, as JSON, with what it is to become: in the order of the chunk. */
function* standingRows(
  publishing: Publishing,
  { changed }: ChangedRows,
  standing: readonly Buffer[],
): Generator<{ readonly row: ChangedRow | undefined; readonly json: Buffer }, void, undefined> {
  const lines = new RowLines(publishing.target.columns.length);
  let place = 0;
  for (const text of standing) {
    for (let at = 0; at < text.length; place += 1) {
      const { json, next } = lines.read(text, at);
      yield { row: changed[place], json };
      at = next;
    }
  }
}

/** Records the intent of a chunk where all of its rows stand as we know them; else nothing. */
const intend = async (publishing: Publishing, rows: ChangedRows, standing: readonly Buffer[]): Promise<boolean> => {
  const { dependencies, lease, run, mapping } = publishing;
  const intents = new BinaryRows();
  intents.begin();
  const key = new CopyEncoder();
  let [count, start] = [0, 0];
  for (const { row, json } of standingRows(publishing, rows, standing)) {
    if (row === undefined || hash128(json) !== row.known) return false;
    key.clear();
    key.addJsonText(row.key);
    intents.beginRow(4);
    intents.addDecimal(row.goldenId);
    addEntry(intents, key, json, 0, json.length);
    addEntry(intents, key, rows.afters.look(), start, row.end);
    if (row.subject === null) intents.addNull();
    else intents.addDecimal(row.subject);
    start = row.end;
    count += 1;
  }
  if (count < rows.changed.length) return false;
  intents.finish();
  dependencies.heartbeat();
  await fenced(dependencies.hub, lease, (client) => recordIntents(client, run, mapping, intents.look()), 'bulk');
  dependencies.crashPoint('publish');
  return true;
};

/** The first byte of a binary `jsonb` is the version of the format; its text follows. */
const jsonbVersion = 1;

/** A row as entries hold it, as `jsonb`. */
const addEntry = (bytes: BinaryRows, key: CopyEncoder, row: Buffer, from: number, to: number): void => {
  const start = bytes.beginField();
  bytes.addByte(jsonbVersion);
  bytes.addCharacters('{"key":');
  bytes.addFrom(key, 0, key.size);
  bytes.addCharacters(',"row":');
  bytes.addBytes(row, from, to);
  bytes.addCharacters('}');
  bytes.endField(start);
};

interface WrittenChunk {
  readonly rows: readonly (WrittenRow & Pick<ChangedRow, 'known'>)[];
  /** Of the rows as they stand. */
  readonly digest: string;
}

const nothingWritten: WrittenChunk = { rows: [], digest: createSetDigest().hex() };

/** The rows of a chunk with what stands there now. */
const writtenChunk = (publishing: Publishing, changed: ChangedRows, standing: readonly Buffer[]): WrittenChunk => {
  const rows: (WrittenRow & Pick<ChangedRow, 'known'>)[] = [];
  const digest = createSetDigest();
  for (const { row, json } of standingRows(publishing, changed, standing)) {
    if (row === undefined) continue;
    const { goldenId, imageId, key, known, told, version } = row;
    const octets = sha256Octets(json);
    const standing = hash128Of(octets);
    const after = standing === row.standing ? null : json.toString('utf8');
    digest.addOctets(octets);
    rows.push({ goldenId, imageId, key, known, told, standing, version, after });
  }
  return { rows, digest: digest.hex() };
};

const noteChunk = async (
  publishing: Publishing,
  { chunk, range }: ChunkSite,
  { same, noted }: ChangedRows,
  written: WrittenChunk,
  isWhole: boolean,
): Promise<void> => {
  const { dependencies, lease, run, mapping } = publishing;
  await fenced(
    dependencies.hub,
    lease,
    async (client) => {
      if (written.rows.length > 0) {
        await recordWritten(client, { run, mapping }, written.rows);
        await recordChunk(client, { ...lease, part: changedPart(mapping) }, chunk, {
          cursor: range.join('-'),
          counts: { rows: written.rows.length },
          digest: written.digest,
        });
      }
      await noteDue(client, run, mapping, noted);
      if (!isWhole) await noteDone(client, run, mapping, [...same, ...written.rows.map(({ goldenId }) => goldenId)]);
    },
    'bulk',
  );
};
