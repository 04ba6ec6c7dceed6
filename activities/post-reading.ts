import { setImmediate as nextTurn } from 'node:timers/promises';
import type { RawBatch } from '../connectors/capabilities.js';
import type { CompiledPosting } from '../domain/posting.js';
import type { SetRule } from '../domain/rules.js';
import type { Cell, RawRow, RejectedRow, RowProblem } from '../domain/rows.js';
import { CopyEncoder, CopyLineSplitter, decodeCopyLine } from '../platform/copy-text.js';
import { createDigest } from '../platform/hash.js';

/** The rows of one chunk that one target is to hold, encoded: as objects they would outlive many a garbage collection. */
export interface TargetRows {
  readonly count: number;
  readonly first: RawRow;
  readonly last: RawRow;
  /** Of the encoded rows in their order: the same source rows give the same digest. */
  readonly digest: string;
  /** COPY text in the order of the target's columns. */
  readonly text: readonly Buffer[];
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

class TargetEncoder {
  private readonly encoder = new CopyEncoder();
  private text: Buffer[] = [];
  private digest = createDigest();
  private count = 0;
  private first: RawRow = [];
  private last: RawRow = [];

  get rows(): number {
    return this.count;
  }

  add(row: RawRow): void {
    if (this.count === 0) this.first = row;
    this.last = row;
    this.count += 1;
    this.encoder.add(row);
    if (this.encoder.size >= encodedAtOnce) this.flush();
  }

  private flush(): void {
    const part = this.encoder.take();
    this.digest.update(part);
    this.text.push(part);
  }

  take(): TargetRows | null {
    if (this.count === 0) return null;
    if (this.encoder.size > 0) this.flush();
    const { count, first, last, text } = this;
    const digest = this.digest.hex();
    this.count = 0;
    this.text = [];
    this.digest = createDigest();
    return { count, first, last, digest, text };
  }
}

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

  constructor(
    private readonly posting: CompiledPosting,
    targets: number,
    private readonly setRules: readonly SetRule[],
    private readonly broken: BrokenValues,
  ) {
    this.targets = Array.from({ length: targets }, () => new TargetEncoder());
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
  batches: AsyncIterable<RawBatch>,
  reading: ChunkReading,
): AsyncGenerator<PostedChunk, void, undefined> {
  const { posting, targets, setRules, broken, chunkRows, alive } = reading;
  const builder = new ChunkBuilder(posting, targets, setRules, broken);
  let cursor: string | null = null;
  for await (const batch of batches) {
    alive();
    await builder.add(batch);
    cursor = batch.cursor;
    if (builder.size >= chunkRows) yield await builder.take(cursor, false);
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
