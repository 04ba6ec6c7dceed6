import type { PoolClient } from 'pg';
import { stagingOf } from '../database/staging.js';
import type { RunRef } from '../domain/run.js';
import { identifiersOf, naturalKeysOf } from './apply-lone.js';
import { writeQuestions } from './apply-questions.js';
import type { EntityTypeRef, InstitutionContext } from './context.js';
import { imagesStamp } from './merge.js';

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

const imageWithIdentifiers = (alias: string): string =>
  `to_jsonb(${alias}) || jsonb_build_object('identifiers', (select jsonb_agg(to_jsonb(d)) from record_identifiers d where d.image_id = ${alias}.id))`;

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

/** Takes the batch out of the plan table, locks its golden records in id order, and parts what moved meanwhile. */
const takeBatch = async (client: PoolClient, table: string, { first, last, asking }: PlanBatch): Promise<string[]> => {
  const within = (plan: string): string =>
    `${plan}.golden_id between ${BigInt(first)} and ${BigInt(last)} and ${plan}.questions is ${asking ? 'not null' : 'null'}`;
  await client.query(
    `select g.id from golden_records g join ${table} p on p.golden_id = g.id where ${within('p')} order by g.id for update of g`,
  );
  await client.query(
    `create temp table batch on commit drop as
     with taken as (delete from ${table} p where ${within('p')} returning *)
     select t.*, g.id is not null as there,
       coalesce(g.version, 0) <> t.based_on or t.stamp is distinct from ${imagesStamp('t.golden_id')} as moved
     from taken t left join golden_records g on g.id = t.golden_id`,
  );
  await client.query('analyze batch (golden_id)');
  const { rows } = await client.query<{ id: string }>('delete from batch where moved returning golden_id::text as id');
  return rows.map(({ id }) => id);
};

const writeGolden = async (client: PoolClient, run: RunRef, type: EntityTypeRef): Promise<void> => {
  const self = type.definition.subject === 'self';
  await client.query(
    `create temp table next_golden on commit drop as
     select b.golden_id, b.there, b.based_on, n.version, n."values", n.versions, n.origin_image, n.origins, n.sticky, n.status, n.valid_from, n.valid_to,
       ${self ? 'b.golden_id' : 'n.subject_key'} as subject_key, n."references"
     from batch b cross join lateral jsonb_to_record(b.golden) as n ${goldenRecord} where b.golden is not null`,
  );
  await client.query('analyze next_golden (golden_id)');
  await client.query(
    `insert into golden_record_versions (golden_id, version, institution_id, values, versions, origin_image, origins, sticky, status, valid_from, valid_to, subject_key, superseded_run)
     select g.id, g.version, g.institution_id, g.values, g.versions, g.origin_image, g.origins, g.sticky, g.status, g.valid_from, g.valid_to, g.subject_key, $1
     from golden_records g join next_golden n on n.golden_id = g.id and n.there`,
    [run.runId],
  );
  await client.query(
    `insert into change_set_entries (run_id, kind, row_id, institution_id, before_version, after_version, outcome, subject_key)
     select $1, 'golden', n.golden_id, $2, n.based_on, n.version, 'written', n.subject_key from next_golden n where n.there
     on conflict (run_id, kind, mapping_id, row_id) do update set after_version = excluded.after_version`,
    [run.runId, run.institutionId],
  );
  await client.query(
    `update golden_records g set version = n.version, values = n."values", versions = n.versions, origin_image = n.origin_image, origins = n.origins,
       sticky = n.sticky, status = n.status, valid_from = n.valid_from, valid_to = n.valid_to, subject_key = coalesce(n.subject_key, g.subject_key),
       updated_run = $1
     from next_golden n where g.id = n.golden_id and n.there`,
    [run.runId],
  );
  await client.query(
    `insert into golden_records (id, institution_id, entity_type_id, version, values, versions, origin_image, origins, sticky, status, valid_from, valid_to,
       subject_key, created_run, updated_run)
     select n.golden_id, $2, $3, n.version, n."values", n.versions, n.origin_image, n.origins, n.sticky, n.status, n.valid_from, n.valid_to, n.subject_key, $1, $1
     from next_golden n where not n.there`,
    [run.runId, run.institutionId, type.id],
  );
  await client.query('delete from golden_references r using next_golden n where r.golden_id = n.golden_id');
  await client.query(
    `insert into golden_references (golden_id, path, target_id, institution_id, subject_key)
     select n.golden_id, r.path, r.target, $1, n.subject_key from next_golden n
     cross join lateral jsonb_to_recordset(n."references") as r (path text, target bigint)`,
    [run.institutionId],
  );
};

/** Keeps whole images as they are before they are written. */
const keepImages = async (client: PoolClient, run: RunRef): Promise<void> => {
  await client.query(
    `create temp table former_images on commit drop as
     select i.id, ${imageWithIdentifiers('i')} as image, i.subject_key
     from record_images i where i.id in (select n.id from next_images n) and i.created_run <> ${BigInt(run.runId)}`,
  );
  await client.query('analyze former_images (id)');
};

/** Of an image as it is after, what a rollback asks: of which record it is, and what the run read of it. */
const after = (alias: string): string =>
  `jsonb_build_object(${[
    'golden_id',
    'mapping_id',
    'source_key',
    'main',
    'raw_hash',
    'read_hash',
    'created_run',
    'read_run',
    'deleted_run',
  ]
    .map((column) => `'${column}', ${alias}.${column}`)
    .join(', ')})`;

/** Whole images before. An image that the run wrote before stays as it was before that. */
const recordImages = (client: PoolClient, run: RunRef): Promise<unknown> =>
  client.query(
    `insert into change_set_entries (run_id, kind, row_id, institution_id, before, after, outcome, subject_key)
     select $1, 'image', f.id, $2, f.image, ${after('i')}, 'written', f.subject_key from former_images f join record_images i on i.id = f.id
     on conflict (run_id, kind, mapping_id, row_id) do update set after = excluded.after`,
    [run.runId, run.institutionId],
  );

const writeImages = async (client: PoolClient, run: RunRef, type: EntityTypeRef): Promise<void> => {
  const { canon } = stagingOf(run.runId);
  const staged = await client.query<{ name: string | null }>('select to_regclass($1)::text as name', [canon]);
  const from =
    staged.rows[0]?.name === null
      ? `(select null::bigint as ord, null::integer as mapping_id, null::text as key, null::text as sub_key, null::boolean as main,
      null::text as raw, null::uuid as hash, null::text as scope, null::text as effective_at, null::text as match_name, null::text as match_birth,
      null::text[] as identifiers limit 0)`
      : canon;
  // By itself first: how many images a batch has cannot be told from its JSON, and all of the canonical records would be read.
  await client.query(
    `create temp table planned_images on commit drop as
     select b.golden_id, n.* from batch b cross join lateral jsonb_to_recordset(b.images) as n ${imageRecord}`,
  );
  await client.query('analyze planned_images (golden_id, id, ord)');
  await client.query(
    `create temp table next_images on commit drop as
     select n.*, c.mapping_id, c.key, c.sub_key, c.main, c.raw, c.hash, c.scope, c.effective_at, c.match_name, c.match_birth,
       c.identifiers, g.subject_key, exists (select 1 from record_images i where i.id = n.id) as there
     from planned_images n left join ${from} c on c.ord = n.ord join golden_records g on g.id = n.golden_id`,
  );
  // An image that is of another record already was taken over: it is not gone.
  await client.query(
    'delete from next_images n using record_images i where i.id = n.id and n.deleted and i.golden_id <> n.golden_id',
  );
  await client.query('analyze next_images (golden_id, id, ord, mapping_id, there, deleted)');
  await keepImages(client, run);
  await client.query(
    `update record_images i set deleted_run = $1, last_run = $1, read_run = $1 from next_images n
     where i.id = n.id and i.golden_id = n.golden_id and n.there and n.deleted`,
    [run.runId],
  );
  await client.query(
    `update record_images i set statements = n.statements, states = n.states, settled_version = n.settled_version, settled = n.settled,
       untold = (i.untold and i.deleted_run is null) or n.untold, last_run = $1,
       deleted_run = case when n.ord is null then i.deleted_run end,
       raw = case when n.ord is null or not n.main then i.raw else n.raw end,
       raw_hash = case when n.ord is null or not n.main then i.raw_hash else n.hash end,
       read_hash = case when n.ord is null then i.read_hash end,
       mapping_version = case when n.ord is null then i.mapping_version else p.version end,
       scope_key = case when n.ord is null then i.scope_key else n.scope end,
       effective_at = case when n.ord is null then i.effective_at else n.effective_at end,
       match_name = case when n.ord is null then i.match_name else n.match_name end,
       match_birth = case when n.ord is null then i.match_birth else n.match_birth end,
       golden_id = n.golden_id, subject_key = coalesce(n.subject_key, i.subject_key),
       read_run = case when n.ord is null then i.read_run else $1 end,
       published_version = case when i.deleted_run is null and i.golden_id = n.golden_id then i.published_version else 0 end
     from next_images n left join cross_system_mappings p on p.id = n.mapping_id
     where i.id = n.id and n.there and not n.deleted`,
    [run.runId],
  );
  await client.query(
    `insert into record_images (id, institution_id, system_id, mapping_id, entity_type_id, source_key, sub_key, main, golden_id, raw, raw_hash, mapping_version,
       scope_key, statements, states, settled_version, settled, untold, effective_at, match_name, match_birth, subject_key, created_run, read_run, last_run)
     select n.id, $2, p.system_id, n.mapping_id, $3, n.key, n.sub_key, n.main, n.golden_id, n.raw, n.hash, p.version,
       n.scope, n.statements, n.states, n.settled_version, n.settled, n.untold, n.effective_at, n.match_name, n.match_birth, n.subject_key, $1, $1, $1
     from next_images n join cross_system_mappings p on p.id = n.mapping_id where not n.there and not n.deleted`,
    [run.runId, run.institutionId, type.id],
  );
  await recordImages(client, run);
  if (staged.rows[0]?.name !== null) await writeIdentifiers(client, run, type);
};

/** Identifiers of images that were read. Most stay as they are, and are not written. */
const writeIdentifiers = async (client: PoolClient, run: RunRef, type: EntityTypeRef): Promise<void> => {
  const read = `(select n.ord, n.id as image_id, n.subject_key as subject, n.identifiers from next_images n where n.ord is not null and not n.deleted)`;
  const natural = type.definition.kind === 'reconciled' ? `union all ${naturalKeysOf(run, type, read)}` : '';
  await client.query(
    `create temp table next_identifiers on commit drop as select scheme, value, image_id, subject from (${identifiersOf(read, type)}) o ${natural}`,
  );
  await client.query('analyze next_identifiers (image_id)');
  await client.query(
    `delete from record_identifiers d using next_images n
     where d.image_id = n.id and n.ord is not null
       and not exists (select 1 from next_identifiers x where x.image_id = d.image_id and x.scheme = d.scheme and x.value = d.value
                         and x.subject is not distinct from d.subject_key and d.state = 'current')`,
  );
  await client.query(
    `insert into record_identifiers (institution_id, entity_type_id, scheme, value, image_id, subject_key)
     select $1, $2, x.scheme, x.value, x.image_id, x.subject from next_identifiers x
     where not exists (select 1 from record_identifiers d where d.image_id = x.image_id and d.scheme = x.scheme and d.value = x.value) order by x.value`,
    [run.institutionId, type.id],
  );
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

/** Before the first batch: batches side by side would each make it. */
export const prepareEffects = (client: PoolClient, run: RunRef): Promise<unknown> =>
  client.query(
    `create unlogged table if not exists ${stagingOf(run.runId).effects} (mapping_id integer not null, key text collate "C" not null)`,
  );

/** What had an effect, so that a changed row that changed nothing is told apart. */
const noteEffects = async (client: PoolClient, run: RunRef): Promise<void> => {
  await client.query(
    `insert into ${stagingOf(run.runId).effects} select n.mapping_id, n.key from next_images n where n.ord is not null and n.effect`,
  );
};

/** Applies the plans of a batch in the caller's transaction. */
export const applyPlans = async (
  client: PoolClient,
  run: RunRef,
  context: InstitutionContext,
  type: EntityTypeRef,
  batch: PlanBatch,
): Promise<AppliedBatch> => {
  const moved = await takeBatch(client, stagingOf(run.runId).plan(type.id), batch);
  await writeGolden(client, run, type);
  await writeImages(client, run, type);
  await writeQuestions(client, run, context, type);
  await writeFindings(client, run, type);
  await noteEffects(client, run);
  const { rows } = await client.query<{ count: string }>('select count(*) from batch');
  return { applied: Number(rows[0]?.count ?? 0), moved };
};
