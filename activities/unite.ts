import type { PoolClient } from 'pg';
import { compilePolicies } from '../domain/authority.js';
import { goldenJson, readGolden, type GoldenJson } from '../database/golden-rows.js';
import { withIdentifiers } from '../database/image-rows.js';
import { packStatements, type GoldenState, type ImageState, type PlannedImage } from '../domain/record-merge.js';
import type { RunRef } from '../domain/run.js';
import { planUnion, survivorOf } from '../domain/union.js';
import { readRun, type EntityTypeRef, type InstitutionContext } from './context.js';
import type { ActivityDependencies } from './dependencies.js';
import { fenced, type Lease } from './lease.js';
import { goldenPlanOf, ImageReader, imagesJson, type ImageJson } from './merge.js';
import { naturalKeyScheme } from './match.js';
import { valueQuestions } from './questions.js';
import { canonicalRecordTools } from './references.js';

/* Two golden records become one, because a person said that they are the same. The survivor takes over images, identifiers,
   restrictions, open questions and rows of targets; whatever refers to the other one refers to it from then on, and records whose
   natural key is the same now are one too. The change set records all of it, every record with the survivor's id, so that the
   rollback of the decision takes everything apart again, or leaves everything together. */

interface Uniting {
  readonly dependencies: ActivityDependencies;
  readonly client: PoolClient;
  readonly run: RunRef;
  readonly context: InstitutionContext;
  readonly asOf: string;
  /** The survivor of the decision: every entry of the change set names it. */
  readonly with: string;
}

interface Held {
  readonly id: string;
  readonly type: EntityTypeRef;
  readonly golden: GoldenState;
  readonly images: readonly ImageState[];
}

/** Pairs that decisions of the run's batch say to be one, as they stand now. */
const decidedPairs = async (
  client: PoolClient,
  run: RunRef,
  type: EntityTypeRef,
): Promise<{ readonly left: string; readonly right: string }[]> => {
  const { rows } = await client.query<{ left: string; right: string }>(
    `select c.golden_id::text as left, trim(both '"' from c.candidates #>> '{0,value}') as right
     from sync_conflict_resolutions c join decision_batches b on b.id = c.batch_id
     where b.settle_run_id = $1 and c.kind = 'duplicate' and c.entity_type_id = $2 and c.decision #> '{choice,same}' = 'true' order by c.id`,
    [run.runId, type.id],
  );
  return rows;
};

/** The record that an id leads to: ids of merged records redirect. */
const redirected = async (client: PoolClient, id: string): Promise<string> => {
  const { rows } = await client.query<{ id: string }>(
    `with recursive led as (
       select id, merged_into from golden_records where id = $1
       union all select g.id, g.merged_into from led join golden_records g on g.id = led.merged_into)
     select id::text from led where merged_into is null`,
    [id],
  );
  return rows[0]?.id ?? id;
};

const dependents = async (client: PoolClient, id: string): Promise<string[]> => {
  const { rows } = await client.query<{ id: string }>(
    `select distinct r.golden_id::text as id from golden_references r join golden_records g on g.id = r.golden_id
     where r.target_id = $1 and g.status = 'active' order by 1`,
    [id],
  );
  return rows.map((row) => row.id);
};

/** Locks records in the order of their ids, as every writer does. */
const lock = (client: PoolClient, ids: readonly string[]): Promise<unknown> =>
  client.query('select id from golden_records where id = any ($1::bigint[]) order by id for update', [ids]);

const hold = async ({ client, dependencies, context }: Uniting, id: string): Promise<Held | null> => {
  const { rows } = await client.query<{ type: number; golden: GoldenJson; images: readonly ImageJson[] | null }>(
    `select g.entity_type_id as type, ${goldenJson} as golden, ${imagesJson('g.id')} as images from golden_records g where g.id = $1`,
    [id],
  );
  const [row] = rows;
  if (row === undefined) return null;
  const type = context.entityType(row.type);
  const images = await new ImageReader(dependencies, context, type).read(row.images);
  return { id, type, golden: readGolden(row.golden), images };
};

/** The images before anything happens to them; `noteAfter` completes the entries. */
const noteBefore = ({ client, run }: Uniting, images: string): Promise<unknown> =>
  client.query(
    `insert into change_set_entries (run_id, kind, row_id, institution_id, before, outcome, subject_key)
     select $1, 'image', i.id, $2, ${withIdentifiers}, 'written', i.subject_key from record_images i
     where (${images}) and i.created_run <> $1 on conflict do nothing`,
    [run.runId, run.institutionId],
  );

const noteAfter = ({ client, run }: Uniting, goldenIds: readonly string[]): Promise<unknown> =>
  client.query(
    `update change_set_entries e set after = to_jsonb(i) from record_images i
     where e.run_id = $1 and e.kind = 'image' and e.mapping_id = 0 and e.row_id = i.id and i.golden_id = any ($2::bigint[])`,
    [run.runId, goldenIds],
  );

/** Writes a new version of a record: the former one is kept, the change set names both. */
const writeGolden = async (uniting: Uniting, held: Held, golden: GoldenState): Promise<void> => {
  const { client, run } = uniting;
  const { definition } = held.type;
  const plan = { ...goldenPlanOf(golden, canonicalRecordTools(definition)), merged_into: golden.mergedInto ?? null };
  await client.query(
    `insert into golden_record_versions (golden_id, version, institution_id, values, versions, origin_image, origins, sticky, status, merged_into,
       valid_from, valid_to, subject_key, superseded_run)
     select g.id, g.version, g.institution_id, g.values, g.versions, g.origin_image, g.origins, g.sticky, g.status, g.merged_into,
       g.valid_from, g.valid_to, g.subject_key, $2 from golden_records g where g.id = $1`,
    [held.id, run.runId],
  );
  await client.query(
    `insert into change_set_entries as e (run_id, kind, row_id, institution_id, before_version, after_version, after, outcome, subject_key)
     select $1, 'golden', g.id, $2, g.version, $4, $5, 'written', g.subject_key from golden_records g where g.id = $3
     on conflict (run_id, kind, mapping_id, row_id) do update set after_version = excluded.after_version, after = coalesce(e.after, '{}') || excluded.after`,
    [run.runId, run.institutionId, held.id, golden.version, JSON.stringify({ with: uniting.with })],
  );
  await client.query(
    `update golden_records g set version = n.version, values = n."values", versions = n.versions, origin_image = n.origin_image, origins = n.origins,
       sticky = n.sticky, status = n.status, merged_into = n.merged_into, valid_from = n.valid_from, valid_to = n.valid_to,
       subject_key = coalesce(n.subject_key, g.subject_key), updated_run = $3
     from jsonb_to_record($1::jsonb) as n (version integer, "values" text[], versions integer[], origin_image bigint, origins bigint[], sticky integer[],
       status text, merged_into bigint, valid_from date, valid_to date, subject_key bigint)
     where g.id = $2`,
    [JSON.stringify(plan), held.id, run.runId],
  );
  await client.query('delete from golden_references where golden_id = $1', [held.id]);
  if (golden.status !== 'active') return;
  await client.query(
    `insert into golden_references (golden_id, path, target_id, institution_id, subject_key)
     select g.id, r.path, r.target, g.institution_id, g.subject_key from golden_records g
     cross join lateral jsonb_to_recordset($2::jsonb) as r (path text, target bigint) where g.id = $1`,
    [held.id, JSON.stringify((plan as { references?: unknown }).references ?? [])],
  );
};

/** Statements of images, and the record that they are of. */
const writeImages = async (
  { client, run }: Uniting,
  goldenId: string,
  images: readonly Pick<PlannedImage, 'id' | 'statements' | 'untold'>[],
): Promise<void> => {
  const rows = images.map(({ id, statements, untold }) => {
    const packed = packStatements(statements);
    const { settledVersion, settled, states } = packed;
    return { id, untold, states, settled, settled_version: settledVersion, statements: packed.statements };
  });
  await client.query(
    `update record_images i set statements = n.statements, states = n.states, settled_version = n.settled_version, settled = n.settled,
       untold = i.untold or n.untold, last_run = $2, golden_id = $3,
       published_version = case when i.golden_id = $3 then i.published_version else 0 end
     from jsonb_to_recordset($1::jsonb) as n (id bigint, untold boolean, states text, settled integer[], settled_version integer, statements text[])
     where i.id = n.id`,
    [JSON.stringify(rows), run.runId, goldenId],
  );
};

/** Images that are gone in their systems: should they come back, they are the survivor's. */
const moveGone = ({ client, run }: Uniting, from: string, to: string): Promise<unknown> =>
  client.query(
    `update record_images set golden_id = $2, last_run = $3 where golden_id = $1 and deleted_run is not null and read_run is not null`,
    [from, to, run.runId],
  );

/** Rows of targets that are not read: the survivor takes over those of targets where it has none; others are taken away there by
 *  the next publish, as the rows of a record that ended. */
const moveTargetRows = ({ client, run }: Uniting, from: string, to: string): Promise<unknown> =>
  client.query(
    `update record_images i set golden_id = $2, untold = true, last_run = $3 where i.golden_id = $1 and i.deleted_run is null
       and not exists (select 1 from record_images o where o.golden_id = $2 and o.mapping_id = i.mapping_id and o.deleted_run is null)`,
    [from, to, run.runId],
  );

/** Restrictions hold for the survivor; one that it has already stays with the other, for both to be found. */
const moveRestrictions = async ({ client, run }: Uniting, from: string, to: string): Promise<void> => {
  const moving = `h.golden_id = $1 and h.released_at is null and not exists (
    select 1 from restrictions o where o.golden_id = $2 and o.recipient_class = h.recipient_class and o.released_at is null)`;
  await client.query(
    `insert into change_set_entries (run_id, kind, row_id, institution_id, before, after, outcome, subject_key)
     select $3, 'restriction', h.id, h.institution_id, to_jsonb(h), to_jsonb(h) || jsonb_build_object('golden_id', $2::bigint), 'written', h.subject_key
     from restrictions h where ${moving} on conflict (run_id, kind, mapping_id, row_id) do update set after = excluded.after`,
    [from, to, run.runId],
  );
  await client.query(`update restrictions h set golden_id = $2 where ${moving}`, [from, to]);
};

/** Open questions about the record that joins: values are asked anew about the survivor; the others are about it from now on, and
 *  one whether the two are the same is answered. */
const moveQuestions = async ({ client, run }: Uniting, from: string, to: string): Promise<void> => {
  const rival = `trim(both '"' from c.candidates #>> '{0,value}')`;
  const about = `c.state = 'open' and (c.golden_id = $1 or c.kind = 'duplicate' and ${rival} = $1::bigint::text)`;
  await client.query(
    `insert into change_set_entries (run_id, kind, row_id, institution_id, before, outcome, subject_key)
     select $2, 'question', c.id, c.institution_id, to_jsonb(c), 'written', c.subject_key from sync_conflict_resolutions c where ${about}
     on conflict do nothing`,
    [from, run.runId],
  );
  await client.query(
    `update sync_conflict_resolutions c set state = 'agreed', changed_run = $2, version = c.version + 1 where ${about} and c.kind = 'value'`,
    [from, run.runId],
  );
  await client.query(
    `update sync_conflict_resolutions c set changed_run = $2, version = c.version + 1,
       golden_id = case when c.golden_id = $1 then $3::bigint else c.golden_id end,
       candidates = case when c.kind = 'duplicate' and ${rival} = $1::bigint::text
         then jsonb_set(c.candidates, '{0,value}', to_jsonb(to_jsonb($3::bigint::text)::text)) else c.candidates end
     where ${about}`,
    [from, run.runId, to],
  );
  await client.query(
    `update sync_conflict_resolutions c set state = 'agreed' where c.state = 'open' and c.kind = 'duplicate' and c.golden_id = $1 and ${rival} = $1::bigint::text`,
    [to],
  );
};

/** Opens or changes the questions that the union leaves about the survivor. */
const writeQuestions = async (
  { client, run, context }: Uniting,
  survivor: Held,
  questions: ReturnType<typeof valueQuestions>,
): Promise<void> => {
  for (const { group, base, candidates, hash, suggestion } of questions) {
    const open = [survivor.id, group];
    await client.query(
      `insert into change_set_entries (run_id, kind, row_id, institution_id, before, outcome, subject_key)
       select $3, 'question', c.id, c.institution_id, to_jsonb(c), 'written', c.subject_key from sync_conflict_resolutions c
       where c.golden_id = $1 and c.kind = 'value' and c.group_name = $2 and c.state = 'open' on conflict do nothing`,
      [...open, run.runId],
    );
    const told = [
      candidates === null ? null : JSON.stringify(candidates),
      base,
      hash,
      suggestion === null || suggestion === undefined ? null : JSON.stringify(suggestion),
    ];
    const { rows } = await client.query<{ id: string }>(
      `update sync_conflict_resolutions c set state = case when $4::jsonb is null then 'agreed' else 'open' end, candidates = coalesce($4, c.candidates),
         base = $5, input_hash = $6, suggestion = $7, changed_run = $3, version = c.version + 1
       where c.golden_id = $1 and c.kind = 'value' and c.group_name = $2 and c.state = 'open' returning c.id::text as id`,
      [...open, run.runId, ...told],
    );
    if (candidates === null || rows.length > 0) continue;
    await client.query(
      `insert into sync_conflict_resolutions (institution_id, job_id, opened_run, changed_run, kind, entity_type_id, golden_id, group_name, candidates, base,
         input_hash, suggestion, due_at, subject_key)
       select r.institution_id, r.job_id, coalesce(r.parent_run_id, r.id), r.id, 'value', g.entity_type_id, g.id, $2, $4, $5, $6, $7,
         r.started_at + make_interval(days => $8), g.subject_key
       from golden_records g, sync_runs r where g.id = $1 and r.id = $3`,
      [...open, run.runId, ...told, run.jobId === null ? 7 : (context.job(run.jobId).definition.review?.dueDays ?? 7)],
    );
  }
};

const writeFindings = async (
  { client, run }: Uniting,
  survivor: Held,
  findings: readonly { readonly finding: string; readonly image: string; readonly group: number }[],
): Promise<void> => {
  const told = findings.map(({ finding, image, group }) => ({
    kind: finding,
    image,
    field: survivor.type.definition.groups[group]?.name ?? '',
    detail: '',
  }));
  await client.query(
    `insert into findings (institution_id, run_id, kind, system_id, entity_type_id, golden_id, image_id, field, detail, subject_key)
     select $2, $1, f.kind, i.system_id, g.entity_type_id, g.id, f.image, f.field, f.detail, g.subject_key
     from jsonb_to_recordset($3::jsonb) as f (kind text, image bigint, field text, detail text)
     join record_images i on i.id = f.image join golden_records g on g.id = $4`,
    [run.runId, run.institutionId, JSON.stringify(told), survivor.id],
  );
  // Whoever keeps that system should make one row of the two.
  await client.query(
    `insert into findings (institution_id, run_id, kind, mapping_id, system_id, entity_type_id, golden_id, image_id, source_key, detail, subject_key)
     select $2, $1, 'twice_in_system', i.mapping_id, i.system_id, i.entity_type_id, i.golden_id, i.id, i.source_key,
       'the system holds this record under several keys', i.subject_key
     from record_images i where i.golden_id = $3 and i.deleted_run is null and i.read_run is not null
       and exists (select 1 from record_images o where o.golden_id = i.golden_id and o.mapping_id = i.mapping_id and o.id < i.id
                     and o.deleted_run is null and o.read_run is not null and o.sub_key = i.sub_key)`,
    [run.runId, run.institutionId, survivor.id],
  );
};

/** Whose data it is, for images and identifiers of records that are the survivor's now. */
const writeSubjects = async ({ client }: Uniting, goldenId: string): Promise<void> => {
  await client.query(
    `update record_images i set subject_key = g.subject_key from golden_records g
     where g.id = $1 and i.golden_id = g.id and i.subject_key is distinct from g.subject_key`,
    [goldenId],
  );
  await client.query(
    `update record_identifiers d set subject_key = i.subject_key from record_images i
     where i.golden_id = $1 and d.image_id = i.id and d.subject_key is distinct from i.subject_key`,
    [goldenId],
  );
};

/** Makes two records of one type one, whose rows are locked. */
const uniteTwo = async (uniting: Uniting, left: Held, right: Held): Promise<string> => {
  const survives = survivorOf(
    { id: left.id, status: left.golden.status },
    { id: right.id, status: right.golden.status },
  );
  const [survivor, loser] = survives === 'left' ? [left, right] : [right, left];
  const { client, asOf } = uniting;
  const policies = compilePolicies(survivor.type.definition)(survivor.golden.values, asOf);
  const plan = planUnion(survivor.golden, loser.golden, survivor.images, loser.images, policies);
  await noteBefore(uniting, `i.golden_id in (${BigInt(survivor.id)}, ${BigInt(loser.id)})`);
  await moveQuestions(uniting, loser.id, survivor.id);
  await writeGolden(uniting, survivor, plan.golden);
  await writeImages(uniting, survivor.id, plan.images);
  await writeGolden(uniting, loser, {
    ...loser.golden,
    version: loser.golden.version + 1,
    status: 'merged',
    mergedInto: survivor.id,
  });
  await moveGone(uniting, loser.id, survivor.id);
  await moveTargetRows(uniting, loser.id, survivor.id);
  await moveRestrictions(uniting, loser.id, survivor.id);
  await writeSubjects(uniting, survivor.id);
  const questioned = { known: [...survivor.images, ...loser.images], incoming: [], policies };
  await writeQuestions(uniting, survivor, valueQuestions(plan, survivor.type, questioned));
  await writeFindings(uniting, survivor, plan.findings);
  for (const id of await dependents(client, loser.id)) await repoint(uniting, id, loser.id, survivor.id);
  await noteAfter(uniting, [survivor.id, loser.id]);
  return survivor.id;
};

/** Makes one record refer to the survivor. Where another record has the same natural key then, they are one too. */
const repoint = async (uniting: Uniting, id: string, from: string, to: string): Promise<void> => {
  const held = await hold(uniting, id);
  if (held === null || held.golden.status !== 'active') return;
  const tools = canonicalRecordTools(held.type.definition);
  const version = held.golden.version + 1;
  const values = tools.repointed(held.golden.values, from, to);
  const moved = values.map((value, index) => value !== held.golden.values[index]);
  await noteBefore(uniting, `i.golden_id = ${BigInt(id)}`);
  await writeGolden(uniting, held, {
    ...held.golden,
    version,
    values,
    versions: held.golden.versions.map((one, index) => (moved[index] === true ? version : one)),
  });
  const images = held.images
    .filter(({ deleted }) => !deleted)
    .map((image) => {
      const said = tools.repointed(
        image.statements.map(({ value }) => value),
        from,
        to,
      );
      const statements = image.statements.map((one, index) =>
        said[index] === one.value ? one : { ...one, value: said[index] ?? null, settled: version },
      );
      return { id: image.id, statements, untold: false };
    });
  await writeImages(uniting, id, images);
  await writeSubjects(uniting, id);
  const [before, after] = [tools.naturalKey(held.golden.values), tools.naturalKey(values)];
  if (after !== null && after !== before) await changeNaturalKey(uniting, held, before ?? '', after);
  await noteAfter(uniting, [id]);
};

const changeNaturalKey = async (uniting: Uniting, held: Held, before: string, after: string): Promise<void> => {
  const { client } = uniting;
  await client.query(
    `update record_identifiers d set value = $4 from record_images i
     where i.golden_id = $1 and d.image_id = i.id and d.scheme = $2 and d.value = $3`,
    [held.id, naturalKeyScheme, before, after],
  );
  const { rows } = await client.query<{ id: string }>(
    `select distinct g.id::text as id from record_identifiers d join record_images i on i.id = d.image_id and i.deleted_run is null
     join golden_records g on g.id = i.golden_id and g.status = 'active'
     where d.entity_type_id = $1 and d.scheme = $2 and d.value = $3 and g.id <> $4 order by 1 limit 1`,
    [held.type.id, naturalKeyScheme, after, held.id],
  );
  const twin = rows[0]?.id;
  if (twin === undefined) return;
  await lock(client, [held.id, twin]);
  const [left, right] = [await hold(uniting, held.id), await hold(uniting, twin)];
  if (left !== null && right !== null) await uniteTwo(uniting, left, right);
};

/** Carries out the decisions of the run's batch that two records of a type are the same, each in a transaction of its own. A pair
 *  that is one already is passed over, so that this may be repeated. */
export const uniteDecided = async (
  dependencies: ActivityDependencies,
  run: RunRef,
  lease: Lease,
  context: InstitutionContext,
  type: EntityTypeRef,
): Promise<number> => {
  const { hub, heartbeat, crashPoint } = dependencies;
  const { asOf } = await readRun(hub, run);
  const pairs = await hub.read(run.institutionId, (client) => decidedPairs(client, run, type));
  let united = 0;
  for (const pair of pairs) {
    await fenced(
      hub,
      lease,
      async (client) => {
        const ids = [await redirected(client, pair.left), await redirected(client, pair.right)] as const;
        if (ids[0] === ids[1]) return;
        await lock(client, [...ids, ...(await dependents(client, ids[0])), ...(await dependents(client, ids[1]))]);
        const base = { dependencies, client, run, context, asOf };
        const [left, right] = [
          await hold({ ...base, with: ids[0] }, ids[0]),
          await hold({ ...base, with: ids[0] }, ids[1]),
        ];
        // Another run made one of them part of a third meanwhile: told by the next attempt.
        if (left === null || right === null || left.type.id !== right.type.id) return;
        const survivor = survivorOf(
          { id: left.id, status: left.golden.status },
          { id: right.id, status: right.golden.status },
        );
        await uniteTwo({ ...base, with: survivor === 'left' ? left.id : right.id }, left, right);
        united += 1;
      },
      'bulk',
    );
    heartbeat();
    crashPoint('apply');
  }
  return united;
};
