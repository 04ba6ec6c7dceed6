import type { PoolClient } from 'pg';
import { SyncError } from '../domain/errors.js';
import type { EntityTypeDefinition } from '../domain/entity-type.js';
import type {
  CodeTableDefinition,
  Configuration,
  VisibilityDefinition,
  JobDefinition,
  SystemDefinition,
} from '../domain/job-definition.js';
import type { MappingDefinition } from '../domain/mapping-definition.js';
import { layoutProblems } from '../domain/layout.js';
import { codeTablesReadBy, codeTablesWrittenBy, derivesAlike, readsDifferently } from '../domain/mapping-reading.js';
import type { RuleDefinition } from '../domain/rule-definition.js';
import { canonicalJson } from '../platform/canonical-json.js';
import { together } from '../platform/together.js';
import { checkNames, planChanges } from './configuration-plan.js';
import type { ChangePlan, Stored } from './configuration-plan.js';
import {
  archiveRows,
  codeTableTable,
  entityTypeTable,
  insertRow,
  jobTable,
  mappingTable,
  readStored,
  recordVersion,
  ruleTable,
  systemTable,
  updateRow,
} from './configuration-tables.js';
import type { ChangeBy, ConfigurationAction, ConfiguredTable } from './configuration-tables.js';
import { enterInstitution } from './hub.js';
import type { Hub } from './hub.js';

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
 *  archived. Applying the same again changes nothing. A mapping's version rises with its rules too: what a row says depends on both.
 *  @throws SyncError configuration_invalid */
export async function applyConfiguration(
  hub: Hub,
  configuration: Configuration,
  actor: string,
): Promise<ConfigurationDifference> {
  checkNames(configuration);
  return await hub.system(async (client) => {
    const made = await enterEnsured(client, configuration.institution, actor);
    const stored = await readStoredConfiguration(client);
    const difference = await storeConfiguration(client, stored, configuration, {
      institutionId: made.institutionId,
      actor,
    });
    return made.created ? { ...difference, institution: 'created' } : difference;
  });
}

/** Makes an institution with nothing configured, unless one of its code is there, which stays as it is. In the transaction of the
 *  client, which has entered it afterwards. Returns its id. */
export async function applyInstitution(
  client: PoolClient,
  definition: Configuration['institution'],
  actor: string,
): Promise<number> {
  const { institutionId, created } = await enterEnsured(client, definition, actor);
  if (!created) return institutionId;
  const nothing = { systems: [], entityTypes: [], mappings: [], codeTables: [], jobs: [] };
  const stored = await readStoredConfiguration(client);
  await storeConfiguration(client, stored, { institution: definition, ...nothing }, { institutionId, actor });
  return institutionId;
}

async function enterEnsured(
  client: PoolClient,
  definition: Configuration['institution'],
  actor: string,
): Promise<{ readonly institutionId: number; readonly created: boolean }> {
  const made = await ensureInstitution(client, definition, actor);
  await enterInstitution(client, made.institutionId);
  await lockConfiguration(client, made.institutionId);
  if (made.created) await setRecipientClasses(client, made.institutionId, definition);
  return made;
}

/** From here to the end of the transaction, no other changes the configuration of the institution. */
export async function lockConfiguration(client: PoolClient, institutionId: number): Promise<void> {
  await client.query('select id from institutions where id = $1 for update', [institutionId]);
}

async function ensureInstitution(
  client: PoolClient,
  { code, name, timeZone }: Configuration['institution'],
  actor: string,
): Promise<{ readonly institutionId: number; readonly created: boolean }> {
  const answer = await client.query<{ before: number | null; id: number }>(
    'select institution_by_code($1) as before, ensure_institution($1, $2, $3, $4) as id',
    [code, name, timeZone, actor],
  );
  const [row] = answer.rows;
  if (row === undefined) throw new SyncError('internal', 'no institution was made');
  return { institutionId: row.id, created: row.before === null };
}

/* What a new institution is made without. */
async function setRecipientClasses(
  client: PoolClient,
  institutionId: number,
  { recipientClasses }: Configuration['institution'],
): Promise<void> {
  await client.query('update institutions set recipient_classes = $2 where id = $1', [
    institutionId,
    recipientClasses ?? null,
  ]);
}

/** Makes `wanted` the whole configuration, in the transaction of the client, which has entered the institution and locked its
 *  configuration. `stored`: what was read after that.
 *  @throws SyncError configuration_invalid where it contradicts stored records */
export async function storeConfiguration(
  client: PoolClient,
  stored: StoredConfiguration,
  wanted: Configuration,
  by: ChangeBy,
): Promise<ConfigurationDifference> {
  checkNames(wanted);
  const institution = await storeInstitution(client, stored.institution, wanted.institution, by);
  const systems = await store(client, systemTable, planChanges(stored.systems, wanted.systems), by);
  const types = planChanges(stored.entityTypes, wanted.entityTypes);
  await refuseNewLayout(client, types);
  const entityTypes = await store(client, entityTypeTable, types, by);
  const tables = planChanges(stored.codeTables, wanted.codeTables);
  const codeTables = await store(client, codeTableTable, tables, by);
  const systemIds = new Map((await readStored(client, systemTable)).map((row) => [row.name, row.id]));
  const readAnew = (mapping: MappingDefinition): boolean => isReadAnew(mapping, types, tables, wanted);
  const mapped = planChanges(stored.mappings, wanted.mappings, readAnew);
  const mappings = await store(client, mappingTable(systemIds), mapped, by);
  await recordMappingVersions(client, wanted, derivingAsBefore(mapped, readAnew));
  const rules = await storeRules(client, mappings, wanted.mappings, by);
  const planned = planChanges(stored.jobs, wanted.jobs);
  const jobs = await store(client, jobTable, planned, by);
  // Schedules follow the jobs and the time zone: a worker is told, and reconciles them.
  if (institution !== 'unchanged' || touchesSchedules(planned)) await leaveWordOfSchedules(client, by.institutionId);
  return { institutionId: by.institutionId, institution, systems, entityTypes, mappings, rules, codeTables, jobs };
}

function touchesSchedules({ created, changed, archived }: ChangePlan<JobDefinition>): boolean {
  const touched = [...created, ...changed.flatMap(({ stored, wanted }) => [stored.definition, wanted])];
  return [...touched, ...archived.map(({ definition }) => definition)].some(({ schedule }) => schedule !== undefined);
}

/** Has a worker bring the schedules of the institution up to date. */
export async function leaveWordOfSchedules(client: PoolClient, institutionId: number): Promise<void> {
  await client.query(`insert into outbox (institution_id, topic, subject) values ($1, 'schedules', $2)`, [
    institutionId,
    String(institutionId),
  ]);
  await client.query(`select pg_notify('concord_outbox', '')`);
}

async function storeInstitution(
  client: PoolClient,
  stored: StoredInstitution,
  wanted: Configuration['institution'],
  by: ChangeBy,
): Promise<'changed' | 'unchanged'> {
  const { id, version } = stored;
  const record = (at: number, action: ConfigurationAction, definition: Configuration['institution']): Promise<void> =>
    recordVersion(client, { kind: 'institution', id, version: at, action, definition }, by);
  const known = await client.query(
    `select from configuration_versions where kind = 'institution' and object_id = $1 limit 1`,
    [id],
  );
  if (known.rowCount === 0) await record(version, 'created', stored.definition);
  if (canonicalJson(stored.definition) === canonicalJson(wanted)) return 'unchanged';
  await client.query(
    `update institutions set name = $2, time_zone = $3, recipient_classes = $4, visibility = $5, version = version + 1, updated_by = $6, updated_at = now()
     where id = $1`,
    [
      ...[id, wanted.name, wanted.timeZone, wanted.recipientClasses ?? null],
      ...[wanted.visibility === undefined ? null : JSON.stringify(wanted.visibility), by.actor],
    ],
  );
  await record(version + 1, by.action ?? 'changed', wanted);
  return 'changed';
}

async function store<T extends { readonly name: string }>(
  client: PoolClient,
  table: ConfiguredTable<T>,
  plan: ChangePlan<T>,
  by: ChangeBy,
): Promise<Difference> {
  await carryOut(client, table, plan, by);
  return difference(plan, (name) => name);
}

async function carryOut<T extends { readonly name: string }>(
  client: PoolClient,
  table: ConfiguredTable<T>,
  plan: ChangePlan<T>,
  by: ChangeBy,
): Promise<void> {
  for (const definition of plan.created) await insertRow(client, table, definition, by);
  for (const { stored, wanted } of plan.changed) await updateRow(client, table, stored, wanted, by);
  await archiveRows(client, table, plan.archived, by);
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
  const [conflict] = await layoutConflicts(client, plan);
  if (conflict === undefined) return;
  throw new SyncError(
    'configuration_invalid',
    `entity type ${conflict.name}: there are records of it already: ${conflict.reasons.join('; ')}`,
  );
}

/** Entity types whose change would make records unreadable that are there, with each reason. */
export async function layoutConflicts(
  client: PoolClient,
  plan: ChangePlan<EntityTypeDefinition>,
): Promise<readonly { readonly name: string; readonly reasons: readonly string[] }[]> {
  const conflicts: { readonly name: string; readonly reasons: readonly string[] }[] = [];
  for (const { stored, wanted } of plan.changed) {
    const reasons = layoutProblems(stored.definition, wanted);
    if (reasons.length === 0) continue;
    const answer = await client.query<{ used: boolean }>(
      'select exists (select from golden_records where entity_type_id = $1) as used',
      [stored.id],
    );
    if (answer.rows[0]?.used === true) conflicts.push({ name: wanted.name, reasons });
  }
  return conflicts;
}

/* A mapping that is the same, but reads or writes its rows by something that changed, gets a new version: the next run reads them
   anew, or judges its target whole. */
function isReadAnew(
  mapping: MappingDefinition,
  types: ChangePlan<EntityTypeDefinition>,
  tables: ChangePlan<CodeTableDefinition>,
  wanted: Configuration,
): boolean {
  const changedTables = tables.changed.map(({ wanted: table }) => table.name);
  const used = new Set([
    ...codeTablesReadBy(mapping, wanted.entityTypes),
    ...codeTablesWrittenBy(mapping, wanted.entityTypes),
  ]);
  return (
    changedTables.some((name) => used.has(name)) ||
    types.changed.some(({ stored, wanted: type }) => readsDifferently(mapping, stored.definition, type))
  );
}

/* Ids of changed mappings of which every record stands. Nobody looked at what one depends on while it was archived. */
function derivingAsBefore(
  { changed }: ChangePlan<MappingDefinition>,
  readAnew: (mapping: MappingDefinition) => boolean,
): ReadonlySet<number> {
  const alike = changed.filter(
    ({ stored, wanted }) => !stored.archived && !readAnew(wanted) && derivesAlike(stored.definition, wanted),
  );
  return new Set(alike.map(({ stored }) => stored.id));
}

/* What runs read by: the mapping with its rules, and the versions of the code tables that it uses. `alike`: ids of mappings that
   derive as the version before did. */
async function recordMappingVersions(
  client: PoolClient,
  wanted: Configuration,
  alike: ReadonlySet<number>,
): Promise<void> {
  const made = await client.query<{ id: number; version: number; definition: MappingDefinition; changed_by: string }>(
    `select m.id, m.version, v.definition, v.changed_by
     from cross_system_mappings m
     join configuration_versions v on v.kind = 'mapping' and v.object_id = m.id and v.version = m.version
     where not exists (select from mapping_versions w where w.mapping_id = m.id and w.version = m.version) order by m.id`,
  );
  for (const { id, version, definition, changed_by: changedBy } of made.rows) {
    await client.query(
      `insert into mapping_versions (mapping_id, version, institution_id, definition, created_by, code_tables, derived_since)
       select m.id, $2, m.institution_id, $3, $4,
         (select coalesce(jsonb_object_agg(t.name, t.version), '{}') from code_tables t where t.name = any ($5::text[])),
         (select coalesce(v.derived_since, v.version) from mapping_versions v where $6 and v.mapping_id = m.id and v.version = $2 - 1)
       from cross_system_mappings m where m.id = $1`,
      [
        ...[id, version, JSON.stringify(definition), changedBy],
        ...[[...codeTablesReadBy(definition, wanted.entityTypes)], alike.has(id)],
      ],
    );
  }
}

async function storeRules(
  client: PoolClient,
  mappings: Difference,
  wanted: readonly MappingDefinition[],
  by: ChangeBy,
): Promise<Difference> {
  const touched = new Set([...mappings.created, ...mappings.changed]);
  const answer = await client.query<{ id: number; name: string }>(
    'select id, name from cross_system_mappings where name = any ($1::text[]) order by id',
    [[...touched, ...mappings.archived]],
  );
  const rules: Difference[] = [];
  for (const row of answer.rows) {
    // A mapping that is archived has no rules any more.
    const mapping = touched.has(row.name) ? wanted.find((definition) => definition.name === row.name) : undefined;
    const stored = await readStored(client, ruleTable(row.id), { condition: 't.mapping_id = $1', values: [row.id] });
    const plan = planChanges(stored, mapping?.source?.rules ?? []);
    await carryOut(client, ruleTable(row.id), plan, by);
    rules.push(difference(plan, (name) => `${row.name}/${name}`));
  }
  return {
    created: rules.flatMap((each) => each.created),
    changed: rules.flatMap((each) => each.changed),
    archived: rules.flatMap((each) => each.archived),
  };
}

export interface StoredInstitution {
  readonly id: number;
  readonly version: number;
  readonly definition: Configuration['institution'];
  readonly changedBy: string;
  readonly changedAt: Date;
}

export interface StoredRule extends Stored<RuleDefinition> {
  readonly mappingId: number;
}

/** Everything configured as it is stored, archived things too; each list in the order of ids. */
export interface StoredConfiguration {
  readonly institution: StoredInstitution;
  readonly systems: readonly Stored<SystemDefinition>[];
  readonly entityTypes: readonly Stored<EntityTypeDefinition>[];
  readonly mappings: readonly Stored<MappingDefinition>[];
  readonly codeTables: readonly Stored<CodeTableDefinition>[];
  readonly jobs: readonly Stored<JobDefinition>[];
}

/** What the client's institution has configured.
 *  @throws SyncError not_found */
export async function readStoredConfiguration(client: PoolClient): Promise<StoredConfiguration> {
  const found = await client.query<
    Omit<StoredInstitution, 'definition'> &
      Configuration['institution'] & { classes: string[] | null; sights: VisibilityDefinition | null }
  >(
    `select id, version, updated_by as "changedBy", updated_at as "changedAt", code, name, time_zone as "timeZone",
       recipient_classes as classes, visibility as sights from institutions`,
  );
  const [row] = found.rows;
  if (row === undefined) throw new SyncError('not_found', 'There is no such institution.');
  const { id, version, changedBy, changedAt, code, name, timeZone, classes, sights } = row;
  return {
    institution: {
      ...{ id, version, changedBy, changedAt },
      definition: {
        ...{ code, name, timeZone },
        ...(classes === null ? {} : { recipientClasses: classes }),
        ...(sights === null ? {} : { visibility: sights }),
      },
    },
    systems: await readStored(client, systemTable),
    entityTypes: await readStored(client, entityTypeTable),
    mappings: await readStored(client, mappingTable(new Map())),
    codeTables: await readStored(client, codeTableTable),
    jobs: await readStored(client, jobTable),
  };
}

/** The rules of all mappings as rows of their own, archived ones too, in the order of ids. */
export async function readStoredRules(client: PoolClient): Promise<readonly StoredRule[]> {
  const owners = await client.query<{ id: number; mapping_id: number }>(
    'select id, mapping_id from data_quality_rules order by id',
  );
  const mappingOf = new Map(owners.rows.map((row) => [row.id, row.mapping_id]));
  const rules = await readStored(client, ruleTable(0));
  return rules.map((rule) => ({ ...rule, mappingId: mappingOf.get(rule.id) ?? 0 }));
}

/** What is in use of it. */
export function configurationOf(stored: StoredConfiguration): Configuration {
  const live = <T>(list: readonly Stored<T>[]): T[] =>
    list.filter(({ archived }) => !archived).map(({ definition }) => definition);
  return {
    institution: stored.institution.definition,
    systems: live(stored.systems),
    entityTypes: live(stored.entityTypes),
    mappings: live(stored.mappings),
    codeTables: live(stored.codeTables),
    jobs: live(stored.jobs),
  };
}

/** Something configured, with the id by which rows refer to it. */
export interface Loaded<T> {
  readonly id: number;
  readonly version: number;
  readonly definition: T;
}

export interface LoadedMapping extends Loaded<MappingDefinition> {
  readonly systemId: number;
  /** Since which version the same is derived from a row. */
  readonly derivedSince: number;
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
  readonly institution: Configuration['institution'] & { readonly id: number };
  /** No longer in use, but what is stored may still refer to it. */
  readonly archived: ConfigurationParts;
}

interface Cached {
  readonly fingerprint: string;
  readonly configuration: LoadedConfiguration;
}

/* What each hub has loaded; it goes with the hub. Versions of mappings never change. */
const loadedConfigurations = new WeakMap<Hub, Map<number, Cached>>();
const loadedVersions = new WeakMap<Hub, Map<string, MappingReading>>();

/** The configuration as it stands. One cheap query tells whether what was loaded before is still current; the same object is
 *  then given again, so do not write to it.
 *  @throws SyncError not_found */
export async function loadConfiguration(hub: Hub, institutionId: number): Promise<LoadedConfiguration> {
  const cache = cacheOf(loadedConfigurations, hub);
  const fingerprintNow = await fingerprintsOf(hub)(institutionId);
  const known = cache.get(institutionId);
  if (known !== undefined && known.fingerprint === fingerprintNow) return known.configuration;
  return await hub.read(institutionId, async (client) => {
    const fingerprint = await readFingerprint(client);
    const configuration = await readConfiguration(client, institutionId);
    cache.set(institutionId, { fingerprint, configuration });
    return configuration;
  });
}

/* Those who come together ask once. */
const askingFingerprints = new WeakMap<Hub, (institutionId: number) => Promise<string>>();

function fingerprintsOf(hub: Hub): (institutionId: number) => Promise<string> {
  const known = askingFingerprints.get(hub);
  if (known !== undefined) return known;
  const ask = together(async (institutionId: number): Promise<string> => {
    const [row] = await hub.look<{ fingerprint: string | null }>(
      'select concord.configuration_fingerprint($1) as fingerprint',
      [institutionId],
    );
    return row?.fingerprint ?? '';
  });
  askingFingerprints.set(hub, ask);
  return ask;
}

/** How a version of a mapping read its rows. */
export interface MappingReading {
  readonly definition: MappingDefinition;
  /** The code tables as they were then, where they are known; any other is read as it is now. */
  readonly codeTables: readonly CodeTableDefinition[];
}

/** A mapping as it was at a version, with the rules it then had, and the code tables as they then were.
 *  @throws SyncError not_found */
export async function loadMappingReading(
  hub: Hub,
  institutionId: number,
  mappingId: number,
  version: number,
): Promise<MappingReading> {
  const cache = cacheOf(loadedVersions, hub);
  const key = `${institutionId}/${mappingId}/${version}`;
  const known = cache.get(key);
  if (known !== undefined) return known;
  const answer = await hub.read(institutionId, (client) =>
    client.query<MappingReading>(
      `select m.definition, (
         select coalesce(jsonb_agg(v.definition), '[]') from jsonb_each_text(m.code_tables) used
         join code_tables t on t.name = used.key
         join configuration_versions v on v.kind = 'code_table' and v.object_id = t.id and v.version = used.value::integer
       ) as "codeTables"
       from mapping_versions m where m.mapping_id = $1 and m.version = $2`,
      [mappingId, version],
    ),
  );
  const [row] = answer.rows;
  if (row === undefined) throw new SyncError('not_found', `There is no version ${version} of mapping ${mappingId}.`);
  cache.set(key, row);
  return row;
}

/** A mapping as it was at a version, with the rules it then had.
 *  @throws SyncError not_found */
export async function loadMappingVersion(
  hub: Hub,
  institutionId: number,
  mappingId: number,
  version: number,
): Promise<MappingDefinition> {
  return (await loadMappingReading(hub, institutionId, mappingId, version)).definition;
}

function cacheOf<K, V>(caches: WeakMap<Hub, Map<K, V>>, hub: Hub): Map<K, V> {
  const cache = caches.get(hub) ?? new Map<K, V>();
  caches.set(hub, cache);
  return cache;
}

/** A short text for the state that the configuration is in: every change of a configured thing raises its version. */
export async function readFingerprint(client: PoolClient): Promise<string> {
  const answer = await client.query<{ fingerprint: string | null }>(
    `select concord.configuration_fingerprint(nullif(current_setting('concord.institution', true), '')::integer) as fingerprint`,
  );
  return answer.rows[0]?.fingerprint ?? '';
}

async function readConfiguration(client: PoolClient, institutionId: number): Promise<LoadedConfiguration> {
  const there = await client.query('select from institutions where id = $1', [institutionId]);
  if (there.rowCount === 0) throw new SyncError('not_found', `There is no institution ${institutionId}.`);
  const stored = await readStoredConfiguration(client);
  const systemIds = new Map(stored.systems.map((system) => [system.name, system.id]));
  const since = await readDerivedSince(client);
  const parts = (archived: boolean): ConfigurationParts => ({
    systems: pick(stored.systems, archived),
    entityTypes: pick(stored.entityTypes, archived),
    mappings: pick(stored.mappings, archived).map((mapping) => ({
      ...mapping,
      systemId: systemIds.get(mapping.definition.system) ?? unknownSystem(mapping.definition),
      derivedSince: since.get(mapping.id) ?? mapping.version,
    })),
    codeTables: pick(stored.codeTables, archived),
    jobs: pick(stored.jobs, archived),
  });
  return {
    institution: { id: institutionId, ...stored.institution.definition },
    ...parts(false),
    archived: parts(true),
  };
}

async function readDerivedSince(client: PoolClient): Promise<ReadonlyMap<number, number>> {
  const { rows } = await client.query<{ id: number; since: number }>(
    `select m.id, v.derived_since as since from cross_system_mappings m
     join mapping_versions v on v.mapping_id = m.id and v.version = m.version where v.derived_since is not null`,
  );
  return new Map(rows.map(({ id, since }) => [id, since]));
}

function pick<T>(stored: readonly Stored<T>[], archived: boolean): Loaded<T>[] {
  return stored
    .filter((row) => row.archived === archived)
    .map(({ id, version, definition }) => ({ id, version, definition }));
}

function unknownSystem(mapping: MappingDefinition): never {
  throw new SyncError('internal', `mapping ${mapping.name} names a system that is not there`);
}
