import type { PoolClient } from 'pg';
import type { CopyTextBatch, Partition, ReadRequest, SnapshotReader } from '../connectors/capabilities.js';
import { SyncError } from '../domain/errors.js';
import type { RunRef } from '../domain/run.js';
import { createDigest, hash128Digits } from '../platform/hash.js';
import type { MappingRef } from './context.js';

/* A source whose text is what it was when all of its rows were known or applied has nothing new to say, whatever its rows are: that is
   seen by the digests of the text alone. Rows are told apart, and compared with their images, only where it is not. */

const newline = 0x0a;
const pieceSize = 4 * 1024 * 1024;

/** The text of a partition, as digests of its pieces. */
export interface PartitionContent {
  readonly partition: Partition;
  readonly rows: number;
  /** The first 128 bits of the sha256 of each piece. There is a last one always, be it empty. */
  readonly pieces: readonly string[];
  /** The cursor after which the last piece begins; null where it is the only one. */
  readonly lastAfter: string | null;
}

/** What a source held, and the version of its mapping by which it was read. */
export interface SourceContent {
  readonly version: number;
  readonly partitions: readonly PartitionContent[];
}

/** Digests of a text that comes in batches of whole lines. A piece ends with the line that fills it: where depends on the text alone and
 *  not on the batches. */
export class TextPieces {
  readonly pieces: string[] = [];
  lastAfter: string | null = null;
  private digest = createDigest();
  private filled = 0;

  /** @param size bytes of a piece, at least */
  constructor(private readonly size = pieceSize) {}

  add({ text, cursorAt }: Pick<CopyTextBatch, 'text' | 'cursorAt'>): void {
    let start = 0;
    while (this.filled + text.length - start >= this.size) {
      const end = text.indexOf(newline, start + this.size - this.filled - 1) + 1;
      this.digest.update(text.subarray(start, end));
      this.endPiece();
      this.lastAfter = cursorAt(end);
      start = end;
    }
    this.digest.update(text.subarray(start));
    this.filled += text.length - start;
  }

  /** Called by others where no text comes any more: what came last is a piece too. */
  endPiece(): void {
    this.pieces.push(this.digest.hex().slice(0, hash128Digits));
    this.digest = createDigest();
    this.filled = 0;
  }
}

/** The text of a partition that is being read, from its beginning. */
export class ContentReading {
  private readonly pieces = new TextPieces();
  private isText = false;

  constructor(
    private readonly mapping: MappingRef,
    private readonly partition: Partition,
  ) {}

  add(batch: CopyTextBatch): void {
    this.isText = true;
    this.pieces.add(batch);
  }

  /** @param rows of the whole partition
   *  @returns null where it did not come as text */
  finished(rows: number): SourceContent | null {
    if (!this.isText) return null;
    const { pieces, partition, mapping } = this;
    pieces.endPiece();
    const own = { partition, rows, pieces: pieces.pieces, lastAfter: pieces.lastAfter };
    return { version: mapping.version, partitions: [own] };
  }
}

const readsAs = async (
  batches: AsyncIterable<CopyTextBatch>,
  pieces: readonly string[],
  beat: () => void,
): Promise<boolean> => {
  const found = new TextPieces();
  let compared = 0;
  const differs = (): boolean => {
    for (; compared < found.pieces.length; compared += 1) if (found.pieces[compared] !== pieces[compared]) return true;
    return false;
  };
  for await (const batch of batches) {
    beat();
    found.add(batch);
    if (differs()) return false;
  }
  found.endPiece();
  return !differs() && compared === pieces.length;
};

/** How a source is read again. */
export interface ContentRead {
  readonly readCopyText: Required<SnapshotReader>['readCopyText'];
  readonly request: ReadRequest;
  readonly signal: AbortSignal;
  readonly beat: () => void;
}

/** Whether a source still holds that text. Ends at the first piece that differs; the last one is looked at first, where most new rows
 *  are. */
export const isAsItWas = async (
  { readCopyText, request, signal, beat }: ContentRead,
  { partitions }: SourceContent,
): Promise<boolean> => {
  const read = ({ partition }: PartitionContent, after: string | null): AsyncIterable<CopyTextBatch> =>
    readCopyText(request, partition, after, signal);
  const last = partitions.at(-1);
  try {
    if (last !== undefined && last.lastAfter !== null) {
      if (!(await readsAs(read(last, last.lastAfter), last.pieces.slice(-1), beat))) return false;
    }
    for (const one of partitions) if (!(await readsAs(read(one, null), one.pieces, beat))) return false;
    return true;
  } catch (error) {
    // A partition may be none any more, such as after its key got another type. What is wrong otherwise is told by the read that follows.
    if (error instanceof SyncError && !error.retryable) return false;
    throw error;
  }
};

/** Runs `o` that wrote images since a run `r` began that remembered a source, or may do so at any moment; $2 is the run that asks. */
export const writersSince = `from sync_runs o where o.id <> r.id and o.kind <> 'dry_run' and (o.finished_at is null or o.finished_at > r.started_at)
  and (o.apply_started or o.id <> $2 and (o.kind = 'rollback' or o.finished_at is null
    or coalesce((o.counts #>> '{summary,targetWrites}')::bigint, 1) > 0))`;

/** What a source held when it was read last, if all of that was known then and its images are as they were left; else null. */
export const readContent = async (
  client: PoolClient,
  run: RunRef,
  mapping: MappingRef,
): Promise<SourceContent | null> => {
  const { rows } = await client.query<{ value: string }>(
    `select w.value from watermarks w join sync_runs r on r.id = w.run_id
     where w.mapping_id = $1 and w.kind = 'content' and (w.value::jsonb ->> 'version')::integer >= $3 and not exists (select ${writersSince})`,
    [mapping.id, run.runId, mapping.derivedSince],
  );
  const [found] = rows;
  return found === undefined ? null : (JSON.parse(found.value) as SourceContent);
};
