import type { PoolClient } from 'pg';
import { indexByKey, isAlive, markAlive, stagingOf, recreateDelta } from '../database/staging.js';
import { SyncError } from '../domain/errors.js';
import type { RunRef } from '../domain/run.js';
import type { StepCounts } from './contract.js';
import type { InstitutionContext, MappingRef } from './context.js';
import type { ActivityDependencies } from './dependencies.js';
import { readSourcePlans, type SourcePlan } from './extract.js';
import { mayBeBare, noteBare, restoreRows } from './bare-rows.js';
import { imageTypes, stoodBefore } from './known-source.js';
import { fenced, readChunks, recordChunk, takeLease } from './lease.js';
import { addFinding } from './problems.js';
import { addStanding, findStanding } from './standing.js';
import { noteMapped, stageStale } from './remap.js';
import { restoreRaw } from './staged-source.js';
import { spareUnreadable } from './unreadable-rows.js';

/** Keys that stand for "the row is not there" among hashes of rolled back inputs. */
export const missingHash = '00000000-0000-0000-0000-000000000000';

/** So many staged rows are looked up one by one by the steps that follow; more of them are joined as a whole. */
const fewRows = 100_000;

const one = async (client: PoolClient, sql: string, values: unknown[] = []): Promise<number> => {
  const { rows } = await client.query<{ count: string }>(sql, values);
  return Number(rows[0]?.count ?? 0);
};

/** A crash of the server empties unlogged tables: what the chunks counted must still be there. */
const checkStaged = async (
  client: PoolClient,
  run: RunRef,
  mapping: MappingRef,
  once: boolean,
): Promise<{ staged: number; once: number; rejected: number; known: number | null }> => {
  const chunks = (await readChunks(client, run.runId, 'extract')).filter(({ part }) =>
    part.startsWith(`${mapping.id}/`),
  );
  const counted = chunks.reduce((total, { counts }) => total + Number(counts['rows'] ?? 0), 0);
  const rejected = chunks.reduce((total, { counts }) => total + Number(counts['rejected'] ?? 0), 0);
  const staging = stagingOf(run.runId);
  const raw = staging.raw(mapping.id);
  const exists = await one(client, 'select count(to_regclass($1)) as count', [raw]);
  const staged = exists === 0 ? -1 : await one(client, `select count(*) as count from ${raw}`);
  const told = chunks.filter(({ counts }) => counts['known'] !== undefined);
  const known = told.reduce((total, { counts }) => total + Number(counts['known']), 0);
  const whole = told.length === 0 || (await isAlive(client, staging.unseen(mapping.id)));
  const there = once ? await isAlive(client, raw) : staged === counted;
  if (!there || !whole) throw new SyncError('staging_lost', `staging of ${mapping.definition.name} is gone`);
  return { staged: counted, once: counted - staged, rejected, known: told.length === 0 ? null : known };
};

/** Rows of one source that share a key: none of them can be told to be the right one, so all are rejected. */
const rejectDuplicateKeys = async (
  client: PoolClient,
  run: RunRef,
  mapping: MappingRef,
  atOnce: boolean,
): Promise<number> => {
  const raw = stagingOf(run.runId).raw(mapping.id);
  const { rowCount } = await client.query(
    `create temp table twice on commit drop as
     with keys as (select key from ${raw} where key <> '' group by key having count(*) > 1)
     select r.key, r.raw, r.hash from ${raw} r join keys k on k.key = r.key`,
  );
  if (rowCount === 0) return 0;
  if (atOnce) await restoreRaw(client, run, { table: 'twice', mappingId: mapping.id });
  await client.query(`delete from ${raw} r using twice t where r.key = t.key`);
  await client.query(
    `insert into rejected_records (institution_id, run_id, mapping_id, kind, source_key, position, raw, raw_hash, reason, detail)
     select $1, $2, $3, 'rejected', key, '', raw, hash, 'duplicate_key', 'several rows of the source have this key' from twice`,
    [run.institutionId, run.runId, mapping.id],
  );
  return rowCount ?? 0;
};

/** Stands for a partition: the rows that were not read, but waited for their parent. */
export const rejoinedPart = -1;

/** Rows that wait for their parent join every run, also where the source did not send them again. */
const rejoinWaiting = async (client: PoolClient, run: RunRef, mapping: MappingRef): Promise<number> => {
  const { raw, delta } = { raw: stagingOf(run.runId).raw(mapping.id), delta: stagingOf(run.runId).delta(mapping.id) };
  const added = await one(
    client,
    `with back as (
       insert into ${raw} (part, key, raw, hash)
       select ${rejoinedPart}, w.source_key, w.raw, w.raw_hash from rejected_records w
       where w.mapping_id = $1 and w.kind = 'waiting' and w.state = 'open' and w.run_id <> $2 and w.raw is not null
         and not exists (select 1 from ${raw} r where r.key = w.source_key)
       returning 1)
     select count(*) as count from back`,
    [mapping.id, run.runId],
  );
  await client.query(
    `insert into ${delta} (key, class, hash)
     select r.key, case when i.id is null then 'n' else 'c' end::"char", i.raw_hash
     from rejected_records w join ${raw} r on r.key = w.source_key
     left join record_images i on i.mapping_id = w.mapping_id and i.source_key = w.source_key and i.main and i.deleted_run is null
     where w.mapping_id = $1 and w.kind = 'waiting' and w.state = 'open' and w.run_id <> $2
       and not exists (select 1 from ${delta} d where d.key = w.source_key)`,
    [mapping.id, run.runId],
  );
  await client.query(
    `update rejected_records set state = 'resolved' where mapping_id = $1 and kind = 'waiting' and state = 'open' and run_id <> $2`,
    [mapping.id, run.runId],
  );
  return added;
};

/** Rows that are new, or whose raw or mapping changed. Images stamped by this run are looked at again: a run that starts over
 *  keeps its counts.
 *  @param found the rows' images are staged */
const insertChanges = async (client: PoolClient, run: RunRef, mapping: MappingRef, found: boolean): Promise<void> => {
  const staging = stagingOf(run.runId);
  const image = found
    ? `${staging.standing(mapping.id)} i on i.key = r.key and i.main`
    : `record_images i on i.mapping_id = ${mapping.id} and i.entity_type_id = any ('{${(await imageTypes(client, mapping)).join(',')}}')
         and i.source_key = r.key and i.main`;
  await client.query(
    `insert into ${staging.delta(mapping.id)} (key, class, hash)
     select r.key, case when i.id is null or i.deleted_run is not null or i.created_run = $1 then 'n' else 'c' end::"char",
       case when i.deleted_run is null then i.raw_hash end
     from ${staging.raw(mapping.id)} r left join ${image}
     where i.id is null or i.raw_hash is distinct from r.hash or i.mapping_version < $2 or i.deleted_run is not null or i.read_run = $1`,
    [run.runId, mapping.derivedSince],
  );
};

/** Rows of the delta that were not read: those that are missing, and those that joined again. */
const unreadRows = (run: RunRef, mapping: MappingRef): string => {
  const staging = stagingOf(run.runId);
  const rejoined = `exists (select 1 from ${staging.raw(mapping.id)} j where j.key = d.key and j.part = ${rejoinedPart})`;
  return `(select d.key from ${staging.delta(mapping.id)} d where d.class = 'm' or ${rejoined})`;
};

/** Images of which no row was seen, but for those that were found by the key of one: most of them changed.
 *  @param found images of the staged rows are staged */
const notSeen = (run: RunRef, mapping: MappingRef, found: boolean): string => {
  const staging = stagingOf(run.runId);
  const changed = found ? ` where not exists (select 1 from ${staging.standing(mapping.id)} s where s.id = u.id)` : '';
  return `select u.id from ${staging.unseen(mapping.id)} u${changed}`;
};

/** Live rows inside the scope that a complete read did not bring. One that is absent because we withheld its record from this
 *  system (a restriction) counts as unchanged.
 *  @param unseen a query of the images among which they are; null: it is not known */
const insertMissing = (
  client: PoolClient,
  run: RunRef,
  mapping: MappingRef,
  plan: SourcePlan,
  recipientClasses: readonly string[],
  unseen: string | null,
  stood: string,
): Promise<unknown> => {
  const staging = stagingOf(run.runId);
  const [first, images] =
    unseen === null
      ? ['', 'record_images i']
      : [`with unseen as materialized (${unseen})`, 'unseen u join record_images i on i.id = u.id'];
  return client.query(
    `${first} insert into ${staging.delta(mapping.id)} (key, class, hash)
     select i.source_key, 'm', i.raw_hash from ${images}
     where i.mapping_id = $1 and i.main and i.raw_hash is not null and (i.deleted_run is null or i.deleted_run = $2)
       and ${stood}
       and ($3::jsonb = '{}' or i.scope_key::jsonb @> $3::jsonb)
       and not exists (select 1 from ${staging.raw(mapping.id)} r where r.key = i.source_key)
       and not exists (select 1 from rejected_records x where x.run_id = $2 and x.mapping_id = $1 and x.source_key = i.source_key)
       and not exists (
         select 1 from restrictions h
         where h.released_at is null and h.recipient_class = any ($4)
           and (h.golden_id = i.golden_id or exists (select 1 from golden_references g where g.golden_id = i.golden_id and g.target_id = h.golden_id)))`,
    [mapping.id, run.runId, JSON.stringify(plan.scope), recipientClasses],
  );
};

/** Of a run that reads one person: rows of theirs that were asked for by their keys and are gone. */
const insertGone = async (
  client: PoolClient,
  run: RunRef,
  mapping: MappingRef,
  subjectKey: string,
  recipientClasses: readonly string[],
  stood: string,
): Promise<void> => {
  const staging = stagingOf(run.runId);
  await client.query(
    `insert into ${staging.delta(mapping.id)} (key, class, hash)
     select i.source_key, 'm', i.raw_hash from record_images i
     where i.mapping_id = $1 and i.main and i.raw_hash is not null and (i.deleted_run is null or i.deleted_run = $2) and ${stood}
       and i.golden_id in (${recordsOf('$3')})
       and not exists (select 1 from ${staging.raw(mapping.id)} r where r.key = i.source_key)
       and not exists (
         select 1 from restrictions h
         where h.released_at is null and h.recipient_class = any ($4)
           and (h.golden_id = i.golden_id or exists (select 1 from golden_references g where g.golden_id = i.golden_id and g.target_id = h.golden_id)))`,
    [mapping.id, run.runId, subjectKey, recipientClasses],
  );
  // Rows of other people wait on; what was read now takes the place of what waited.
  await client.query(
    `update rejected_records w set state = 'resolved' from ${staging.raw(mapping.id)} r
     where w.mapping_id = $1 and w.source_key = r.key and w.kind = 'waiting' and w.state = 'open' and w.run_id <> $2`,
    [mapping.id, run.runId],
  );
};

/** The golden records of a person: their own, and those that are about them. */
export const recordsOf = (subject: string): string =>
  `select ${subject}::bigint union select g.id from golden_records g where g.subject_key = ${subject}::bigint and g.subject_key <> g.id`;

/** Who receives rows of this system: what we withhold from them may be missing from what the system sends. */
const recipientClassesOf = (context: InstitutionContext, mapping: MappingRef): string[] =>
  context.mappings
    .filter((other) => other.systemId === mapping.systemId)
    .flatMap(({ definition }) => (definition.target === undefined ? [] : [definition.target.recipientClass]));

export const createDiff = ({ hub, configurations, heartbeat, cancelled, crashPoint }: ActivityDependencies) => {
  const diffSource = async (
    client: PoolClient,
    run: RunRef,
    context: InstitutionContext,
    mapping: MappingRef,
    plan: SourcePlan,
  ): Promise<StepCounts | null> => {
    const staging = stagingOf(run.runId);
    const recipientClasses = recipientClassesOf(context, mapping);
    const { staged, once, rejected, known } = await checkStaged(client, run, mapping, plan.once);
    const found = staged + (known ?? 0);
    const bare = once > 0 && (await mayBeBare(client, run, context, mapping)) ? once : 0;
    if (bare > 0) await noteBare(client, run, mapping, bare);
    else if (once > 0) await restoreRows(client, run, mapping);
    await recreateDelta(client, run.runId, mapping.id);
    const stood = stoodBefore(run, context, mapping, plan.deliveryId !== null);
    const live = await one(
      client,
      `select count(*) as count from (select 1 from record_images i where i.mapping_id = $1 and i.main and i.deleted_run is null and ${stood} limit 1) x`,
      [mapping.id],
    );
    if (found === 0 && plan.complete && Object.keys(plan.scope).length === 0 && live > 0) return null;
    // A source that lets no key occur twice need not be asked whether one does.
    const duplicates = plan.partitions.every(({ keysAreUnique }) => keysAreUnique === true)
      ? 0
      : await rejectDuplicateKeys(client, run, mapping, plan.atOnce);
    await client.query(`analyze ${staging.raw(mapping.id)} (part, key, hash)`);
    if (known !== null) await client.query(`analyze ${staging.unseen(mapping.id)}`);
    if (staged <= fewRows) await indexByKey(client, staging.raw(mapping.id));
    // Of rows that were told apart already most are new or changed; of others most are as they were.
    const mostChanged = staged <= fewRows && (known !== null || plan.after !== null);
    if (mostChanged) await findStanding(client, run, mapping, staging.raw(mapping.id));
    await insertChanges(client, run, mapping, mostChanged);
    if (plan.complete) {
      const unseen = known === null ? null : notSeen(run, mapping, mostChanged);
      await insertMissing(client, run, mapping, plan, recipientClasses, unseen, stood);
      await spareUnreadable(client, run, mapping);
    }
    const { subjectKey } = run;
    if (subjectKey !== undefined) await insertGone(client, run, mapping, subjectKey, recipientClasses, stood);
    const rejoined =
      subjectKey === undefined
        ? (await rejoinWaiting(client, run, mapping)) + (await stageStale(client, run, mapping, plan, rejoinedPart))
        : 0;
    await client.query(`analyze ${staging.delta(mapping.id)}`);
    if (staged <= fewRows) await indexByKey(client, staging.delta(mapping.id));
    if (mostChanged) await addStanding(client, run, mapping, unreadRows(run, mapping));
    await markAlive(client, staging.delta(mapping.id));
    const { rows } = await client.query<{ class: string; count: string }>(
      `select class::text, count(*) from ${staging.delta(mapping.id)} group by class`,
    );
    const of = (letter: string): number => Number(rows.find((row) => row.class === letter)?.count ?? 0);
    const extracted = found + rejected + rejoined;
    const created = of('n') + bare;
    const touched = created + of('c');
    return {
      extracted,
      missing: of('m'),
      rejected: rejected + duplicates,
      new: created,
      changed: of('c'),
      unchanged: found + rejoined - duplicates - touched,
    };
  };

  return {
    /** Compares every staged source with what we hold: what is unchanged stops here. A source that had rows and gave none drops
     *  out with `source_empty`. */
    async diff(run: RunRef): Promise<StepCounts> {
      const context = await configurations.of(run.institutionId);
      const lease = await takeLease(hub, run, 'diff', '');
      const { plans, done } = await hub.read(run.institutionId, async (client) => ({
        plans: await readSourcePlans(client, run.runId),
        done: await readChunks(client, run.runId, 'diff'),
      }));
      const totals: Record<string, number> = {};
      const count = (counts: Readonly<Record<string, unknown>>): void => {
        for (const [name, number] of Object.entries(counts)) totals[name] = (totals[name] ?? 0) + Number(number);
      };
      for (const { counts } of done) count(counts);
      for (const [mappingId, plan] of plans) {
        const mapping = context.mapping(mappingId);
        if (context.isPosted(mapping) || done.some(({ part }) => part === String(mappingId))) continue;
        heartbeat();
        await fenced(
          hub,
          lease,
          async (client) => {
            const counts = await diffSource(client, run, context, mapping, plan);
            if (counts === null) {
              await addFinding(client, run, {
                kind: 'source_empty',
                mappingId,
                systemId: mapping.systemId,
                detail: `${mapping.definition.name} had rows and now gives none; nothing was concluded from it`,
              });
              await client.query(`delete from run_chunks where run_id = $1 and step in ('plan') and part = $2`, [
                run.runId,
                String(mappingId),
              ]);
              return;
            }
            await recordChunk(client, { ...lease, part: String(mappingId) }, 0, { counts });
            await noteMapped(client, run, mapping);
            count(counts);
          },
          'bulk',
        );
        cancelled()?.throwIfAborted();
        crashPoint('diff');
      }
      return totals;
    },
  };
};
