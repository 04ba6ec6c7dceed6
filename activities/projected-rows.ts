import type { CompiledTarget, CopiedColumns, Projection } from '../domain/projection.js';
import { keyOf, keySeparator, type Cell, type RawRow } from '../domain/rows.js';
import { spelledRow, type RowSpelling } from '../domain/spelling.js';
import { CopyEncoder, decodeCopyLine } from '../platform/copy-text.js';
import { sha256Octets } from '../platform/hash.js';
import { CopiedCells } from './copied-cells.js';
import { valuesOf, type GoldenLine } from './golden-line.js';
import { addSpelled, howSpelled } from './spelled-bytes.js';

const quote = 0x22;
const comma = 0x2c;
const listStart = 0x5b;
const listEnd = 0x5d;

/** Makes the rows of golden records whose own values are all there is to be known: as COPY text for the target, with their keys, their
 *  JSON and its hashes. Cells that are copied go from line to line as bytes. What becomes of a row is for heirs to say; `Wait` is what they
 *  may have to wait for. */
export abstract class ProjectedRows<Wait extends Promise<void> | null> {
  /** Rows for the target, until they are taken. */
  readonly text = new CopyEncoder();
  /** The key of the row that is told, in UTF-8. */
  protected readonly key = new CopyEncoder();
  private readonly json = new CopyEncoder();
  private readonly spelledJson = new CopyEncoder();
  private isRespelled = false;
  private readonly keys: readonly number[];
  private readonly noKeys: readonly Cell[];
  private readonly cells: CopiedCells;
  private readonly values: (string | null)[] = [];
  /** Where the JSON of each cell begins and has ended. */
  private readonly jsonStarts: number[];
  private readonly jsonEnds: number[];

  constructor(
    private readonly target: CompiledTarget,
    private readonly spelling: RowSpelling,
    private readonly asOf: string,
  ) {
    this.keys = target.keyColumns.map((column) => target.columns.indexOf(column));
    this.noKeys = target.keyColumns.map(() => null);
    this.cells = new CopiedCells(target.copied?.columns ?? []);
    this.jsonStarts = target.columns.map(() => 0);
    this.jsonEnds = target.columns.map(() => 0);
  }

  /** The row changes by itself, or cannot be written as it should be. */
  protected abstract note(line: GoldenLine, projection: Projection): void;

  /** Whether the target is to have the row. @param told `sha256Octets` of it in our spelling */
  protected abstract isWanted(line: GoldenLine, told: string): boolean;

  /** The row is in the text. @param standing as `told`, in the target's spelling as far as that is known
   *  @returns what `add` does */
  protected abstract tell(line: GoldenLine, told: string, standing: string): Wait | null;

  /** The JSON of the row that is told, in the target's spelling as far as that is known. */
  protected get standingJson(): CopyEncoder {
    return this.isRespelled ? this.spelledJson : this.json;
  }

  /** Null: go on; a promise: wait for it. */
  add(line: GoldenLine): Wait | null {
    const { copied } = this.target;
    if (copied === null || !line.plain || !this.cells.find(line) || this.lacksKey(copied)) return this.addLine(line);
    const rest = this.projectRest(copied, line);
    if (rest === null) return this.addCopied(copied, line, null);
    // Findings are told in the order of the columns, those of copied ones included.
    if (rest.problems.length > 0) return this.addLine(line);
    if (rest.nextDue !== null) this.note(line, rest);
    return rest.row === null ? null : this.addCopied(copied, line, rest.row);
  }

  /** As `add`, with strings of all values. */
  addLine(line: GoldenLine): Wait | null {
    const [, , , values] = decodeCopyLine(line.text());
    const projection = this.target.project(valuesOf(values ?? null), {}, this.asOf, this.noKeys, null);
    const { row, nextDue, problems } = projection;
    if (nextDue !== null || problems.length > 0) this.note(line, projection);
    if (row === null) return null;
    const start = this.text.size;
    this.text.add(row);
    this.key.clear();
    this.key.addText(keyOf(this.keys.map((place) => row[place] ?? null)) ?? '');
    const told = octetsOf(this.json, row);
    if (!this.isWanted(line, told)) return this.withdrawn(start);
    const spelled = spelledRow(this.spelling, row);
    this.isRespelled = spelled !== null;
    return this.tell(line, told, spelled === null ? told : octetsOf(this.spelledJson, spelled));
  }

  private withdrawn(start: number): null {
    this.text.cut(start);
    return null;
  }

  private lacksKey({ columns }: CopiedColumns): boolean {
    for (const column of this.keys) if (columns[column] !== null && this.cells.isNull(column)) return true;
    return false;
  }

  /** What is not copied; null: all is. */
  private projectRest({ needed, rest }: CopiedColumns, line: GoldenLine): Projection | null {
    if (rest === null) return null;
    for (const group of needed) this.values[group] = line.value(group);
    return rest(this.values, {}, this.asOf, this.noKeys, null);
  }

  private addCopied(copied: CopiedColumns, line: GoldenLine, rest: RawRow | null): Wait | null {
    const start = this.text.size;
    this.addRow(copied, line, rest);
    this.addKey(copied, line, rest);
    const told = sha256Octets(this.json.look());
    if (!this.isWanted(line, told)) return this.withdrawn(start);
    this.isRespelled = this.respell(copied, line, rest);
    return this.tell(line, told, this.isRespelled ? sha256Octets(this.spelledJson.look()) : told);
  }

  private addKey({ columns }: CopiedColumns, line: GoldenLine, rest: RawRow | null): void {
    const { key, keys, cells } = this;
    key.clear();
    for (let index = 0; index < keys.length; index += 1) {
      const column = keys[index] ?? 0;
      if (index > 0) key.addText(keySeparator);
      if (columns[column] === null) key.addText(rest?.[column] ?? '');
      else key.addBytes(line.bytes, cells.startOf(column), cells.endOf(column));
    }
  }

  /** The row for the target, and its JSON. */
  private addRow({ columns }: CopiedColumns, line: GoldenLine, rest: RawRow | null): void {
    const { text, json, cells, jsonStarts, jsonEnds } = this;
    json.clear();
    for (let column = 0; column < columns.length; column += 1) {
      if (column > 0) text.separate();
      json.addByte(column === 0 ? listStart : comma);
      jsonStarts[column] = json.size;
      if (columns[column] === null) this.addWritten(rest?.[column] ?? null);
      else if (cells.isNull(column)) this.addWritten(null);
      else {
        const [from, to] = [cells.startOf(column), cells.endOf(column)];
        text.addBytes(line.bytes, from, to);
        // Truth values have none in the record.
        const isQuoted = line.bytes[to] === quote;
        if (!isQuoted) json.addByte(quote);
        json.addBytes(line.bytes, isQuoted ? from - 1 : from, isQuoted ? to + 1 : to);
        if (!isQuoted) json.addByte(quote);
      }
      jsonEnds[column] = json.size;
    }
    text.endLine();
    json.addByte(listEnd);
  }

  private addWritten(cell: Cell): void {
    this.text.addCell(cell);
    if (cell === null) this.json.addText('null');
    else this.json.addJsonText(cell);
  }

  /** Makes the JSON of the row as the target prints it; false where that is the one that is there, or the target does not tell. */
  private respell({ columns }: CopiedColumns, line: GoldenLine, rest: RawRow | null): boolean {
    const { spelling, spelledJson, json, cells } = this;
    if (spelling === null) return false;
    spelledJson.clear();
    let kept = 0;
    for (let column = 0; column < spelling.length; column += 1) {
      const spelled = spelling[column] ?? null;
      if (spelled === null) continue;
      const isCopied = columns[column] !== null;
      if (isCopied && cells.isNull(column)) continue;
      const [start, end] = [this.jsonStarts[column] ?? 0, this.jsonEnds[column] ?? 0];
      if (isCopied && spelled.form !== null) {
        const [from, to] = [cells.startOf(column), cells.endOf(column)];
        const how = howSpelled(spelled.form, line.bytes, from, to);
        if (how === 'other') {
          spelledJson.addFrom(json, kept, start);
          addSpelled(spelledJson, spelled.form, line.bytes, from, to);
          kept = end;
        }
        if (how !== 'unknown') continue;
      }
      const cell = isCopied ? line.slice(cells.startOf(column), cells.endOf(column)) : (rest?.[column] ?? null);
      if (cell === null) continue;
      const text = spelled.spell(cell);
      if (text === null) return false;
      if (text === cell) continue;
      spelledJson.addFrom(json, kept, start);
      spelledJson.addJsonText(text);
      kept = end;
    }
    if (kept === 0) return false;
    spelledJson.addFrom(json, kept, json.size);
    return true;
  }
}

/** Of `hashOfRow`. */
const octetsOf = (json: CopyEncoder, row: RawRow): string => {
  json.clear();
  json.addJsonRow(row);
  return sha256Octets(json.look());
};
