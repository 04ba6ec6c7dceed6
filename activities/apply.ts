import type { PoolClient } from 'pg';
import { isThere, stagingOf } from '../database/staging.js';
import { SyncError } from '../domain/errors.js';
import type { RunRef } from '../domain/run.js';
import { applyLone } from './apply-lone.js';
import { applyPlans, planBatches, type AppliedBatch, type PlanBatch } from './apply-plans.js';
import { noteImpacts } from './apply-questions.js';
import { holdingCreation } from './creation-lock.js';
import { inLanes } from './lanes.js';
import type { StepCounts } from './contract.js';
import type { EntityTypeRef, InstitutionContext } from './context.js';
import type { ActivityDependencies } from './dependencies.js';
import { recordDispositions } from './dispositions.js';
import { readSourcePlans } from './extract.js';
import { fenced, readChunks, recordChunk, takeLease, type Lease } from './lease.js';
import { identifierPlaces } from './identifier-places.js';
import { allNewUpTo, matchType, naturalKeyScheme } from './match.js';
import { mergeType, standingPlans } from './merge.js';
import { redirectMerged } from './redirect.js';
import { placeRestrictions } from './restrict.js';
import { restageChoices } from './stage-batch.js';
import { gatherStatistics } from './statistics.js';
import { lonePathHolds } from './lone.js';
import { uniteDecided } from './unite.js';
import { prepareEffects } from './write-records.js';

const loneBatch = 50_000;
const lanes = 2;

/** Writes of the run are about to begin: from here on a failure is rolled back. Every target learns that there may be news. */
const beginApply = async (client: PoolClient, run: RunRef, context: InstitutionContext): Promise<void> => {
  await client.query(
    "update sync_runs set apply_started = true where id = $1 and kind <> 'dry_run' and not apply_started",
    [run.runId],
  );
  await client.query('insert into change_sets (run_id, institution_id) values ($1, $2) on conflict do nothing', [
    run.runId,
    run.institutionId,
  ]);
  const targets = context.publishedTargets.map(({ id }) => id);
  await client.query(
    `insert into target_pending (mapping_id, run_id, institution_id) select m, $2, $3 from unnest($1::integer[]) m on conflict do nothing`,
    [targets, run.runId, run.institutionId],
  );
};

/** Whether the run read a source of which nothing was known. */
const isFirstReading = async (client: PoolClient, run: RunRef): Promise<boolean> =>
  [...(await readSourcePlans(client, run.runId)).values()].some(
    ({ atOnce, someKnown }) => atOnce && someKnown !== true,
  );

/** Whether another run may have created records of the type since this one matched. */
const othersWrote = async (client: PoolClient, run: RunRef): Promise<boolean> => {
  const { rowCount } = await client.query(
    `select 1 from sync_runs o, sync_runs me where me.id = $1 and o.id <> $1 and o.apply_started
       and (o.finished_at is null or o.finished_at > me.started_at) limit 1`,
    [run.runId],
  );
  return (rowCount ?? 0) > 0;
};

/** New records that share an identifier (or natural key) with an image that another run made meanwhile. */
const collides = async (client: PoolClient, run: RunRef, type: EntityTypeRef): Promise<boolean> => {
  if (run.kind === 'decision' || !(await othersWrote(client, run))) return false;
  const staging = stagingOf(run.runId);
  const allNew = (await allNewUpTo(client, run, type)) > 0;
  const own = allNew
    ? `select 0 as golden_id, 0 as image_id, c.identifiers[n * 2 + 1] as scheme, c.identifiers[n * 2 + 2] as value
       from ${staging.canon} c join ${identifierPlaces(type)} on n < cardinality(c.identifiers) / 2 where c.entity_type_id = $1`
    : type.definition.kind === 'reconciled'
      ? `select m.golden_id, m.image_id, '${naturalKeyScheme}' as scheme, r.natural_key as value from ${staging.match(type.id)} m join ${staging.resolved(type.id)} r on r.ord = m.ord where m.new_golden`
      : `select m.golden_id, m.image_id, c.identifiers[n * 2 + 1] as scheme, c.identifiers[n * 2 + 2] as value
         from ${staging.match(type.id)} m join ${staging.canon} c on c.ord = m.ord
         join ${identifierPlaces(type)} on n < cardinality(c.identifiers) / 2 where m.new_golden and m.rival is null`;
  const { rowCount } = await client.query(
    `select 1 from (${own}) o join record_identifiers d on d.entity_type_id = $1 and d.value = o.value and d.scheme = o.scheme
     join record_images i on i.id = d.image_id and i.deleted_run is null and i.created_run <> $2 and i.golden_id <> o.golden_id and i.id <> o.image_id
     where not exists (select 1 from golden_records g where g.id = o.golden_id) limit 1`,
    [type.id, run.runId],
  );
  return (rowCount ?? 0) > 0;
};

class Collision extends Error {}

/** Batches of plans look records up one by one: where there are several batches, not by reading all of them each time. */
const indexForPlans = async (client: PoolClient, run: RunRef): Promise<void> => {
  const { canon } = stagingOf(run.runId);
  if (!(await isThere(client, canon))) return;
  await client.query(`create unique index if not exists ${canon.split('.')[1] ?? ''}_by_ord on ${canon} (ord)`);
};

export const createApply = (dependencies: ActivityDependencies) => {
  const { hub, configurations, heartbeat, cancelled, crashPoint } = dependencies;

  /** Work in batches, each a transaction, under the creation lock of a type; some may go side by side.
   *  @throws Collision where another run created records meanwhile that ours may be */
  const creating = <T>(
    run: RunRef,
    lease: Lease,
    type: EntityTypeRef,
    work: (inBatch: <R>(deed: (client: PoolClient) => Promise<R>) => Promise<R>) => Promise<T>,
  ): Promise<T> =>
    holdingCreation(hub, run, type, async (client, stillHeld) => {
      if (await collides(client, run, type)) throw new Collision();
      return work(async (deed) => {
        const done = await fenced(
          hub,
          lease,
          async (own) => {
            await stillHeld(own);
            return deed(own);
          },
          'bulk',
        );
        heartbeat();
        cancelled()?.throwIfAborted();
        crashPoint('apply');
        return done;
      });
    });

  /** Batches by the place of a record, several at once: most of the work is PostgreSQL's, and one connection has one core of it. */
  const applyLoneBatches = async (run: RunRef, lease: Lease, type: EntityTypeRef): Promise<number> => {
    if (run.kind === 'decision' || !lonePathHolds(type)) return 0;
    const part = `${type.id}/lone`;
    const { done, top, allNew } = await hub.read(run.institutionId, async (client) => {
      const chunks = await readChunks(client, run.runId, 'apply', part);
      const allNew = await allNewUpTo(client, run, type);
      const { rows } = await client.query<{ top: string | null }>(
        `select max(ord)::text as top from ${stagingOf(run.runId).match(type.id)} where lone and rival is null and op = 'u'`,
      );
      const top = allNew > 0 ? allNew : Number(rows[0]?.top ?? 0);
      return { done: new Set(chunks.map(({ chunk }) => chunk)), top, allNew: allNew > 0 };
    });
    const left = Array.from({ length: Math.ceil(top / loneBatch) }, (_, chunk) => chunk).filter(
      (chunk) => !done.has(chunk),
    );
    if (left.length === 0) return 0;
    return creating(run, lease, type, async (inBatch) => {
      let written = 0;
      await inLanes(left, lanes, async (chunk) => {
        const range = { from: chunk * loneBatch, to: (chunk + 1) * loneBatch, allNew };
        const created = await inBatch(async (client) => {
          const made = await applyLone(client, run, type, range);
          await recordChunk(client, { ...lease, part }, chunk, { cursor: String(range.to), counts: { created: made } });
          return made;
        });
        written += created;
      });
      return written;
    });
  };

  /** Batches of plans, several at once where they ask nothing. */
  const applyBatches = (
    run: RunRef,
    lease: Lease,
    context: InstitutionContext,
    type: EntityTypeRef,
    batches: readonly PlanBatch[],
  ): Promise<AppliedBatch> =>
    creating(run, lease, type, async (inBatch) => {
      const all = { applied: 0, moved: [] as string[] };
      const apply = async (batch: PlanBatch): Promise<void> => {
        const { applied, moved } = await inBatch((client) => applyPlans(client, run, context, type, batch));
        all.applied += applied;
        all.moved.push(...moved);
      };
      await inLanes(
        batches.filter(({ asking }) => !asking),
        lanes,
        apply,
      );
      for (const batch of batches.filter(({ asking }) => asking)) await apply(batch);
      return all;
    });

  /** All plans. Records that moved since they were planned are planned again. */
  const applyPlanBatches = async (
    run: RunRef,
    lease: Lease,
    context: InstitutionContext,
    type: EntityTypeRef,
  ): Promise<number> => {
    const table = stagingOf(run.runId).plan(type.id);
    let written = 0;
    for (;;) {
      const batches = await hub.read(run.institutionId, (client) => planBatches(client, table));
      if (batches.length === 0) return written;
      await fenced(hub, lease, async (client) => {
        await prepareEffects(client, run);
        if (batches.length > 1) await indexForPlans(client, run);
      });
      const applied = await applyBatches(run, lease, context, type, batches);
      written += applied.applied;
      if (applied.moved.length === 0) continue;
      if (run.kind === 'decision') await restageChoices(dependencies, run, lease, context, type, applied.moved);
      else {
        const again = await fenced(hub, lease, (client) => redirectMerged(client, run, type, applied.moved));
        await mergeType(dependencies, run, lease, context, type, again);
      }
    }
  };

  return {
    /** Carries out the plans of one entity type: golden records, versions, images, questions, findings and the change set, in
     *  one transaction a batch. */
    async apply(run: RunRef, entityTypeId: number): Promise<StepCounts> {
      const context = await configurations.of(run.institutionId);
      const type = context.entityType(entityTypeId);
      const lease = await takeLease(hub, run, 'apply', String(entityTypeId));
      await fenced(hub, lease, (client) => beginApply(client, run, context));
      await checkPlanned(dependencies, run, type);
      for (let attempt = 0; ; attempt += 1) {
        try {
          const created = await applyLoneBatches(run, lease, type);
          const planned = await applyPlanBatches(run, lease, context, type);
          await checkPlanned(dependencies, run, type);
          const united = run.kind === 'decision' ? await uniteDecided(dependencies, run, lease, context, type) : 0;
          return await fenced(
            hub,
            lease,
            async (client) => {
              const restricted = await placeRestrictions(client, run, type);
              await noteImpacts(client, run, context);
              if (run.kind === 'sync' || run.kind === 'release') await recordDispositions(client, run, context);
              await gatherStatistics(client, { written: created + planned, first: await isFirstReading(client, run) });
              return { created, planned, restricted, united };
            },
            'bulk',
          );
        } catch (error) {
          if (!(error instanceof Collision) || attempt === 10) throw error;
          await matchType(dependencies, run, lease, context, type);
          await mergeType(dependencies, run, lease, context, type);
        }
      }
    },
  };
};

/** The match and plan tables are there: staging was not lost since. */
const checkPlanned = async ({ hub }: ActivityDependencies, run: RunRef, type: EntityTypeRef): Promise<void> => {
  await hub.read(run.institutionId, async (client) => {
    if ((await standingPlans(client, run, type.id)) !== null) return;
    throw new SyncError('staging_lost', `the plans of ${type.definition.name} are gone`);
  });
};
