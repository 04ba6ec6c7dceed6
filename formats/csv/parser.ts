import { SyncError } from '../../domain/errors.js';
import type { Cell, RejectedRow } from '../../domain/rows.js';
import { hasInvalid, withoutInvalid } from './decoder.js';
import type { DecodedText } from './decoder.js';
import type { ResolvedDialect } from './dialect.js';

/** The most that one field may hold (bytes of UTF-8), and one row (characters): what bounds the memory of a reader. */
export const maxFieldBytes = 1_000_000;
const maxRowLength = 16_000_000;
/** What is kept of a rejected row for people to look at. */
const maxRawLength = 64_000;

export type LineEnding = 'crlf' | 'lf' | 'cr';

/** The codes in `RowProblem.reason` of a row that is no row. */
export const csvRowProblems = {
  wrong_field_count: 'the row has another number of fields than the header',
  quote_not_closed: 'a quoted field does not end where a field can end',
  stray_quote: 'a quote inside a field, in what was left of a row with a wrong number of fields',
  field_too_long: 'a field of more than 1 MB',
  row_too_long: 'a row of more than 16 MB',
  nul_character: 'a NUL character',
  invalid_encoding: 'bytes that are no characters of the declared encoding',
} as const;
export type CsvRowProblem = keyof typeof csvRowProblems;

/** Where a parser stands, which is always the start of a row: `line` from 1 (the header's), `rows` data rows before it. */
export interface ParserPlace {
  readonly line: number;
  readonly rows: number;
}

/** A row being read that has quotes in it. `end` is behind its line ending. */
type QuotedRow =
  | {
      readonly kind: 'row';
      readonly cells: Cell[];
      readonly end: number;
      readonly multiLineOpen: number;
      readonly stray: boolean;
    }
  | { readonly kind: 'broken'; readonly open: number }
  | { readonly kind: 'unfinished'; readonly open: number };

/** Results that are no places in the text. */
const unfinished = -1;
const missing = -2;
const broken = -3;
const lineFeed = 0x0a;
const carriageReturn = 0x0d;

/**
 * Turns pieces of text into rows (RFC 4180; LF, CRLF and CR; a quote inside an unquoted field is a character). It buffers at
 * most one unfinished row. What is no row is set aside in `rejected` and the rest goes on: after a quote that is not closed, or
 * a field of several lines that leads to a wrong number of fields, reading resumes at the line after the one where the quote
 * was opened. Empty lines are no rows.
 */
export class CsvParser {
  /** Whole rows since the last `takeRows`. */
  private rows: Cell[][] = [];
  private rejected: RejectedRow[] = [];
  private columnNames: readonly string[] | null = null;
  private ending: LineEnding | null = null;
  private line = 1;
  private rowCount = 0;

  private text = '';
  private at = 0;
  private nextQuote = -1;
  /** Up to here the text may hold invalid bytes or NUL. */
  private checkUntil = 0;
  /** Up to here the text was once inside a field of several lines that came to nothing; a stray quote there is no mere character. */
  private distrustUntil = 0;
  /** Discarding the rest of a row that is too long: inside or outside of quotes. */
  private discarding: 'quoted' | 'plain' | null = null;

  private readonly quoteCode: number;
  private readonly delimiterCode: number;

  constructor(private readonly dialect: ResolvedDialect) {
    this.quoteCode = dialect.quote.charCodeAt(0);
    this.delimiterCode = dialect.delimiter.charCodeAt(0);
  }

  /** Goes on in a file whose header is known, at the start of a row. */
  resume(columns: readonly string[], ending: LineEnding, place: ParserPlace): void {
    this.columnNames = columns;
    this.ending = ending;
    this.line = place.line;
    this.rowCount = place.rows;
  }

  get columns(): readonly string[] | null {
    return this.columnNames;
  }

  get lineEnding(): LineEnding | null {
    return this.ending;
  }

  get place(): ParserPlace {
    return { line: this.line, rows: this.rowCount };
  }

  get waiting(): number {
    return this.rows.length + this.rejected.length;
  }

  /** Whether another parser could go on from here and read the same rows. */
  get resumable(): boolean {
    return this.discarding === null && this.distrustUntil <= this.at;
  }

  /** Text that was buffered and not consumed yet. */
  get unconsumed(): string {
    return this.at === 0 ? this.text : this.text.slice(this.at);
  }

  take(): { rows: Cell[][]; rejected: RejectedRow[] } {
    const { rows, rejected } = this;
    this.rows = [];
    this.rejected = [];
    return { rows, rejected };
  }

  /** Reads the rows that became whole with this piece; with the `last` one a row needs no line ending.
   *  @throws SyncError delivery_unreadable where the header is none; the message names positions, never content */
  push(piece: DecodedText, last: boolean): void {
    this.append(piece);
    while (this.step(last));
  }

  /** As `push`, but reads no further than the header. */
  pushHeader(piece: DecodedText, last: boolean): void {
    this.append(piece);
    while (this.columnNames === null && this.step(last));
  }

  private append(piece: DecodedText): void {
    this.text = this.text.slice(this.at) + piece.text;
    this.checkUntil -= this.at;
    this.distrustUntil -= this.at;
    this.nextQuote = -1;
    this.at = 0;
    if (piece.invalid || piece.text.includes('\0')) this.checkUntil = this.text.length;
  }

  /** One row, one rejected row, one empty line; false when more text is needed or all is done. */
  private step(last: boolean): boolean {
    if (this.at >= this.text.length) return false;
    if (this.discarding !== null) return this.discard(last);
    if (this.ending === null && !this.findLineEnding(last)) return false;
    const lineEnd = this.text.indexOf(this.endCharacter(), this.at);
    const end = lineEnd < 0 ? this.text.length : lineEnd;
    if (this.quoteBefore(end)) return this.stepQuoted(last);
    if (lineEnd < 0 && !last) return this.giveUpOnLongLine();
    this.plainRow(end, lineEnd < 0 ? end : lineEnd + 1);
    return true;
  }

  private endCharacter(): string {
    return this.ending === 'cr' ? '\r' : '\n';
  }

  private quoteBefore(end: number): boolean {
    if (this.nextQuote < this.at) {
      const found = this.text.indexOf(this.dialect.quote, this.at);
      this.nextQuote = found < 0 ? Number.POSITIVE_INFINITY : found;
    }
    return this.nextQuote < end;
  }

  private plainRow(end: number, next: number): void {
    const { text, at, dialect } = this;
    const contentEnd = this.withoutCarriageReturn(at, end);
    if (contentEnd === at) {
      this.advance(next, 1);
      return;
    }
    const cells = splitPlain(text.slice(at, contentEnd), dialect);
    if (this.columnNames !== null && cells.length !== this.columnNames.length)
      this.reject('wrong_field_count', contentEnd, cells.length);
    else this.deliver(cells, contentEnd);
    this.advance(next, 1);
  }

  private withoutCarriageReturn(from: number, end: number): number {
    return this.ending !== 'cr' && end > from && this.text.charCodeAt(end - 1) === carriageReturn ? end - 1 : end;
  }

  private advance(next: number, lines: number): void {
    this.at = next;
    this.line += lines;
  }

  /** Hands a row with the right number of fields on, unless something in it cannot be kept. */
  private deliver(cells: Cell[], end: number): void {
    const problem = this.contentProblem(cells, end);
    if (this.columnNames === null) {
      if (problem !== null) throw new SyncError('delivery_unreadable', `the header has ${csvRowProblems[problem]}`);
      this.columnNames = headerOf(cells);
      return;
    }
    if (problem !== null) {
      this.reject(problem, end, cells.length);
      return;
    }
    this.rowCount += 1;
    this.rows.push(cells);
  }

  private contentProblem(cells: readonly Cell[], end: number): CsvRowProblem | null {
    if (this.at < this.checkUntil) {
      const raw = this.text.slice(this.at, end);
      if (hasInvalid(raw)) return 'invalid_encoding';
      if (raw.includes('\0')) return 'nul_character';
    }
    // A character has at most three bytes for each of its units.
    if (end - this.at > maxFieldBytes / 3 && cells.some(isTooLong)) return 'field_too_long';
    return null;
  }

  private reject(reason: CsvRowProblem, end: number, fields: number | null): void {
    if (this.columnNames === null)
      throw new SyncError('delivery_unreadable', `the header is no row: ${csvRowProblems[reason]}`);
    const raw = withoutInvalid(this.text.slice(this.at, Math.min(end, this.at + maxRawLength))).replaceAll(
      '\0',
      '\u2400',
    );
    const counted =
      fields === null || reason !== 'wrong_field_count'
        ? ''
        : ` (${String(fields)} instead of ${String(this.columnNames.length)})`;
    const problem = {
      row: String(this.line),
      key: null,
      field: null,
      reason,
      detail: csvRowProblems[reason] + counted,
    };
    this.rowCount += 1;
    this.rejected.push({ problem, raw });
  }

  private stepQuoted(last: boolean): boolean {
    const row = this.readQuotedRow(last);
    if (row.kind === 'unfinished') return this.waitOrGiveUp(row.open);
    if (row.kind === 'broken') {
      this.resumeAfterLineOf(row.open, 'quote_not_closed', null);
      return true;
    }
    const contentEnd = this.contentEndBefore(row.end);
    const wrongCount = this.columnNames !== null && row.cells.length !== this.columnNames.length;
    if (wrongCount && row.multiLineOpen >= 0) {
      this.distrustUntil = Math.max(this.distrustUntil, row.end);
      this.resumeAfterLineOf(row.multiLineOpen, 'wrong_field_count', row.cells.length);
      return true;
    }
    if (wrongCount) this.reject('wrong_field_count', contentEnd, row.cells.length);
    else if (row.stray && this.at < this.distrustUntil) this.reject('stray_quote', contentEnd, null);
    else this.deliver(row.cells, contentEnd);
    this.advance(row.end, Math.max(1, this.lineEndsBetween(this.at, row.end)));
    return true;
  }

  private contentEndBefore(end: number): number {
    const ended = end > this.at && this.text[end - 1] === this.endCharacter();
    return this.withoutCarriageReturn(this.at, ended ? end - 1 : end);
  }

  /** Rejects what stands from the row's start to the end of the line where the quote at `open` is; the next line is a row again. */
  private resumeAfterLineOf(open: number, reason: CsvRowProblem, fields: number | null): void {
    const found = this.text.indexOf(this.endCharacter(), open);
    const next = found < 0 ? this.text.length : found + 1;
    this.reject(reason, this.contentEndBefore(next), fields);
    this.advance(next, this.lineEndsBetween(this.at, next));
  }

  private lineEndsBetween(from: number, to: number): number {
    const sign = this.endCharacter();
    let count = 0;
    for (
      let found = this.text.indexOf(sign, from);
      found >= 0 && found < to;
      found = this.text.indexOf(sign, found + 1)
    )
      count += 1;
    return count;
  }

  /* The hot path of files that quote: one pass by indexOf, a slice a field. */
  private readQuotedRow(last: boolean): QuotedRow {
    const { text, dialect } = this;
    const endSign = this.endCharacter();
    const cells: Cell[] = [];
    let at = this.at;
    let lineEnd = text.indexOf(endSign, at);
    let multiLineOpen = -1;
    let stray = false;
    for (;;) {
      if (text.charCodeAt(at) === this.quoteCode) {
        const open = at;
        const close = this.closingQuote(open, last);
        if (close === unfinished) return { kind: 'unfinished', open };
        if (close === missing) return { kind: 'broken', open };
        cells.push(this.quotedCell(open, close));
        at = close + 1;
        if (lineEnd >= 0 && lineEnd < at) {
          if (multiLineOpen < 0) multiLineOpen = open;
          lineEnd = text.indexOf(endSign, at);
        }
        if (text.charCodeAt(at) === this.delimiterCode) {
          at += 1;
          continue;
        }
        const after = this.afterClosing(at, last);
        if (after === unfinished) return { kind: 'unfinished', open };
        if (after === broken) return { kind: 'broken', open };
        return { kind: 'row', cells, end: after, multiLineOpen, stray };
      } else {
        const delimiter = text.indexOf(dialect.delimiter, at);
        const isLast = delimiter < 0 || (lineEnd >= 0 && lineEnd < delimiter);
        if (isLast && lineEnd < 0 && !last) return { kind: 'unfinished', open: at };
        const fieldEnd = !isLast ? delimiter : lineEnd < 0 ? text.length : lineEnd;
        const cell = text.slice(at, isLast ? this.withoutCarriageReturn(at, fieldEnd) : fieldEnd);
        stray ||= cell.includes(dialect.quote);
        cells.push(cell === '' ? dialect.unquotedEmpty : cell);
        if (isLast) return { kind: 'row', cells, end: lineEnd < 0 ? fieldEnd : lineEnd + 1, multiLineOpen, stray };
        at = delimiter + 1;
      }
    }
  }

  /** Where the field that opens here is closed; `unfinished` and `missing` are negative. */
  private closingQuote(open: number, last: boolean): number {
    const { text, dialect } = this;
    for (let from = open + 1; ;) {
      const found = text.indexOf(dialect.quote, from);
      if (found < 0) return last ? missing : unfinished;
      if (found + 1 >= text.length && !last) return unfinished;
      if (text.charCodeAt(found + 1) !== this.quoteCode) return found;
      from = found + 2;
    }
  }

  private quotedCell(open: number, close: number): Cell {
    if (close === open + 1) return this.dialect.quotedEmpty;
    const { quote } = this.dialect;
    const cell = this.text.slice(open + 1, close);
    return cell.includes(quote) ? cell.replaceAll(quote + quote, quote) : cell;
  }

  /** Behind a closing quote that no delimiter follows: the place behind the row's end; `unfinished` and `broken` are negative. */
  private afterClosing(at: number, last: boolean): number {
    const { text } = this;
    if (at >= text.length) return last ? at : unfinished;
    const code = text.charCodeAt(at);
    if (code === (this.ending === 'cr' ? carriageReturn : lineFeed)) return at + 1;
    if (this.ending === 'cr' || code !== carriageReturn) return broken;
    if (at + 1 >= text.length) return last ? at + 1 : unfinished;
    return text.charCodeAt(at + 1) === lineFeed ? at + 2 : broken;
  }

  private findLineEnding(last: boolean): boolean {
    const { text } = this;
    let quoted = false;
    for (let at = this.at; at < text.length; at += 1) {
      const code = text.charCodeAt(at);
      if (code === this.quoteCode) quoted = !quoted;
      else if (!quoted && code === lineFeed) return this.setEnding('lf');
      else if (!quoted && code === carriageReturn) {
        if (at + 1 < text.length) return this.setEnding(text.charCodeAt(at + 1) === lineFeed ? 'crlf' : 'cr');
        if (last) return this.setEnding('cr');
      }
    }
    if (!last && text.length - this.at <= maxFieldBytes) return false;
    // No line ends outside of quotes, so a quote is not closed: the header will be refused, or it is the only line.
    return this.setEnding(text.includes('\n') || !text.includes('\r') ? 'lf' : 'cr');
  }

  private setEnding(ending: LineEnding): true {
    this.ending = ending;
    return true;
  }

  /** An unfinished row with a quote: wait for more text, unless the field that began at `open` is longer than any field may be. */
  private waitOrGiveUp(open: number): boolean {
    const fieldTooLong = this.text.length - open > maxFieldBytes;
    if (!fieldTooLong && this.text.length - this.at <= maxRowLength) return false;
    const isQuoted = this.text.charCodeAt(open) === this.quoteCode;
    if (isQuoted && this.nextLinesAreRows(open)) {
      this.resumeAfterLineOf(open, 'quote_not_closed', null);
      return true;
    }
    this.startDiscarding(fieldTooLong ? 'field_too_long' : 'row_too_long', isQuoted ? open : null);
    return true;
  }

  private giveUpOnLongLine(): boolean {
    const lastDelimiter = this.text.lastIndexOf(this.dialect.delimiter);
    const fieldTooLong = this.text.length - Math.max(lastDelimiter, this.at) > maxFieldBytes;
    if (!fieldTooLong && this.text.length - this.at <= maxRowLength) return false;
    this.startDiscarding(fieldTooLong ? 'field_too_long' : 'row_too_long', null);
    return true;
  }

  /** Tells a quote that somebody forgot to close from a field that is truly long: behind the former, lines are rows. */
  private nextLinesAreRows(open: number): boolean {
    const width = this.columnNames?.length ?? 0;
    const lines = this.text
      .slice(open, open + maxFieldBytes)
      .split(this.endCharacter(), 5)
      .slice(1, 4);
    return lines.length > 0 && lines.every((line) => line.split(this.dialect.delimiter).length === width);
  }

  /** `open` is the quote of the field that all buffered text from there on belongs to, null outside of quotes. */
  private startDiscarding(reason: CsvRowProblem, open: number | null): void {
    const { text, dialect } = this;
    this.reject(reason, text.length, null);
    let end = text.length;
    while (open !== null && end > open + 1 && text[end - 1] === dialect.quote) end -= 1;
    // Of a run of quotes at the very end each pair is a character of the field; an odd one may be half of a pair or close it.
    const kept = (text.length - end) % 2;
    this.advance(text.length - kept, this.lineEndsBetween(this.at, text.length));
    this.discarding = open === null ? 'plain' : 'quoted';
  }

  private discard(last: boolean): boolean {
    const { text, dialect } = this;
    const lineEnd = text.indexOf(this.endCharacter(), this.at);
    const quote = text.indexOf(dialect.quote, this.at);
    if (this.discarding === 'plain' && lineEnd >= 0 && (quote < 0 || lineEnd < quote)) {
      this.advance(lineEnd + 1, 1);
      this.discarding = null;
      return true;
    }
    if (quote < 0) {
      this.advance(text.length, this.lineEndsBetween(this.at, text.length));
      return false;
    }
    if (this.discarding === 'quoted') return this.discardToClosing(quote, last);
    this.at = quote + 1;
    this.discarding = 'quoted';
    return true;
  }

  private discardToClosing(quote: number, last: boolean): boolean {
    if (quote + 1 >= this.text.length && !last) return false;
    const doubled = this.text.charCodeAt(quote + 1) === this.quoteCode;
    this.advance(quote + (doubled ? 2 : 1), this.lineEndsBetween(this.at, quote));
    if (!doubled) this.discarding = 'plain';
    return true;
  }
}

/** Slices found by indexOf are faster than `split` and a second look at each cell. */
const splitPlain = (line: string, { delimiter, unquotedEmpty }: ResolvedDialect): Cell[] => {
  const cells: Cell[] = [];
  for (let at = 0; ;) {
    const found = line.indexOf(delimiter, at);
    const end = found < 0 ? line.length : found;
    cells.push(end === at ? unquotedEmpty : line.slice(at, end));
    if (found < 0) return cells;
    at = found + 1;
  }
};

const isTooLong = (cell: Cell): boolean =>
  cell !== null &&
  cell.length > maxFieldBytes / 3 &&
  (cell.length > maxFieldBytes || Buffer.byteLength(cell) > maxFieldBytes);

/** The names of a header row. Names are compared as they stand: a trailing space is part of a name. */
const headerOf = (cells: readonly Cell[]): readonly string[] => {
  const names = cells.map((cell) => cell ?? '');
  const firstAt = new Map<string, number>();
  for (const [index, name] of names.entries()) {
    const first = firstAt.get(name);
    // A file without a header has data in its first row, so the name itself may not be told.
    if (first !== undefined) {
      throw new SyncError(
        'delivery_unreadable',
        `columns ${String(first + 1)} and ${String(index + 1)} of the header have the same name`,
      );
    }
    firstAt.set(name, index);
  }
  return names;
};
