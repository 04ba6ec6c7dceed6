import * as crypto from 'node:crypto';
import { createReadStream } from 'node:fs';

/** The one-shot digest is absent before Node 20.12 (and costs a third of an object digest where it is present). */
const sha256Hex: (text: string | Buffer) => string =
  typeof crypto.hash === 'function'
    ? (text) => crypto.hash('sha256', text, 'hex')
    : (text) => crypto.createHash('sha256').update(text).digest('hex');

/** sha256 of a text (or of its UTF-8) cut to 128 bits, in the form of a PostgreSQL uuid. Stored in rows: never change it. */
export const hash128 = (text: string | Buffer): string => {
  const hex = sha256Hex(text);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`;
};

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

/** Equal for two bags of hashes exactly when they hold the same hashes equally often, whatever the order (128 bits). */
export interface SetDigest {
  /** @param hash as `hash128` gives it */
  add(hash: string): void;
  /** All hashes of another bag. @param hex its digest */
  addDigest(hex: string): void;
  hex(): string;
}

/** A digest of a bag: the sum of its hashes modulo 2^128, in four lanes of 32 bits so that no big integers are made. */
export const createSetDigest = (): SetDigest => {
  const lanes = new Float64Array(4);
  const addLanes = (first: number, second: number, third: number, fourth: number): void => {
    let sum = (lanes[3] ?? 0) + fourth;
    lanes[3] = sum % lane;
    sum = (lanes[2] ?? 0) + third + (sum >= lane ? 1 : 0);
    lanes[2] = sum % lane;
    sum = (lanes[1] ?? 0) + second + (sum >= lane ? 1 : 0);
    lanes[1] = sum % lane;
    lanes[0] = ((lanes[0] ?? 0) + first + (sum >= lane ? 1 : 0)) % lane;
  };
  const from = (hex: string): number => Number.parseInt(hex, 16);
  return {
    add: (hash) =>
      addLanes(
        from(hash.slice(0, 8)),
        from(hash.slice(9, 13) + hash.slice(14, 18)),
        from(hash.slice(19, 23) + hash.slice(24, 28)),
        from(hash.slice(28, 36)),
      ),
    addDigest: (hex) =>
      addLanes(from(hex.slice(0, 8)), from(hex.slice(8, 16)), from(hex.slice(16, 24)), from(hex.slice(24, 32))),
    hex: () => Array.from(lanes, (sum) => sum.toString(16).padStart(8, '0')).join(''),
  };
};

const lane = 0x1_0000_0000;
