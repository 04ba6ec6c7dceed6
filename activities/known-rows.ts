import type { PoolClient } from 'pg';
import type { RunRef } from '../domain/run.js';
import { copyOutBytes } from '../platform/copy.js';
import { GrowingNumbers } from '../platform/growing-numbers.js';
import { hashLanes } from '../platform/hash.js';
import type { InstitutionContext, MappingRef } from './context.js';
import { isOfSource } from './known-source.js';
import { blockRows, digestLanes, readBlock, rowLanes, type RowsOfText } from './rows-of-text.js';

/** Rows as they come: hashes, and ids of images, negative where the row was seen, 0 where no image is known to have it. A hash of
 *  nothing but zeros is that of a row that has to be looked at however it comes. */
interface Block {
  readonly hashes: Uint32Array;
  readonly ids: Float64Array;
}

/** Rows that a source had when it was last read, by the hashes of their images, in about 28 bytes a row: a read that finds one of them
 *  again need not stage it, and those that it did not find are missing or changed. Where it is remembered which lines they were, groups of
 *  lines are found again as a whole. */
export class KnownRows {
  private readonly blocks: Block[] = [];
  private count = 0;
  /** Places, one more each, by hash, with some room between them. */
  private index = new Uint32Array(0);
  private indexed = 0;
  /** The place after that of the row that was found last: many come in the order in which their images were made. */
  private next = 0;
  /** The hash of the row that was looked for last. */
  readonly sought = new Uint32Array(rowLanes);

  private readonly digests = new GrowingNumbers();
  /** The places where groups end: the next one begins there. */
  private readonly ends = new GrowingNumbers();
  private groupIndex = new Uint32Array(0);
  private nextGroup = 0;
  /** The digest of the group that was looked for last. */
  readonly soughtGroup = new Uint32Array(digestLanes);

  get size(): number {
    return this.count;
  }

  /** Takes lines of COPY text: the id of an image, and its hash; without one, the row has to be looked at however it comes. */
  addText(text: Buffer): void {
    readImages(text, (id, hash) => {
      if (hash !== null) this.add(id, hash);
    });
  }

  /** Takes what `RowsOfText` made of the rows that follow. False where it was made on another kind of machine. */
  addBlock(bytes: Buffer): boolean {
    const block = readBlock(bytes);
    if (block === null || this.count % blockRows !== 0) return false;
    if (block.rows > 0) this.blocks.push(block);
    this.count += block.rows;
    this.digests.addAll(block.digests);
    for (const rows of block.sizes) this.ends.add(this.endOf(this.ends.size - 1) + rows);
    return true;
  }

  private add(id: number, hash: Uint32Array): void {
    const within = this.count % blockRows;
    if (within === 0)
      this.blocks.push({ hashes: new Uint32Array(blockRows * rowLanes), ids: new Float64Array(blockRows) });
    const block = this.blocks[this.blocks.length - 1];
    if (block === undefined) return;
    block.ids[within] = id;
    block.hashes.set(hash, within * rowLanes);
    this.count += 1;
  }

  /** Makes ready for looking up rows. Whoever looks one up does it, where it was not done. */
  makeIndex(): void {
    if (this.indexed === this.count && this.index.length > 0) return;
    if (this.count * leastRoom > this.index.length) {
      this.index = new Uint32Array(Math.ceil(Math.max(this.count, blockRows) * room));
      this.indexed = 0;
    }
    const { index } = this;
    for (; this.indexed < this.count; this.indexed += 1) {
      const place = this.indexed;
      const hashes = this.hashesAt(place);
      const at = (place % blockRows) * rowLanes;
      const first = hashes[at] ?? 0;
      if (first === 0 && hashes[at + 1] === 0 && hashes[at + 2] === 0) continue;
      let slot = slotOf(first, index);
      while (index[slot] !== 0) slot = slotAfter(slot, index);
      index[slot] = place + 1;
    }
  }

  /** What became of images since the rows were remembered, as `addText` takes it; `-` instead of a hash: it is there no longer.
   *  @returns how many have a row that was not among them */
  correct(texts: readonly Buffer[]): number {
    const touched = new Set<number>();
    for (const text of texts) readImages(text, (id) => touched.add(id));
    if (touched.size === 0) return 0;
    const before = this.count;
    for (const { ids } of this.blocks)
      for (let place = 0; place < ids.length; place += 1) if (touched.has(ids[place] ?? 0)) ids[place] = 0;
    for (const text of texts)
      readImages(text, (id, hash) => {
        if (hash === null) return;
        this.sought.set(hash);
        const place = isNone(hash) ? -1 : this.find(true);
        if (place < 0) this.add(id, hash);
        else this.setId(place, id);
      });
    return this.count - before;
  }

  /** Whether a row is known, by what is hashed of it; it counts as seen from then on. @returns the id of its image, or 0 */
  see(row: Buffer): number {
    hashLanes(row, this.sought);
    const place = this.isAt(this.next) && this.idAt(this.next) !== 0 ? this.next : this.find(false);
    if (place < 0) return 0;
    const id = Math.abs(this.idAt(place));
    this.setId(place, -id);
    this.next = place + 1;
    return id;
  }

  /** Whether all lines of a text are those of a known group; its rows count as seen from then on, and are added to `into`.
   *  @returns how many there are, or 0 */
  seeGroup(text: Buffer, into: RowsOfText | null): number {
    hashLanes(text, this.soughtGroup);
    const group = this.isGroup(this.nextGroup) ? this.nextGroup : this.findGroup();
    if (group < 0) return 0;
    const [from, to] = [this.endOf(group - 1), this.endOf(group)];
    this.nextGroup = group + 1;
    for (let place = from; place < to; place += 1) if (this.idAt(place) === 0) return 0;
    for (let place = from; place < to; place += 1) {
      const id = Math.abs(this.idAt(place));
      this.setId(place, -id);
      into?.addFrom(this.hashesAt(place), (place % blockRows) * rowLanes, id);
    }
    into?.endGroup(this.soughtGroup);
    this.next = to;
    return to - from;
  }

  private hashesAt(place: number): Uint32Array {
    return this.blocks[Math.floor(place / blockRows)]?.hashes ?? none;
  }

  private idAt(place: number): number {
    return this.blocks[Math.floor(place / blockRows)]?.ids[place % blockRows] ?? 0;
  }

  private setId(place: number, id: number): void {
    const block = this.blocks[Math.floor(place / blockRows)];
    if (block !== undefined) block.ids[place % blockRows] = id;
  }

  /** Where the group before the first one ends as well. */
  private endOf(group: number): number {
    return group < 0 ? 0 : this.ends.at(group);
  }

  private isAt(place: number): boolean {
    if (place >= this.count) return false;
    const { sought } = this;
    const hashes = this.hashesAt(place);
    const at = (place % blockRows) * rowLanes;
    return hashes[at] === sought[0] && hashes[at + 1] === sought[1] && hashes[at + 2] === sought[2];
  }

  /** The place of the row that is sought, among those that an image has, or (`open`) that none has; -1: there is none. */
  private find(open: boolean): number {
    this.makeIndex();
    const { index, sought } = this;
    for (let slot = slotOf(sought[0] ?? 0, index); ; slot = slotAfter(slot, index)) {
      const place = (index[slot] ?? 0) - 1;
      if (place < 0 || (this.isAt(place) && (this.idAt(place) === 0) === open)) return place;
    }
  }

  private isGroup(group: number): boolean {
    if (group >= this.ends.size) return false;
    for (let lane = 0; lane < digestLanes; lane += 1)
      if (this.digests.at(group * digestLanes + lane) !== this.soughtGroup[lane]) return false;
    return true;
  }

  private findGroup(): number {
    const groups = this.ends.size;
    if (this.groupIndex.length === 0) {
      const made = new Uint32Array(powerOfTwo(groups * 1.5 + 1));
      for (let group = 0; group < groups; group += 1) {
        let slot = this.digests.at(group * digestLanes) & (made.length - 1);
        while (made[slot] !== 0) slot = (slot + 1) & (made.length - 1);
        made[slot] = group + 1;
      }
      this.groupIndex = made;
    }
    const { groupIndex } = this;
    for (
      let slot = (this.soughtGroup[0] ?? 0) & (groupIndex.length - 1);
      ;
      slot = (slot + 1) & (groupIndex.length - 1)
    ) {
      const group = (groupIndex[slot] ?? 0) - 1;
      if (group < 0 || this.isGroup(group)) return group;
    }
  }

  /** Ids of the images whose rows were not seen. */
  *unseen(): Generator<number, void, undefined> {
    for (const { ids } of this.blocks) for (const id of ids) if (id > 0) yield id;
  }

  /** Adds the rows that were not seen, which are in no group of the text. */
  addUnseen(into: RowsOfText): void {
    for (const { hashes, ids } of this.blocks)
      for (let within = 0; within < ids.length; within += 1) {
        const id = ids[within] ?? 0;
        if (id > 0) into.addFrom(hashes, within * rowLanes, id);
      }
  }
}

const none = new Uint32Array(rowLanes);

/** Slots of an index for each row: when it is made, and at least. Most rows are found without it. */
const room = 1.35;
const leastRoom = 1.15;

/** Where an index has what begins with a number, or after that. */
const slotOf = (first: number, index: Uint32Array): number => Math.floor((first / 0x1_0000_0000) * index.length);

const slotAfter = (slot: number, index: Uint32Array): number => (slot + 1 < index.length ? slot + 1 : 0);

const powerOfTwo = (least: number): number => 2 ** Math.ceil(Math.log2(Math.max(least, 2)));

const isNone = (hash: Uint32Array): boolean => hash[0] === 0 && hash[1] === 0 && hash[2] === 0;

const tab = 0x09;
const backslash = 0x5c;
const zero = 0x30;
const hyphen = 0x2d;
const uuidLength = 36;
const found = new Uint32Array(rowLanes);

/** Reads lines of COPY text: ids of images, and their hashes; zeros where there is `\N`, null where there is `-`. */
const readImages = (text: Buffer, take: (id: number, hash: Uint32Array | null) => void): void => {
  for (let at = 0; at < text.length; at += 1) {
    let id = 0;
    for (; text[at] !== tab; at += 1) id = id * 10 + (text[at] ?? zero) - zero;
    at += 1;
    if (text[at] === hyphen) {
      take(id, null);
      at += 1;
    } else if (text[at] === backslash) {
      take(id, none);
      at += 2;
    } else {
      for (let lane = 0; lane < rowLanes; lane += 1) found[lane] = laneOf(text, at, lane);
      take(id, found);
      at += uuidLength;
    }
  }
};

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
export const mostKnown = 2_000_000;

/** How known rows are loaded. */
export interface Loading {
  readonly signal: AbortSignal | undefined;
  /** At most so many. */
  readonly most: number;
}

/** Images of a mapping that stand for rows of its source; those that this run took away as well, since it may start over. */
const standing = (runId: bigint, ofSource: string): string =>
  `i.main and i.raw_hash is not null and ${ofSource} and (i.deleted_run is null or i.deleted_run = ${runId})`;

/** The hash by which the row of an image is known again: none where it was read under a version of its mapping that derived otherwise, or
 *  by this very run. */
const knownHash = (runId: bigint, mapping: MappingRef): string =>
  `case when i.mapping_version >= ${mapping.derivedSince} and i.deleted_run is null and i.read_run is distinct from ${runId} then i.raw_hash end`;

/** What became of images that runs wrote, as `KnownRows.correct` takes it; a line more than `most` where there are more.
 *  @param touched a query of their ids */
export const touchedImages = (run: RunRef, mapping: MappingRef, touched: string, most: number): string => {
  const runId = BigInt(run.runId);
  return `with touched as materialized (select id from (${touched}) x limit ${most + 1})
    select t.id, case when i.id is null then '-' else (${knownHash(runId, mapping)})::text end
    from touched t left join record_images i on i.id = t.id and i.mapping_id = ${mapping.id} and ${standing(runId, 'i.read_run is not null')}`;
};

/** The live rows of a mapping, those that were read under a version of it that derived otherwise or by this very run (which starts over)
 *  as rows to be looked at again; null where they are too many. */
export const loadKnownRows = async (
  client: PoolClient,
  run: RunRef,
  context: InstitutionContext,
  mapping: MappingRef,
  { signal, most }: Loading,
): Promise<KnownRows | null> => {
  const runId = BigInt(run.runId);
  const known = new KnownRows();
  const sql = `copy (select i.id, ${knownHash(runId, mapping)} from record_images i
    where i.mapping_id = ${mapping.id} and ${standing(runId, isOfSource(context, mapping))} limit ${most + 1}) to stdout`;
  // Most of the table: it is read as it lies, and by an index only where the mapping has few of its rows.
  await client.query('set local random_page_cost = 4');
  for await (const text of copyOutBytes(client, sql, { signal })) known.addText(text);
  return known.size > most ? null : known;
};
