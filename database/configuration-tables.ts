import type { PoolClient } from 'pg';
import type { ConfigurationKind } from '../domain/configuration-kinds.js';
import { SyncError } from '../domain/errors.js';
import type { EntityTypeDefinition } from '../domain/entity-type.js';
import type { CodeTableDefinition, JobDefinition, SystemDefinition } from '../domain/job-definition.js';
import type { MappingDefinition } from '../domain/mapping-definition.js';
import type { RuleDefinition } from '../domain/rule-definition.js';
import type { Stored } from './configuration-plan.js';

/** A table of configured things: how its definition is read, and written. Names in it are SQL, written here alone. */
export interface ConfiguredTable<T> {
  readonly kind: ConfigurationKind;
  readonly table: string;
  /** As an expression over the row `t`. */
  readonly definition: string;
  readonly columns: readonly string[];
  readonly values: (definition: T) => readonly unknown[];
}

export const systemTable: ConfiguredTable<SystemDefinition> = {
  kind: 'system',
  table: 'data_source_configurations',
  definition: `jsonb_strip_nulls(jsonb_build_object('name', t.name, 'kind', t.kind, 'owner', t.owner))
    || jsonb_build_object('settings', t.settings)`,
  columns: ['kind', 'settings', 'owner'],
  values: (system) => [system.kind, JSON.stringify(system.settings), system.owner ?? null],
};

export const entityTypeTable: ConfiguredTable<EntityTypeDefinition> = {
  kind: 'entity_type',
  table: 'entity_types',
  definition: 't.definition',
  columns: ['kind', 'definition'],
  values: (type) => [type.kind, JSON.stringify(type)],
};

export const codeTableTable: ConfiguredTable<CodeTableDefinition> = {
  kind: 'code_table',
  table: 'code_tables',
  definition: 't.definition',
  columns: ['definition'],
  values: (codes) => [JSON.stringify(codes)],
};

export const jobTable: ConfiguredTable<JobDefinition> = {
  kind: 'job',
  table: 'synchronization_jobs',
  definition: 't.definition',
  columns: ['definition'],
  values: (job) => [JSON.stringify(job)],
};

/** What runs use is the snapshot in `mapping_versions`, with its rules; the row itself is what people look at. */
export const mappingTable = (systemIds: ReadonlyMap<string, number>): ConfiguredTable<MappingDefinition> => ({
  kind: 'mapping',
  table: 'cross_system_mappings',
  definition: `(select v.definition from mapping_versions v where v.mapping_id = t.id and v.version = t.version)`,
  columns: ['system_id', 'entity', 'definition'],
  values: (mapping) => [systemIds.get(mapping.system), mapping.entity, JSON.stringify(withoutRules(mapping))],
});

/** The order of a mapping's rules is kept in its snapshot. */
export const ruleTable = (mappingId: number): ConfiguredTable<RuleDefinition> => ({
  kind: 'rule',
  table: 'data_quality_rules',
  definition: 't.definition',
  columns: ['mapping_id', 'definition'],
  values: (rule) => [mappingId, JSON.stringify(rule)],
});

/** Who changes something, and how it came about where it is no plain change. */
export interface ChangeBy {
  readonly institutionId: number;
  readonly actor: string;
  readonly action?: 'reverted';
}

/** All rows of the institution, archived ones too; `where` narrows them. */
export async function readStored<T>(
  client: PoolClient,
  { table, definition }: ConfiguredTable<T>,
  where: { readonly condition: string; readonly values: readonly unknown[] } = { condition: 'true', values: [] },
): Promise<readonly Stored<T>[]> {
  const answer = await client.query<Stored<T>>(
    `select t.id, t.name, t.version, t.archived, ${definition} as definition, t.updated_by as "changedBy", t.updated_at as "changedAt"
     from ${table} t where ${where.condition} order by t.id`,
    [...where.values],
  );
  return answer.rows;
}

/** Writes a new row at version 1. */
export async function insertRow<T extends { readonly name: string }>(
  client: PoolClient,
  { kind, table, columns, values }: ConfiguredTable<T>,
  definition: T,
  by: ChangeBy,
): Promise<void> {
  const placeholders = columns.map((_, index) => `$${index + 4}`);
  const answer = await client.query<{ id: number }>(
    `insert into ${table} (institution_id, name, updated_by, ${columns.join(', ')})
     values ($1, $2, $3, ${placeholders.join(', ')}) returning id`,
    [by.institutionId, definition.name, by.actor, ...values(definition)],
  );
  const [row] = answer.rows;
  if (row === undefined) throw new SyncError('internal', `${table} took no row`);
  await recordVersion(client, { kind, id: row.id, version: 1, action: 'created', definition }, by);
}

/** Replaces a row, live again where it was archived, at its next version. */
export async function updateRow<T>(
  client: PoolClient,
  { kind, table, columns, values }: ConfiguredTable<T>,
  stored: Stored<T>,
  definition: T,
  by: ChangeBy,
): Promise<void> {
  const assignments = columns.map((column, index) => `${column} = $${index + 3}`);
  await client.query(
    `update ${table} set ${assignments.join(', ')}, version = version + 1, archived = false, updated_by = $2, updated_at = now()
     where id = $1`,
    [stored.id, by.actor, ...values(definition)],
  );
  const action = by.action ?? (stored.archived ? 'restored' : 'changed');
  await recordVersion(client, { kind, id: stored.id, version: stored.version + 1, action, definition }, by);
}

/** Takes rows out of use, at their next version. They stay: images, runs and change sets refer to them. */
export async function archiveRows<T>(
  client: PoolClient,
  { kind, table }: ConfiguredTable<T>,
  rows: readonly Stored<T>[],
  by: ChangeBy,
): Promise<void> {
  for (const { id, version, definition } of rows) {
    await client.query(
      `update ${table} set archived = true, version = version + 1, updated_by = $2, updated_at = now() where id = $1`,
      [id, by.actor],
    );
    await recordVersion(client, { kind, id, version: version + 1, action: 'archived', definition }, by);
  }
}

/** What became of something configured. */
export type ConfigurationAction = 'created' | 'changed' | 'archived' | 'restored' | 'reverted';

/** Keeps a version for the history. */
export async function recordVersion(
  client: PoolClient,
  of: {
    readonly kind: ConfigurationKind;
    readonly id: number;
    readonly version: number;
    readonly action: ConfigurationAction;
    readonly definition: unknown;
  },
  by: ChangeBy,
): Promise<void> {
  await client.query(
    `insert into configuration_versions (institution_id, kind, object_id, version, action, definition, changed_by)
     values ($1, $2, $3, $4, $5, $6, $7)`,
    [by.institutionId, of.kind, of.id, of.version, of.action, JSON.stringify(of.definition), by.actor],
  );
}

function withoutRules(mapping: MappingDefinition): MappingDefinition {
  if (mapping.source === undefined) return mapping;
  const { rules: _rules, ...source } = mapping.source;
  return { ...mapping, source };
}
