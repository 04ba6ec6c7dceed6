import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { SyncError } from '../../domain/errors.js';
import type { RawRow } from '../../domain/rows.js';
import { readCsv, readCsvHeader } from '../../formats/csv/reader.js';
import type { CsvHeader, CsvPosition } from '../../formats/csv/reader.js';
import type { EntityShape, Partition, RawBatch, ReadRequest } from '../capabilities.js';
import { toFileError, withFileErrors } from './errors.js';
import type { CsvFileSettings } from './settings.js';

const chunkBytes = 128 * 1024;
const batchRows = 5_000;

/** One CSV file as a source. `expectedBytes`: the size it had when its delivery was listed. */
export class CsvFile {
  constructor(
    private readonly entity: string,
    private readonly path: string,
    private readonly settings: CsvFileSettings,
    private readonly expectedBytes: number | null = null,
  ) {}

  /** @throws SyncError delivery_unreadable, source_unreachable */
  async shape(): Promise<EntityShape> {
    const { columns } = await withFileErrors('source', `"${this.entity}"`, () => this.header());
    return {
      entity: this.entity,
      columns: columns.map((name) => ({ name, type: 'text', nullable: true })),
      key: this.settings.key ?? [],
    };
  }

  /** Data rows, those that cannot be read included. */
  async countRows(): Promise<number> {
    return await withFileErrors('source', `"${this.entity}"`, async () => {
      let rows = 0;
      for await (const { end } of readCsv(this.bytes(0), this.settings, { batchRows })) rows = end.rows;
      return rows;
    });
  }

  /** A file is one partition: whether a line ending is inside of quotes is known only to who has read from the start. */
  async partition(): Promise<Partition> {
    return await withFileErrors('source', `"${this.entity}"`, async () => {
      const { size } = await stat(this.path);
      const start = this.bytes(0);
      let lines = 0;
      let read = 0;
      for await (const chunk of start) {
        read = chunk.length;
        for (const byte of chunk) if (byte === 0x0a || byte === 0x0d) lines += 1;
        break;
      }
      return {
        ordinal: 0,
        from: null,
        to: null,
        estimatedRows: Math.round((size * Math.max(1, lines)) / Math.max(1, read)),
      };
    });
  }

  /** Rows in file order; the cursor is a place in the file.
   *  @throws SyncError delivery_unreadable, delivery_incomplete, source_schema_changed, source_unreachable, the signal's reason */
  async *read(
    request: ReadRequest,
    after: string | null,
    signal: AbortSignal,
  ): AsyncGenerator<RawBatch, void, undefined> {
    if (request.watermark !== undefined)
      throw new SyncError('configuration_invalid', `"${this.entity}": a file has no watermark`);
    signal.throwIfAborted();
    try {
      await this.checkSize();
      const header = await this.header();
      const project = projectionOf(this.entity, header.columns, request.columns);
      const at = after === null ? header.body : readPosition(after);
      const batches = readCsv(this.bytes(at.byte), this.settings, { batchRows, resume: { header, at } });
      for await (const { rows, rejected, end } of batches) {
        signal.throwIfAborted();
        if (rows.length + rejected.length > 0) yield { rows: project(rows), rejected, cursor: JSON.stringify(end) };
      }
    } catch (error) {
      throw toFileError(error, 'source', `"${this.entity}"`);
    }
  }

  private async header(): Promise<CsvHeader> {
    try {
      return await readCsvHeader(this.bytes(0), this.settings);
    } catch (error) {
      // The reader knows no names.
      if (!(error instanceof SyncError)) throw error;
      throw new SyncError(error.code, `"${this.entity}": ${error.message}`, { cause: error });
    }
  }

  private bytes(from: number): AsyncIterable<Buffer> {
    return createReadStream(this.path, { start: from, highWaterMark: chunkBytes });
  }

  private async checkSize(): Promise<void> {
    if (this.expectedBytes === null) return;
    const { size } = await stat(this.path);
    if (size !== this.expectedBytes)
      throw new SyncError('delivery_incomplete', `"${this.entity}" changed since its delivery was listed`);
  }
}

/** @throws SyncError source_schema_changed where the file lacks a column */
const projectionOf = (
  entity: string,
  header: readonly string[],
  wanted: readonly string[],
): ((rows: readonly RawRow[]) => readonly RawRow[]) => {
  const places = wanted.map((name) => {
    const place = header.indexOf(name);
    if (place < 0) throw new SyncError('source_schema_changed', `"${entity}" has no column "${name}"`);
    return place;
  });
  if (places.length === header.length && places.every((place, index) => place === index)) return (rows) => rows;
  return (rows) => rows.map((row) => places.map((place) => row[place] ?? null));
};

const readPosition = (cursor: string): CsvPosition => {
  const parsed: unknown = JSON.parse(cursor);
  if (typeof parsed === 'object' && parsed !== null && 'byte' in parsed && 'line' in parsed && 'rows' in parsed) {
    const { byte, line, rows } = parsed;
    if (typeof byte === 'number' && typeof line === 'number' && typeof rows === 'number') return { byte, line, rows };
  }
  throw new SyncError('internal', 'a cursor that no reader of CSV files wrote');
};
