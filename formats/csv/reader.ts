import { SyncError } from '../../domain/errors.js';
import type { Cell, RejectedRow } from '../../domain/rows.js';
import { createDecoder } from './decoder.js';
import type { CsvDecoder } from './decoder.js';
import { resolveDialect } from './dialect.js';
import type { CsvDialect, CsvEncoding, ResolvedDialect } from './dialect.js';
import { CsvParser } from './parser.js';
import type { LineEnding } from './parser.js';

/** The start of a row in a file: `byte` from its beginning, `line` from 1, `rows` data rows before it. */
export interface CsvPosition {
  readonly byte: number;
  readonly line: number;
  readonly rows: number;
}

/** What the first row and the mark before it tell. */
export interface CsvHeader {
  readonly columns: readonly string[];
  readonly lineEnding: LineEnding;
  readonly family: CsvEncoding['family'];
  /** The first data row. */
  readonly body: CsvPosition;
}

/** Rows in file order, with what was set aside between them. `end`: from here another reader goes on. */
export interface CsvBatch {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
  readonly rejected: readonly RejectedRow[];
  readonly end: CsvPosition;
}

export interface CsvReadOptions {
  /** The least number of rows in a batch but the last; a batch is as large as what one chunk more brings. Default 5,000. */
  readonly batchRows?: number;
  /** Go on at a position; the source then begins at its byte. */
  readonly resume?: { readonly header: CsvHeader; readonly at: CsvPosition };
}

/** Reads the header and stops reading the source.
 *  @throws SyncError delivery_unreadable: no header, a doubled column name, a mark that contradicts the declared encoding */
export const readCsvHeader = async (source: AsyncIterable<Buffer>, dialect: CsvDialect): Promise<CsvHeader> => {
  const stream = new CsvStream(dialectOf(dialect));
  for await (const chunk of withoutShortStart(source)) {
    stream.pushHeader(chunk, false);
    if (stream.hasHeader) return stream.header();
  }
  stream.pushHeader(Buffer.alloc(0), true);
  return stream.header();
};

/** Reads a CSV file; memory does not grow with it. There is always a batch, perhaps without rows (a file that is only a header).
 *  A row that cannot be read stands in `rejected` under a code of `csvRowProblems` and its line; all others are read.
 *  @throws SyncError delivery_unreadable as `readCsvHeader` */
export async function* readCsv(
  source: AsyncIterable<Buffer>,
  dialect: CsvDialect,
  options: CsvReadOptions = {},
): AsyncGenerator<CsvBatch, void, undefined> {
  const { batchRows = 5_000, resume } = options;
  const stream = new CsvStream(dialectOf(dialect));
  if (resume !== undefined) stream.resume(resume.header, resume.at);
  for await (const chunk of resume === undefined ? withoutShortStart(source) : source) {
    stream.push(chunk, false);
    if (stream.waiting >= batchRows && stream.resumable) yield stream.batch();
  }
  stream.push(Buffer.alloc(0), true);
  yield stream.batch();
}

const dialectOf = (dialect: CsvDialect): ResolvedDialect => {
  try {
    return resolveDialect(dialect);
  } catch (error) {
    throw new SyncError('configuration_invalid', error instanceof Error ? error.message : 'no such dialect', {
      cause: error,
    });
  }
};

const longestMark = 3;

/** The first chunk has to hold a whole byte order mark. */
async function* withoutShortStart(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  let start: Buffer | null = Buffer.alloc(0);
  for await (const chunk of source) {
    if (start === null) yield chunk;
    else {
      start = Buffer.concat([start, chunk]);
      if (start.length < longestMark) continue;
      yield start;
      start = null;
    }
  }
  if (start !== null && start.length > 0) yield start;
}

/** Decoder and parser of one file, and the count of bytes between them. */
class CsvStream {
  private readonly parser: CsvParser;
  private decoder: CsvDecoder | null = null;
  private family: CsvEncoding['family'];
  private decodedBytes = 0;

  constructor(private readonly dialect: ResolvedDialect) {
    this.parser = new CsvParser(dialect);
    this.family = dialect.encoding.family;
  }

  get hasHeader(): boolean {
    return this.parser.columns !== null;
  }

  get waiting(): number {
    return this.parser.waiting;
  }

  get resumable(): boolean {
    return this.parser.resumable;
  }

  resume(header: CsvHeader, at: CsvPosition): void {
    this.family = header.family;
    this.decodedBytes = at.byte;
    this.decoder = createDecoder({ family: this.family, name: this.dialect.encoding.name });
    this.parser.resume(header.columns, header.lineEnding, at);
  }

  push(chunk: Buffer, last: boolean): void {
    this.parser.push(this.decode(chunk, last), last);
  }

  pushHeader(chunk: Buffer, last: boolean): void {
    this.parser.pushHeader(this.decode(chunk, last), last);
  }

  header(): CsvHeader {
    return {
      columns: this.columns(),
      lineEnding: this.parser.lineEnding ?? 'lf',
      family: this.family,
      body: this.position(),
    };
  }

  batch(): CsvBatch {
    return { columns: this.columns(), ...this.parser.take(), end: this.position() };
  }

  private columns(): readonly string[] {
    const { columns } = this.parser;
    if (columns === null) throw new SyncError('delivery_unreadable', 'the file is empty: it has no header');
    return columns;
  }

  private position(): CsvPosition {
    const waiting = this.decoder?.bytesOf(this.parser.unconsumed) ?? 0;
    return { byte: this.decodedBytes - waiting, ...this.parser.place };
  }

  private decode(chunk: Buffer, last: boolean): { text: string; invalid: boolean; bytes: number } {
    const decoder = this.decoder ?? this.start(chunk);
    const content = this.decodedBytes === 0 ? chunk.subarray(markLength(chunk, this.family)) : chunk;
    if (this.decodedBytes === 0) this.decodedBytes = chunk.length - content.length;
    const piece = last ? decoder.end() : decoder.decode(content);
    this.decodedBytes += piece.bytes;
    return piece;
  }

  private start(chunk: Buffer): CsvDecoder {
    this.family = familyOf(chunk, this.dialect.encoding);
    this.decoder = createDecoder({ family: this.family, name: this.dialect.encoding.name });
    return this.decoder;
  }
}

type Family = CsvEncoding['family'];
const marks: readonly { readonly family: Family; readonly bytes: Buffer }[] = [
  { family: 'utf-8', bytes: Buffer.from([0xef, 0xbb, 0xbf]) },
  { family: 'utf-16le', bytes: Buffer.from([0xff, 0xfe]) },
  { family: 'utf-16be', bytes: Buffer.from([0xfe, 0xff]) },
];

const markOf = (start: Buffer): (typeof marks)[number] | undefined =>
  marks.find(({ bytes }) => start.subarray(0, bytes.length).equals(bytes));

const markLength = (start: Buffer, family: Family): number => {
  const mark = markOf(start);
  return mark?.family === family ? mark.bytes.length : 0;
};

/** The encoding that declaration and mark together tell. */
const familyOf = (start: Buffer, declared: CsvEncoding): Family => {
  const marked = markOf(start)?.family;
  if (declared.family === 'utf-16')
    return marked === 'utf-16le' || marked === 'utf-16be' ? marked : unmarkedUtf16(start);
  if (marked !== undefined && marked !== declared.family) {
    throw new SyncError(
      'delivery_unreadable',
      `the file is declared as ${declared.name} but begins with the mark of ${marked}`,
    );
  }
  return declared.family;
};

/** A header begins with an ASCII character nearly always, and its zero byte tells the order. */
const unmarkedUtf16 = (start: Buffer): Family => {
  if (start.length === 0 || start[1] === 0) return 'utf-16le';
  if (start[0] === 0) return 'utf-16be';
  throw new SyncError('delivery_unreadable', 'the file is declared as utf-16 but has no byte order mark');
};
