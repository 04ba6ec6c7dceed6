import fc from 'fast-check';
import { isAsItWas, TextPieces, type SourceContent } from '../../activities/source-content.js';
import type { CopyTextBatch, Partition } from '../../connectors/capabilities.js';
import { SyncError } from '../../domain/errors.js';

const size = 16;
const lines = fc.array(
  fc.string({ maxLength: 12 }).map((text) => `${text.replaceAll('\n', ' ')}\n`),
  { maxLength: 30 },
);

/** Batches of so many lines each, over and over; the cursor is the number of lines before a place. */
const batchesOf = (text: readonly string[], sizes: readonly number[], after = 0): CopyTextBatch[] => {
  const batches: CopyTextBatch[] = [];
  for (let at = after, turn = 0; at < text.length; turn += 1) {
    const own = text.slice(at, at + (sizes[turn % sizes.length] ?? 1));
    const start = at;
    const cursorAt = (end: number): string => {
      const before = Buffer.from(own.join('')).toString('utf8', 0, end);
      return String(start + before.split('\n').length - 1);
    };
    at += own.length;
    batches.push({ text: Buffer.from(own.join('')), cursor: String(at), cursorAt });
  }
  return batches;
};

const piecesOf = (batches: readonly CopyTextBatch[]): TextPieces => {
  const read = new TextPieces(size);
  for (const batch of batches) read.add(batch);
  read.endPiece();
  return read;
};

const sizes = fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 5 });

test('the pieces of a text do not depend on how it comes, and the last can be read alone', () => {
  fc.assert(
    fc.property(lines, sizes, sizes, (text, some, others) => {
      const read = piecesOf(batchesOf(text, some));
      const again = piecesOf(batchesOf(text, others));
      expect([again.pieces, again.lastAfter]).toEqual([read.pieces, read.lastAfter]);
      const last = piecesOf(batchesOf(text, others, Number(read.lastAfter ?? 0)));
      expect(last.pieces).toEqual(read.pieces.slice(-1));
    }),
  );
});

const partitionOf = (ordinal: number): Partition => ({
  ordinal,
  from: null,
  to: null,
  keysAreUnique: true,
  estimatedRows: 0,
});

/** What `isAsItWas` says of partitions that hold other texts by now, in pieces as large as they are in earnest. */
const isAsIt = async (
  then: readonly (readonly string[])[],
  now: readonly (readonly string[])[],
  fails: 'source_schema_changed' | 'source_unreachable' | null = null,
): Promise<{ same: boolean; lines: number }> => {
  const content: SourceContent = {
    version: 1,
    partitions: then.map((text, ordinal) => {
      const read = new TextPieces();
      for (const batch of batchesOf(text, [1_000])) read.add(batch);
      read.endPiece();
      return { partition: partitionOf(ordinal), rows: text.length, pieces: read.pieces, lastAfter: read.lastAfter };
    }),
  };
  let count = 0;
  const readCopyText = async function* (_: unknown, { ordinal }: Partition, after: string | null) {
    await Promise.resolve();
    if (fails !== null) throw new SyncError(fails, 'it says');
    for (const batch of batchesOf(now[ordinal] ?? [], [700], Number(after ?? 0))) {
      count += batch.text.toString('utf8').split('\n').length - 1;
      yield batch;
    }
  };
  const request = { entity: 'people', columns: [], key: [] };
  const signal = new AbortController().signal;
  const same = await isAsItWas({ readCopyText, request, signal, beat: () => undefined }, content);
  return { same, lines: count };
};

describe('a source whose text is compared', () => {
  const row = (place: number): string => `${String(place)}\t${'x'.repeat(1_000)}\n`;
  const rows = (from: number, to: number): string[] =>
    Array.from({ length: to - from }, (_, place) => row(from + place));
  const [first, second] = [rows(0, 5_000), rows(5_000, 10_000)];

  it('is as it was where every partition is', async () => {
    expect((await isAsIt([first, second], [first, second])).same).toBe(true);
    expect((await isAsIt([[], second], [[], second])).same).toBe(true);
  });

  it('is not where a row is changed, gone or new, wherever it stands', async () => {
    const changed = [...first.slice(0, 4_999), 'another\n'];
    for (const now of [changed, first.slice(1), first.slice(0, -1), [...first, row(9)], []]) {
      expect((await isAsIt([first, second], [now, second])).same).toBe(false);
      expect((await isAsIt([second, first], [second, now])).same).toBe(false);
    }
  });

  it('is read no further than it has to: its end first, then to the piece that differs', async () => {
    const appended = await isAsIt([first, second], [first, [...second, row(10_000)]]);
    expect(appended.same).toBe(false);
    expect(appended.lines).toBeLessThan(2_000);
    const begun = await isAsIt([first, second], [['another\n', ...first], second]);
    expect(begun.same).toBe(false);
    expect(begun.lines).toBeLessThan(7_000);
  });

  it('is another where a partition of it cannot be read any more', async () => {
    expect(await isAsIt([first], [first], 'source_schema_changed')).toEqual({ same: false, lines: 0 });
  });

  it('is read again later where it cannot be reached', async () => {
    await expect(isAsIt([first], [first], 'source_unreachable')).rejects.toMatchObject({ code: 'source_unreachable' });
  });
});
