import type { PoolClient } from 'pg';
import { SyncError } from '../domain/errors.js';
import type { EntityTypeDefinition } from '../domain/entity-type.js';
import type { CodeTableDefinition, Configuration, JobDefinition, SystemDefinition } from '../domain/job-definition.js';
import type { MappingDefinition } from '../domain/mapping-definition.js';
import { keepFormerCodeTables, readingBy, type FormerCodeTables } from './code-table-versions.js';
import { checkNames, keepsLayout, planChanges } from './configuration-plan.js';
import type { ChangePlan, Stored } from './configuration-plan.js';
import {
  archiveRows,
  codeTableTable,
  entityTypeTable,
  insertRow,
  jobTable,
  mappingTable,
  readStored,
  ruleTable,
  systemTable,
  updateRow,
} from './configuration-tables.js';
import type { ConfiguredTable } from './configuration-tables.js';
import { enterInstitution } from './hub.js';
import type { Hub } from './hub.js';
import type { MappingVersion } from './rows.js';

/** Names of what was made, changed (or taken back into use) and archived. Rules are named `mapping/rule`. */
export interface Difference {
  readonly created: readonly string[];
  readonly changed: readonly string[];
  readonly archived: readonly string[];
}

export interface ConfigurationDifference {
  readonly institutionId: number;
  readonly institution: 'created' | 'changed' | 'unchanged';
  readonly systems: Difference;
  readonly entityTypes: Difference;
  readonly mappings: Difference;
  readonly rules: Difference;
  readonly codeTables: Difference;
  readonly jobs: Difference;
}

/** Makes this the whole configuration of the institution, in one transaction: all of it or nothing. What is left out is
 *  archived. Applying the same again changes nothing. A mapping's version rises with its rules and with the code tables that it
 *  reads by: what a row says depends on all of them.
 *  @throws SyncError configuration_invalid */
export async function applyConfiguration(
  hub: Hub,
  configuration: Configuration,
  actor: string,
): Promise<ConfigurationDifference> {
  checkNames(configuration);
  return await hub.system(async (client) => {
    const { institutionId, institution } = await applyInstitution(client, configuration.institution, actor);
    const by = { institutionId, actor };
    const systems = await applyTable(client, systemTable, configuration.systems, by);
    const entityTypes = await applyTable(client, entityTypeTable, configuration.entityTypes, by, refuseNewLayout);
    const former = await formerCodeTables(client, configuration);
    const codeTables = await applyTable(client, codeTableTable, configuration.codeTables, by);
    await keepFormerCodeTables(client, former);
    const systemIds = new Map((await readStored(client, systemTable)).map((row) => [row.name, row.id]));
    const mappings = await applyMappings(client, mappingTable(systemIds), configuration, former, by);
    const rules = await applyMappingVersions(client, configuration.mappings, mappings, by);
    const jobs = await applyTable(client, jobTable, configuration.jobs, by);
    // Schedules follow the jobs: a worker is told, and reconciles them.
    await client.query(`insert into outbox (institution_id, topic, subject) values ($1, 'schedules', $2)`, [
      institutionId,
      String(institutionId),
    ]);
    await client.query(`select pg_notify('concord_outbox', '')`);
    return { institutionId, institution, systems, entityTypes, mappings, rules, codeTables, jobs };
  });
}

interface By {
  readonly institutionId: number;
  readonly actor: string;
}

/* Code tables that are about to change or go, as they are. */
async function formerCodeTables(client: PoolClient, configuration: Configuration): Promise<FormerCodeTables> {
  const stored = await readStored(client, codeTableTable);
  const { changed, archived } = planChanges(stored, configuration.codeTables);
  const tables = [...changed.map((change) => change.stored), ...archived].filter((table) => !table.archived);
  return { tables, entityTypes: configuration.entityTypes };
}

/* A mapping that reads by a changed code table gets a new version though its definition stays. */
async function applyMappings(
  client: PoolClient,
  table: ConfiguredTable<MappingDefinition>,
  { mappings }: Configuration,
  former: FormerCodeTables,
  by: By,
): Promise<Difference> {
  const stored = await readStored(client, table);
  const changes = await applyTable(client, table, mappings, by);
  const touched = new Set([...changes.created, ...changes.changed]);
  const raised = readingBy(mappings, former).filter(({ name }) => !touched.has(name));
  for (const mapping of raised) {
    const row = stored.find(({ name }) => name === mapping.name);
    if (row !== undefined) await updateRow(client, table, row, mapping, by.actor);
  }
  return { ...changes, changed: [...changes.changed, ...raised.map(({ name }) => name)] };
}

/* From here on one apply of an institution waits for the other. */
async function applyInstitution(
  client: PoolClient,
  { code, name, timeZone, recipientClasses }: Configuration['institution'],
  actor: string,
): Promise<{ institutionId: number; institution: ConfigurationDifference['institution'] }> {
  const answer = await client.query<{ before: number | null; id: number }>(
    'select institution_by_code($1) as before, ensure_institution($1, $2, $3, $4) as id',
    [code, name, timeZone, actor],
  );
  const [row] = answer.rows;
  if (row === undefined) throw new SyncError('internal', 'no institution was made');
  await enterInstitution(client, row.id);
  const classes = recipientClasses === undefined ? null : JSON.stringify(recipientClasses);
  const locked = await client.query<{ same: boolean }>(
    `select name = $2 and time_zone = $3 and recipient_classes is not distinct from $4::jsonb as same
     from institutions where id = $1 for update`,
    [row.id, name, timeZone, classes],
  );
  if (locked.rows[0]?.same !== true) {
    await client.query(
      `update institutions set name = $2, time_zone = $3, recipient_classes = $4, updated_by = $5, updated_at = now() where id = $1`,
      [row.id, name, timeZone, classes, actor],
    );
  }
  if (row.before === null) return { institutionId: row.id, institution: 'created' };
  return { institutionId: row.id, institution: locked.rows[0]?.same === true ? 'unchanged' : 'changed' };
}

async function applyTable<T extends { readonly name: string }>(
  client: PoolClient,
  table: ConfiguredTable<T>,
  wanted: readonly T[],
  by: By,
  check?: (client: PoolClient, plan: ChangePlan<T>) => Promise<void>,
): Promise<Difference> {
  const plan = planChanges(await readStored(client, table), wanted);
  await check?.(client, plan);
  await carryOut(client, table, plan, by);
  return difference(plan, (name) => name);
}

async function carryOut<T extends { readonly name: string }>(
  client: PoolClient,
  table: ConfiguredTable<T>,
  plan: ChangePlan<T>,
  by: By,
): Promise<void> {
  for (const definition of plan.created) await insertRow(client, table, definition, by);
  for (const { stored, wanted } of plan.changed) await updateRow(client, table, stored, wanted, by.actor);
  await archiveRows(client, table.table, plan.archived, by.actor);
}

function difference<T extends { readonly name: string }>(
  plan: ChangePlan<T>,
  title: (name: string) => string,
): Difference {
  return {
    created: plan.created.map((definition) => title(definition.name)),
    changed: plan.changed.map(({ wanted }) => title(wanted.name)),
    archived: plan.archived.map((row) => title(row.name)),
  };
}

async function refuseNewLayout(client: PoolClient, plan: ChangePlan<EntityTypeDefinition>): Promise<void> {
  for (const { stored, wanted } of plan.changed) {
    if (keepsLayout(stored.definition, wanted)) continue;
    const answer = await client.query<{ used: boolean }>(
      'select exists (select from golden_records where entity_type_id = $1) as used',
      [stored.id],
    );
    if (answer.rows[0]?.used !== true) continue;
    throw new SyncError(
      'configuration_invalid',
      `entity type ${wanted.name}: there are records of it already, so its kind stays and groups may only be added after the last one`,
    );
  }
}

async function applyMappingVersions(
  client: PoolClient,
  wanted: readonly MappingDefinition[],
  changes: Difference,
  by: By,
): Promise<Difference> {
  const touched = new Set([...changes.created, ...changes.changed]);
  const answer = await client.query<{ id: number; name: string; version: number }>(
    'select id, name, version from cross_system_mappings where name = any ($1::text[]) order by id',
    [[...touched, ...changes.archived]],
  );
  const rules: Difference[] = [];
  for (const row of answer.rows) {
    const mapping = touched.has(row.name) ? wanted.find((definition) => definition.name === row.name) : undefined;
    if (mapping !== undefined) await recordVersion(client, row, mapping, by);
    rules.push(await applyRules(client, row, mapping, by));
  }
  return {
    created: rules.flatMap((each) => each.created),
    changed: rules.flatMap((each) => each.changed),
    archived: rules.flatMap((each) => each.archived),
  };
}

async function recordVersion(
  client: PoolClient,
  row: { readonly id: number; readonly version: number },
  mapping: MappingDefinition,
  by: By,
): Promise<void> {
  await client.query(
    `insert into mapping_versions (mapping_id, version, institution_id, definition, created_by) values ($1, $2, $3, $4, $5)`,
    [row.id, row.version, by.institutionId, JSON.stringify(mapping), by.actor],
  );
}

/* A mapping that is archived has no rules any more. */
async function applyRules(
  client: PoolClient,
  row: { readonly id: number; readonly name: string },
  mapping: MappingDefinition | undefined,
  by: By,
): Promise<Difference> {
  const table = ruleTable(row.id);
  const wanted = mapping?.source?.rules ?? [];
  const stored = await readStored(client, table, { condition: 't.mapping_id = $1', values: [row.id] });
  const plan = planChanges(stored, wanted);
  await carryOut(client, table, plan, by);
  return difference(plan, (name) => `${row.name}/${name}`);
}

/** Something configured, with the id by which rows refer to it. */
export interface Loaded<T> {
  readonly id: number;
  readonly version: number;
  readonly definition: T;
}

export interface LoadedMapping extends Loaded<MappingDefinition> {
  readonly systemId: number;
}

export interface ConfigurationParts {
  readonly systems: readonly Loaded<SystemDefinition>[];
  readonly entityTypes: readonly Loaded<EntityTypeDefinition>[];
  readonly mappings: readonly LoadedMapping[];
  readonly codeTables: readonly Loaded<CodeTableDefinition>[];
  readonly jobs: readonly Loaded<JobDefinition>[];
}

/** Each list in the order of ids. */
export interface LoadedConfiguration extends ConfigurationParts {
  readonly institution: {
    readonly id: number;
    readonly code: string;
    readonly name: string;
    readonly timeZone: string;
    /** Absent: those that the mappings name. */
    readonly recipientClasses?: readonly string[];
  };
  /** No longer in use, but what is stored may still refer to it. */
  readonly archived: ConfigurationParts;
}

interface Cached {
  readonly fingerprint: string;
  readonly configuration: LoadedConfiguration;
}

/* What each hub has loaded; it goes with the hub. Versions of mappings never change. */
const loadedConfigurations = new WeakMap<Hub, Map<number, Cached>>();
const loadedVersions = new WeakMap<Hub, Map<string, MappingDefinition>>();

/** The configuration as it stands. One cheap query tells whether what was loaded before is still current; the same object is
 *  then given again, so do not write to it.
 *  @throws SyncError not_found */
export async function loadConfiguration(hub: Hub, institutionId: number): Promise<LoadedConfiguration> {
  const cache = cacheOf(loadedConfigurations, hub);
  return await hub.read(institutionId, async (client) => {
    const fingerprint = await readFingerprint(client);
    const known = cache.get(institutionId);
    if (known?.fingerprint === fingerprint) return known.configuration;
    const configuration = await readConfiguration(client, institutionId);
    cache.set(institutionId, { fingerprint, configuration });
    return configuration;
  });
}

/** A mapping as it was at a version, with the rules it then had.
 *  @throws SyncError not_found */
export async function loadMappingVersion(
  hub: Hub,
  institutionId: number,
  mappingId: number,
  version: number,
): Promise<MappingDefinition> {
  const cache = cacheOf(loadedVersions, hub);
  const key = `${institutionId}/${mappingId}/${version}`;
  const known = cache.get(key);
  if (known !== undefined) return known;
  const { definition } = await loadMappingThen(hub, institutionId, mappingId, version);
  cache.set(key, definition);
  return definition;
}

/** What an image of an earlier version was derived by. `codeTables`: by name, those that have changed since, as they were.
 *  @throws SyncError not_found */
export async function loadMappingThen(
  hub: Hub,
  institutionId: number,
  mappingId: number,
  version: number,
): Promise<Pick<MappingVersion, 'definition' | 'codeTables'>> {
  const answer = await hub.read(institutionId, (client) =>
    client.query<Pick<MappingVersion, 'definition' | 'codeTables'>>(
      'select definition, code_tables as "codeTables" from mapping_versions where mapping_id = $1 and version = $2',
      [mappingId, version],
    ),
  );
  const [row] = answer.rows;
  if (row === undefined) throw new SyncError('not_found', `There is no version ${version} of mapping ${mappingId}.`);
  return row;
}

function cacheOf<K, V>(caches: WeakMap<Hub, Map<K, V>>, hub: Hub): Map<K, V> {
  const cache = caches.get(hub) ?? new Map<K, V>();
  caches.set(hub, cache);
  return cache;
}

/* Every change of a configured thing raises its version or archives it. */
async function readFingerprint(client: PoolClient): Promise<string> {
  const answer = await client.query<{ fingerprint: string | null }>(
    `select md5(string_agg(part, ';' order by part)) as fingerprint from (
       select jsonb_build_array(code, name, time_zone, recipient_classes)::text as part from institutions
       union all select concat_ws(':', 'system', id, version, archived) from data_source_configurations
       union all select concat_ws(':', 'type', id, version, archived) from entity_types
       union all select concat_ws(':', 'mapping', id, version, archived) from cross_system_mappings
       union all select concat_ws(':', 'codes', id, version, archived) from code_tables
       union all select concat_ws(':', 'job', id, version, archived) from synchronization_jobs
     ) parts`,
  );
  return answer.rows[0]?.fingerprint ?? '';
}

async function readConfiguration(client: PoolClient, institutionId: number): Promise<LoadedConfiguration> {
  const institution = await client.query<{
    id: number;
    code: string;
    name: string;
    timeZone: string;
    recipientClasses: readonly string[] | null;
  }>(
    'select id, code, name, time_zone as "timeZone", recipient_classes as "recipientClasses" from institutions where id = $1',
    [institutionId],
  );
  const [row] = institution.rows;
  if (row === undefined) throw new SyncError('not_found', `There is no institution ${institutionId}.`);
  const { recipientClasses, ...named } = row;
  const systems = await readStored(client, systemTable);
  const systemIds = new Map(systems.map((system) => [system.name, system.id]));
  const stored = {
    systems,
    entityTypes: await readStored(client, entityTypeTable),
    mappings: await readStored(client, mappingTable(systemIds)),
    codeTables: await readStored(client, codeTableTable),
    jobs: await readStored(client, jobTable),
  };
  const parts = (archived: boolean): ConfigurationParts => ({
    systems: pick(stored.systems, archived),
    entityTypes: pick(stored.entityTypes, archived),
    mappings: pick(stored.mappings, archived).map((mapping) => ({
      ...mapping,
      systemId: systemIds.get(mapping.definition.system) ?? unknownSystem(mapping.definition),
    })),
    codeTables: pick(stored.codeTables, archived),
    jobs: pick(stored.jobs, archived),
  });
  return {
    institution: { ...named, ...(recipientClasses === null ? {} : { recipientClasses }) },
    ...parts(false),
    archived: parts(true),
  };
}

function pick<T>(stored: readonly Stored<T>[], archived: boolean): Loaded<T>[] {
  return stored
    .filter((row) => row.archived === archived)
    .map(({ id, version, definition }) => ({ id, version, definition }));
}

function unknownSystem(mapping: MappingDefinition): never {
  throw new SyncError('internal', `mapping ${mapping.name} names a system that is not there`);
}
