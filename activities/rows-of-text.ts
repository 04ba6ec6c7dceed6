import { GrowingNumbers } from '../platform/growing-numbers.js';

/** A hash of a row is kept as three numbers of 32 bits, its first 96: two rows of a billion billions would be taken for one. */
export const rowLanes = 3;
/** Of the digest of a group of lines its first 128 bits. */
export const digestLanes = 4;
/** Rows of a block; the last one may have fewer. */
export const blockRows = 16_384;

const lane = 4;
const headerLanes = 4;
/** What a full block takes in most cases: two numbers of a row are enough for what is told of groups. */
const blockBytes = blockRows * ((rowLanes + 2) * lane + Float64Array.BYTES_PER_ELEMENT);
/** How numbers lie in the bytes: read on a machine of another kind, it is another number. */
const mark = 0x0102_0301;

/** Rows in the order of a text: of each its hash and the id of its image (0: none is known to have it), and of each group of lines its
 *  digest and how many rows it has. Rows after the last group are in no text. */
export interface StoredRows {
  readonly rows: number;
  readonly ids: Float64Array;
  readonly hashes: Uint32Array;
  readonly digests: Uint32Array;
  readonly sizes: Uint32Array;
}

/** Reads a block, with room for as many rows as a block has; null where it was made on a machine that puts bytes in another order. */
export const readBlock = (bytes: Buffer): StoredRows | null => {
  let at = 0;
  const fill = <Numbers extends Uint32Array | Float64Array>(numbers: Numbers, count: number): Numbers => {
    const size = count * numbers.BYTES_PER_ELEMENT;
    bytes.copy(new Uint8Array(numbers.buffer), 0, at, at + size);
    at += size;
    return numbers;
  };
  const [marked, rows = 0, groups = 0] = fill(new Uint32Array(headerLanes), headerLanes);
  if (marked !== mark || rows > blockRows) return null;
  return {
    rows,
    ids: fill(new Float64Array(blockRows), rows),
    hashes: fill(new Uint32Array(blockRows * rowLanes), rows * rowLanes),
    digests: fill(new Uint32Array(groups * digestLanes), groups * digestLanes),
    sizes: fill(new Uint32Array(groups), groups),
  };
};

/** Takes the rows of a text in their order and makes blocks of them, in about 22 bytes a row. */
export class RowsOfText {
  private readonly ids = new Float64Array(blockRows);
  private readonly hashes = new Uint32Array(blockRows * rowLanes);
  private count = 0;
  private readonly digests = new GrowingNumbers();
  private readonly sizes = new GrowingNumbers();
  /** Rows of the group that has not ended. */
  private begun = 0;
  private full: Buffer[] = [];
  /** Memory of blocks that were stored. */
  private readonly spare: Buffer[] = [];

  /** A row, of whose hash the first numbers are at a place. */
  addFrom(hashes: Uint32Array, at: number, id: number): void {
    const to = this.count * rowLanes;
    this.hashes[to] = hashes[at] ?? 0;
    this.hashes[to + 1] = hashes[at + 1] ?? 0;
    this.hashes[to + 2] = hashes[at + 2] ?? 0;
    this.ids[this.count] = id;
    this.count += 1;
    this.begun += 1;
    if (this.count === blockRows) this.endBlock();
  }

  /** The rows since the group before are those of a group. */
  endGroup(digest: Uint32Array): void {
    this.digests.addAll(digest);
    this.sizes.add(this.begun);
    this.begun = 0;
  }

  /** The rest is a block, too, be it empty. */
  endBlock(): void {
    const rows = this.count;
    const [digests, sizes] = [this.digests.look(), this.sizes.look()];
    const numbers = headerLanes + rows * rowLanes + digests.length + sizes.length;
    const size = numbers * lane + rows * Float64Array.BYTES_PER_ELEMENT;
    const spare = this.spare.pop();
    const memory =
      spare !== undefined && spare.length >= size ? spare : Buffer.allocUnsafeSlow(Math.max(size, blockBytes));
    const bytes = memory.subarray(0, size);
    let at = 0;
    const put = (part: Uint32Array | Float64Array): void => {
      bytes.set(new Uint8Array(part.buffer, part.byteOffset, part.byteLength), at);
      at += part.byteLength;
    };
    put(Uint32Array.of(mark, rows, sizes.length, 0));
    put(this.ids.subarray(0, rows));
    put(this.hashes.subarray(0, rows * rowLanes));
    put(digests);
    put(sizes);
    this.full.push(bytes);
    this.count = 0;
    this.digests.clear();
    this.sizes.clear();
  }

  /** Takes the blocks that are full. */
  takeBlocks(): readonly Buffer[] {
    const { full } = this;
    if (full.length > 0) this.full = [];
    return full;
  }

  /** Gives back the memory of a block that was taken. */
  giveBack(block: Buffer): void {
    this.spare.push(Buffer.from(block.buffer));
  }
}
