import type { CompiledTarget, CopiedColumns, Projection } from '../domain/projection.js';
import { keyOf, keySeparator, type Cell, type RawRow } from '../domain/rows.js';
import { spelledRow, type RowSpelling } from '../domain/spelling.js';
import { CopyEncoder, decodeCopyLine } from '../platform/copy-text.js';
import { createSetDigest, sha256Octets } from '../platform/hash.js';
import type { RowSink } from './canon-writer.js';
import { CopiedCells } from './copied-cells.js';
import { valuesOf, type GoldenLine } from './golden-line.js';
import type { Judged } from './projecting.js';
import { addSpelled, howSpelled } from './spelled-bytes.js';

/** What is told of a row that is written: its record, the key of its image, the hashes of what stands there and of what was told. */
export const toldColumns =
  'golden_id bigint, key text collate "C", raw_hash uuid, told_hash uuid, version integer, subject_key bigint';
const toldFields = 6;

const backslash = 0x5c;

const quote = 0x22;
const comma = 0x2c;
const listStart = 0x5b;
const listEnd = 0x5d;

/** Makes the rows of golden records whose own values are all there is to be known: as COPY text for the target, while their keys
 *  and hashes are told. Cells that are copied go from line to line as bytes. */
export class FreshRows {
  /** Rows for the target, until they are taken. */
  readonly text = new CopyEncoder();
  /** Records whose rows change by themselves or were not written. */
  readonly noted: (Judged & { readonly goldenId: string })[] = [];
  /** Of the hashes of what will stand there. */
  readonly digest = createSetDigest();
  private readonly json = new CopyEncoder();
  private readonly spelledJson = new CopyEncoder();
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
    private readonly told: RowSink,
  ) {
    this.keys = target.keyColumns.map((column) => target.columns.indexOf(column));
    this.noKeys = target.keyColumns.map(() => null);
    this.cells = new CopiedCells(target.copied?.columns ?? []);
    this.jsonStarts = target.columns.map(() => 0);
    this.jsonEnds = target.columns.map(() => 0);
  }

  /** Null: go on; a promise: the server that is told lags. */
  add(line: GoldenLine): Promise<void> | null {
    const { copied } = this.target;
    if (copied === null || !line.plain || !this.cells.find(line) || this.lacksKey(copied)) return this.addLine(line);
    const rest = this.projectRest(copied, line);
    if (rest === null) return this.addCopied(copied, line, null);
    // Findings are told in the order of the columns, those of copied ones included.
    if (rest.problems.length > 0) return this.addLine(line);
    if (rest.nextDue !== null) this.noted.push({ change: null, ...noted(rest), goldenId: line.cell(0) });
    return rest.row === null ? null : this.addCopied(copied, line, rest.row);
  }

  /** As `add`, with strings of all values. */
  addLine(line: GoldenLine): Promise<void> | null {
    const [goldenId, , , values] = decodeCopyLine(line.text());
    const projection = this.target.project(valuesOf(values ?? null), {}, this.asOf, this.noKeys, null);
    const { row, nextDue, problems } = projection;
    if (nextDue !== null || problems.length > 0)
      this.noted.push({ change: null, ...noted(projection), goldenId: goldenId ?? '' });
    if (row === null) return null;
    const told = this.octetsOf(row);
    const spelled = spelledRow(this.spelling, row);
    const standing = spelled === null ? told : this.octetsOf(spelled);
    this.text.add(row);
    this.beginTold(line);
    this.told.bytes.addText(keyOf(this.keys.map((place) => row[place] ?? null)) ?? '');
    return this.endTold(line, standing, told);
  }

  /** Of `hashOfRow`. */
  private octetsOf(row: RawRow): string {
    this.json.clear();
    this.json.addJsonRow(row);
    return sha256Octets(this.json.look());
  }

  /** The key follows. */
  private beginTold(line: GoldenLine): void {
    const { bytes } = this.told;
    bytes.beginRow(toldFields);
    bytes.addDigits(line.bytes, line.startOfCell(0), line.endOfCell(0));
  }

  private endTold(line: GoldenLine, standing: string, told: string): Promise<void> | null {
    const { bytes } = this.told;
    this.digest.addOctets(standing);
    bytes.addUuidOctets(standing);
    bytes.addUuidOctets(told);
    bytes.addInteger(line.version());
    if (line.bytes[line.startOfCell(2)] === backslash) bytes.addNull();
    else bytes.addDigits(line.bytes, line.startOfCell(2), line.endOfCell(2));
    return this.told.endRow();
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

  private addCopied(copied: CopiedColumns, line: GoldenLine, rest: RawRow | null): Promise<void> | null {
    this.addRow(copied, line, rest);
    const told = sha256Octets(this.json.look());
    const standing = this.respell(copied, line, rest) ? sha256Octets(this.spelledJson.look()) : told;
    this.beginTold(line);
    const { bytes } = this.told;
    const start = bytes.beginField();
    for (let index = 0; index < this.keys.length; index += 1) {
      const column = this.keys[index] ?? 0;
      if (index > 0) bytes.addCharacters(keySeparator);
      if (copied.columns[column] === null) bytes.addCharacters(rest?.[column] ?? '');
      else bytes.addBytes(line.bytes, this.cells.startOf(column), this.cells.endOf(column));
    }
    bytes.endField(start);
    return this.endTold(line, standing, told);
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

const noted = ({ nextDue, problems }: Projection): Pick<Judged, 'nextDue' | 'problems'> => ({ nextDue, problems });
