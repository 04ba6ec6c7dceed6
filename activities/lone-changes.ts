import type { PoolClient } from 'pg';
import { stagingOf } from '../database/staging.js';
import type { RunRef } from '../domain/run.js';
import type { Strategy } from '../domain/strategy.js';
import { readsRecords, type EntityTypeRef, type InstitutionContext } from './context.js';
import { lonePathHolds, validityOf } from './lone.js';
import { matchColumns } from './match-hash.js';

/* A record that one image alone speaks for follows what that image comes to say. Where nothing else can come of it (no override, no
   question, nothing withdrawn), its plan is a place among the canonical records, and the outcome is made in SQL when it is applied, under
   the lock of the record: the same as the core's (tested). */

/** Strategies by which a lone statement that changed is the golden value, when golden has not moved since it was settled. */
const following: readonly Strategy[] = ['three_way', 'sticky_human', 'source_priority', 'most_recent'];

/** Whether lone changes of a type are merged in SQL. */
export const loneChangesHold = (type: EntityTypeRef): boolean =>
  lonePathHolds(type) && type.definition.groups.every(({ strategy }) => strategy !== 'set_union');

/** What is made of records that were read, `o` of `places` (golden_id, ord, image_id): what they say, each group beside what golden says,
 *  and whether the outcome is as simple as it looks.
 *  @param golden the table of the golden records */
const outcomes = (
  run: RunRef,
  context: InstitutionContext,
  type: EntityTypeRef,
  places: string,
  golden: string,
): string => {
  const staging = stagingOf(run.runId);
  const reconciled = type.definition.kind === 'reconciled';
  const values = reconciled ? 'r.values' : 'c.values';
  const silent = context.mappings.filter((mapping) => !readsRecords(mapping, type)).map(({ id }) => id);
  const follows = type.definition.groups.flatMap(({ strategy }, index) =>
    following.includes(strategy) ? [index + 1] : [],
  );
  // Statements that are not kept are those of the raw row, of which golden was made.
  const stated = `(i.statements = g.values or i.statements is null and g.version = 1)`;
  const alone = `not exists (select 1 from record_images other where other.golden_id = g.id and other.id <> i.id
      and other.mapping_id <> all ('{${silent.join(',')}}'::integer[]))`;
  return `select o.golden_id, o.ord, o.image_id, c.mapping_id, c.key, c.sub_key, c.main, c.raw, c.hash, c.scope, c.effective_at, c.match_name, c.match_birth,
      c.identifiers, ${values} as values, ${reconciled ? 'r.paths, r.targets' : 'null::text[] as paths, null::bigint[] as targets'},
      ${matchColumns(type)}, g.version, g.subject_key, e.alters, e.versions, e.settled, e.first_settled, e.last_settled,
      coalesce(g.status = 'active' and g.sticky is null and g.origins is null and g.origin_image = i.id and i.golden_id = g.id
        and i.deleted_run is null and i.states is null and i.created_run <> ${BigInt(run.runId)} and ${stated}
        and cardinality(${values}) = cardinality(g.values) and e.follows${reconciled ? ' and r.subject is not distinct from g.subject_key' : ''}
        and ${alone}, false) as stands
    from ${places} o
    left join ${staging.canon} c on c.ord = o.ord
    ${reconciled ? `left join ${staging.resolved(type.id)} r on r.ord = o.ord` : ''}
    left join ${golden} g on g.id = o.golden_id
    left join record_images i on i.id = o.image_id
    cross join lateral (
      select bool_or(moved) as alters,
        bool_and(case when moved then now is not null and place = any ('{${follows.join(',')}}') and (was is null or settled >= version) else true end) as follows,
        array_agg(case when moved then g.version + 1 else version end) as versions,
        array_agg(case when moved then g.version + 1 else settled end) as settled,
        min(case when moved then g.version + 1 else settled end) as first_settled,
        max(case when moved then g.version + 1 else settled end) as last_settled
      from (
        select now, was, place, now is distinct from was as moved, coalesce(settled, i.settled_version) as settled,
          coalesce(version, case when was is null then 0 else 1 end) as version
        from unnest(${values}, g.values, g.versions, i.settled) with ordinality as u (now, was, version, settled, place) offset 0) said) e`;
};

/** More are looked at before they are planned: those that turn out otherwise when they are applied are planned again, by lists of their
 *  ids. */
const few = 50_000;

/** Whether records of a type are hardly ever spoken for by several images: one mapping reads them, and is told nothing of them. */
const mostAreLone = (context: InstitutionContext, type: EntityTypeRef): boolean => {
  const reading = context.mappings.filter((mapping) => readsRecords(mapping, type));
  return reading.length === 1 && reading[0]?.definition.target === undefined;
};

/** Plans lone changes among what was matched: a row of the plan table each. */
export const planLoneChanges = async (
  client: PoolClient,
  run: RunRef,
  context: InstitutionContext,
  type: EntityTypeRef,
): Promise<void> => {
  const staging = stagingOf(run.runId);
  const known = `(select m.golden_id, m.ord, m.image_id from ${staging.match(type.id)} m
      where m.op = 'u' and not m.new_image and not m.new_golden and m.rival is null
        and not exists (select 1 from ${staging.match(type.id)} o where o.golden_id = m.golden_id and o.ord <> m.ord))`;
  const { rowCount } = mostAreLone(context, type)
    ? await client.query(`select 1 from ${staging.match(type.id)} offset ${few} limit 1`)
    : { rowCount: 1 };
  const planned =
    rowCount === 0 ? `${known} x` : `(${outcomes(run, context, type, known, 'golden_records')}) x where stands`;
  await client.query(
    `insert into ${staging.plan(type.id)} (golden_id, based_on, images, lone_ord, lone_image) select golden_id, 0, '[]', ord, image_id from ${planned}`,
  );
};

/** Whether a `batch` of plans has lone changes. */
export const hasLoneChanges = async (client: PoolClient): Promise<boolean> => {
  const { rowCount } = await client.query('select 1 from batch where lone_ord is not null limit 1');
  return rowCount === 1;
};

/** The lone changes of a `batch` as they come out now, of golden records that are `locked`, in a temporary table `lone_changes`.
 *  @returns records that are not as simple any more; they are out of the batch */
export const takeLoneChanges = async (
  client: PoolClient,
  run: RunRef,
  context: InstitutionContext,
  type: EntityTypeRef,
): Promise<string[]> => {
  const places = `(select golden_id, lone_ord as ord, lone_image as image_id from batch where lone_ord is not null)`;
  await client.query(
    `create temp table lone_changes on commit drop as select * from (${outcomes(run, context, type, places, 'locked')}) x`,
  );
  const { rows } = await client.query<{ id: string }>(
    `with moved as (delete from lone_changes where not stands returning golden_id)
     delete from batch b using moved m where b.golden_id = m.golden_id returning b.golden_id::text as id`,
  );
  return rows.map(({ id }) => id);
};

/** Rows of `next_golden` (`write-records.ts`). */
export const loneGolden = (type: EntityTypeRef): string => {
  const [validFrom, validTo] = validityOf(type.definition, 'l.values');
  const references =
    type.definition.kind === 'reconciled'
      ? `(select jsonb_agg(jsonb_build_object('path', t.path, 'target', t.target)) from unnest(l.paths, l.targets) as t (path, target))`
      : 'null::jsonb';
  return `select l.golden_id, true as there, l.version as based_on, l.version + 1 as version, l.values as "values", l.versions, l.image_id as origin_image,
      null::bigint[] as origins, null::integer[] as sticky, 'active' as status, ${validFrom} as valid_from, ${validTo} as valid_to,
      l.subject_key, ${references} as "references"
    from lone_changes l where l.alters`;
};

/** Rows of `next_images` (`write-records.ts`). */
export const loneImages = `select l.golden_id, l.image_id as id, l.ord, false as deleted, false as untold, l.alters as effect, l.values as statements,
    null::text as states, l.last_settled as settled_version, case when l.first_settled <> l.last_settled then l.settled end as settled,
    l.mapping_id, l.key, l.sub_key, l.main, l.raw, l.hash, l.scope, l.effective_at, l.match_name, l.match_birth,
    l.identifiers, l.subject_key, true as there, l.match_hash, l.same_match
  from lone_changes l`;
