import type { PoolClient } from 'pg';
import type { RunRef } from '../domain/run.js';
import { copyOutLines } from '../platform/copy.js';
import type { MappingRef } from './context.js';

/** A hash of a row as three numbers of 32 bits, of its first 96: two rows of a billion billions would be taken for one. */
const words = 3;
const wordOf = (hash: string, word: number): number => {
  if (word === 0) return Number.parseInt(hash.slice(0, 8), 16);
  if (word === 1) return Number.parseInt(hash.slice(9, 13) + hash.slice(14, 18), 16);
  return Number.parseInt(hash.slice(19, 23) + hash.slice(24, 28), 16);
};

/** Rows that a source had when it was last read, by the hashes of their images, in 30 bytes a row: a read that finds one of them
 *  again need not stage it, and those that it did not find are missing or changed. */
export class KnownRows {
  private readonly hashes: Uint32Array;
  /** Ids of images: 0 where there is none, negative where the row was seen. */
  private readonly ids: Float64Array;

  /** Images whose rows could not be known again if they came. */
  private readonly others: number[] = [];

  /** @param most how many rows there may be */
  constructor(most: number) {
    const places = Math.ceil(most * 1.5) + 1;
    this.hashes = new Uint32Array(places * words);
    this.ids = new Float64Array(places);
  }

  /** @param hash null: the row has to be looked at however it comes */
  add(id: number, hash: string | null): void {
    if (hash === null) {
      this.others.push(id);
      return;
    }
    const [first, second, third] = [wordOf(hash, 0), wordOf(hash, 1), wordOf(hash, 2)];
    let place = first % this.ids.length;
    while (this.ids[place] !== 0) place = (place + 1) % this.ids.length;
    this.ids[place] = id;
    this.hashes.set([first, second, third], place * words);
  }

  /** Whether the row is known; it counts as seen from then on. */
  see(hash: string): boolean {
    const { ids, hashes } = this;
    const [first, second, third] = [wordOf(hash, 0), wordOf(hash, 1), wordOf(hash, 2)];
    let found = false;
    for (let place = first % ids.length; ids[place] !== 0; place = (place + 1) % ids.length) {
      const at = place * words;
      if (hashes[at] !== first || hashes[at + 1] !== second || hashes[at + 2] !== third) continue;
      ids[place] = -Math.abs(ids[place] ?? 0);
      found = true;
    }
    return found;
  }

  /** Ids of the images whose rows were not seen. */
  *unseen(): Generator<number, void, undefined> {
    for (const id of this.ids) if (id > 0) yield id;
    yield* this.others;
  }
}

/** Beyond this the worker would need more memory than it is to have: all rows are staged then. */
const mostKnown = 2_000_000;

/** The live rows of a mapping, those that were read under another version of it or by this very run (which starts over) as rows to
 *  be looked at again; null where they are too many. */
export const loadKnownRows = async (
  client: PoolClient,
  run: RunRef,
  mapping: MappingRef,
  signal: AbortSignal | undefined,
): Promise<KnownRows | null> => {
  const runId = BigInt(run.runId);
  const live = `from record_images where mapping_id = ${mapping.id} and main and raw_hash is not null and read_run is not null
    and (deleted_run is null or deleted_run = ${runId})`;
  const { rows } = await client.query<{ count: string }>(
    `select count(*) from (select 1 ${live} limit ${mostKnown + 1}) x`,
  );
  const count = Number(rows[0]?.count ?? 0);
  if (count > mostKnown) return null;
  const known = new KnownRows(count);
  const hash = `case when mapping_version = ${mapping.version} and deleted_run is null and read_run <> ${runId} then raw_hash end`;
  for await (const lines of copyOutLines(client, `copy (select id, ${hash} ${live}) to stdout`, { signal })) {
    for (const line of lines) {
      const tab = line.indexOf('\t');
      const told = line.slice(tab + 1);
      known.add(Number(line.slice(0, tab)), told === '\\N' ? null : told);
    }
  }
  return known;
};
