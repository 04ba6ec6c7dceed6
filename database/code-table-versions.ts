import type { PoolClient } from 'pg';
import { codeTablesOf } from '../domain/mapping-code-tables.js';
import type { EntityTypeDefinition } from '../domain/entity-type.js';
import type { CodeTableDefinition } from '../domain/job-definition.js';
import type { MappingDefinition } from '../domain/mapping-definition.js';
import type { Stored } from './configuration-plan.js';

/** Code tables that an apply changed or archived, as they were. */
export interface FormerCodeTables {
  readonly tables: readonly Stored<CodeTableDefinition>[];
  readonly entityTypes: readonly EntityTypeDefinition[];
}

/** Versions of mappings keep the code tables that they were read with, so that what an image said is derived as it was then. A
 *  table that was kept before stays: it is the older one. */
export async function keepFormerCodeTables(client: PoolClient, former: FormerCodeTables): Promise<void> {
  if (former.tables.length === 0) return;
  const { rows } = await client.query<{ mapping_id: number; version: number; definition: MappingDefinition }>(
    'select mapping_id, version, definition from mapping_versions order by mapping_id, version',
  );
  for (const row of rows) {
    const used = codeTablesOf(row.definition, former.entityTypes);
    const kept = former.tables.filter(({ name }) => used.has(name)).map(({ name, definition }) => [name, definition]);
    if (kept.length === 0) continue;
    await client.query(
      `update mapping_versions set code_tables = $3::jsonb || coalesce(code_tables, '{}') where mapping_id = $1 and version = $2`,
      [row.mapping_id, row.version, JSON.stringify(Object.fromEntries(kept))],
    );
  }
}

/** Mappings that read or write by one of these tables. */
export const readingBy = (
  mappings: readonly MappingDefinition[],
  { tables, entityTypes }: FormerCodeTables,
): readonly MappingDefinition[] =>
  mappings.filter((mapping) => {
    const used = codeTablesOf(mapping, entityTypes);
    return tables.some(({ name }) => used.has(name));
  });
