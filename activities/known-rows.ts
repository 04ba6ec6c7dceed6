import type { PoolClient } from 'pg';
import type { RunRef } from '../domain/run.js';
import { copyOutBytes } from '../platform/copy.js';
import { hashLanes } from '../platform/hash.js';
import type { MappingRef } from './context.js';

/** A hash of a row is kept as three numbers of 32 bits, its first 96: two rows of a billion billions would be taken for one. */
const lanes = 3;
const blockRows = 65_536;

/** Rows as they come: hashes, and ids of images, negative where the row was seen. */
interface Block {
  readonly hashes: Uint32Array;
  readonly ids: Float64Array;
}

/** Rows that a source had when it was last read, by the hashes of their images, in about 28 bytes a row: a read that finds one of them
 *  again need not stage it, and those that it did not find are missing or changed. */
export class KnownRows {
  private readonly blocks: Block[] = [];
  private count = 0;
  /** Places, one more each, by hash; a power of two of them. */
  private index = new Uint32Array(blockRows);
  /** The place after that of the row that was found last: many come in the order in which their images were made. */
  private next = 0;
  private readonly sought = new Uint32Array(lanes);

  /** Images whose rows could not be known again if they came. */
  private readonly others: number[] = [];

  get size(): number {
    return this.count + this.others.length;
  }

  /** Takes lines of COPY text: the id of an image, and its hash; without one, the row has to be looked at however it comes. */
  addText(text: Buffer): void {
    for (let at = 0; at < text.length; at += 1) {
      let id = 0;
      for (; text[at] !== tab; at += 1) id = id * 10 + (text[at] ?? zero) - zero;
      at += 1;
      if (text[at] === backslash) {
        this.others.push(id);
        at += 2;
      } else {
        this.add(id, text, at);
        at += uuidLength;
      }
    }
  }

  private add(id: number, text: Buffer, at: number): void {
    const within = this.count % blockRows;
    if (within === 0)
      this.blocks.push({ hashes: new Uint32Array(blockRows * lanes), ids: new Float64Array(blockRows) });
    const block = this.blocks[this.blocks.length - 1];
    if (block === undefined) return;
    block.ids[within] = id;
    for (let lane = 0; lane < lanes; lane += 1) block.hashes[within * lanes + lane] = laneOf(text, at, lane);
    this.count += 1;
    if (this.count * 1.5 > this.index.length) this.grow();
    else this.enter(this.count - 1);
  }

  private grow(): void {
    this.index = new Uint32Array(this.index.length * 2);
    for (let place = 0; place < this.count; place += 1) this.enter(place);
  }

  private enter(place: number): void {
    const { index } = this;
    let slot =
      (this.blocks[Math.floor(place / blockRows)]?.hashes[(place % blockRows) * lanes] ?? 0) & (index.length - 1);
    while (index[slot] !== 0) slot = (slot + 1) & (index.length - 1);
    index[slot] = place + 1;
  }

  /** Whether a row is known, by what is hashed of it; it counts as seen from then on. */
  see(row: Buffer): boolean {
    hashLanes(row, this.sought);
    const place = this.isAt(this.next) ? this.next : this.find();
    if (place < 0) return false;
    const ids = this.blocks[Math.floor(place / blockRows)]?.ids;
    if (ids !== undefined) ids[place % blockRows] = -Math.abs(ids[place % blockRows] ?? 0);
    this.next = place + 1;
    return true;
  }

  private isAt(place: number): boolean {
    const { sought } = this;
    const hashes = this.blocks[Math.floor(place / blockRows)]?.hashes;
    if (hashes === undefined || place >= this.count) return false;
    const at = (place % blockRows) * lanes;
    return hashes[at] === sought[0] && hashes[at + 1] === sought[1] && hashes[at + 2] === sought[2];
  }

  private find(): number {
    const { index, sought } = this;
    for (let slot = (sought[0] ?? 0) & (index.length - 1); ; slot = (slot + 1) & (index.length - 1)) {
      const place = (index[slot] ?? 0) - 1;
      if (place < 0 || this.isAt(place)) return place;
    }
  }

  /** Ids of the images whose rows were not seen. */
  *unseen(): Generator<number, void, undefined> {
    for (const { ids } of this.blocks) for (const id of ids) if (id > 0) yield id;
    yield* this.others;
  }
}

const tab = 0x09;
const backslash = 0x5c;
const zero = 0x30;
const uuidLength = 36;

/** Where the hexadecimal digits of the lanes stand in a uuid. */
const digitPlaces = [
  [0, 1, 2, 3, 4, 5, 6, 7],
  [9, 10, 11, 12, 14, 15, 16, 17],
  [19, 20, 21, 22, 24, 25, 26, 27],
] as const;

const laneOf = (text: Buffer, at: number, lane: number): number => {
  let value = 0;
  for (const place of digitPlaces[lane] ?? []) {
    const digit = text[at + place] ?? zero;
    // A letter is of the second half of ASCII, and nine beyond its last four bits.
    value = (value << 4) | (digit < 0x40 ? digit & 15 : (digit & 15) + 9);
  }
  return value >>> 0;
};

/** Beyond this the worker would need more memory than it is to have: all rows are staged then. */
const mostKnown = 2_000_000;

/** The live rows of a mapping, those that were read under a version of it that derived otherwise or by this very run (which starts over)
 *  as rows to be looked at again; null where they are too many. */
export const loadKnownRows = async (
  client: PoolClient,
  run: RunRef,
  mapping: MappingRef,
  signal: AbortSignal | undefined,
): Promise<KnownRows | null> => {
  const runId = BigInt(run.runId);
  const known = new KnownRows();
  const hash = `case when mapping_version >= ${mapping.derivedSince} and deleted_run is null and read_run <> ${runId} then raw_hash end`;
  const sql = `copy (select id, ${hash} from record_images
    where mapping_id = ${mapping.id} and main and raw_hash is not null and read_run is not null
      and (deleted_run is null or deleted_run = ${runId}) limit ${mostKnown + 1}) to stdout`;
  // Most of the table: it is read as it lies, and by an index only where the mapping has few of its rows.
  await client.query('set local random_page_cost = 4');
  for await (const text of copyOutBytes(client, sql, { signal })) known.addText(text);
  return known.size > mostKnown ? null : known;
};
