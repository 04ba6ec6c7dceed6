import type { TargetEntity, WholeFileTarget } from '../connectors/capabilities.js';
import { recreate } from '../database/staging.js';
import { keyOf, type RawRow } from '../domain/rows.js';
import type { RunRef } from '../domain/run.js';
import { CopySink } from '../platform/copy-sink.js';
import type { ActivityDependencies } from './dependencies.js';
import { fenced, type Lease } from './lease.js';

/* A whole file is rewritten by merging it with writes, both in the order of keys (by code point): neither is ever in memory as
   a whole. */

const batch = 2_000;

export type KeyReader = (row: RawRow) => string;

export const keyReaderOf = (target: TargetEntity): KeyReader => {
  const places = target.key.map((column) => target.columns.indexOf(column));
  return (row) => keyOf(places.map((place) => row[place] ?? null)) ?? '';
};

const compare = (left: string, right: string): number => Buffer.compare(Buffer.from(left), Buffer.from(right));

/** One row at a time out of batches, with a look ahead. */
class Ahead<T> {
  private buffer: readonly T[] = [];
  private at = 0;

  constructor(private readonly source: AsyncIterator<readonly T[]>) {}

  async peek(): Promise<T | undefined> {
    while (this.at >= this.buffer.length) {
      const next = await this.source.next();
      if (next.done === true) return undefined;
      [this.buffer, this.at] = [next.value, 0];
    }
    return this.buffer[this.at];
  }

  skip(): void {
    this.at += 1;
  }
}

/** The file as it is, with the writes merged in. `decide` tells what stands under a write's key afterwards (null: nothing);
 *  other rows keep their bytes. `pageDone` is called between pages of what is written. */
export async function* mergedRows<Write extends { readonly key: string }>(
  existing: AsyncIterable<readonly RawRow[]>,
  writes: AsyncIterable<readonly Write[]>,
  keyOfRow: KeyReader,
  decide: (write: Write, row: RawRow | null) => RawRow | null,
  pageDone: () => Promise<void> = async () => undefined,
): AsyncGenerator<readonly RawRow[], void, undefined> {
  const rows = new Ahead(existing[Symbol.asyncIterator]());
  const changes = new Ahead(writes[Symbol.asyncIterator]());
  let page: RawRow[] = [];
  let decided = 0;
  for (;;) {
    const [row, write] = [await rows.peek(), await changes.peek()];
    if (row === undefined && write === undefined) break;
    const order = row === undefined ? 1 : write === undefined ? -1 : compare(keyOfRow(row), write.key);
    if (order < 0 && row !== undefined) {
      page.push(row);
      rows.skip();
    } else if (write !== undefined) {
      const after = decide(write, order === 0 ? (row ?? null) : null);
      decided += 1;
      if (after !== null) page.push(after);
      if (order === 0) rows.skip();
      changes.skip();
    }
    if (page.length < batch && decided < batch) continue;
    if (page.length > 0) yield page;
    await pageDone();
    [page, decided] = [[], 0];
  }
  if (page.length > 0) yield page;
  await pageDone();
}

export interface Rewriting {
  readonly dependencies: ActivityDependencies;
  readonly run: RunRef;
  readonly lease: Lease;
  readonly file: WholeFileTarget;
  readonly target: TargetEntity;
  /** A staging table for a file that others reordered. */
  readonly table: string;
}

/** The rows of a file in the order of keys: as they stand, or, where others reordered it, sorted in staging. */
export async function* existingRows(rewriting: Rewriting): AsyncGenerator<readonly RawRow[], void, undefined> {
  const { dependencies, run, lease, file, target, table } = rewriting;
  const keyOfRow = keyReaderOf(target);
  if (await isSorted(file, target, keyOfRow)) {
    yield* file.readWhole(target);
    return;
  }
  await fenced(
    dependencies.hub,
    lease,
    async (client) => {
      await recreate(
        client,
        table,
        'place bigint generated always as identity, key text collate "C" not null, row text not null',
      );
      const sink = new CopySink(client, `copy ${table} (key, row) from stdin`);
      try {
        for await (const rows of file.readWhole(target)) {
          for (const row of rows) await sink.add([keyOfRow(row), JSON.stringify(row)]);
        }
      } catch (error) {
        sink.abandon();
        throw error;
      }
      await sink.finish();
      await client.query(`create index on ${table} (key, place)`);
    },
    'bulk',
  );
  let [key, place] = ['', '0'];
  for (;;) {
    const page = await dependencies.hub.read(run.institutionId, async (client) => {
      const { rows } = await client.query<{ key: string; place: string; row: string }>(
        `select key, place::text, row from ${table} where (key, place) > ($1, $2::bigint) order by key, place limit ${batch}`,
        [key, place],
      );
      return rows;
    });
    const last = page.at(-1);
    if (last === undefined) return;
    [key, place] = [last.key, last.place];
    yield page.map(({ row }) => JSON.parse(row) as RawRow);
  }
}

const isSorted = async (file: WholeFileTarget, target: TargetEntity, keyOfRow: KeyReader): Promise<boolean> => {
  let last: string | null = null;
  for await (const rows of file.readWhole(target)) {
    for (const row of rows) {
      const key = keyOfRow(row);
      if (last !== null && compare(last, key) >= 0) return false;
      last = key;
    }
  }
  return true;
};
