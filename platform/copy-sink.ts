import { once } from 'node:events';
import type { ClientBase } from 'pg';
import { from as copyFromStream } from 'pg-copy-streams';
import { BinaryRows } from './copy-binary.js';
import { CopyEncoder, type CopyCells } from './copy-text.js';
import type { GrowingBytes } from './growing-bytes.js';

const flushAt = 64 * 1024;

/** A `copy … from stdin` that is fed row by row, for a loop that feeds several of them (each on a connection of its own). */
abstract class StreamSink<Bytes extends GrowingBytes> {
  private readonly stream: ReturnType<typeof copyFromStream>;
  private failed: Error | null = null;
  private added = 0;

  /** @param bytes for loops that write cells one by one */
  protected constructor(
    client: ClientBase,
    sql: string,
    readonly bytes: Bytes,
  ) {
    this.stream = client.query(copyFromStream(sql));
    this.stream.on('error', (error: Error) => (this.failed = error));
  }

  /** Rows added so far. */
  get rows(): number {
    return this.added;
  }

  /** A row is in `bytes`. Null: go on; a promise: the server lags, wait for it. (A promise for each row would cost more than the row.) */
  protected countRow(): Promise<void> | null {
    this.added += 1;
    return this.bytes.size < flushAt ? null : this.flush();
  }

  private async flush(): Promise<void> {
    this.check();
    const accepted = this.stream.write(this.bytes.take());
    if (!accepted) await once(this.stream, 'drain');
    this.check();
  }

  private check(): void {
    if (this.failed !== null) throw this.failed;
  }

  /** Ends the statement. @throws the server's error */
  async finish(): Promise<void> {
    if (this.bytes.size > 0) await this.flush();
    await new Promise<void>((resolve, reject) => {
      if (this.failed !== null) {
        reject(this.failed);
        return;
      }
      this.stream.once('error', reject);
      this.stream.once('finish', resolve);
      this.stream.end();
    });
  }

  /** Gives the statement up: the server drops all of it. */
  abandon(): void {
    this.stream.destroy();
  }
}

/** Of COPY text. */
export class CopySink extends StreamSink<CopyEncoder> {
  constructor(client: ClientBase, sql: string) {
    super(client, sql, new CopyEncoder());
  }

  /** Null: go on; a promise: the server lags, wait for it. */
  add(cells: CopyCells): Promise<void> | null {
    this.bytes.addCells(cells);
    return this.endLine();
  }

  /** Ends a line whose cells went into `bytes`; told as by `add`. */
  endLine(): Promise<void> | null {
    this.bytes.endLine();
    return this.countRow();
  }
}

/** Of binary rows, which go into `bytes`. */
export class BinarySink extends StreamSink<BinaryRows> {
  constructor(client: ClientBase, sql: string) {
    super(client, sql, new BinaryRows());
    this.bytes.begin();
  }

  /** Null: go on; a promise: the server lags, wait for it. */
  endRow(): Promise<void> | null {
    return this.countRow();
  }

  override async finish(): Promise<void> {
    this.bytes.finish();
    await super.finish();
  }
}

const escaped = (item: string): string => item.replaceAll('\\', '\\\\').replaceAll('"', '\\"');

/** The text of a PostgreSQL text array. */
export const encodeTextArray = (items: readonly (string | null)[]): string => {
  let text = '';
  for (const item of items) {
    text += text === '' ? '{' : ',';
    if (item === null) text += 'NULL';
    else text += item.includes('"') || item.includes('\\') ? `"${escaped(item)}"` : `"${item}"`;
  }
  return text === '' ? '{}' : `${text}}`;
};

/** The items of a PostgreSQL text array of one dimension, as PostgreSQL writes it. */
export const decodeTextArray = (text: string): (string | null)[] => {
  const items: (string | null)[] = [];
  let at = 1;
  while (at < text.length - 1) {
    if (text[at] === '"') {
      let item = '';
      at += 1;
      while (text[at] !== '"') {
        const stop = nextSpecial(text, at);
        item += text.slice(at, stop);
        at = stop;
        if (text[at] === '\\') {
          item += text[at + 1] ?? '';
          at += 2;
        }
      }
      items.push(item);
      at += 1;
    } else {
      const comma = text.indexOf(',', at);
      const end = comma < 0 ? text.length - 1 : comma;
      const item = text.slice(at, end);
      items.push(item === 'NULL' ? null : item);
      at = end;
    }
    at += 1;
  }
  return items;
};

const nextSpecial = (text: string, from: number): number => {
  let at = from;
  while (text.charCodeAt(at) !== 0x22 && text.charCodeAt(at) !== 0x5c) at += 1;
  return at;
};
