import * as crypto from 'node:crypto';
import { createReadStream } from 'node:fs';

/** sha256 of a text (or of its UTF-8) in 64 hexadecimal digits. The one-shot digest is absent before Node 20.12 (and costs a third of an object digest where it is present). */
export const sha256Hex: (text: string | Buffer) => string =
  typeof crypto.hash === 'function'
    ? (text) => crypto.hash('sha256', text, 'hex')
    : (text) => crypto.createHash('sha256').update(text).digest('hex');

/** sha256 of a text (or of its UTF-8) cut to 128 bits, in the form of a PostgreSQL uuid. Stored in rows: never change it. */
export const hash128 = (text: string | Buffer): string => hyphened(sha256Hex(text));

const hyphened = (hex: string): string =>
  `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`;

/** sha256 as 32 characters, one for each byte: made without digits, for those who put bytes where others put text. */
export const sha256Octets: (text: string | Buffer) => string =
  typeof crypto.hash === 'function'
    ? (text) => crypto.hash('sha256', text, 'binary')
    : (text) => crypto.createHash('sha256').update(text).digest('binary');

/** The `hash128` of which these are the octets. */
export const hash128Of = (octets: string): string => hyphened(Buffer.from(octets, 'latin1').toString('hex'));

/** The number of 32 bits that begins at a place of `sha256Octets`. */
const wordOf = (octets: string, at: number): number =>
  (octets.charCodeAt(at) << 24) |
  (octets.charCodeAt(at + 1) << 16) |
  (octets.charCodeAt(at + 2) << 8) |
  octets.charCodeAt(at + 3);

/** The first numbers of 32 bits of a `hash128`, as many as there is room for, without its text. */
export const hashLanes = (bytes: Buffer, into: Uint32Array): void => {
  const octets = sha256Octets(bytes);
  for (let lane = 0; lane < into.length; lane += 1) into[lane] = wordOf(octets, lane * 4);
};

/** So many digits of `sha256Hex` are those of `hash128`, which PostgreSQL reads without hyphens as well. */
export const hash128Digits = 32;

export interface Digest {
  update(part: string | Uint8Array): void;
  /** The hexadecimal sha256 of everything so far; nothing may be added after it. */
  hex(): string;
}

/** An incremental sha256. */
export const createDigest = (): Digest => {
  const digest = crypto.createHash('sha256');
  return {
    update: (part) => void digest.update(part),
    hex: () => digest.digest('hex'),
  };
};

/** sha256 of a file, streamed. */
export const sha256File = async (path: string): Promise<string> => {
  const digest = createDigest();
  for await (const chunk of createReadStream(path, { highWaterMark: 256 * 1024 }) as AsyncIterable<Buffer>) {
    digest.update(chunk);
  }
  return digest.hex();
};

/** The digest of files that belong together: of their names and the sha256 of each, in the order given. Stored in rows: never
 *  change it. */
export const digestOfContents = (contents: readonly (readonly [name: string, sha256: string])[]): string => {
  const digest = createDigest();
  for (const [name, sha256] of contents) digest.update(`${name}\0${sha256}\n`);
  return digest.hex();
};

/** The digits of a hash as they are before hyphens are put between them. */
export const digitsOf = (hash: string): string => hash.replaceAll('-', '');

/** Equal for two bags of hashes exactly when they hold the same hashes equally often, whatever the order (128 bits). */
export interface SetDigest {
  /** @param digits the first 32 of a hash, or the digest of another bag, of which it then holds all */
  add(digits: string): void;
  /** As `add`, of `sha256Octets`. */
  addOctets(octets: string): void;
  /** 32 digits. */
  hex(): string;
}

/** A digest of a bag: the sum of its hashes modulo 2^128, in four lanes of 32 bits so that no big integers are made. */
export const createSetDigest = (): SetDigest => {
  const lanes = new Float64Array(4);
  const addTo = (place: number, word: number, carry: number): number => {
    const sum = (lanes[place] ?? 0) + word + carry;
    lanes[place] = sum >= lane ? sum - lane : sum;
    return sum >= lane ? 1 : 0;
  };
  return {
    add: (digits) => {
      let carry = 0;
      for (let place = 3; place >= 0; place -= 1)
        carry = addTo(place, Number.parseInt(digits.slice(place * 8, place * 8 + 8), 16), carry);
    },
    addOctets: (octets) => {
      let carry = 0;
      for (let place = 3; place >= 0; place -= 1) carry = addTo(place, wordOf(octets, place * 4) >>> 0, carry);
    },
    hex: () => Array.from(lanes, (sum) => sum.toString(16).padStart(8, '0')).join(''),
  };
};

const lane = 0x1_0000_0000;
