import { jsonOf } from '../conflicts/choice.js';
import type { Configuration } from '../../domain/job-definition.js';
import type { MappingDefinition } from '../../domain/mapping-definition.js';
import { compileSource, reorderRow, type CompiledSource, type StandardizedRow } from '../../domain/mapping.js';
import type { RawRow } from '../../domain/rows.js';
import { canonicalJson } from '../../platform/canonical-json.js';
import type { SampleView } from './mapping.view.js';
import type { Plain } from '../common/plain-type.js';

/** A row as it was stored, in the columns of the mapping of that time. */
export interface StoredRow {
  readonly source_key: string;
  readonly raw: string;
}

/** Stored rows, read by the mapping as it was and as it would be. Pure. */
export const sampleRows = (
  configuration: Configuration,
  before: MappingDefinition,
  after: MappingDefinition,
  rows: readonly StoredRow[],
): Plain<SampleView>[] => {
  if (before.source === undefined || after.source === undefined) return [];
  const [was, will] = [compile(configuration, before), compile(configuration, after)];
  const reorder = reorderRow(before.source.columns, after.source.columns);
  return rows.flatMap(({ source_key: sourceKey, raw }) => {
    const row = readRaw(raw);
    if (row === null) return [];
    const sample = { sourceKey, before: said(was, row, configuration), after: said(will, reorder(row), configuration) };
    return [{ ...sample, changed: canonicalJson(sample.before) !== canonicalJson(sample.after) }];
  });
};

const compile = (configuration: Configuration, mapping: MappingDefinition): CompiledSource =>
  compileSource(mapping, configuration.entityTypes, configuration.codeTables);

const readRaw = (raw: string): RawRow | null => {
  const cells: unknown = JSON.parse(raw);
  return Array.isArray(cells) ? cells.map((cell: unknown) => (typeof cell === 'string' ? cell : null)) : null;
};

const said = (source: CompiledSource, row: RawRow, configuration: Configuration): object => {
  const read = source.standardize(row);
  if (read.filtered) return { filtered: true };
  if (read.rejected !== null) return { rejected: { reason: read.rejected.reason, detail: read.rejected.detail } };
  return {
    records: read.records.map((record) => ({
      entityType: record.entityType,
      ...(record.subKey === '' ? {} : { subKey: record.subKey }),
      values: valuesOf(record, configuration),
    })),
    ...(read.problems.length === 0
      ? {}
      : { problems: read.problems.map(({ field, reason, detail }) => ({ field, reason, detail })) }),
  };
};

const valuesOf = (record: StandardizedRow['records'][number], configuration: Configuration): object => {
  const type = configuration.entityTypes.find(({ name }) => name === record.entityType);
  const groups = type?.groups ?? [];
  return Object.fromEntries(
    groups.flatMap(({ name }, index) => {
      const value = record.values[index] ?? null;
      return value === null ? [] : [[name, jsonOf(value)]];
    }),
  );
};
