import { isUtf8 } from 'node:buffer';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { CopyTextBatch, RawBatch } from '../connectors/capabilities.js';
import type { CompiledPosting } from '../domain/posting.js';
import type { SetRule } from '../domain/rules.js';
import type { Cell, RawRow, RejectedRow, RowProblem } from '../domain/rows.js';
import { CopyLine } from '../platform/copy-line.js';
import { CopyEncoder, CopyLineSplitter, decodeCopyLine } from '../platform/copy-text.js';
import { createDigest } from '../platform/hash.js';
import { LineWriter } from './post-lines.js';

/** The rows of one chunk that one target is to hold, encoded: as objects they would outlive many a garbage collection. */
export interface TargetRows {
  readonly count: number;
  readonly first: RawRow;
  readonly last: RawRow;
  /** Of the encoded rows in their order: the same source rows give the same digest. */
  readonly digest: string;
  /** COPY text in the order of the target's columns; each part has whole lines. */
  readonly text: readonly Buffer[];
  /** The text is not needed any more: other rows come into its memory. */
  readonly release: () => void;
}

/** The rows again, some hundred at a time. */
export function* decodeRows(text: readonly Buffer[]): Generator<RawRow[], void, undefined> {
  const splitter = new CopyLineSplitter();
  for (const part of text) {
    const lines = splitter.push(part);
    if (lines.length > 0) yield lines.map(decodeCopyLine);
  }
}

/** What one chunk of a posted source becomes. */
export interface PostedChunk {
  /** A target each, in their order; null: no row of the chunk is for it. */
  readonly targets: readonly (TargetRows | null)[];
  readonly rejected: readonly RejectedRow[];
  /** Blanked values and warnings. */
  readonly problems: readonly RowProblem[];
  /** Rows of the source, and those of them that are not wanted by the mapping or by the first target. */
  readonly extracted: number;
  readonly filtered: number;
  readonly cursor: string | null;
  readonly last: boolean;
}

/** Tells which values of a column break a rule over many rows. */
export type BrokenValues = (rule: SetRule, values: readonly string[]) => Promise<ReadonlySet<string>>;

/** Kept as it was read while rules over many rows are still to judge it. */
interface Held {
  readonly row: RawRow;
  readonly key: string | null;
  readonly cells: readonly (Cell[] | null)[];
}

/** Large parts: between two of them the sockets wait for the event loop, which is busy with reading. */
const encodedAtOnce = 1024 * 1024;
/** Rows that are worked on before others get a turn. */
const rowsAtOnce = 500;

/** With room for the row with which a part is full. */
const memoryOfPart = encodedAtOnce + 64 * 1024;

/** Memory of encoded rows, which goes from chunk to chunk and from run to run: dropped, it would wait long to be freed, as the
 *  collector sees but small objects. Where it does look for memory, it may have what nobody uses. */
class TextMemory {
  private free: WeakRef<Buffer>[] = [];

  take(): Buffer {
    for (let known = this.free.pop(); known !== undefined; known = this.free.pop()) {
      const memory = known.deref();
      if (memory !== undefined) return memory;
    }
    return Buffer.allocUnsafeSlow(memoryOfPart);
  }

  give(parts: readonly Buffer[]): void {
    for (const { buffer } of parts) {
      if (buffer.byteLength === memoryOfPart) this.free.push(new WeakRef(Buffer.from(buffer)));
    }
  }
}

const textMemory = new TextMemory();

class TargetEncoder {
  readonly bytes = new CopyEncoder(textMemory.take());
  private text: Buffer[] = [];
  private digest = createDigest();
  private count = 0;

  add(row: RawRow): void {
    this.bytes.add(row);
    this.endRow();
  }

  /** After a row that was written into `bytes`. */
  endRow(): void {
    this.count += 1;
    if (this.bytes.size >= encodedAtOnce) this.flush();
  }

  private flush(): void {
    const part = this.bytes.swap(textMemory.take());
    this.digest.update(part);
    this.text.push(part);
  }

  take(): TargetRows | null {
    if (this.count === 0) return null;
    if (this.bytes.size > 0) this.flush();
    const { count, text } = this;
    const digest = this.digest.hex();
    this.count = 0;
    this.text = [];
    this.digest = createDigest();
    const release = (): void => textMemory.give(text.splice(0));
    return { count, first: rowAt(text[0], 'first'), last: rowAt(text.at(-1), 'last'), digest, text, release };
  }
}

const newline = 0x0a;

/** A row of whole lines. */
const rowAt = (text: Buffer = Buffer.alloc(0), place: 'first' | 'last'): RawRow => {
  const start = place === 'first' || text.length < 2 ? 0 : text.lastIndexOf(newline, text.length - 2) + 1;
  return decodeCopyLine(text.toString('utf8', start, text.indexOf(newline, start)));
};

/** Rows as a chunk; null: there are none. */
export const encodeRows = (rows: readonly RawRow[]): TargetRows | null => {
  const encoder = new TargetEncoder();
  for (const row of rows) encoder.add(row);
  return encoder.take();
};

class ChunkBuilder {
  private held: Held[] = [];
  private rejected: RejectedRow[] = [];
  private problems: RowProblem[] = [];
  private filtered = 0;
  private extracted = 0;
  private readonly targets: readonly TargetEncoder[];
  private readonly lines: LineWriter | null;
  private readonly line: CopyLine;

  constructor(
    private readonly posting: CompiledPosting,
    targets: number,
    private readonly setRules: readonly SetRule[],
    private readonly broken: BrokenValues,
  ) {
    this.targets = Array.from({ length: targets }, () => new TargetEncoder());
    const { lines } = posting;
    // What a rule over many rows judges is kept as rows.
    const isByLines = lines !== null && setRules.length === 0;
    this.lines = isByLines
      ? new LineWriter(
          lines,
          this.targets.map(({ bytes }) => bytes),
        )
      : null;
    this.line = new CopyLine(lines?.columns ?? 0);
  }

  get size(): number {
    return this.extracted;
  }

  async add({ rows, rejected }: RawBatch): Promise<void> {
    this.extracted += rows.length + rejected.length;
    for (const row of rejected) this.rejected.push(row);
    for (let at = 0; at < rows.length; at += rowsAtOnce) {
      const end = Math.min(at + rowsAtOnce, rows.length);
      for (let index = at; index < end; index += 1) this.addRow(rows[index] ?? []);
      await nextTurn();
    }
  }

  /** Lines of a text from a place on, until it ends or the chunk has so many rows. @returns where the next line begins */
  async addText(text: Buffer, from: number, chunkRows: number): Promise<number> {
    // Bytes that are no UTF-8 become characters that are: only texts can tell.
    const lines = isUtf8(text) ? this.lines : null;
    let at = from;
    while (at < text.length && this.extracted < chunkRows) {
      const end = Math.min(this.extracted + rowsAtOnce, chunkRows);
      while (at < text.length && this.extracted < end) {
        at = this.line.read(text, at);
        this.extracted += 1;
        this.addLine(lines);
      }
      await nextTurn();
    }
    return at;
  }

  private addLine(lines: LineWriter | null): void {
    const outcome = lines !== null && this.line.plain ? lines.write(this.line) : 'general';
    if (outcome === 'general') this.addRow(decodeCopyLine(this.line.text()));
    else if (outcome === 'filtered') this.filtered += 1;
    else for (const target of this.targets) target.endRow();
  }

  private addRow(row: RawRow): void {
    const posted = this.posting.post(row);
    for (const problem of posted.problems) this.problems.push(problem);
    if (posted.rejected !== null) {
      this.rejected.push({ problem: posted.rejected, raw: JSON.stringify(row) });
      return;
    }
    if (posted.filtered) {
      this.filtered += 1;
      return;
    }
    const [unwritable] = posted.unwritable;
    if (unwritable !== null && unwritable !== undefined) {
      const { column, reason, detail } = unwritable;
      this.rejected.push({
        problem: { row: '', key: posted.key, field: column, reason, detail },
        raw: JSON.stringify(row),
      });
      return;
    }
    for (let place = 1; place < posted.unwritable.length; place += 1) {
      const problem = posted.unwritable[place];
      if (problem !== null && problem !== undefined)
        this.problems.push({
          row: '',
          key: posted.key,
          field: problem.column,
          reason: problem.reason,
          detail: problem.detail,
        });
    }
    if (this.setRules.length === 0) this.encode(posted.rows);
    else this.held.push({ row, key: posted.key, cells: posted.rows });
  }

  private encode(cells: readonly (Cell[] | null)[]): void {
    const [first] = cells;
    if (first === null || first === undefined) this.filtered += 1;
    for (let place = 0; place < this.targets.length; place += 1) {
      const row = cells[place] ?? null;
      if (row !== null) this.targets[place]?.add(row);
    }
  }

  async take(cursor: string | null, last: boolean): Promise<PostedChunk> {
    for (const { cells } of await this.unbroken()) this.encode(cells);
    const targets = this.targets.map((target) => target.take());
    const { rejected, problems, extracted, filtered } = this;
    [this.held, this.rejected, this.problems, this.extracted, this.filtered] = [[], [], [], 0, 0];
    return { targets, rejected, problems, extracted, filtered, cursor, last };
  }

  /** Leaves out the rows that break a rule over many rows, with their reason. */
  private async unbroken(): Promise<Held[]> {
    let held = this.held;
    for (const rule of this.setRules) {
      const valueOf = ({ row }: Held): string => (row[rule.column] ?? '').trim();
      const values = new Set(held.map(valueOf));
      values.delete('');
      const broken = await this.broken(rule, [...values]);
      if (broken.size === 0) continue;
      const kept: Held[] = [];
      for (const one of held) {
        if (!broken.has(valueOf(one))) {
          kept.push(one);
          continue;
        }
        const problem = { row: '', key: one.key, field: rule.field, reason: rule.name, detail: wordsOf(rule) };
        if (rule.severity === 'reject') this.rejected.push({ problem, raw: JSON.stringify(one.row) });
        else {
          this.problems.push(problem);
          kept.push(one);
        }
      }
      held = kept;
    }
    return held;
  }
}

const wordsOf = (rule: SetRule): string =>
  rule.check === 'unique' ? 'the value occurs in several rows' : 'no such record is known';

export interface ChunkReading {
  readonly posting: CompiledPosting;
  readonly targets: number;
  readonly setRules: readonly SetRule[];
  readonly broken: BrokenValues;
  readonly chunkRows: number;
  readonly alive: () => void;
}

/** Turns batches of a source into chunks of about `chunkRows` rows; the last one is told apart, and always comes, be it empty. */
export async function* readPosted(
  batches: AsyncIterable<RawBatch | CopyTextBatch>,
  reading: ChunkReading,
): AsyncGenerator<PostedChunk, void, undefined> {
  const { posting, targets, setRules, broken, chunkRows, alive } = reading;
  const builder = new ChunkBuilder(posting, targets, setRules, broken);
  let cursor: string | null = null;
  for await (const batch of batches) {
    alive();
    if ('text' in batch) {
      // Batches end where a socket's bytes did: chunks have the same rows every time, so that they are known again.
      for (let at = 0; at < batch.text.length;) {
        at = await builder.addText(batch.text, at, chunkRows);
        if (builder.size >= chunkRows) yield await builder.take(batch.cursorAt(at), false);
      }
    } else {
      await builder.add(batch);
      if (builder.size >= chunkRows) yield await builder.take(batch.cursor, false);
    }
    cursor = batch.cursor;
  }
  yield await builder.take(cursor, true);
}

/** Works on the next items, at most `most`, while the consumer is busy: the source is read while the target is written. */
export async function* ahead<T>(
  items: AsyncGenerator<T, void, undefined>,
  most: number,
): AsyncGenerator<T, void, undefined> {
  const pending: Promise<IteratorResult<T, void>>[] = [];
  const ask = (): void => {
    const next = items.next();
    // Told where it is awaited; until then it is no unhandled rejection.
    next.catch(() => undefined);
    pending.push(next);
  };
  try {
    for (;;) {
      while (pending.length <= most) ask();
      const next = await pending.shift();
      if (next === undefined || next.done === true) return;
      yield next.value;
    }
  } finally {
    await Promise.allSettled(pending);
    await items.return();
  }
}
