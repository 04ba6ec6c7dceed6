import type { PoolClient } from 'pg';
import { stagingOf } from '../database/staging.js';
import type { CompiledSource } from '../domain/mapping.js';
import { keySeparator, type Cell, type RawRow, type RejectedRow } from '../domain/rows.js';
import type { RunRef } from '../domain/run.js';
import { copyIn } from '../platform/copy.js';
import { BinaryRows } from '../platform/copy-binary.js';
import { CopyLine } from '../platform/copy-line.js';
import { CopyEncoder, decodeCopyLine } from '../platform/copy-text.js';
import { hash128, hash128Of, sha256Octets } from '../platform/hash.js';
import {
  addHash,
  addRaw,
  CanonWriter,
  copyCanon,
  copyProblem,
  type LineSink,
  type RowSink,
  type StagedPlace,
  type StagedRow,
} from './canon-writer.js';
import type { InstitutionContext, MappingRef } from './context.js';

const blockSize = 1024 * 1024;
const rawFields = 5;

/** Lines of COPY text as bytes, until they are sent. */
class Lines implements LineSink {
  readonly bytes = new CopyEncoder();

  endLine(): null {
    this.bytes.endLine();
    return null;
  }

  async send(client: PoolClient, sql: string): Promise<void> {
    if (this.bytes.size > 0) await copyIn(client, sql, blocksOf(this.bytes.look()));
    this.bytes.clear();
  }
}

/** Binary rows, until they are sent. */
class BinaryLines implements RowSink {
  readonly bytes = new BinaryRows();

  constructor() {
    this.bytes.begin();
  }

  endRow(): null {
    return null;
  }

  async send(client: PoolClient, sql: string): Promise<void> {
    this.bytes.finish();
    await copyIn(client, sql, blocksOf(this.bytes.look()));
    this.clear();
  }

  clear(): void {
    this.bytes.clear();
    this.bytes.begin();
  }
}

async function* blocksOf(bytes: Buffer): AsyncGenerator<Buffer, void, undefined> {
  for (let at = 0; at < bytes.length; at += blockSize) yield bytes.subarray(at, at + blockSize);
}

/** How the rows of one partition are staged. */
export interface RawSite {
  readonly run: RunRef;
  readonly context: InstitutionContext;
  readonly mapping: MappingRef;
  readonly source: CompiledSource;
  readonly partition: number;
  /** Rows become canonical records while they are read. */
  readonly atOnce: boolean;
  /** The text of a row is staged with it though its main canonical record has it: the row may be held, or compared with another. */
  readonly keepsText?: boolean;
  /** A row that has a main canonical record is staged as that alone (`restoreRows`). */
  readonly once: boolean;
  /** Whether a row is as it was, by its JSON: it is counted and not staged. */
  readonly isKnown?: (json: Buffer) => boolean;
}

/** Rows that are staged in one transaction, kept as the bytes that are sent. */
export class RawChunk {
  private readonly raw = new BinaryLines();
  private readonly canon = new BinaryLines();
  private readonly problem = new Lines();
  /** The JSON of one row. */
  private readonly json = new CopyEncoder();
  private readonly writer: CanonWriter | null;
  private readonly keyOf: (row: RawRow) => string;
  private readonly scopeOf: (row: RawRow) => string | null;
  private readonly line: CopyLine;
  /** The columns of a line of which strings are made, and the row of these. */
  private readonly needed: readonly number[];
  private readonly cells: Cell[];
  private readonly row: LineRow;
  rejected: RejectedRow[] = [];
  cursor: string | null = null;
  rows = 0;
  /** Rows that are as they were. */
  known = 0;

  constructor(private readonly site: RawSite) {
    const { context, mapping, source } = site;
    this.line = new CopyLine(source.columns.length);
    this.cells = source.columns.map(() => null);
    this.row = new LineRow(this.cells, this.line, this.json);
    this.needed = site.atOnce
      ? [...source.columns.keys()].filter((column) => source.copied?.columns[column] !== true)
      : namingColumns(source);
    this.keyOf = keyReader(source);
    this.scopeOf = scopeReader(source);
    this.writer = site.atOnce ? new CanonWriter(this.canon, this.problem, context, mapping, source) : null;
  }

  add(cells: RawRow): void {
    const raw = JSON.stringify(cells);
    if (!this.leaves(() => Buffer.from(raw))) this.addHashed(cells, raw, hash128(raw));
  }

  /** A row that is standardized already is kept once: with its main canonical record, where it has one (`restoreRaw`). */
  private standardized(row: StagedRow): boolean {
    if (this.writer === null) return false;
    // Nothing lags: the lines stay here.
    void this.writer.add(row);
    return this.writer.wroteMain;
  }

  /** Rows as lines of COPY text in the order of the columns. */
  addText(text: Buffer): void {
    const { line } = this;
    for (let at = 0; at < text.length;) {
      at = line.read(text, at);
      if (line.plain) this.addLine(line);
      else this.add(decodeCopyLine(line.text()));
    }
  }

  /** As `add`; of the cells that are only copied no strings are made. */
  private addLine(line: CopyLine): void {
    const { json, row } = this;
    json.clear();
    json.addJson(line);
    if (this.leaves(() => json.look())) return;
    if (this.writer?.copies(line) === false) {
      const raw = json.look();
      this.addHashed(decodeCopyLine(line.text()), raw.toString('utf8'), hash128(raw));
      return;
    }
    for (const column of this.needed) this.cells[column] = line.cell(column);
    row.key = this.keyOf(this.cells);
    row.scope = this.scopeOf(this.cells);
    row.octets = sha256Octets(json.look());
    this.stageRow(row, this.standardized(row));
  }

  /** @param kept whether its text is with its canonical record */
  private stageRow(row: StagedRow, kept: boolean): void {
    this.rows += 1;
    if (kept && this.site.once) return;
    const { bytes } = this.raw;
    bytes.beginRow(rawFields);
    bytes.addInteger(this.site.partition);
    bytes.addText(row.key);
    if (kept && this.site.keepsText !== true) bytes.addNull();
    else addRaw(bytes, row);
    addHash(bytes, row);
    bytes.addText(row.scope);
  }

  /** Whether the row is not staged. */
  private leaves(json: () => Buffer): boolean {
    if (this.site.isKnown?.(json()) !== true) return false;
    this.known += 1;
    return true;
  }

  private addHashed(cells: RawRow, raw: string, hash: string): void {
    const [key, scope] = [this.keyOf(cells), this.scopeOf(cells)];
    const row = { key, raw, cells, hash, scope, broken: noRules, place: null };
    this.stageRow(row, this.standardized(row));
  }

  /** What is to be staged: rows and canonical records as binary rows, problems as COPY text. */
  texts(): readonly Buffer[] {
    return [this.raw, this.canon, this.problem].map(({ bytes }) => bytes.look());
  }

  /** In the caller's transaction. */
  async stage(client: PoolClient): Promise<void> {
    const { run, mapping } = this.site;
    const raw = stagingOf(run.runId).raw(mapping.id);
    await this.raw.send(client, `copy ${raw} (part, key, raw, hash, scope) from stdin (format binary)`);
    if (this.site.atOnce) await this.canon.send(client, copyCanon(run));
    await this.problem.send(client, copyProblem(run));
  }

  /** Takes other rows after those that were staged, in the memory that they had. */
  clear(): void {
    this.rejected = [];
    this.cursor = null;
    this.rows = 0;
    this.known = 0;
  }
}

const noRules: readonly string[] = [];

/** The row of a plain line, whose bytes are where they were read and written. One object goes from line to line. */
class LineRow implements StagedRow {
  readonly broken = noRules;
  readonly place: StagedPlace = this;
  key = '';
  scope: string | null = null;
  octets = '';

  constructor(
    readonly cells: RawRow,
    readonly line: CopyLine,
    readonly json: CopyEncoder,
  ) {}

  get raw(): string {
    return this.json.look().toString('utf8');
  }

  get hash(): string {
    return hash128Of(this.octets);
  }
}

/** The columns of keys and scopes. */
const namingColumns = ({ keyColumns, columns, mapping }: CompiledSource): number[] => {
  const scope = Object.values(mapping.source?.scope ?? {}).map((column) => columns.indexOf(column));
  return [...new Set([...keyColumns, ...scope])];
};

/** The text by which a row's part of the declared scopes is compared: canonical JSON, null where none is declared. */
const scopeReader = (source: CompiledSource): ((row: RawRow) => string | null) => {
  const scope = source.mapping.source?.scope;
  if (scope === undefined) return () => null;
  const parts = Object.entries(scope)
    .map(([name, column]) => [name, source.columns.indexOf(column)] as const)
    .sort(([left], [right]) => (left < right ? -1 : 1));
  return (row) => JSON.stringify(Object.fromEntries(parts.map(([name, index]) => [name, (row[index] ?? '').trim()])));
};

/** A row without a key is staged under none: standardizing rejects it. */
const keyReader = (source: CompiledSource): ((row: RawRow) => string) => {
  const [only, another] = source.keyColumns;
  if (only !== undefined && another === undefined) return (row) => row[only] ?? '';
  return (row) => source.keyColumns.map((index) => row[index] ?? '').join(keySeparator);
};
