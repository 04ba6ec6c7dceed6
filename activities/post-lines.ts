import { isTimestampForm } from '../domain/byte-forms.js';
import type { LineColumn, PostedLines } from '../domain/posting-lines.js';
import type { Cell } from '../domain/rows.js';
import type { CopyLine } from '../platform/copy-line.js';
import type { CopyEncoder } from '../platform/copy-text.js';
import { addInstant } from './instant-bytes.js';

/** `general`: nothing was written; the row is to be posted as all other rows are. */
export type LineOutcome = 'written' | 'filtered' | 'general';

/** Posts lines of COPY text: each target's line is made of the bytes of the source's, in one piece where columns follow each other. */
export class LineWriter {
  /** Texts of the line at hand, of those columns that somebody looked at. */
  private readonly cells: Cell[];
  private readonly before: number[];

  /** @param targets where the rows of each target go */
  constructor(
    private readonly lines: PostedLines,
    private readonly targets: readonly CopyEncoder[],
  ) {
    this.cells = new Array<Cell>(lines.columns).fill(null);
    this.before = targets.map(() => 0);
  }

  /** Writes a plain line's row for every target. */
  write(line: CopyLine): LineOutcome {
    const { keys, filter, checks, targets: made } = this.lines;
    const { targets, before } = this;
    for (const key of keys) if (line.isBlank(key)) return 'general';
    if (filter !== null) {
      this.read(line, filter.needs);
      if (!filter.isOurs(this.cells)) return 'filtered';
    }
    for (const { column, kept, needs, holds } of checks) {
      if (kept !== null && !line.isNull(column) && kept(line.bytes, line.startOf(column), line.endOf(column))) continue;
      this.read(line, needs);
      if (!holds(this.cells)) return 'general';
    }
    for (let place = 0; place < targets.length; place += 1) before[place] = targets[place]?.size ?? 0;
    for (let place = 0; place < targets.length; place += 1) {
      const [target, columns] = [targets[place], made[place]];
      if (target === undefined || columns === undefined || this.writeTo(target, columns, line)) continue;
      for (let done = 0; done <= place; done += 1) targets[done]?.cut(before[done] ?? 0);
      return 'general';
    }
    return 'written';
  }

  /** Makes texts of some columns. */
  private read(line: CopyLine, columns: readonly number[]): void {
    for (const column of columns) this.cells[column] = line.cell(column);
  }

  private writeTo(target: CopyEncoder, columns: readonly LineColumn[], line: CopyLine): boolean {
    const { bytes } = line;
    // Cells that wait to be copied in one piece, with the tabs between them; `next`: the column that would go on with it.
    let [from, to, next] = [0, 0, -1];
    for (let index = 0; index < columns.length; index += 1) {
      const one = columns[index];
      if (one === undefined) continue;
      const { column } = one;
      if (column >= 0 && isSame(one, line)) {
        if (column !== next) {
          if (next >= 0) target.addBytes(bytes, from, to);
          if (index > 0) target.separate();
          from = line.startOf(column);
        }
        to = line.endOf(column);
        next = column + 1;
        continue;
      }
      if (next >= 0) target.addBytes(bytes, from, to);
      next = -1;
      if (index > 0) target.separate();
      if (!this.writeCell(target, one, line)) return false;
    }
    if (next >= 0) target.addBytes(bytes, from, to);
    target.endLine();
    return true;
  }

  private writeCell(target: CopyEncoder, one: LineColumn, line: CopyLine): boolean {
    const { column, key } = one;
    if (column >= 0) {
      if (line.isBlank(column)) {
        target.addCell(null);
        return !key;
      }
      const { bytes } = line;
      const [start, end] = [line.startOf(column), line.endOf(column)];
      if (one.isTimestamp && isTimestampForm(bytes, start, end)) {
        addInstant(target, bytes, start, end);
        return true;
      }
      const letter = end - start === 1 ? one.letters[bytes[start] ?? 0] : undefined;
      if (letter !== undefined) {
        target.addCell(letter);
        return true;
      }
    }
    this.read(line, one.needs);
    const cell = one.write(this.cells);
    if (cell === undefined) return false;
    target.addCell(cell);
    return true;
  }
}

/** Whether the bytes of the cell are those of the target's: null is written as it is read, an empty cell is not. */
const isSame = ({ column, key, same }: LineColumn, line: CopyLine): boolean => {
  if (line.isNull(column)) return !key;
  const [start, end] = [line.startOf(column), line.endOf(column)];
  return same !== null && end > start && same(line.bytes, start, end);
};
