import type { PoolClient } from 'pg';
import { recreate, stagingColumns, stagingOf } from '../database/staging.js';
import { dependencyOrder } from '../domain/configuration.js';
import { SyncError } from '../domain/errors.js';
import type { CanonicalRecord, CompiledSource, StandardizedRow } from '../domain/mapping.js';
import type { RawRow, RowProblem } from '../domain/rows.js';
import type { RunRef } from '../domain/run.js';
import { copyOut } from '../platform/copy.js';
import { CopySink, encodeTextArray } from '../platform/copy-sink.js';
import type { PreparedRun } from './contract.js';
import type { InstitutionContext, MappingRef } from './context.js';
import type { ActivityDependencies } from './dependencies.js';
import { readSourcePlans } from './extract.js';
import { recordDispositions } from './dispositions.js';
import { hasApart, holdOtherPersons, withdrawApart } from './identity.js';
import { fenced, readChunks, recordChunk, takeLease, type Lease } from './lease.js';
import { findBrokenSetRules } from './set-rules.js';

/** What one staged row is written as. */
interface StagedRow {
  readonly key: string;
  readonly rowClass: string;
  readonly raw: string;
  readonly hash: string;
  readonly scope: string | null;
  /** Names of set-based rules that the row breaks. */
  readonly broken: readonly string[];
}

/** Writes canonical records and problems of staged rows; two statements on two connections, fed by one loop. */
export class CanonWriter {
  private readonly canon: CopySink;
  private readonly problem: CopySink;

  constructor(
    canonClient: PoolClient,
    problemClient: PoolClient,
    run: RunRef,
    private readonly context: InstitutionContext,
  ) {
    const staging = stagingOf(run.runId);
    this.canon = new CopySink(
      canonClient,
      `copy ${staging.canon} (mapping_id, entity_type_id, key, sub_key, main, op, class, values, refs, identifiers,
         match_name, match_birth, effective_at, raw, hash, scope) from stdin`,
    );
    this.problem = new CopySink(
      problemClient,
      `copy ${staging.problem} (mapping_id, key, kind, entity_type_id, sub_key, field, reason, detail, raw, hash) from stdin`,
    );
  }

  /** Null: go on; a promise: the server lags. */
  add(mapping: MappingRef, source: CompiledSource, row: StagedRow): Promise<unknown> | null {
    const standardized = source.standardize(JSON.parse(row.raw) as RawRow);
    const waits: (Promise<void> | null)[] = [];
    for (const restriction of standardized.restrictions) {
      const type = this.context.entityTypeNamed(restriction.entityType).id;
      waits.push(
        this.addProblem(mapping, row, 'restriction', {
          type,
          subKey: restriction.subKey,
          reason: restriction.recipientClass,
          detail: '',
          field: null,
        }),
      );
    }
    const rejected = standardized.rejected ?? brokenRule(source, row);
    if (rejected !== null) waits.push(this.addRowProblem(mapping, row, 'rejected', rejected));
    else if (standardized.filtered)
      waits.push(
        this.addProblem(mapping, row, 'filtered', {
          type: null,
          subKey: null,
          reason: 'filtered',
          detail: '',
          field: null,
        }),
      );
    else waits.push(...this.addRecords(mapping, row, standardized));
    const lagging = waits.filter((wait): wait is Promise<void> => wait !== null);
    return lagging.length === 0 ? null : Promise.all(lagging);
  }

  private addRecords(mapping: MappingRef, row: StagedRow, standardized: StandardizedRow): (Promise<void> | null)[] {
    const waits = standardized.problems.map((problem) => this.addRowProblem(mapping, row, 'finding', problem));
    for (const [index, record] of standardized.records.entries())
      waits.push(this.addRecord(mapping, row, record, index === 0));
    return waits;
  }

  private addRecord(mapping: MappingRef, row: StagedRow, record: CanonicalRecord, main: boolean): Promise<void> | null {
    return this.canon.add([
      String(mapping.id),
      String(this.context.entityTypeNamed(record.entityType).id),
      row.key,
      record.subKey,
      main ? 't' : 'f',
      'u',
      row.rowClass,
      encodeTextArray(record.values),
      record.references.length === 0 ? null : encodeTextArray(this.references(record)),
      record.identifiers.length === 0
        ? null
        : encodeTextArray(record.identifiers.flatMap(({ scheme, value }) => [scheme, value])),
      record.corroboration.name,
      record.corroboration.birthDate,
      record.effectiveAt,
      main ? row.raw : null,
      main ? row.hash : null,
      row.scope,
    ]);
  }

  /** Six items a reference: group, attribute, mapping, entity type, key, sub-key. */
  private references(record: CanonicalRecord): string[] {
    const definition = this.context.entityTypeNamed(record.entityType).definition;
    return record.references.flatMap(({ group, attribute, mapping, key, subKey }) => {
      const attributes = definition.groups[group]?.attributes ?? [];
      const meant = attribute === null ? attributes[0] : attributes.find(({ name }) => name === attribute);
      const type = this.context.entityTypeNamed(meant?.references ?? '');
      return [
        String(group),
        attribute ?? '',
        String(this.context.mappingNamed(mapping).id),
        String(type.id),
        key,
        subKey,
      ];
    });
  }

  private addRowProblem(
    mapping: MappingRef,
    row: StagedRow,
    kind: 'rejected' | 'finding',
    problem: RowProblem,
  ): Promise<void> | null {
    return this.addProblem(mapping, row, kind, {
      type: null,
      subKey: null,
      reason: problem.reason,
      detail: problem.detail,
      field: problem.field,
    });
  }

  private addProblem(
    mapping: MappingRef,
    row: StagedRow,
    kind: 'rejected' | 'finding' | 'filtered' | 'restriction' | 'waiting',
    told: { type: number | null; subKey: string | null; reason: string; detail: string; field: string | null },
  ): Promise<void> | null {
    const keep = kind === 'rejected';
    return this.problem.add([
      String(mapping.id),
      row.key,
      kind,
      told.type === null ? null : String(told.type),
      told.subKey,
      told.field,
      told.reason,
      told.detail,
      keep ? row.raw : null,
      keep ? row.hash : null,
    ]);
  }

  async finish(): Promise<void> {
    await this.canon.finish();
    await this.problem.finish();
  }
}

const brokenRule = (source: CompiledSource, row: StagedRow): RowProblem | null => {
  const rule = source.setRules.find(({ name, severity }) => severity === 'reject' && row.broken.includes(name));
  if (rule === undefined) return null;
  return {
    row: '',
    key: row.key,
    field: rule.field,
    reason: rule.name,
    detail: rule.check === 'unique' ? 'the value occurs in several rows' : 'no such record is known',
  };
};

/** Records of images that a row no longer makes (or whose row is missing) are withdrawn. */
const withdrawAbsent = async (client: PoolClient, run: RunRef, mapping: MappingRef): Promise<void> => {
  const staging = stagingOf(run.runId);
  await client.query(
    `insert into ${staging.canon} (mapping_id, entity_type_id, key, sub_key, main, op, class, values, hash)
     select i.mapping_id, i.entity_type_id, i.source_key, i.sub_key, i.main, 'd', d.class, '{}', case when i.main then r.hash end
     from ${staging.delta(mapping.id)} d
     join record_images i on i.mapping_id = $1 and i.source_key = d.key and i.deleted_run is null and (i.read_run is not null)
     left join ${staging.raw(mapping.id)} r on r.key = d.key
     where d.class in ('c', 'm')
       and not exists (select 1 from ${staging.canon} c where c.mapping_id = i.mapping_id and c.key = i.source_key
                         and c.entity_type_id = i.entity_type_id and c.sub_key = i.sub_key)
       and not exists (select 1 from ${staging.problem} p where p.mapping_id = i.mapping_id and p.key = i.source_key and p.kind in ('rejected', 'held'))`,
    [mapping.id],
  );
};

/** Copies what was found into the logged tables, once. */
export const logProblems = async (client: PoolClient, run: RunRef): Promise<void> => {
  const staging = stagingOf(run.runId);
  await client.query(
    `insert into rejected_records (institution_id, run_id, mapping_id, kind, source_key, position, raw, raw_hash, field, reason, detail)
     select $1, $2, mapping_id, 'rejected', nullif(key, ''), '', raw, hash, field, reason, detail from ${staging.problem} where kind = 'rejected'`,
    [run.institutionId, run.runId],
  );
  await client.query(
    `insert into findings (institution_id, run_id, kind, mapping_id, source_key, field, detail)
     select $1, $2, reason, mapping_id, key, field, detail from ${staging.problem} where kind = 'finding'`,
    [run.institutionId, run.runId],
  );
};

const deltaRows = (run: RunRef, mapping: MappingRef): string => {
  const staging = stagingOf(run.runId);
  return `copy (select d.key, d.class, r.raw, r.hash, r.scope,
      (select string_agg(b.reason, ',') from ${staging.problem}_set b where b.mapping_id = ${mapping.id} and b.key = d.key)
    from ${staging.delta(mapping.id)} d join ${staging.raw(mapping.id)} r on r.key = d.key where d.class in ('n', 'c')) to stdout`;
};

/** Entity types that have canonical records, those that are referred to first. */
export const preparedTypes = async (
  client: PoolClient,
  run: RunRef,
  context: InstitutionContext,
): Promise<PreparedRun> => {
  const { rows } = await client.query<{ id: number }>(
    `select distinct entity_type_id as id from ${stagingOf(run.runId).canon}`,
  );
  const present = new Set(rows.map(({ id }) => id));
  const ordered = dependencyOrder(context.definitions)
    .map((definition) => context.entityTypeNamed(definition.name).id)
    .filter((id) => present.has(id));
  return { entityTypes: ordered, nothingToDo: ordered.length === 0 };
};

const standardizeSource = async (
  { hub, heartbeat, cancelled, crashPoint }: ActivityDependencies,
  run: RunRef,
  lease: Lease,
  mapping: MappingRef,
  context: InstitutionContext,
): Promise<void> => {
  const source = context.source(mapping);
  await hub.bulk(run.institutionId, (reading) =>
    fenced(
      hub,
      lease,
      (canon) =>
        hub.bulk(run.institutionId, async (problem) => {
          const writer = new CanonWriter(canon, problem, run, context);
          for await (const rows of copyOut(reading, deltaRows(run, mapping), { signal: cancelled() })) {
            for (const [key, rowClass, raw, hash, scope, broken] of rows) {
              if (key === null || key === undefined || raw === null || raw === undefined) continue;
              const wait = writer.add(mapping, source, {
                key,
                rowClass: rowClass ?? 'n',
                raw,
                hash: hash ?? '',
                scope: scope ?? null,
                broken: (broken ?? '').split(','),
              });
              if (wait !== null) await wait;
            }
            heartbeat();
          }
          await writer.finish();
        }),
      'bulk',
    ),
  );
  crashPoint('standardize');
};

/** Standardizes the staged rows of these sources; an extraction staged them, or a release. */
export const standardizeStaged = async (
  dependencies: ActivityDependencies,
  run: RunRef,
  lease: Lease,
  context: InstitutionContext,
  mappings: readonly MappingRef[],
): Promise<PreparedRun> => {
  const { hub } = dependencies;
  const staging = stagingOf(run.runId);
  await hub.read(run.institutionId, (client) => checkDeltas(client, run, mappings));
  await fenced(
    hub,
    lease,
    async (client) => {
      await recreate(client, staging.canon, stagingColumns.canon);
      await recreate(client, staging.problem, stagingColumns.problem);
      await client.query(`drop table if exists ${staging.effects}`);
      await recreate(
        client,
        `${staging.problem}_set`,
        'mapping_id integer not null, key text not null, reason text not null',
      );
      for (const mapping of mappings) await findBrokenSetRules(client, run, mapping, context);
    },
    'bulk',
  );
  for (const mapping of mappings) await standardizeSource(dependencies, run, lease, mapping, context);
  return fenced(
    hub,
    lease,
    async (client) => {
      await client.query(`create index on ${staging.canon} (mapping_id, key)`);
      await client.query(`analyze ${staging.canon}`);
      for (const mapping of mappings) {
        if (!(await hasApart(client, run))) await holdOtherPersons(client, run, context, mapping);
        await withdrawAbsent(client, run, mapping);
        await withdrawApart(client, run, mapping);
      }
      const logged = await readChunks(client, run.runId, 'standardize', '');
      if (logged.length === 0) await logProblems(client, run);
      const { rows } = await client.query<{ count: string }>(`select count(*) from ${staging.canon}`);
      await recordChunk(client, lease, 0, { counts: { canon: Number(rows[0]?.count ?? 0) } });
      if (run.kind !== 'decision') await recordDispositions(client, run, context);
      return preparedTypes(client, run, context);
    },
    'bulk',
  );
};

export const createStandardize = (dependencies: ActivityDependencies) => {
  const { hub, configurations } = dependencies;

  return {
    /** Turns new and changed rows into canonical records; bad ones are set aside with their reason and restrictions of all are
     *  noted. */
    async standardize(run: RunRef): Promise<PreparedRun> {
      const context = await configurations.of(run.institutionId);
      const lease = await takeLease(hub, run, 'standardize', '');
      const mappings = await hub.read(run.institutionId, async (client) => {
        const plans = await readSourcePlans(client, run.runId);
        return [...plans.keys()].map((id) => context.mapping(id)).filter((mapping) => !context.isPosted(mapping));
      });
      return standardizeStaged(dependencies, run, lease, context, mappings);
    },
  };
};

/** The deltas are as the guard left them, or staging is lost. */
const checkDeltas = async (client: PoolClient, run: RunRef, mappings: readonly MappingRef[]): Promise<void> => {
  const left = await readChunks(client, run.runId, 'guard');
  for (const mapping of mappings) {
    const counts = left.find(({ part }) => part === String(mapping.id))?.counts ?? {};
    const expected = Object.values(counts).reduce<number>((total, count) => total + Number(count), 0);
    const table = stagingOf(run.runId).delta(mapping.id);
    const there = await client.query<{ name: string | null }>('select to_regclass($1)::text as name', [table]);
    const { rows } =
      there.rows[0]?.name === null
        ? { rows: [] }
        : await client.query<{ count: string }>(`select count(*) from ${table}`);
    if (Number(rows[0]?.count ?? -1) !== expected)
      throw new SyncError('staging_lost', `the delta of ${mapping.definition.name} is gone`);
  }
};
