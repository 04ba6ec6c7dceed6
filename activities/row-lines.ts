import { CopyLine } from '../platform/copy-line.js';
import { CopyEncoder, decodeCopyLine } from '../platform/copy-text.js';

/** Rows in lines of COPY text, one after the other, as the JSON that is hashed (`hashOfRow`) and kept: no strings are made but of
 *  those that something is escaped in. */
export class RowLines {
  readonly line: CopyLine;
  private readonly encoder = new CopyEncoder();

  /** @param cells of each row */
  constructor(cells: number) {
    this.line = new CopyLine(cells);
  }

  /** The JSON of the row whose line begins at `from`; it holds until the next one is read. `next`: where that begins. */
  read(text: Buffer, from: number): { readonly json: Buffer; readonly next: number } {
    const { line, encoder } = this;
    const next = line.read(text, from);
    encoder.clear();
    if (line.plain) encoder.addJson(line);
    else encoder.addJsonRow(decodeCopyLine(line.text()));
    return { json: encoder.look(), next };
  }
}
