import type { Stated } from '../domain/canonical.js';

/** Between the values of a list, and for no value: neither stands in canonical JSON, which escapes control characters. */
const valueSeparator = 0x1f;
const noValue = 0x1e;

const tab = 0x09;
const newline = 0x0a;
const backslash = 0x5c;
const zero = 0x30;

/** What is selected of golden records (`g`) for `GoldenLine`, as COPY text. */
export const goldenColumns = `g.id, g.version, g.subject_key, array_to_string(g.values, E'\\x1f', E'\\x1e')`;
const valuesCell = 3;

const separatorText = String.fromCharCode(valueSeparator);
const noValueText = String.fromCharCode(noValue);

/** The values of a golden record in the order of its groups, out of the last cell of its line. */
export const valuesOf = (cell: string | null): (Stated | null)[] =>
  (cell ?? '').split(separatorText).map((value) => (value === noValueText ? null : value));

/** A golden record as a line of COPY text, looked at where its bytes lie. One object goes from line to line. */
export class GoldenLine {
  private readonly starts: Int32Array;
  private readonly ends: Int32Array;
  /** Where the cells before the values have ended. */
  private readonly cellEnds = new Int32Array(valuesCell);
  private latin: string | null = null;
  /** Something in the values is not ASCII. */
  private wide = false;
  private values = 0;
  bytes: Buffer = Buffer.alloc(0);
  start = 0;
  /** Where its newline stands. */
  end = 0;
  /** Neither COPY nor JSON escapes anything in its values, and they are not more than was expected. */
  plain = false;

  /** @param groups how many values are expected */
  constructor(private readonly groups: number) {
    this.starts = new Int32Array(groups + 1);
    this.ends = new Int32Array(groups + 1);
  }

  /** Goes to the line that begins at `from`; its newline is among the bytes. @returns where the next one begins */
  read(bytes: Buffer, from: number): number {
    this.bytes = bytes;
    this.start = from;
    this.latin = null;
    let at = from;
    for (let cell = 0; cell < valuesCell; cell += 1) {
      while (bytes[at] !== tab) at += 1;
      this.cellEnds[cell] = at;
      at += 1;
    }
    return this.readValues(at);
  }

  private readValues(from: number): number {
    const { bytes, starts, ends, groups } = this;
    let [at, value, all, isPlain] = [from, 0, 0, true];
    starts[0] = from;
    for (; ; at += 1) {
      const byte = bytes[at] ?? newline;
      if (byte > valueSeparator) {
        all |= byte;
        if (byte === backslash) isPlain = false;
      } else if (byte === valueSeparator) {
        ends[value] = at;
        if (value < groups) value += 1;
        starts[value] = at + 1;
      } else if (byte === newline) break;
    }
    ends[value] = at;
    this.values = value + 1;
    this.wide = all >= 0x80;
    this.plain = isPlain && value < groups;
    this.end = at;
    return at + 1;
  }

  /** Where the bytes of the id (0), the version (1) or the subject (2) begin. */
  startOfCell(cell: number): number {
    return cell === 0 ? this.start : (this.cellEnds[cell - 1] ?? 0) + 1;
  }

  endOfCell(cell: number): number {
    return this.cellEnds[cell] ?? 0;
  }

  /** As `startOfCell`, as a text. */
  cell(cell: number): string {
    return this.bytes.toString('utf8', this.startOfCell(cell), this.endOfCell(cell));
  }

  /** Its version. */
  version(): number {
    let version = 0;
    const end = this.endOfCell(1);
    for (let at = this.startOfCell(1); at < end; at += 1) version = version * 10 + (this.bytes[at] ?? zero) - zero;
    return version;
  }

  /** Whether a group has a value, explicitly empty included. */
  has(group: number): boolean {
    return group < this.values && this.bytes[this.startOf(group)] !== noValue;
  }

  /** Where the bytes of a group's value begin. */
  startOf(group: number): number {
    return this.starts[group] ?? 0;
  }

  endOf(group: number): number {
    return this.ends[group] ?? 0;
  }

  /** A group's value. */
  value(group: number): Stated | null {
    return this.has(group) ? this.slice(this.startOf(group), this.endOf(group)) : null;
  }

  /** What stands between two places of it. */
  slice(from: number, to: number): string {
    if (this.wide && !this.isAscii(from, to)) return this.bytes.toString('utf8', from, to);
    this.latin ??= this.bytes.toString('latin1', this.start, this.end);
    return this.latin.slice(from - this.start, to - this.start);
  }

  private isAscii(from: number, to: number): boolean {
    for (let at = from; at < to; at += 1) if ((this.bytes[at] ?? 0) >= 0x80) return false;
    return true;
  }

  /** The line as a text, whatever stands in it. */
  text(): string {
    return this.bytes.toString('utf8', this.start, this.end);
  }
}
