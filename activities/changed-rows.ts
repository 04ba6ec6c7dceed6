import type { CompiledTarget, Projection } from '../domain/projection.js';
import type { RowSpelling } from '../domain/spelling.js';
import { CopyEncoder } from '../platform/copy-text.js';
import { hash128Of } from '../platform/hash.js';
import { GoldenLine, goldenColumns } from './golden-line.js';
import { ProjectedRows } from './projected-rows.js';
import type { Judged } from './projecting.js';

const tab = 0x09;
const backslash = 0x5c;

/** What is selected of golden records (`g`) and their one image each (`i`), as COPY text. */
export const changedColumns = `i.id, i.source_key, i.raw_hash, i.told_hash, ${goldenColumns}`;
const imageCells = 4;

/** Rows of a chunk beyond these bytes are told row by row: memory does not grow with the width of rows. */
const mostBytes = 8 * 1024 * 1024;

/** A row that is to be changed. Hashes are those of `hashOfRow`. */
export interface ChangedRow {
  readonly goldenId: string;
  readonly imageId: string;
  readonly key: string;
  /** Of the row as it was last seen there. */
  readonly known: string;
  /** Of the row in our spelling. */
  readonly told: string;
  /** Of the row in the target's spelling, as far as that is known. */
  readonly standing: string;
  readonly version: number;
  readonly subject: string | null;
  /** Where its JSON ends, in `ChangedRows.afters`. */
  readonly end: number;
}

/** Rows of a target of which we know what stands there: those that change, those that do not, and none of the others, which have to
 *  be looked at more closely. */
export class ChangedRows extends ProjectedRows<null> {
  readonly changed: ChangedRow[] = [];
  /** Golden ids of rows that were told as they are. */
  readonly same: string[] = [];
  /** Records whose rows change by themselves. */
  readonly noted: (Judged & { readonly goldenId: string })[] = [];
  /** The rows as they are to stand, one after the other. */
  readonly afters = new CopyEncoder();
  private readonly line: GoldenLine;
  private bytes: Buffer = Buffer.alloc(0);
  private readonly starts = new Int32Array(imageCells);
  private readonly ends = new Int32Array(imageCells);

  /** @param groups how many the golden records have */
  constructor(target: CompiledTarget, spelling: RowSpelling, asOf: string, groups: number) {
    super(target, spelling, asOf);
    this.line = new GoldenLine(groups);
  }

  /** Looks at the line of `changedColumns` that begins at `from`. @returns where the next one begins */
  read(bytes: Buffer, from: number): number {
    this.bytes = bytes;
    let at = from;
    for (let cell = 0; cell < imageCells; cell += 1) {
      this.starts[cell] = at;
      while (bytes[at] !== tab) at += 1;
      this.ends[cell] = at;
      at += 1;
    }
    const next = this.line.read(bytes, at);
    this.add(this.line);
    return next;
  }

  private cell(index: number): string {
    return this.bytes.toString('latin1', this.starts[index], this.ends[index]);
  }

  protected note(line: GoldenLine, { row, nextDue, problems }: Projection): void {
    if (row !== null) this.noted.push({ change: null, nextDue, problems, goldenId: line.cell(0) });
  }

  protected isWanted(line: GoldenLine, told: string): boolean {
    const hash = hash128Of(told);
    if (this.cell(3) === hash) {
      this.same.push(line.cell(0));
      return false;
    }
    // A key that COPY escapes is looked at more closely, like one that changes.
    const isKnown = this.key.look().equals(this.bytes.subarray(this.starts[1], this.ends[1]));
    return isKnown && this.cell(2) !== hash && this.text.size <= mostBytes;
  }

  protected tell(line: GoldenLine, told: string, standing: string): null {
    const { standingJson } = this;
    this.afters.addFrom(standingJson, 0, standingJson.size);
    this.changed.push({
      goldenId: line.cell(0),
      imageId: this.cell(0),
      key: this.bytes.toString('utf8', this.starts[1], this.ends[1]),
      known: this.cell(2),
      told: hash128Of(told),
      standing: hash128Of(standing),
      version: line.version(),
      subject: line.bytes[line.startOfCell(2)] === backslash ? null : line.cell(2),
      end: this.afters.size,
    });
    return null;
  }
}
