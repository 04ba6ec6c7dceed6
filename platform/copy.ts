import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Client } from 'pg';
import { from as copyFromStream, to as copyToStream } from 'pg-copy-streams';
import { cancelQuery } from './cancel-query.js';
import { BinaryValueSplitter } from './copy-binary.js';
import { CopyLineSplitter, decodeCopyLine, linesOf } from './copy-text.js';

export interface CopyOptions {
  readonly signal?: AbortSignal;
}

/** Feeds `copy … from stdin` with COPY text (whole lines or not) under backpressure and returns the number of rows. Chunks of
 *  64 kB or more are fastest. When the source throws or the signal fires, the server drops the whole statement; the client stays usable.
 *  @throws what the source threw, the signal's reason, or the server's error */
export const copyIn = async (
  client: Client,
  sql: string,
  source: AsyncIterable<string | Buffer>,
  options: CopyOptions = {},
): Promise<number> => {
  options.signal?.throwIfAborted();
  const stream = client.query(copyFromStream(sql));
  try {
    await pipeline(Readable.from(source), stream, { signal: options.signal });
  } catch (error) {
    options.signal?.throwIfAborted();
    throw error;
  }
  return stream.rowCount;
};

/** Reads `copy … to stdout` as lines, some hundred at a time; told as by `copyOutBytes`. */
export async function* copyOutLines(
  client: Client,
  sql: string,
  options: CopyOptions = {},
): AsyncGenerator<string[], void, undefined> {
  for await (const bytes of copyOutBytes(client, sql, options)) yield linesOf(bytes);
}

/** Reads `copy … to stdout` as the bytes of some hundred whole lines at a time; the server waits while the consumer works. When the
 *  signal fires or the consumer stops early, the query ends on the server and the client stays usable.
 *  @throws the signal's reason or the server's error */
export async function* copyOutBytes(
  client: Client,
  sql: string,
  options: CopyOptions = {},
): AsyncGenerator<Buffer, void, undefined> {
  const splitter = new CopyLineSplitter();
  for await (const chunk of copyOutChunks(client, sql, options)) yield* splitter.whole(chunk);
}

/** Reads one bytea a row, of `copy … to stdout (format binary)`; told as by `copyOutBytes`. */
export async function* copyOutValues(
  client: Client,
  sql: string,
  options: CopyOptions = {},
): AsyncGenerator<Buffer, void, undefined> {
  const splitter = new BinaryValueSplitter();
  for await (const chunk of copyOutChunks(client, sql, options)) yield* splitter.whole(chunk);
}

/** What comes, as it comes. */
async function* copyOutChunks(
  client: Client,
  sql: string,
  options: CopyOptions = {},
): AsyncGenerator<Buffer, void, undefined> {
  const { signal } = options;
  signal?.throwIfAborted();
  const stream = client.query(copyToStream(sql, { highWaterMark: 256 * 1024 }));
  // An error of the server does not close this kind of stream by itself, and may come when nobody is iterating.
  const ended = new Promise<void>((resolve) => stream.once('close', resolve).on('error', () => resolve()));
  // Once only: a second cancel might meet the client's next query.
  const cancelling: Promise<void>[] = [];
  const cancel = (): void => {
    if (cancelling.length === 0) cancelling.push(cancelQuery(client));
  };
  signal?.addEventListener('abort', cancel, { once: true });
  try {
    for await (const chunk of stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      signal?.throwIfAborted();
      yield chunk;
    }
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener('abort', cancel);
    // A COPY that nobody reads to its end is ended, so that the connection can serve the next query.
    const isOver = stream.readableEnded || stream.destroyed;
    if (!isOver) {
      stream.resume();
      cancel();
    }
    await Promise.all(cancelling);
    if (!isOver) await ended;
  }
}

/** As `copyOutLines`, decoded into cells. */
export async function* copyOut(
  client: Client,
  sql: string,
  options: CopyOptions = {},
): AsyncGenerator<(string | null)[][], void, undefined> {
  for await (const lines of copyOutLines(client, sql, options)) yield lines.map(decodeCopyLine);
}
