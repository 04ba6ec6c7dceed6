import type { TargetEntity, WholeFileTarget } from '../connectors/capabilities.js';
import { keyOf, type RawRow } from '../domain/rows.js';
import { asFileRow, hashOfRow } from './projecting.js';

/** One row to set in a file: what must stand under the key (null: nothing), and what then stands there (null: nothing). */
export interface FileRowWrite {
  readonly key: string;
  readonly expectedHash: string | null;
  readonly row: RawRow | null;
}

export interface FileRowOutcome {
  readonly status: 'written' | 'already' | 'origin_differs';
  readonly actual: RawRow | null;
}

const batch = 2_000;

/** Merges a page of writes into a file in the order of keys (by code point) and swaps the whole in. Rows that are not among
 *  them keep their bytes; a row that is not what was expected is left alone. */
export const mergeIntoFile = async (
  file: WholeFileTarget,
  target: TargetEntity,
  writes: readonly FileRowWrite[],
): Promise<FileRowOutcome[]> => {
  for (;;) {
    const before = await file.currentDigest(target);
    const merging = new FileMerge(target, writes);
    const swapped = await file.replaceWhole(target, merging.rows(file.readWhole(target)), before);
    if (!('differs' in swapped)) return merging.outcomes();
  }
};

class FileMerge {
  private readonly found = new Map<string, FileRowOutcome>();
  private readonly waiting: Map<string, FileRowWrite>;
  private readonly inserts: FileRowWrite[];
  private readonly places: readonly number[];

  constructor(
    target: TargetEntity,
    private readonly writes: readonly FileRowWrite[],
  ) {
    this.waiting = new Map(writes.map((write) => [write.key, write]));
    this.inserts = writes
      .filter(({ row }) => row !== null)
      .sort((left, right) => Buffer.compare(Buffer.from(left.key), Buffer.from(right.key)));
    this.places = target.key.map((column) => target.columns.indexOf(column));
  }

  outcomes(): FileRowOutcome[] {
    return this.writes.map(({ key }) => this.found.get(key) ?? { status: 'already', actual: null });
  }

  async *rows(existing: AsyncIterable<readonly RawRow[]>): AsyncGenerator<readonly RawRow[], void, undefined> {
    let page: RawRow[] = [];
    for await (const rows of existing) {
      for (const row of rows) {
        const key = keyOf(this.places.map((place) => row[place] ?? null)) ?? '';
        page.push(...this.insertedBefore(key));
        const kept = this.decide(key, row);
        if (kept !== null) page.push(kept);
      }
      if (page.length >= batch) {
        yield page;
        page = [];
      }
    }
    page.push(...this.insertedBefore(null));
    if (page.length > 0) yield page;
  }

  /** New rows that belong before a key. A row that stands in the file already is decided when it comes. */
  private insertedBefore(key: string | null): RawRow[] {
    const rows: RawRow[] = [];
    for (;;) {
      const [next] = this.inserts;
      if (next === undefined || (key !== null && Buffer.compare(Buffer.from(next.key), Buffer.from(key)) >= 0))
        return rows;
      this.inserts.shift();
      if (this.found.has(next.key) || !this.waiting.has(next.key)) continue;
      const expected = next.expectedHash === null;
      this.found.set(next.key, { status: expected ? 'written' : 'origin_differs', actual: null });
      if (expected && next.row !== null) rows.push(next.row);
    }
  }

  private decide(key: string, row: RawRow): RawRow | null {
    const write = this.waiting.get(key);
    if (write === undefined) return row;
    const actual = asFileRow(row);
    const hash = hashOfRow(actual);
    if (write.row !== null && hash === hashOfRow(write.row)) {
      this.found.set(key, { status: 'already', actual });
      return row;
    }
    const matches = hash === write.expectedHash;
    this.found.set(key, { status: matches ? 'written' : 'origin_differs', actual });
    return matches ? write.row : row;
  }
}
