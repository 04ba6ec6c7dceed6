import type { PoolClient } from 'pg';
import {
  indexByKey,
  indexByPlace,
  isAlive,
  markAlive,
  recreate,
  recreateCanon,
  stagingOf,
} from '../database/staging.js';
import { dependencyOrder } from '../domain/configuration.js';
import { SyncError } from '../domain/errors.js';
import type { CompiledSource } from '../domain/mapping.js';
import type { RawRow } from '../domain/rows.js';
import type { RunRef } from '../domain/run.js';
import { copyOut } from '../platform/copy.js';
import { BinarySink, CopySink } from '../platform/copy-sink.js';
import { checkBare } from './bare-rows.js';
import { CanonWriter, copyCanon, copyProblem } from './canon-writer.js';
import type { PreparedRun } from './contract.js';
import type { InstitutionContext, MappingRef } from './context.js';
import type { ActivityDependencies } from './dependencies.js';
import { readSourcePlans } from './extract.js';
import { rejoinedPart } from './diff.js';
import { recordDispositions } from './dispositions.js';
import { hasApart, holdOtherPersons, withdrawApart } from './identity.js';
import { isOfSource } from './known-source.js';
import { fenced, readChunks, recordChunk, takeLease, type Lease } from './lease.js';
import { findBrokenSetRules } from './set-rules.js';
import { recogniseCorrected } from './stage-replay.js';
import { restoreRaw } from './staged-source.js';
import { areStanding, findStanding } from './standing.js';

/** Records of images that a row no longer makes (or whose row is missing) are withdrawn. */
const withdrawAbsent = async (
  client: PoolClient,
  run: RunRef,
  context: InstitutionContext,
  mapping: MappingRef,
): Promise<void> => {
  const staging = stagingOf(run.runId);
  await client.query(
    `insert into ${staging.canon} (mapping_id, entity_type_id, key, sub_key, main, op, values, hash)
     select $1, i.entity_type_id, i.key, i.sub_key, i.main, 'd', '{}', case when i.main then r.hash end
     from ${staging.delta(mapping.id)} d join ${staging.standing(mapping.id)} i on i.key = d.key
     left join ${staging.raw(mapping.id)} r on r.key = i.key
     where d.class in ('c', 'm') and i.deleted_run is null and ${isOfSource(context, mapping)}
       and not exists (select 1 from ${staging.canon} c where c.mapping_id = $1 and c.key = i.key
                         and c.entity_type_id = i.entity_type_id and c.sub_key = i.sub_key)
       and not exists (select 1 from ${staging.problem} p where p.mapping_id = $1 and p.key = i.key and p.kind in ('rejected', 'held'))`,
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

const deltaRows = (run: RunRef, mapping: MappingRef, source: CompiledSource, only: string): string => {
  const staging = stagingOf(run.runId);
  const broken =
    source.setRules.length === 0
      ? 'null'
      : `(select string_agg(b.reason, ',') from ${staging.problem}_set b where b.mapping_id = ${mapping.id} and b.key = d.key)`;
  return `copy (select d.key, r.raw, r.hash, r.scope, ${broken}
    from ${staging.delta(mapping.id)} d join ${staging.raw(mapping.id)} r on r.key = d.key where d.class in ('n', 'c') and ${only}) to stdout`;
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

const none: readonly string[] = [];

/** @param only a condition on the staged row `r` */
const standardizeSource = async (
  { hub, heartbeat, cancelled, crashPoint }: ActivityDependencies,
  run: RunRef,
  lease: Lease,
  mapping: MappingRef,
  context: InstitutionContext,
  only = 'true',
): Promise<void> => {
  const source = context.source(mapping);
  await hub.bulk(run.institutionId, (reading) =>
    fenced(
      hub,
      lease,
      (canonClient) =>
        // Two statements on two connections, fed by one loop.
        hub.bulk(run.institutionId, async (problemClient) => {
          const canon = new BinarySink(canonClient, copyCanon(run));
          const problem = new CopySink(problemClient, copyProblem(run));
          const writer = new CanonWriter(canon, problem, context, mapping, source);
          for await (const rows of copyOut(reading, deltaRows(run, mapping, source, only), { signal: cancelled() })) {
            for (const [key, raw, hash, scope, broken] of rows) {
              if (key === null || key === undefined || raw === null || raw === undefined) continue;
              const wait = writer.add({
                key,
                raw,
                cells: JSON.parse(raw) as RawRow,
                hash: hash ?? '',
                scope: scope ?? null,
                place: null,
                broken: broken === null || broken === undefined ? none : broken.split(','),
              });
              if (wait !== null) await wait;
            }
            heartbeat();
          }
          await canon.finish();
          await problem.finish();
        }),
      'bulk',
    ),
  );
  crashPoint('standardize');
};

/** What a source was found to hold, by the chunks of the steps before. */
interface Standing {
  /** Rows that were read and staged, and those that waited and rejoined. */
  readonly staged: number;
  readonly rejoined: number;
  /** Rows that the guard left, by class. */
  readonly left: Readonly<Record<string, unknown>>;
}

const standingOf = async (client: PoolClient, run: RunRef, mapping: MappingRef): Promise<Standing> => {
  const chunks = (await readChunks(client, run.runId, 'extract')).filter(({ part }) =>
    part.startsWith(`${mapping.id}/`),
  );
  const sum = (name: string): number => chunks.reduce((total, { counts }) => total + Number(counts[name] ?? 0), 0);
  const [diff] = await readChunks(client, run.runId, 'diff', String(mapping.id));
  const [guard] = await readChunks(client, run.runId, 'guard', String(mapping.id));
  const staged = sum('rows');
  return {
    staged,
    rejoined: Number(diff?.counts['extracted'] ?? 0) - staged - sum('known') - sum('rejected'),
    left: guard?.counts ?? {},
  };
};

/** Takes rows that were standardized while they were read, and left the run since, out again: several had one key, or they are
 *  held. False where not all of them were new after all. */
const keepAtOnce = async (
  client: PoolClient,
  run: RunRef,
  mapping: MappingRef,
  { staged, rejoined, left }: Standing,
): Promise<boolean> => {
  const staging = stagingOf(run.runId);
  const { n = 0, ...others } = left;
  const allNew = Object.values(others).every((count) => Number(count) === 0);
  if (allNew && Number(n) - rejoined === staged) return true;
  const gone = allNew ? `not exists (select 1 from ${staging.delta(mapping.id)} d where d.key = x.key)` : 'true';
  if (!allNew) await restoreRaw(client, run, { table: staging.raw(mapping.id), mappingId: mapping.id });
  for (const table of [staging.canon, staging.problem])
    await client.query(`delete from ${table} x where x.mapping_id = $1 and ${gone}`, [mapping.id]);
  return allNew;
};

/** Takes rows that were standardized while they were read out again where nothing is to be done with them: they are as they were, or held. */
const keepTouched = async (
  client: PoolClient,
  run: RunRef,
  mapping: MappingRef,
  { staged, rejoined, left }: Standing,
): Promise<void> => {
  if (Number(left['n'] ?? 0) + Number(left['c'] ?? 0) - rejoined === staged) return;
  const staging = stagingOf(run.runId);
  for (const table of [staging.canon, staging.problem])
    await client.query(
      `delete from ${table} x where x.mapping_id = $1
         and not exists (select 1 from ${staging.delta(mapping.id)} d where d.key = x.key and d.class in ('n', 'c'))`,
      [mapping.id],
    );
};

/** Sources whose rows were standardized while they were read. */
export interface ReadAtOnce {
  /** Whether some of their rows may be known, by mapping. */
  readonly atOnce: ReadonlyMap<number, boolean>;
  /** There may be records that are none of these: of a source that dropped out, or of an earlier attempt. */
  readonly stray: boolean;
}

const noneAtOnce: ReadAtOnce = { atOnce: new Map(), stray: false };

/** Staging tables for the records of these sources. What was standardized while it was read stays.
 *  @returns the sources that are not standardized yet, and of the others those of which rows rejoined */
const prepareCanon = async (
  client: PoolClient,
  run: RunRef,
  mappings: readonly MappingRef[],
  { atOnce, stray }: ReadAtOnce,
): Promise<{ readonly whole: readonly MappingRef[]; readonly rejoined: readonly MappingRef[] }> => {
  const staging = stagingOf(run.runId);
  if (atOnce.size === 0) {
    await recreateCanon(client, run.runId);
    return { whole: mappings, rejoined: [] };
  }
  const whole: MappingRef[] = [];
  const rejoined: MappingRef[] = [];
  for (const mapping of mappings) {
    await checkBare(client, run, mapping);
    const standing = await standingOf(client, run, mapping);
    const someKnown = atOnce.get(mapping.id);
    if (someKnown === true) await keepTouched(client, run, mapping, standing);
    else if (someKnown === undefined || !(await keepAtOnce(client, run, mapping, standing))) {
      whole.push(mapping);
      continue;
    }
    if (standing.rejoined > 0) rejoined.push(mapping);
  }
  if (!stray) return { whole, rejoined };
  const kept = mappings.filter((mapping) => !whole.includes(mapping)).map(({ id }) => id);
  for (const table of [staging.canon, staging.problem]) {
    await client.query(`delete from ${table} where not (mapping_id = any ($1))`, [kept]);
    for (const { id } of rejoined)
      await client.query(
        `delete from ${table} x using ${staging.raw(id)} r where x.mapping_id = $1 and r.key = x.key and r.part = $2`,
        [id, rejoinedPart],
      );
  }
  return { whole, rejoined };
};

/** Standardizes the staged rows of these sources; an extraction staged them, or a release. */
export const standardizeStaged = async (
  dependencies: ActivityDependencies,
  run: RunRef,
  lease: Lease,
  context: InstitutionContext,
  mappings: readonly MappingRef[],
  readAtOnce = noneAtOnce,
): Promise<PreparedRun> => {
  const { hub } = dependencies;
  const staging = stagingOf(run.runId);
  await hub.read(run.institutionId, (client) => checkDeltas(client, run, mappings));
  const { whole, rejoined } = await fenced(
    hub,
    lease,
    async (client) => {
      const prepared = await prepareCanon(client, run, mappings, readAtOnce);
      await client.query(`drop table if exists ${staging.effects}`);
      await recreate(
        client,
        `${staging.problem}_set`,
        'mapping_id integer not null, key text not null, reason text not null',
      );
      for (const mapping of prepared.whole) await findBrokenSetRules(client, run, mapping, context);
      return prepared;
    },
    'bulk',
  );
  for (const mapping of whole) await standardizeSource(dependencies, run, lease, mapping, context);
  for (const mapping of rejoined)
    await standardizeSource(dependencies, run, lease, mapping, context, `r.part = ${rejoinedPart}`);
  return fenced(
    hub,
    lease,
    async (client) => {
      await indexByPlace(client, staging.canon);
      if (whole.length > 0 || [...readAtOnce.atOnce.values()].includes(true)) await indexByKey(client, staging.canon);
      await client.query(
        `analyze ${staging.canon} (ord, mapping_id, entity_type_id, key, sub_key, main, op, match_name, match_birth)`,
      );
      for (const mapping of mappings) {
        if (!(await areStanding(client, run, [mapping.id])))
          await findStanding(client, run, mapping, staging.delta(mapping.id));
        if (!(await hasApart(client, run))) await holdOtherPersons(client, run, context, mapping);
        await withdrawAbsent(client, run, context, mapping);
        await withdrawApart(client, run, mapping);
      }
      const logged = await readChunks(client, run.runId, 'standardize', '');
      if (logged.length === 0) await logProblems(client, run);
      await recogniseCorrected(client, run);
      await markAlive(client, staging.canon);
      await recordChunk(client, lease, 0, {});
      if (run.kind !== 'decision') await recordDispositions(client, run, context);
      return preparedTypes(client, run, context);
    },
    'bulk',
  );
};

/** What an earlier attempt made: another one would take it away from the steps that follow. Null where there is nothing yet. */
const alreadyPrepared = async (
  client: PoolClient,
  run: RunRef,
  context: InstitutionContext,
): Promise<PreparedRun | null> => {
  const done = await readChunks(client, run.runId, 'standardize', '');
  if (done.length === 0 || !(await isAlive(client, stagingOf(run.runId).canon))) return null;
  return preparedTypes(client, run, context);
};

export const createStandardize = (dependencies: ActivityDependencies) => {
  const { hub, configurations } = dependencies;

  return {
    /** Turns new and changed rows into canonical records; bad ones are set aside with their reason and restrictions of all are
     *  noted. */
    async standardize(run: RunRef): Promise<PreparedRun> {
      const context = await configurations.of(run.institutionId);
      const lease = await takeLease(hub, run, 'standardize', '');
      const { plans, prepared } = await hub.read(run.institutionId, async (client) => ({
        plans: await readSourcePlans(client, run.runId),
        prepared: await alreadyPrepared(client, run, context),
      }));
      if (prepared !== null) return prepared;
      const mappings = [...plans.keys()]
        .map((id) => context.mapping(id))
        .filter((mapping) => !context.isPosted(mapping));
      const atOnce = new Map(
        mappings.flatMap(({ id }) => {
          const plan = plans.get(id);
          return plan?.atOnce === true ? [[id, plan.someKnown === true] as const] : [];
        }),
      );
      const planned = run.jobId === null ? 0 : context.job(run.jobId).definition.sources.length;
      const stray = lease.token !== '1' || plans.size < planned;
      return standardizeStaged(dependencies, run, lease, context, mappings, { atOnce, stray });
    },
  };
};

/** The deltas are as the guard left them, or staging is lost. */
const checkDeltas = async (client: PoolClient, run: RunRef, mappings: readonly MappingRef[]): Promise<void> => {
  for (const mapping of mappings) {
    const guarded = await readChunks(client, run.runId, 'guard', String(mapping.id));
    if (guarded.length === 0 || !(await isAlive(client, stagingOf(run.runId).delta(mapping.id))))
      throw new SyncError('staging_lost', `the delta of ${mapping.definition.name} is gone`);
  }
};
