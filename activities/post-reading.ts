import type { RawBatch } from '../connectors/capabilities.js';
import type { CompiledPosting } from '../domain/posting.js';
import type { SetRule } from '../domain/rules.js';
import type { Cell, RawRow, RejectedRow, RowProblem } from '../domain/rows.js';
import { createDigest } from '../platform/hash.js';

/** The rows of one chunk that one target is to hold. */
export interface TargetRows {
  readonly rows: readonly RawRow[];
  /** Of the rows' content in their order: the same source rows give the same digest. */
  readonly digest: string;
}

/** What one chunk of a posted source becomes. */
export interface PostedChunk {
  readonly targets: readonly TargetRows[];
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

interface Held {
  readonly row: RawRow;
  readonly key: string | null;
  readonly cells: readonly (Cell[] | null)[];
}

/** Digests are taken over some hundred rows at once: a call for each would cost more than the hashing. */
const digestBatch = 256;
const cellMark = '\u001f';
const rowMark = '\u001e';

/** The digest of rows in their order. */
export const digestRows = (rows: readonly RawRow[]): string => {
  const digest = createDigest();
  let text = '';
  for (let index = 0; index < rows.length; index += 1) {
    text += (rows[index] ?? []).join(cellMark) + rowMark;
    if (index % digestBatch !== digestBatch - 1) continue;
    digest.update(text);
    text = '';
  }
  digest.update(text);
  return digest.hex();
};

class ChunkBuilder {
  private held: Held[] = [];
  private rejected: RejectedRow[] = [];
  private problems: RowProblem[] = [];
  private filtered = 0;
  private extracted = 0;

  constructor(
    private readonly posting: CompiledPosting,
    private readonly targets: number,
    private readonly setRules: readonly SetRule[],
    private readonly broken: BrokenValues,
  ) {}

  get size(): number {
    return this.extracted;
  }

  add({ rows, rejected }: RawBatch): void {
    this.extracted += rows.length + rejected.length;
    for (const row of rejected) this.rejected.push(row);
    for (const row of rows) this.addRow(row);
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
      this.rejected.push({ problem: { row: '', key: posted.key, field: column, reason, detail }, raw: JSON.stringify(row) });
      return;
    }
    for (let place = 1; place < posted.unwritable.length; place += 1) {
      const problem = posted.unwritable[place];
      if (problem !== null && problem !== undefined)
        this.problems.push({ row: '', key: posted.key, field: problem.column, reason: problem.reason, detail: problem.detail });
    }
    this.held.push({ row, key: posted.key, cells: posted.rows });
  }

  async take(cursor: string | null, last: boolean): Promise<PostedChunk> {
    const held = this.setRules.length === 0 ? this.held : await this.unbroken();
    const targets: TargetRows[] = [];
    for (let place = 0; place < this.targets; place += 1) {
      const rows: RawRow[] = [];
      for (const { cells } of held) {
        const row = cells[place] ?? null;
        if (row !== null) rows.push(row);
      }
      if (place === 0) this.filtered += held.length - rows.length;
      targets.push({ rows, digest: digestRows(rows) });
    }
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
    builder.add(batch);
    cursor = batch.cursor;
    if (builder.size >= chunkRows) yield await builder.take(cursor, false);
  }
  yield await builder.take(cursor, true);
}

/** Works on the next item while the consumer is busy with the one before: the source is read while the target is written. */
export async function* ahead<T>(items: AsyncGenerator<T, void, undefined>): AsyncGenerator<T, void, undefined> {
  let next = items.next();
  try {
    for (;;) {
      const { done, value } = await next;
      if (done === true) return;
      next = items.next();
      // Told where it is awaited; until then it is no unhandled rejection.
      next.catch(() => undefined);
      yield value;
    }
  } finally {
    await next.catch(() => undefined);
    await items.return();
  }
}
