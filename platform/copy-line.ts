const tab = 0x09;
const newline = 0x0a;
const backslash = 0x5c;
const quote = 0x22;
const letterN = 0x4e;

/** A line of COPY text, looked at where its bytes lie: cells become strings only where somebody asks for them. One object goes from
 *  line to line. */
export class CopyLine {
  private readonly starts: Int32Array;
  private readonly ends: Int32Array;
  /** Cells with characters beyond ASCII. */
  private readonly wide: Uint8Array;
  private readonly nulls: Uint8Array;
  private latin: string | null = null;
  bytes: Buffer = Buffer.alloc(0);
  start = 0;
  /** Where its newline stands. */
  end = 0;
  /** It has the number of cells that were expected, and they are plain: neither COPY nor JSON escapes anything in them. */
  plain = false;

  /** @param cells how many are expected */
  constructor(readonly cells: number) {
    this.starts = new Int32Array(cells + 1);
    this.ends = new Int32Array(cells + 1);
    this.wide = new Uint8Array(cells + 1);
    this.nulls = new Uint8Array(cells + 1);
  }

  /** Goes to the line that begins at `from`; its newline is among the bytes. @returns where the next one begins */
  read(bytes: Buffer, from: number): number {
    const { starts, ends, wide, nulls, cells } = this;
    this.bytes = bytes;
    this.start = from;
    this.latin = null;
    let [cell, beyond, isPlain] = [0, 0, true];
    starts[0] = from;
    nulls[0] = 0;
    let at = from;
    for (; ; at += 1) {
      const byte = bytes[at] ?? newline;
      if (byte >= 0x80) beyond = 1;
      else if (byte > quote) {
        if (byte !== backslash) continue;
        const next = bytes[at + 2];
        const isNull = at === starts[cell] && bytes[at + 1] === letterN && (next === tab || next === newline);
        if (isNull) nulls[cell] = 1;
        else isPlain = false;
        at += 1;
      } else if (byte === tab || byte === newline) {
        ends[cell] = at;
        wide[cell] = beyond;
        beyond = 0;
        if (byte === newline) break;
        if (cell < cells) cell += 1;
        starts[cell] = at + 1;
        nulls[cell] = 0;
      } else if (byte < 0x20 || byte === quote) isPlain = false;
    }
    this.end = at;
    this.plain = isPlain && cell === cells - 1;
    return at + 1;
  }

  isNull(cell: number): boolean {
    return this.nulls[cell] === 1;
  }

  /** Null or empty. */
  isBlank(cell: number): boolean {
    return this.nulls[cell] === 1 || this.starts[cell] === this.ends[cell];
  }

  /** Where a cell's bytes begin. */
  startOf(cell: number): number {
    return this.starts[cell] ?? 0;
  }

  /** Where a cell's bytes have ended. */
  endOf(cell: number): number {
    return this.ends[cell] ?? 0;
  }

  /** A cell of a plain line. */
  cell(cell: number): string | null {
    if (this.nulls[cell] === 1) return null;
    const [from, to] = [this.startOf(cell), this.endOf(cell)];
    if (this.wide[cell] === 1) return this.bytes.toString('utf8', from, to);
    this.latin ??= this.bytes.toString('latin1', this.start, this.end);
    return this.latin.slice(from - this.start, to - this.start);
  }

  /** The line as a text, whatever stands in it. */
  text(): string {
    return this.bytes.toString('utf8', this.start, this.end);
  }
}
