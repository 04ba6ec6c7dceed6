import { Inject, Injectable } from '@nestjs/common';
import type { PoolClient } from 'pg';
import { loadConfiguration, type LoadedConfiguration, type LoadedMapping } from '../../database/configuration-store.js';
import type { Hub } from '../../database/hub.js';
import { compileSource, contextOf, type CompiledSource } from '../../domain/mapping.js';
import type { SourceMapping } from '../../domain/mapping-definition.js';
import { compileRules, type SetRule } from '../../domain/rules.js';
import type { Caller } from '../common/caller.js';
import { notFound } from '../common/ids.js';
import { Problem } from '../common/problem.js';
import { HUB } from '../common/tokens.js';
import type { QualityReportView } from './quality.view.js';
import type { ReadRows } from './read-rows.js';
import { cellOf, reportOn, type CheckedRow } from './report.js';
import type { Plain } from '../common/plain-type.js';

/** Checks records by the rules of a mapping. Nothing is stored. */
@Injectable()
export class ValidateRecords {
  constructor(@Inject(HUB) private readonly hub: Hub) {}

  /** @throws Problem not_found, state_forbids */
  async validate(
    caller: Caller,
    wanted: string,
    read: (columns: readonly string[]) => ReadRows | Promise<ReadRows>,
  ): Promise<Plain<QualityReportView>> {
    const loaded = await loadConfiguration(this.hub, caller.institutionId);
    const { mapping, source } = sourceOf(loaded, wanted);
    const { compiled, rules } = compiledOf(loaded, mapping, source);
    const definitions = source.rules ?? [];
    const { rows, unreadable } = await read(source.columns);
    const brokenCells =
      rules.setRules.length === 0
        ? nothingBroken
        : await this.hub.read(caller.institutionId, (client) => findBrokenCells(client, loaded, rules.setRules, rows));
    return reportOn({ source: compiled, rules, definitions, rows, unreadable, brokenCells });
  }
}

const nothingBroken: ReadonlyMap<string, ReadonlySet<string>> = new Map();

interface Compiled {
  readonly compiled: CompiledSource;
  readonly rules: ReturnType<typeof compileRules>;
}

/* Of each mapping once, for as long as the configuration stands. */
const known = new WeakMap<LoadedConfiguration, Map<number, Compiled>>();

const compiledOf = (
  loaded: LoadedConfiguration,
  { id, definition }: LoadedMapping,
  source: SourceMapping,
): Compiled => {
  const mappings = known.get(loaded) ?? new Map<number, Compiled>();
  known.set(loaded, mappings);
  const codeTables = loaded.codeTables.map((table) => table.definition);
  const types = loaded.entityTypes.map((type) => type.definition);
  const found = mappings.get(id) ?? {
    compiled: compileSource(definition, types, codeTables),
    rules: compileRules(source.rules ?? [], source.columns, contextOf(definition, codeTables)),
  };
  mappings.set(id, found);
  return found;
};

const sourceOf = (loaded: LoadedConfiguration, wanted: string): { mapping: LoadedMapping; source: SourceMapping } => {
  const mapping = loaded.mappings.find(({ id, definition }) => String(id) === wanted || definition.name === wanted);
  if (mapping === undefined) throw notFound('mapping', wanted);
  const { source } = mapping.definition;
  if (source === undefined)
    throw new Problem('state_forbids', `Mapping ${mapping.definition.name} reads nothing, so it has no rules.`);
  return { mapping, source };
};

/* `unique` looks at these records; `reference_exists` at the rows that the other mapping has read. */
const findBrokenCells = async (
  client: PoolClient,
  loaded: LoadedConfiguration,
  rules: readonly SetRule[],
  rows: readonly CheckedRow[],
): Promise<ReadonlyMap<string, ReadonlySet<string>>> => {
  const broken = new Map<string, ReadonlySet<string>>();
  for (const rule of rules) {
    const cells = rows.map((row) => cellOf(row, rule)).filter((cell) => cell !== '');
    broken.set(rule.name, rule.check === 'unique' ? repeated(cells) : await unknownKeys(client, loaded, rule, cells));
  }
  return broken;
};

const repeated = (cells: readonly string[]): ReadonlySet<string> => {
  const [seen, twice] = [new Set<string>(), new Set<string>()];
  for (const cell of cells) (seen.has(cell) ? twice : seen).add(cell);
  return twice;
};

const unknownKeys = async (
  client: PoolClient,
  loaded: LoadedConfiguration,
  rule: SetRule,
  cells: readonly string[],
): Promise<ReadonlySet<string>> => {
  const other = loaded.mappings.find(({ definition }) => definition.name === rule.mapping);
  const { rows } = await client.query<{ cell: string }>(
    `select distinct c.cell from unnest($2::text[]) as c (cell)
     where not exists (select from concord.record_images i where i.mapping_id = $1 and i.source_key = c.cell and i.deleted_run is null)`,
    [other?.id ?? 0, cells.map((cell) => cell.replaceAll('\u0000', '\ufffd'))],
  );
  return new Set(rows.map(({ cell }) => cell));
};
