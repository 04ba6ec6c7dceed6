import type { CopiedColumn } from '../domain/copied-columns.js';
import type { GoldenLine } from './golden-line.js';

const quote = 0x22;
const colon = 0x3a;
const comma = 0x2c;
const opening = 0x7b;
const closing = 0x7d;
const letterN = 0x6e;

interface Place {
  readonly column: number;
  /** The attribute's name as it stands in the object. */
  readonly name: Buffer;
  readonly maxLength: number;
}

interface Copied {
  readonly group: number;
  readonly lone: boolean;
  readonly places: readonly Place[];
}

/** Where the cells that are copied stand in the line of a golden record. One object goes from line to line. */
export class CopiedCells {
  private readonly groups: Copied[] = [];
  private readonly starts: Int32Array;
  private readonly ends: Int32Array;
  /** Of the scalar that was read last, quotes not included; equal where it is blank. */
  private from = 0;
  private to = 0;

  constructor(columns: readonly (CopiedColumn | null)[]) {
    this.starts = new Int32Array(columns.length);
    this.ends = new Int32Array(columns.length);
    const groups = new Map<string, Copied & { readonly places: Place[] }>();
    for (const [column, copied] of columns.entries()) {
      if (copied === null) continue;
      const { group, member, maxLength } = copied;
      const found = groups.get(String(group)) ?? { group, lone: member === null, places: [] };
      const name = Buffer.from(JSON.stringify(member ?? '').slice(1, -1));
      found.places.push({ column, name, maxLength: maxLength ?? Number.MAX_SAFE_INTEGER });
      groups.set(String(group), found);
    }
    this.groups.push(...groups.values());
  }

  /** Finds the cells of a plain line. False: something in it has to be looked at closely. */
  find(line: GoldenLine): boolean {
    for (const { group, lone, places } of this.groups) {
      for (const { column } of places) this.put(column, 0, 0);
      if (!line.has(group)) continue;
      if (!(lone ? this.findLone(line, group, places) : this.findMembers(line, group, places))) return false;
    }
    return true;
  }

  /** Whether a cell is null: blank ones are. */
  isNull(column: number): boolean {
    return this.starts[column] === this.ends[column];
  }

  startOf(column: number): number {
    return this.starts[column] ?? 0;
  }

  endOf(column: number): number {
    return this.ends[column] ?? 0;
  }

  private put(column: number, from: number, to: number): void {
    this.starts[column] = from;
    this.ends[column] = to;
  }

  private findLone(line: GoldenLine, group: number, places: readonly Place[]): boolean {
    const [from, to] = [line.startOf(group), line.endOf(group)];
    // A plain text has no quotes but its own.
    if (line.bytes[from] === quote) [this.from, this.to] = [from + 1, to - 1];
    else if (this.readScalar(line.bytes, from, to) !== to) return false;
    return this.keep(places, null);
  }

  private findMembers(line: GoldenLine, group: number, places: readonly Place[]): boolean {
    const { bytes } = line;
    const end = line.endOf(group);
    let at = line.startOf(group);
    // Explicitly empty.
    if (bytes[at] === letterN) return true;
    if (bytes[at] !== opening) return false;
    do {
      const name = at + 2;
      if (bytes[at + 1] !== quote) return false;
      at = name;
      while (at < end && bytes[at] !== quote) at += 1;
      const nameEnd = at;
      if (bytes[at + 1] !== colon) return false;
      at = this.readScalar(bytes, at + 2, end);
      if (at < 0 || !this.keep(places, bytes, name, nameEnd)) return false;
    } while (bytes[at] === comma);
    return bytes[at] === closing && at === end - 1;
  }

  /** What was read, where columns are made of it. False: it may be too long for one. */
  private keep(places: readonly Place[], names: Buffer | null, from = 0, to = 0): boolean {
    for (const { column, name, maxLength } of places) {
      if (names !== null && !isNamed(names, from, to, name)) continue;
      // There are never more characters than bytes.
      if (this.to - this.from > maxLength) return false;
      this.put(column, this.from, this.to);
    }
    return true;
  }

  /** Reads a text, a truth value or null. @returns its end; -1 where it is something else */
  private readScalar(bytes: Buffer, from: number, end: number): number {
    let at = from;
    if (bytes[at] === quote) {
      at += 1;
      while (at < end && bytes[at] !== quote) at += 1;
      this.from = from + 1;
      this.to = at;
      return at + 1;
    }
    while (at < end && isLetter(bytes[at] ?? 0)) at += 1;
    this.from = from;
    this.to = bytes[from] === letterN ? from : at;
    return at === from ? -1 : at;
  }
}

const isLetter = (byte: number): boolean => byte >= 0x61 && byte <= 0x7a;

const isNamed = (bytes: Buffer, from: number, to: number, name: Buffer): boolean => {
  if (to - from !== name.length) return false;
  for (let index = 0; index < name.length; index += 1) if (bytes[from + index] !== name[index]) return false;
  return true;
};
