import type { Hub } from '../database/hub.js';
import {
  loadConfiguration,
  loadMappingReading,
  type LoadedConfiguration,
  type MappingReading,
} from '../database/configuration-store.js';
import type { EntityTypeDefinition } from '../domain/entity-type.js';
import { SyncError } from '../domain/errors.js';
import type { JobDefinition, SystemDefinition } from '../domain/job-definition.js';
import type { MappingDefinition } from '../domain/mapping-definition.js';
import type { Stated } from '../domain/canonical.js';
import { compileSource, deriveRecord, type CompiledSource } from '../domain/mapping.js';
import type { RawRow } from '../domain/rows.js';
import { compileTarget, type CompiledTarget } from '../domain/projection.js';
import type { RunRef } from '../domain/run.js';

export interface EntityTypeRef {
  readonly id: number;
  readonly definition: EntityTypeDefinition;
}

export interface MappingRef {
  readonly id: number;
  readonly version: number;
  /** Since which version the same is derived from a row: what one of these derived stands. */
  readonly derivedSince: number;
  readonly definition: MappingDefinition;
  readonly systemId: number;
  readonly system: SystemDefinition;
}

/** Whether a mapping reads records of this kind: images of pure targets take no part in a merge. */
export const readsRecords = (mapping: MappingRef, type: EntityTypeRef): boolean =>
  mapping.definition.source?.records.some(({ entityType }) => entityType === type.definition.name) ?? false;

/** An institution's configuration, compiled: what every step of a run looks things up in. */
export class InstitutionContext {
  private readonly sources = new Map<string, CompiledSource>();
  private readonly targets = new Map<number, CompiledTarget>();
  private readonly mappingsById: ReadonlyMap<number, MappingRef>;
  private readonly mappingsByName: ReadonlyMap<string, MappingRef>;
  private readonly typesById: ReadonlyMap<number, EntityTypeRef>;
  private readonly typesByName: ReadonlyMap<string, EntityTypeRef>;

  constructor(
    readonly institutionId: number,
    private readonly configuration: LoadedConfiguration,
  ) {
    const systems = new Map(configuration.systems.map((system) => [system.definition.name, system]));
    const mappings = configuration.mappings.map(({ id, version, derivedSince, definition }): MappingRef => {
      const system = systems.get(definition.system);
      if (system === undefined) throw new SyncError('internal', `mapping ${definition.name} names no system`);
      return { id, version, derivedSince, definition, systemId: system.id, system: system.definition };
    });
    this.mappingsById = new Map(mappings.map((mapping) => [mapping.id, mapping]));
    this.mappingsByName = new Map(mappings.map((mapping) => [mapping.definition.name, mapping]));
    this.typesById = new Map(configuration.entityTypes.map(({ id, definition }) => [id, { id, definition }]));
    this.typesByName = new Map([...this.typesById.values()].map((type) => [type.definition.name, type]));
  }

  get mappings(): readonly MappingRef[] {
    return [...this.mappingsById.values()];
  }

  /** Targets that some job publishes to. */
  get publishedTargets(): readonly MappingRef[] {
    const names = new Set(this.configuration.jobs.flatMap(({ definition }) => definition.targets));
    return this.mappings.filter(({ definition }) => names.has(definition.name));
  }

  /** Names of the mappings that some job reads. */
  get readSources(): readonly string[] {
    return this.configuration.jobs.flatMap(({ definition }) => definition.sources);
  }

  /** Every class of recipients that restrictions may name. */
  get recipientClasses(): ReadonlySet<string> {
    return new Set([
      ...(this.configuration.institution.recipientClasses ?? []),
      ...this.mappings.flatMap(({ definition }) => [
        ...(definition.target === undefined ? [] : [definition.target.recipientClass]),
        ...(definition.source?.records ?? []).flatMap((record) =>
          (record.restrictions ?? []).map(({ recipientClass }) => recipientClass),
        ),
      ]),
    ]);
  }

  get definitions(): readonly EntityTypeDefinition[] {
    return this.configuration.entityTypes.map(({ definition }) => definition);
  }

  mapping(id: number): MappingRef {
    return known(this.mappingsById.get(id), `mapping ${id}`);
  }

  mappingNamed(name: string): MappingRef {
    return known(this.mappingsByName.get(name), `mapping ${name}`);
  }

  entityType(id: number): EntityTypeRef {
    return known(this.typesById.get(id), `entity type ${id}`);
  }

  entityTypeNamed(name: string): EntityTypeRef {
    return known(this.typesByName.get(name), `entity type ${name}`);
  }

  job(id: number): { readonly id: number; readonly definition: JobDefinition } {
    return known(
      this.configuration.jobs.find((job) => job.id === id),
      `job ${id}`,
    );
  }

  source(mapping: MappingRef): CompiledSource {
    return this.compile(`${mapping.id}`, mapping.definition);
  }

  /** The source part as it was in an earlier version, for images that were read under it. */
  async sourceAt(hub: Hub, mapping: MappingRef, version: number): Promise<CompiledSource> {
    if (version >= mapping.derivedSince) return this.source(mapping);
    const key = `${mapping.id}@${version}`;
    const compiled = this.sources.get(key);
    if (compiled !== undefined) return compiled;
    const then = await loadMappingReading(hub, this.institutionId, mapping.id, version);
    return this.compile(key, then.definition, then.codeTables);
  }

  /* `as they were`: code tables that stand in for those of the same name. */
  private compile(
    key: string,
    definition: MappingDefinition,
    asTheyWere: MappingReading['codeTables'] = [],
  ): CompiledSource {
    const former = new Set(asTheyWere.map(({ name }) => name));
    const now = this.configuration.codeTables.map(({ definition: table }) => table);
    const compiled =
      this.sources.get(key) ??
      compileSource(definition, this.definitions, [...asTheyWere, ...now.filter(({ name }) => !former.has(name))]);
    this.sources.set(key, compiled);
    return compiled;
  }

  /** What the main record of a raw row states, in the order of groups; null where the row makes none. */
  derive(mapping: MappingRef, row: RawRow): readonly (Stated | null)[] | null {
    return (
      deriveRecord(
        this.source(mapping),
        row,
        mapping.definition.target?.root ?? this.mainType(mapping).definition.name,
        '',
      )?.values ?? null
    );
  }

  target(mapping: MappingRef): CompiledTarget {
    const compiled =
      this.targets.get(mapping.id) ??
      compileTarget(
        mapping.definition,
        this.definitions,
        this.configuration.codeTables.map(({ definition: table }) => table),
      );
    this.targets.set(mapping.id, compiled);
    return compiled;
  }

  /** The columns that another version of a target's mapping wrote or compared; null where it wrote none. */
  targetColumns(definition: MappingDefinition): readonly string[] | null {
    if (definition.target === undefined) return null;
    const codeTables = this.configuration.codeTables.map(({ definition: table }) => table);
    return compileTarget(definition, this.definitions, codeTables).columns;
  }

  /** The kind of the main record of a mapping's rows. */
  mainType(mapping: MappingRef): EntityTypeRef {
    const main = mapping.definition.source?.records.find((record) => (record.subKey ?? '') === '');
    return this.entityTypeNamed(main?.entityType ?? mapping.definition.target?.root ?? '');
  }

  isPosted(mapping: MappingRef): boolean {
    return this.mainType(mapping).definition.kind === 'posted';
  }
}

const known = <T>(value: T | undefined, what: string): T => {
  if (value === undefined) throw new SyncError('not_found', `${what} is not configured`);
  return value;
};

/** Configurations by institution, compiled once for each state they are in. */
export class ConfigurationCache {
  private readonly contexts = new Map<number, { configuration: LoadedConfiguration; context: InstitutionContext }>();

  constructor(private readonly hub: Hub) {}

  async of(institutionId: number): Promise<InstitutionContext> {
    const configuration = await loadConfiguration(this.hub, institutionId);
    const cached = this.contexts.get(institutionId);
    if (cached?.configuration === configuration) return cached.context;
    const context = new InstitutionContext(institutionId, configuration);
    this.contexts.set(institutionId, { configuration, context });
    return context;
  }
}

/** The stored facts of a run that its steps need. */
export interface RunFacts {
  readonly asOf: string;
  readonly actor: string;
  readonly applyStarted: boolean;
  readonly parentRunId: string | null;
}

export const readRun = async (hub: Hub, run: RunRef): Promise<RunFacts> =>
  hub.read(run.institutionId, async (client) => {
    const { rows } = await client.query<{
      as_of: string;
      actor: string;
      apply_started: boolean;
      parent_run_id: string | null;
    }>(
      `select to_char(as_of, 'YYYY-MM-DD') as as_of, actor, apply_started, parent_run_id::text from sync_runs where id = $1`,
      [run.runId],
    );
    const row = rows[0];
    if (row === undefined) throw new SyncError('not_found', `run ${run.runId} is not there`);
    return { asOf: row.as_of, actor: row.actor, applyStarted: row.apply_started, parentRunId: row.parent_run_id };
  });
