import iconv from 'iconv-lite';
import { SyncError } from '../../domain/errors.js';
import type { Cell, RawRow } from '../../domain/rows.js';
import { resolveDialect } from './dialect.js';
import type { CsvDialect, CsvEncoding } from './dialect.js';
import type { LineEnding } from './parser.js';

export interface CsvWriteDialect extends CsvDialect {
  /** Default `crlf` (RFC 4180). */
  readonly lineEnding?: LineEnding;
  /** `minimal` (default): fields that need it, with which also control characters and white space at either end count, and the
   *  empty text. `all`: every value. No value (null) is never quoted, so that it differs from the empty text. */
  readonly quoting?: 'minimal' | 'all';
  /** Begin with a byte order mark; default only for `utf-16`. */
  readonly byteOrderMark?: boolean;
  /** Put an apostrophe before what a spreadsheet would run as a formula. Changes values: only for people's exports, off by default. */
  readonly formulaSafe?: boolean;
}

/** A cell that the file's encoding cannot hold. Nothing stands for it: the row would say something else than its record. */
export class CsvCharacterError extends SyncError {
  /** `row` counts data rows from 1; 0 is the header. */
  constructor(
    readonly row: number,
    readonly column: string,
    encoding: string,
  ) {
    super(
      'configuration_invalid',
      `row ${String(row)}, column "${column}": a character that ${encoding} cannot express`,
    );
  }
}

const chunkLength = 64 * 1024;

/** The bytes of a CSV file, header first. Memory does not grow with the rows.
 *  @throws CsvCharacterError; SyncError configuration_invalid for a wrong dialect, internal for a row of another width */
export async function* writeCsv(
  columns: readonly string[],
  batches: AsyncIterable<readonly RawRow[]>,
  dialect: CsvWriteDialect = {},
): AsyncGenerator<Buffer, void, undefined> {
  const lines = new CsvLines(columns, dialect);
  lines.add(columns, 0);
  let row = 0;
  for await (const batch of batches) {
    for (const cells of batch) {
      row += 1;
      lines.add(cells, row);
      if (lines.length >= chunkLength) yield lines.take();
    }
  }
  yield lines.take();
}

const lineEnds: Readonly<Record<LineEnding, string>> = { crlf: '\r\n', lf: '\n', cr: '\r' };
const formula = /^[=+\-@\t\r]/;

class CsvLines {
  private text = '';
  private pending: { readonly cells: RawRow; readonly row: number }[] = [];
  private readonly encode: (text: string) => Buffer | null;
  private mark: Buffer;
  private readonly encodingName: string;
  private readonly delimiter: string;
  private readonly quote: string;
  private readonly lineEnd: string;
  private readonly needsQuotes: RegExp;
  private readonly quoteAll: boolean;
  private readonly formulaSafe: boolean;

  constructor(
    private readonly columns: readonly string[],
    dialect: CsvWriteDialect,
  ) {
    const { encoding, delimiter, quote } = resolved(dialect);
    this.encode = createEncode(encoding);
    this.encodingName = encoding.name;
    this.mark = (dialect.byteOrderMark ?? encoding.family === 'utf-16') ? markOf(encoding) : Buffer.alloc(0);
    this.delimiter = delimiter;
    this.quote = quote;
    this.lineEnd = lineEnds[dialect.lineEnding ?? 'crlf'];
    // A byte order mark at the start of a file would be taken for the file's own.
    this.needsQuotes = new RegExp(`[\\x00-\\x1f\\ufeff${escaped(delimiter)}${escaped(quote)}]|^ | $|^$`);
    this.quoteAll = dialect.quoting === 'all';
    this.formulaSafe = dialect.formulaSafe ?? false;
  }

  get length(): number {
    return this.text.length;
  }

  add(cells: RawRow, row: number): void {
    const { columns } = this;
    if (cells.length !== columns.length) {
      throw new SyncError(
        'internal',
        `row ${String(row)} has ${String(cells.length)} cells for ${String(columns.length)} columns`,
      );
    }
    // A row of one empty field would be an empty line, which is no row.
    const [only] = cells;
    if (cells.length === 1 && only === null) this.text += this.quote + this.quote;
    for (let index = 0; index < cells.length; index += 1) {
      if (index > 0) this.text += this.delimiter;
      this.text += this.field(cells[index] ?? null);
    }
    this.text += this.lineEnd;
    this.pending.push({ cells, row });
  }

  take(): Buffer {
    const bytes = this.encode(this.text) ?? this.explain();
    this.text = '';
    this.pending = [];
    if (this.mark.length === 0) return bytes;
    const marked = Buffer.concat([this.mark, bytes]);
    this.mark = Buffer.alloc(0);
    return marked;
  }

  private field(cell: Cell): string {
    if (cell === null) return '';
    const value = this.formulaSafe && formula.test(cell) ? `'${cell}` : cell;
    if (!this.quoteAll && !this.needsQuotes.test(value)) return value;
    const { quote } = this;
    return quote + (value.includes(quote) ? value.replaceAll(quote, quote + quote) : value) + quote;
  }

  /** Finds the cell that could not be encoded. */
  private explain(): never {
    for (const { cells, row } of this.pending) {
      for (const [index, cell] of cells.entries()) {
        if (cell !== null && this.encode(cell) === null)
          throw new CsvCharacterError(row, this.columns[index] ?? '', this.encodingName);
      }
    }
    throw new SyncError('internal', `text cannot be written in ${this.encodingName}, though each of its cells can`);
  }
}

const resolved = (dialect: CsvDialect): ReturnType<typeof resolveDialect> => {
  try {
    return resolveDialect(dialect);
  } catch (error) {
    throw new SyncError('configuration_invalid', error instanceof Error ? error.message : 'no such dialect', {
      cause: error,
    });
  }
};

const escaped = (sign: string): string => `\\x${sign.charCodeAt(0).toString(16).padStart(2, '0')}`;

/** NUL is left out too. */
const beyondLatin1 = /[\0\u0100-\uffff]/;
const loneSurrogate = /[\0\p{Surrogate}]/u;

/** Encodes a text, or gives null where it holds a character that the encoding lacks (or NUL, which no reader takes). */
const createEncode = ({ family, name }: CsvEncoding): ((text: string) => Buffer | null) => {
  switch (family) {
    case 'utf-8':
      return (text) => (loneSurrogate.test(text) ? null : Buffer.from(text, 'utf8'));
    case 'utf-16':
    case 'utf-16le':
      return (text) => (loneSurrogate.test(text) ? null : Buffer.from(text, 'utf16le'));
    case 'utf-16be':
      return (text) => (loneSurrogate.test(text) ? null : Buffer.from(text, 'utf16le').swap16());
    case 'latin-1':
      return (text) => (beyondLatin1.test(text) ? null : Buffer.from(text, 'latin1'));
    case 'single-byte': {
      const missing = missingFrom(name);
      return (text) => (missing.test(text) ? null : iconv.encode(text, name));
    }
  }
};

/** Matches what a single-byte encoding lacks: all but what its 255 bytes decode to. */
const missingFrom = (name: string): RegExp => {
  const characters = Array.from({ length: 255 }, (_, index) =>
    iconv.decode(Buffer.from([index + 1]), name, { stripBOM: false }),
  );
  const known = new Set(
    characters.filter((character) => character !== '\ufffd').map((character) => character.charCodeAt(0)),
  );
  return new RegExp(`[^${[...known].map((code) => `\\u${code.toString(16).padStart(4, '0')}`).join('')}]`);
};

const markOf = ({ family }: CsvEncoding): Buffer => {
  if (family === 'utf-8') return Buffer.from([0xef, 0xbb, 0xbf]);
  if (family === 'utf-16be') return Buffer.from([0xfe, 0xff]);
  return family === 'utf-16' || family === 'utf-16le' ? Buffer.from([0xff, 0xfe]) : Buffer.alloc(0);
};
