import type { LoadedConfiguration } from '../../database/configuration-store.js';
import { sightOf, type Role } from '../../domain/access.js';
import { sourceSensitivities } from '../../domain/column-sensitivity.js';
import { compileSource, type CompiledSource } from '../../domain/mapping.js';
import type { RawRow, RowProblem } from '../../domain/rows.js';
import type { RejectedRow } from './rejected.queries.js';

/** What is known of the mappings that rows belong to; compiled once a request. */
export class RowReaders {
  private readonly readers = new Map<number, RowReader | null>();

  constructor(private readonly configuration: LoadedConfiguration) {}

  /** null: the mapping reads nothing any more. */
  of(mappingId: number): RowReader | null {
    const known = this.readers.get(mappingId);
    if (known !== undefined) return known;
    const reader = this.make(mappingId);
    this.readers.set(mappingId, reader);
    return reader;
  }

  private make(mappingId: number): RowReader | null {
    const found = this.configuration.mappings.find(({ id }) => id === mappingId);
    if (found?.definition.source === undefined) return null;
    const types = this.configuration.entityTypes.map(({ definition }) => definition);
    const tables = this.configuration.codeTables.map(({ definition }) => definition);
    const main = found.definition.source.records.find(({ subKey = '' }) => subKey === '')?.entityType;
    return new RowReader(
      compileSource(found.definition, types, tables),
      sourceSensitivities(found.definition, types),
      types.find(({ name }) => name === main)?.kind === 'posted',
    );
  }
}

/** Rows of one mapping. */
export class RowReader {
  constructor(
    private readonly source: CompiledSource,
    private readonly sensitivities: ReturnType<typeof sourceSensitivities>,
    /** Rows of posted types have no run of their own. */
    readonly posted: boolean,
  ) {}

  get columns(): readonly string[] {
    return this.source.columns;
  }

  /** The row as it was read, cell by cell; null: it could not be read as one. */
  rowOf({ raw }: Pick<RejectedRow, 'raw'>): RawRow | null {
    if (raw === null) return null;
    try {
      const parsed: unknown = JSON.parse(raw);
      if (!Array.isArray(parsed) || parsed.length !== this.columns.length) return null;
      return parsed.every((cell) => cell === null || typeof cell === 'string') ? (parsed as RawRow) : null;
    } catch {
      return null; // a line that is no JSON
    }
  }

  /** What a row would come to by the mapping as it is now: its key, or why it would be set aside. */
  judge(row: RawRow): { readonly key: string } | { readonly problem: RowProblem } {
    const { key, rejected } = this.source.standardize(row);
    if (rejected !== null) return { problem: rejected };
    if (key !== null) return { key };
    return { problem: { row: '', key: null, field: null, reason: 'key_missing', detail: 'a key column is blank' } };
  }

  maskedFor(role: Role): readonly string[] {
    return this.columns.filter((column) => sightOf(role, this.sensitivities.get(column)) !== 'plain');
  }

  /** Cells by column, without those that the role may not see. */
  visible(row: RawRow, role: Role): Record<string, string | null> {
    const masked = new Set(this.maskedFor(role));
    return Object.fromEntries(
      this.columns.flatMap((column, index) => (masked.has(column) ? [] : [[column, row[index] ?? null]])),
    );
  }
}
