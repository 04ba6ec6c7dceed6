import type { PoolClient } from 'pg';
import { stagingOf } from '../database/staging.js';
import type { CompiledSource } from '../domain/mapping.js';
import { keySeparator, type RawRow, type RejectedRow } from '../domain/rows.js';
import type { RunRef } from '../domain/run.js';
import { copyIn } from '../platform/copy.js';
import { copyCell } from '../platform/copy-text.js';
import { hash128 } from '../platform/hash.js';
import { CanonWriter, copyCanon, copyProblem, type LineSink } from './canon-writer.js';
import type { InstitutionContext, MappingRef } from './context.js';

const blockSize = 64 * 1024;

/** Lines of COPY text as bytes, until they are sent. */
class Lines implements LineSink {
  private blocks: Buffer[] = [];
  private text = '';

  addLine(line: string): null {
    this.text += line;
    if (this.text.length >= blockSize) this.close();
    return null;
  }

  private close(): void {
    this.blocks.push(Buffer.from(this.text, 'utf8'));
    this.text = '';
  }

  async send(client: PoolClient, sql: string): Promise<void> {
    if (this.text !== '') this.close();
    if (this.blocks.length > 0) await copyIn(client, sql, blocksOf(this.blocks));
    this.blocks = [];
  }
}

async function* blocksOf(blocks: readonly Buffer[]): AsyncGenerator<Buffer, void, undefined> {
  yield* blocks;
}

/** How the rows of one partition are staged. */
export interface RawSite {
  readonly run: RunRef;
  readonly context: InstitutionContext;
  readonly mapping: MappingRef;
  readonly source: CompiledSource;
  readonly partition: number;
  /** All rows are new: they become canonical records while they are read. */
  readonly atOnce: boolean;
}

/** Rows that are staged in one transaction, kept as the bytes that are sent. */
export class RawChunk {
  private readonly raw = new Lines();
  private readonly canon = new Lines();
  private readonly problem = new Lines();
  private readonly writer: CanonWriter | null;
  private readonly keyOf: (row: RawRow) => string;
  private readonly scopeOf: (row: RawRow) => string | null;
  readonly rejected: RejectedRow[] = [];
  cursor: string | null = null;
  rows = 0;

  constructor(private readonly site: RawSite) {
    const { context, mapping, source } = site;
    this.keyOf = keyReader(source);
    this.scopeOf = scopeReader(source);
    this.writer = site.atOnce ? new CanonWriter(this.canon, this.problem, context, mapping, source) : null;
  }

  add(cells: RawRow): void {
    const raw = JSON.stringify(cells);
    this.addHashed(cells, raw, hash128(raw));
  }

  /** As `add`, of a row whose text and hash are there. */
  addHashed(cells: RawRow, raw: string, hash: string): void {
    const [key, scope] = [this.keyOf(cells), this.scopeOf(cells)];
    this.raw.addLine(`${this.site.partition}\t${copyCell(key)}\t${copyCell(raw)}\t${hash}\t${copyCell(scope)}\n`);
    // Nothing lags: the lines stay here.
    void this.writer?.add({ key, raw, cells, hash, scope, broken: noRules });
    this.rows += 1;
  }

  /** In the caller's transaction. */
  async stage(client: PoolClient): Promise<void> {
    const { run, mapping } = this.site;
    await this.raw.send(
      client,
      `copy ${stagingOf(run.runId).raw(mapping.id)} (part, key, raw, hash, scope) from stdin`,
    );
    await this.canon.send(client, copyCanon(run));
    await this.problem.send(client, copyProblem(run));
  }
}

const noRules: readonly string[] = [];

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
