import type { PoolClient } from 'pg';
import { isThere, stagingOf } from '../database/staging.js';
import type { RunRef } from '../domain/run.js';
import { writeQuestions } from './apply-questions.js';
import type { EntityTypeRef, InstitutionContext } from './context.js';
import { hasLoneChanges, loneGolden, loneImages, takeLoneChanges } from './lone-changes.js';
import { matchColumns } from './match-hash.js';
import { imagesStamp } from './merge.js';
import { noteEffects, writeGolden, writeIdentifiers, writeImages } from './write-records.js';

export interface AppliedBatch {
  readonly applied: number;
  /** Golden records that moved since they were planned; their plans were taken out. */
  readonly moved: readonly string[];
}

/** Columns of a plan's golden part. */
const goldenRecord = `(version integer, "values" text[], versions integer[], origin_image bigint, origins bigint[], sticky integer[], status text,
  valid_from date, valid_to date, subject_key bigint, "references" jsonb)`;
const imageRecord = `(id bigint, ord bigint, deleted boolean, untold boolean, effect boolean, statements text[], states text,
  settled_version integer, settled integer[])`;

/** The plans of a batch: golden ids, both included, with questions or without. */
export interface PlanBatch {
  readonly first: string;
  readonly last: string;
  readonly asking: boolean;
}

const batchSize = 5_000;

/** Everything that is planned, in batches. Those that ask come last, each after the other: what they ask depends on other records, and two
 *  records may be the subject of one question. */
export const planBatches = async (client: PoolClient, table: string): Promise<PlanBatch[]> => {
  const { rows } = await client.query<PlanBatch>(
    `select min(golden_id)::text as first, max(golden_id)::text as last, asking from (
       select golden_id, asking, (row_number() over (partition by asking order by golden_id) - 1) / ${batchSize} as batch
       from (select golden_id, questions is not null as asking from ${table}) p) b
     group by asking, batch order by asking, batch`,
  );
  return rows;
};

/** Takes the batch out of the plan table, locks its golden records in id order, and parts what moved meanwhile. The records as they stand
 *  under the lock are in a temporary table `locked`: few things cost as much as finding one of them again. */
const takeBatch = async (client: PoolClient, table: string, { first, last, asking }: PlanBatch): Promise<string[]> => {
  const within = (plan: string): string =>
    `${plan}.golden_id between ${BigInt(first)} and ${BigInt(last)} and ${plan}.questions is ${asking ? 'not null' : 'null'}`;
  await client.query(
    `create temp table locked on commit drop as
     select g.* from golden_records g join ${table} p on p.golden_id = g.id where ${within('p')} order by g.id for update of g`,
  );
  await client.query('analyze locked (id)');
  await client.query(
    `create temp table batch on commit drop as
     with taken as (delete from ${table} p where ${within('p')} returning *)
     select t.*, g.id is not null as there, coalesce(g.version, 0) as version from taken t left join locked g on g.id = t.golden_id`,
  );
  await client.query('analyze batch (golden_id, lone_ord)');
  const { rows } = await client.query<{ id: string }>(
    `delete from batch b where b.lone_ord is null and (b.version <> b.based_on or b.stamp is distinct from ${imagesStamp('b.golden_id')})
     returning b.golden_id::text as id`,
  );
  return rows.map(({ id }) => id);
};

const planGolden = async (client: PoolClient, type: EntityTypeRef, lone: boolean): Promise<void> => {
  const self = type.definition.subject === 'self';
  await client.query(
    `create temp table next_golden on commit drop as
     select b.golden_id, b.there, b.based_on, n.version, n."values", n.versions, n.origin_image, n.origins, n.sticky, n.status, n.valid_from, n.valid_to,
       ${self ? 'b.golden_id' : 'n.subject_key'} as subject_key, n."references"
     from batch b cross join lateral jsonb_to_record(b.golden) as n ${goldenRecord} where b.golden is not null
     ${lone ? `union all ${loneGolden(type)}` : ''}`,
  );
};

/** @param canon canonical records that the images were read as; null: none were read */
const planImages = async (
  client: PoolClient,
  type: EntityTypeRef,
  canon: string | null,
  lone: boolean,
): Promise<void> => {
  const from =
    canon ??
    `(select null::bigint as ord, null::integer as mapping_id, null::text as key, null::text as sub_key, null::boolean as main,
      null::text as raw, null::uuid as hash, null::text as scope, null::text as effective_at, null::text as match_name, null::text as match_birth,
      null::text[] as identifiers limit 0)`;
  // By itself first: how many images a batch has cannot be told from its JSON, and all of the canonical records would be read.
  await client.query(
    `create temp table planned_images on commit drop as
     select b.golden_id, n.* from batch b cross join lateral jsonb_to_recordset(b.images) as n ${imageRecord}`,
  );
  await client.query('analyze planned_images (golden_id, id, ord)');
  await client.query(
    `create temp table next_images on commit drop as
     select n.*, c.mapping_id, c.key, c.sub_key, c.main, c.raw, c.hash, c.scope, c.effective_at, c.match_name, c.match_birth,
       c.identifiers, g.subject_key, i.id is not null as there, ${matchColumns(type)}
     from planned_images n left join ${from} c on c.ord = n.ord join golden_records g on g.id = n.golden_id left join record_images i on i.id = n.id
     ${lone ? `union all ${loneImages}` : ''}`,
  );
  // An image that is of another record already was taken over: it is not gone.
  await client.query(
    'delete from next_images n using record_images i where i.id = n.id and n.deleted and i.golden_id <> n.golden_id',
  );
};

/** The canonical records of the run; null where it staged none. */
const canonOf = async (client: PoolClient, run: RunRef): Promise<string | null> => {
  const { canon } = stagingOf(run.runId);
  return (await isThere(client, canon)) ? canon : null;
};

const writeFindings = (client: PoolClient, run: RunRef, type: EntityTypeRef): Promise<unknown> =>
  client.query(
    `insert into findings (institution_id, run_id, kind, system_id, entity_type_id, golden_id, image_id, field, subject_key)
     select $2, $1, f.kind, s.id, $3, b.golden_id, f.image, f.field, g.subject_key
     from batch b join golden_records g on g.id = b.golden_id
     cross join lateral jsonb_to_recordset(b.findings) as f (kind text, image bigint, system text, field text)
     left join data_source_configurations s on s.institution_id = $2 and s.name = f.system where b.findings is not null`,
    [run.runId, run.institutionId, type.id],
  );

/** Applies the plans of a batch in the caller's transaction. */
export const applyPlans = async (
  client: PoolClient,
  run: RunRef,
  context: InstitutionContext,
  type: EntityTypeRef,
  batch: PlanBatch,
): Promise<AppliedBatch> => {
  const moved = await takeBatch(client, stagingOf(run.runId).plan(type.id), batch);
  const lone = await hasLoneChanges(client);
  if (lone) moved.push(...(await takeLoneChanges(client, run, context, type)));
  await planGolden(client, type, lone);
  await writeGolden(client, run, type);
  const canon = await canonOf(client, run);
  await planImages(client, type, canon, lone);
  await writeImages(client, run, type);
  if (canon !== null) await writeIdentifiers(client, run, type);
  await writeQuestions(client, run, context, type);
  await writeFindings(client, run, type);
  await noteEffects(client, run);
  const { rows } = await client.query<{ count: string }>('select count(*) from batch');
  return { applied: Number(rows[0]?.count ?? 0), moved };
};
