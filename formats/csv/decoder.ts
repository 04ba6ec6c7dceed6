import { isAscii, isUtf8 } from 'node:buffer';
import iconv from 'iconv-lite';
import type { CsvEncoding } from './dialect.js';

/** A piece of decoded text. Bytes that are no character of the encoding stand in it as lone surrogates (which no valid text
 *  holds), so that the row they are in can be told from the others; `invalid` says that there are any. */
export interface DecodedText {
  readonly text: string;
  readonly invalid: boolean;
  /** How many bytes of the file it was. */
  readonly bytes: number;
}

/** Decodes a stream chunk by chunk; a character may be split over chunks. */
export interface CsvDecoder {
  decode(chunk: Buffer): DecodedText;
  /** What was left over: an unfinished character at the end of the file. */
  end(): DecodedText;
  /** How many bytes of the file a part of what it decoded was. */
  bytesOf(text: string): number;
}

export const createDecoder = (encoding: CsvEncoding): CsvDecoder => {
  switch (encoding.family) {
    case 'utf-8':
      return new Utf8Decoder();
    case 'latin-1':
      return new Latin1Decoder();
    case 'single-byte':
      return new SingleByteDecoder(encoding.name);
    case 'utf-16be':
      return new Utf16Decoder(true);
    case 'utf-16':
    case 'utf-16le':
      return new Utf16Decoder(false);
  }
};

const nothing: DecodedText = { text: '', invalid: false, bytes: 0 };
const loneSurrogate = /\p{Surrogate}/u;
const everyLoneSurrogate = /\p{Surrogate}/gu;
const lineFeed = 0x0a;
const carriageReturn = 0x0d;

/** Whether text of this stream holds bytes that were no characters. */
export const hasInvalid = (text: string): boolean => loneSurrogate.test(text);

/** The text with a replacement character for each such byte, fit to be stored and shown. */
export const withoutInvalid = (text: string): string => text.replaceAll(everyLoneSurrogate, '\ufffd');

class Latin1Decoder implements CsvDecoder {
  decode(chunk: Buffer): DecodedText {
    // Node's own latin1 is exact here; TextDecoder('latin1') would be windows-1252 by its standard.
    return { text: chunk.toString('latin1'), invalid: false, bytes: chunk.length };
  }

  end(): DecodedText {
    return nothing;
  }

  bytesOf(text: string): number {
    return text.length;
  }
}

class SingleByteDecoder implements CsvDecoder {
  constructor(private readonly name: string) {}

  decode(chunk: Buffer): DecodedText {
    const bytes = chunk.length;
    if (isAscii(chunk)) return { text: chunk.toString('latin1'), invalid: false, bytes };
    const text = iconv.decode(chunk, this.name, { stripBOM: false });
    // iconv-lite writes U+FFFD for a byte that the encoding leaves undefined; no single-byte encoding has that character.
    if (!text.includes('\ufffd')) return { text, invalid: false, bytes };
    return { text: text.replaceAll('\ufffd', '\udc80'), invalid: true, bytes };
  }

  end(): DecodedText {
    return nothing;
  }

  bytesOf(text: string): number {
    return text.length;
  }
}

class Utf8Decoder implements CsvDecoder {
  private rest: Buffer = Buffer.alloc(0);

  decode(chunk: Buffer): DecodedText {
    const bytes = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
    const end = bytes.length - unfinishedUtf8(bytes);
    this.rest = Buffer.from(bytes.subarray(end));
    return decodeUtf8(bytes.subarray(0, end));
  }

  end(): DecodedText {
    const { rest } = this;
    this.rest = Buffer.alloc(0);
    return rest.length === 0 ? nothing : decodeUtf8(rest);
  }

  bytesOf(text: string): number {
    // Each lone surrogate stands for one byte and is counted as the three of a replacement character.
    return Buffer.byteLength(text, 'utf8') - 2 * (text.match(everyLoneSurrogate)?.length ?? 0);
  }
}

/** How many bytes at the end may be the beginning of a character that goes on in the next chunk. */
const unfinishedUtf8 = (bytes: Buffer): number => {
  for (let back = 1; back <= Math.min(3, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (byte < 0x80) return 0;
    if (byte < 0xc0) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
    return length > back ? back : 0;
  }
  return 0;
};

const decodeUtf8 = (buffer: Buffer): DecodedText => {
  const bytes = buffer.length;
  if (isAscii(buffer)) return { text: buffer.toString('latin1'), invalid: false, bytes };
  if (isUtf8(buffer)) return { text: buffer.toString('utf8'), invalid: false, bytes };
  return { text: decodeLineByLine(buffer), invalid: true, bytes };
};

/** One bad byte must spoil its own line only: lines that are good are decoded, in the others every high byte is marked. */
const decodeLineByLine = (bytes: Buffer): string => {
  const parts: string[] = [];
  const lineEnd = bytes.includes(lineFeed) ? lineFeed : carriageReturn;
  for (let start = 0; start < bytes.length;) {
    const found = bytes.indexOf(lineEnd, start);
    const end = found < 0 ? bytes.length : found + 1;
    const line = bytes.subarray(start, end);
    parts.push(isUtf8(line) ? line.toString('utf8') : markHighBytes(line));
    start = end;
  }
  return parts.join('');
};

const markHighBytes = (line: Buffer): string =>
  line
    .toString('latin1')
    .replaceAll(/[\x80-\xff]/g, (character) => String.fromCharCode(0xdc00 + character.charCodeAt(0)));

class Utf16Decoder implements CsvDecoder {
  private rest: Buffer = Buffer.alloc(0);

  constructor(private readonly bigEndian: boolean) {}

  decode(chunk: Buffer): DecodedText {
    const bytes = Buffer.concat([this.rest, chunk]);
    let end = bytes.length - (bytes.length % 2);
    if (end >= 2 && isHighSurrogate(this.unitAt(bytes, end - 2))) end -= 2;
    this.rest = Buffer.from(bytes.subarray(end));
    return this.text(bytes.subarray(0, end));
  }

  end(): DecodedText {
    const { rest } = this;
    this.rest = Buffer.alloc(0);
    if (rest.length % 2 === 0) return this.text(rest);
    // Half a unit: the file was cut.
    return { text: `${this.text(rest.subarray(0, rest.length - 1)).text}\udc80`, invalid: true, bytes: rest.length };
  }

  bytesOf(text: string): number {
    return text.length * 2;
  }

  private unitAt(bytes: Buffer, at: number): number {
    return this.bigEndian ? bytes.readUInt16BE(at) : bytes.readUInt16LE(at);
  }

  private text(bytes: Buffer): DecodedText {
    const ordered = this.bigEndian ? Buffer.from(bytes).swap16() : bytes;
    const text = ordered.toString('utf16le');
    return { text, invalid: hasInvalid(text), bytes: bytes.length };
  }
}

const isHighSurrogate = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdbff;
