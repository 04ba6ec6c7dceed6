import { bytesOfUnit, GrowingBytes, longText } from './growing-bytes.js';

/** What each stream of rows begins with: signature, flags, no header extension. */
const signature = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1');
const noValue = -1;
const textOid = 25;

/* V8 keeps texts in a dozen ways (whole, as slices, of pieces, one or two bytes a unit). A place of the code that has met five of them looks
   properties of a text up anew each time: that was a sixth of reading a source. It knows better of a sum that it is a text, and where a
   method is not looked up on the text. */
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-conversion -- V8 does not know its type
const known = (text: string): string => text + '';
// eslint-disable-next-line @typescript-eslint/unbound-method -- it is called on a text
const unitAt = Function.prototype.call.bind(String.prototype.charCodeAt) as (text: string, index: number) => number;

const digitOf = (code: number): number => (code <= 0x39 ? code - 0x30 : code - 0x57);
const hyphen = 0x2d;
const zero = 0x30;
const wordRange = 0x1_0000_0000;

/** Rows in PostgreSQL's binary COPY format, which neither side escapes: a server takes wide rows of it in less than two thirds of the
 *  time. Types are the caller's to keep: the server refuses others. PostgreSQL cannot store a NUL character: the caller keeps it out.
 *  Source: PostgreSQL's documentation of COPY, "Binary Format", and of the send functions of its types. */
export class BinaryRows extends GrowingBytes {
  /** Begins a stream of rows, which `finish` ends. */
  begin(): void {
    this.addBytes(signature, 0, signature.length);
  }

  /** Begins a row of so many fields, which follow. */
  beginRow(fields: number): void {
    this.reserve(2);
    this.bytes[this.length++] = fields >> 8;
    this.bytes[this.length++] = fields & 0xff;
  }

  finish(): void {
    this.beginRow(0xffff);
  }

  addNull(): void {
    this.addWord(noValue);
  }

  /** integer */
  addInteger(value: number): void {
    this.addWord(4);
    this.addWord(value);
  }

  /** bigint, of its decimal digits: no sign is among them. */
  addDigits(digits: Buffer, from: number, to: number): void {
    // Above 32 bits and below, so that every number is exact.
    let [high, low] = [0, 0];
    for (let at = from; at < to; at += 1) {
      low = low * 10 + (digits[at] ?? zero) - zero;
      const carry = Math.floor(low / wordRange);
      low -= carry * wordRange;
      high = high * 10 + carry;
    }
    this.addWord(8);
    this.reserve(8);
    this.putWord(this.length, high);
    this.putWord(this.length + 4, low);
    this.length += 8;
  }

  /** bigint, of a text of its decimal digits: no sign is among them. */
  addDecimal(digits: string): void {
    this.addWord(8);
    this.reserve(8);
    const value = BigInt(digits);
    this.putWord(this.length, Number(value >> 32n));
    this.putWord(this.length + 4, Number(value & 0xffff_ffffn));
    this.length += 8;
  }

  /** boolean */
  addBoolean(value: boolean): void {
    this.addWord(1);
    this.addByte(value ? 1 : 0);
  }

  /** "char" */
  addLetter(letter: string): void {
    this.addWord(1);
    this.addByte(letter.charCodeAt(0));
  }

  /** uuid, as a text of it. */
  addUuid(uuid: string): void {
    this.addWord(16);
    this.reserve(16);
    const { bytes } = this;
    for (let index = 0; index < uuid.length; index += 2) {
      if (uuid.charCodeAt(index) === hyphen) index += 1;
      bytes[this.length++] = digitOf(uuid.charCodeAt(index)) * 16 + digitOf(uuid.charCodeAt(index + 1));
    }
  }

  /** uuid, of the first of these characters, one for each byte. */
  addUuidOctets(octets: string): void {
    this.addWord(16);
    this.reserve(16);
    const { bytes } = this;
    let at = this.length;
    for (let index = 0; index < 16; index += 1) bytes[at++] = octets.charCodeAt(index);
    this.length = at;
  }

  /** text, or an item of a list of them */
  addText(text: string | null): void {
    if (text === null) {
      this.addNull();
      return;
    }
    const start = this.beginField();
    this.addCharacters(text);
    this.endField(start);
  }

  /** text[] */
  addList(items: readonly (string | null)[]): void {
    const start = this.beginField();
    this.beginItems(items.length);
    for (const item of items) this.addText(item);
    this.endField(start);
  }

  /** Begins the items of a text[], each of which is added as a text or a field; within a field. */
  beginItems(count: number): void {
    this.reserve(20);
    this.putWord(this.length, count === 0 ? 0 : 1);
    // "There may be nulls."
    this.putWord(this.length + 4, 1);
    this.putWord(this.length + 8, textOid);
    this.putWord(this.length + 12, count);
    this.putWord(this.length + 16, 1);
    // An empty list has no dimension.
    this.length += count === 0 ? 12 : 20;
  }

  /** Begins a field (or item), of whose bytes the number is not known yet. @returns what `endField` needs */
  beginField(): number {
    this.reserve(4);
    this.length += 4;
    return this.length;
  }

  endField(start: number): void {
    this.putWord(start - 4, this.length - start);
  }

  /** Takes back a field (or item) that was begun. */
  cancelField(start: number): void {
    this.cut(start - 4);
  }

  /** Part of a field. */
  addCharacters(given: string): void {
    const text = known(given);
    const { length } = text;
    this.reserve(length * bytesOfUnit);
    const { bytes } = this;
    let at = this.length;
    for (let index = 0; index < length && index < longText; index += 1) {
      const unit = unitAt(text, index);
      if (unit >= 0x80) break;
      bytes[at++] = unit;
    }
    const plain = at - this.length;
    if (plain < length) at += bytes.write(plain === 0 ? text : text.slice(plain), at, 'utf8');
    this.length = at;
  }

  private addWord(value: number): void {
    this.reserve(4);
    this.putWord(this.length, value);
    this.length += 4;
  }

  private putWord(at: number, value: number): void {
    const { bytes } = this;
    bytes[at] = value >>> 24;
    bytes[at + 1] = value >>> 16;
    bytes[at + 2] = value >>> 8;
    bytes[at + 3] = value;
  }
}

const rowHead = 2;
const valueHead = 4;

/** Cuts a stream in binary COPY format into the values of its rows, which have one field each, not null. */
export class BinaryValueSplitter extends GrowingBytes {
  private isBegun = false;

  /** The values that became whole with this chunk, each where it is: it holds until the next one is asked for. */
  *whole(chunk: Buffer): Generator<Buffer, void, undefined> {
    this.addBytes(chunk, 0, chunk.length);
    const bytes = this.look();
    let at = 0;
    if (!this.isBegun && bytes.length >= signature.length) {
      this.isBegun = true;
      at = signature.length;
    }
    // The last row has no field and is shorter: nothing comes after it.
    while (this.isBegun && bytes.length - at >= rowHead + valueHead) {
      const start = at + rowHead + valueHead;
      const end = start + bytes.readInt32BE(at + rowHead);
      if (end > bytes.length) break;
      yield bytes.subarray(start, end);
      at = end;
    }
    // What is begun goes to the front.
    bytes.copyWithin(0, at);
    this.cut(bytes.length - at);
  }
}
