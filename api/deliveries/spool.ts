import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, stat, truncate } from 'node:fs/promises';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { uploadedFile, uploadFolder } from '../../database/uploads.js';
import { createDigest, sha256File } from '../../platform/hash.js';
import { Problem } from '../common/problem.js';

/** What was received of a file without an announcement. */
export interface Spooled {
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** The folder in which uploads wait until they are whole. What stands in it is what was received: nothing else says so. */
export class Spool {
  constructor(
    private readonly folder: string,
    /** Of one delivery. */
    readonly mostBytes: number,
  ) {}

  async received(uploadId: string, index: number): Promise<number> {
    try {
      return (await stat(uploadedFile(this.folder, uploadId, index))).size;
    } catch (error) {
      if (isMissing(error)) return 0;
      throw error;
    }
  }

  /** Writes on from `offset`, at most up to `bytes`. What was received stays where the stream breaks off.
   *  @throws Problem body_too_large, media_type_unsupported */
  async append(
    uploadId: string,
    index: number,
    from: { offset: number; bytes: number },
    body: Readable,
  ): Promise<void> {
    const { offset, bytes } = from;
    const path = uploadedFile(this.folder, uploadId, index);
    await mkdir(uploadFolder(this.folder, uploadId), { recursive: true });
    const target = createWriteStream(path, offset === 0 ? { flags: 'w' } : { flags: 'r+', start: offset });
    try {
      await pipeline(staying(body), checked(bytes - offset, offset === 0), target);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      body.resume();
      await truncate(path, offset).catch(() => undefined);
      throw error;
    }
  }

  /** Takes in a file of which neither size nor digest is known. @throws Problem body_too_large, media_type_unsupported */
  async take(body: Readable): Promise<Spooled> {
    await mkdir(this.folder, { recursive: true });
    const path = join(await mkdtemp(join(this.folder, 'new-')), 'file');
    const digest = createDigest();
    let bytes = 0;
    const counted = async function* (chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
      for await (const chunk of chunks) {
        digest.update(chunk);
        bytes += chunk.length;
        yield chunk;
      }
    };
    try {
      await pipeline(staying(body), checked(this.mostBytes, true), counted, createWriteStream(path, { flags: 'wx' }));
    } catch (error) {
      body.resume();
      await this.drop(path);
      throw error;
    }
    return { path, bytes, sha256: digest.hex() };
  }

  /** Makes what was taken in the only file of an upload. */
  async keep(spooled: Spooled, uploadId: string): Promise<void> {
    await mkdir(uploadFolder(this.folder, uploadId), { recursive: true });
    await rename(spooled.path, uploadedFile(this.folder, uploadId, 0));
    await this.drop(spooled.path);
  }

  async drop(path: string): Promise<void> {
    await rm(join(path, '..'), { recursive: true, force: true });
  }

  async sha256(uploadId: string, index: number): Promise<string> {
    return await sha256File(uploadedFile(this.folder, uploadId, index));
  }

  read(uploadId: string, index: number): AsyncIterable<Buffer> {
    return createReadStream(uploadedFile(this.folder, uploadId, index), { highWaterMark: 64 * 1024 });
  }

  /** Forgets what was received of one file, or of all. */
  async forget(uploadId: string, index: number | null): Promise<void> {
    const path = index === null ? uploadFolder(this.folder, uploadId) : uploadedFile(this.folder, uploadId, index);
    await rm(path, { recursive: true, force: true });
  }
}

/* A refusal is heard only by a client that may send the rest: the connection is not cut. */
const staying = (body: Readable): AsyncIterable<Buffer> => body.iterator({ destroyOnReturn: false });

const isMissing = (error: unknown): boolean =>
  typeof error === 'object' && error !== null && 'code' in error && error.code === 'ENOENT';

/* Counts, and looks at the beginning: what is a file of another kind is not read as CSV. */
const checked = (most: number, fromStart: boolean) =>
  async function* (chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    let seen = 0;
    for await (const chunk of chunks) {
      if (seen === 0 && fromStart) refuseOtherKinds(chunk);
      seen += chunk.length;
      if (seen > most) throw new Problem('body_too_large', 'More was sent than the file was to have.');
      yield chunk;
    }
  };

const otherKinds: readonly (readonly [start: string, name: string])[] = [
  ['504b0304', 'a ZIP archive or a spreadsheet'],
  ['d0cf11e0', 'a spreadsheet of an old kind'],
  ['25504446', 'a PDF document'],
  ['1f8b', 'a compressed file'],
  ['7f454c46', 'a program'],
  ['4d5a9000', 'a program'],
];

const refuseOtherKinds = (chunk: Buffer): void => {
  const start = chunk.subarray(0, 8).toString('hex');
  const found = otherKinds.find(([signature]) => start.startsWith(signature));
  if (found === undefined) return;
  throw new Problem('media_type_unsupported', `This is ${found[1]} and no CSV file. Export it as CSV.`);
};
