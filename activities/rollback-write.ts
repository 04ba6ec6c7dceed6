import type { PoolClient } from 'pg';
import { withIdentifiers } from '../database/image-rows.js';
import type { RollbackPlan } from '../domain/record-rollback.js';
import type { RunRef } from '../domain/run.js';
import type { InstitutionContext } from './context.js';
import { missingHash } from './diff.js';
import { goldenPlanOf } from './merge.js';
import { canonicalRecordTools, type RecordTools } from './references.js';

export interface Rolling {
  readonly run: RunRef;
  /** The run that is rolled back; a run that rolls itself back leaves no change set of its own about it. */
  readonly runId: string;
  readonly context: InstitutionContext;
}

const itself = ({ run, runId }: Rolling): boolean => run.runId === runId;

const typesOf = async (client: PoolClient, ids: readonly string[]): Promise<Map<string, number>> => {
  const { rows } = await client.query<{ id: string; type: number }>(
    'select id::text, entity_type_id as type from golden_records where id = any ($1::bigint[]) order by id for update',
    [ids],
  );
  return new Map(rows.map(({ id, type }) => [id, type]));
};

/** Writes one page of plans: new versions of golden records, images as they were, findings for what is kept. */
export const applyRollbackPage = async (
  client: PoolClient,
  rolling: Rolling,
  plans: readonly RollbackPlan[],
): Promise<void> => {
  const { context } = rolling;
  const types = await typesOf(
    client,
    plans.map(({ goldenId }) => goldenId),
  );
  const tools = new Map<number, RecordTools>();
  const toolsOf = (goldenId: string): RecordTools => {
    const type = types.get(goldenId) ?? 0;
    const known = tools.get(type) ?? canonicalRecordTools(context.entityType(type).definition);
    tools.set(type, known);
    return known;
  };
  const goldens = plans
    .filter((plan) => plan.golden !== null)
    .map((plan) => ({
      id: plan.goldenId,
      restores: plan.restores,
      subject_self: context.entityType(types.get(plan.goldenId) ?? 0).definition.subject === 'self',
      merged_into: plan.golden?.mergedInto ?? null,
      ...(plan.golden === null ? {} : goldenPlanOf(plan.golden, toolsOf(plan.goldenId))),
    }));
  await writeGoldens(client, rolling, goldens);
  await writeImages(
    client,
    rolling,
    plans.flatMap(({ images }) => images),
  );
};

/** Records that are kept because a later run changed them, or a record that belongs together with them: left as they are in every
 *  store. */
export const noteKept = async (
  client: PoolClient,
  runId: string,
  table: string,
  kept: readonly string[],
): Promise<void> => {
  if (kept.length === 0) return;
  await client.query(`update ${table} set kept = true where golden_id = any ($1::bigint[])`, [kept]);
  await client.query(
    `update change_set_entries set rollback_outcome = 'kept' where run_id = $1 and kind = 'golden' and row_id = any ($2::bigint[])`,
    [runId, kept],
  );
};

/** Lists what is kept, once all of it is known. */
export const listKept = async (client: PoolClient, run: RunRef, table: string): Promise<void> => {
  await client.query(
    `insert into findings (institution_id, run_id, kind, entity_type_id, golden_id, detail, subject_key)
     select $1, $2, 'kept_changed_since', g.entity_type_id, g.id, 'changed by a later run, so it was kept', g.subject_key
     from ${table} t join golden_records g on g.id = t.golden_id where t.kept`,
    [run.institutionId, run.runId],
  );
};

const writeGoldens = async (client: PoolClient, rolling: Rolling, goldens: readonly object[]): Promise<void> => {
  const { run, runId } = rolling;
  if (goldens.length === 0) return;
  await client.query(
    `create temp table set_back on commit drop as
     select n.id, n.restores, n.version, n."values", n.versions, n.origin_image, n.origins, n.sticky, n.status, n.merged_into, n.valid_from, n.valid_to,
       case when n.subject_self then n.id else n.subject_key end as subject_key, n."references"
     from jsonb_to_recordset($1::jsonb) as n (id bigint, restores integer, subject_self boolean, version integer, "values" text[], versions integer[],
       origin_image bigint, origins bigint[], sticky integer[], status text, merged_into bigint, valid_from date, valid_to date, subject_key bigint, "references" jsonb)`,
    [JSON.stringify(goldens)],
  );
  await client.query(
    `insert into golden_record_versions (golden_id, version, institution_id, values, versions, origin_image, origins, sticky, status, merged_into,
       valid_from, valid_to, subject_key, superseded_run)
     select g.id, g.version, g.institution_id, g.values, g.versions, g.origin_image, g.origins, g.sticky, g.status, g.merged_into,
       g.valid_from, g.valid_to, g.subject_key, $1
     from golden_records g join set_back n on n.id = g.id`,
    [run.runId],
  );
  await client.query(
    `insert into change_set_entries as e (run_id, kind, row_id, institution_id, before_version, after_version, after, outcome, subject_key)
     select $1, 'golden', g.id, g.institution_id, g.version, n.version,
       jsonb_strip_nulls(jsonb_build_object('restores', jsonb_build_object(n.version::text, n.restores), 'with', u.after -> 'with')), 'written', g.subject_key
     from golden_records g join set_back n on n.id = g.id
     left join change_set_entries u on u.run_id = $2 and u.kind = 'golden' and u.mapping_id = 0 and u.row_id = g.id
     on conflict (run_id, kind, mapping_id, row_id) do update set after_version = excluded.after_version,
       after = coalesce(e.after, '{}') || excluded.after
         || jsonb_build_object('restores', coalesce(e.after -> 'restores', '{}') || (excluded.after -> 'restores'))`,
    [run.runId, runId],
  );
  await client.query(
    `update golden_records g set version = n.version, values = n."values", versions = n.versions, origin_image = n.origin_image, origins = n.origins,
       sticky = n.sticky, status = n.status, merged_into = n.merged_into, valid_from = n.valid_from, valid_to = n.valid_to,
       subject_key = coalesce(n.subject_key, g.subject_key), updated_run = $1
     from set_back n where n.id = g.id`,
    [run.runId],
  );
  await client.query('delete from golden_references r using set_back n where r.golden_id = n.id');
  await client.query(
    `insert into golden_references (golden_id, path, target_id, institution_id, subject_key)
     select n.id, r.path, r.target, $1, n.subject_key from set_back n cross join lateral jsonb_to_recordset(n."references") as r (path text, target bigint)
     where n.status = 'active'`,
    [run.institutionId],
  );
  await client.query(
    `update change_set_entries e set rollback_outcome = 'reversed' from set_back n where e.run_id = $1 and e.kind = 'golden' and e.row_id = n.id`,
    [runId],
  );
  await client.query('drop table set_back');
};

/** Images as they were, with their identifiers. A rollback that others may roll back keeps what it found. */
const writeImages = async (client: PoolClient, rolling: Rolling, images: RollbackPlan['images']): Promise<void> => {
  const { run } = rolling;
  if (images.length === 0) return;
  const ids = images.map(({ id }) => id);
  if (!itself(rolling)) {
    await client.query(
      `insert into change_set_entries (run_id, kind, row_id, institution_id, before, outcome, subject_key)
       select $1, 'image', i.id, $2, ${withIdentifiers}, 'written', i.subject_key from record_images i where i.id = any ($3::bigint[]) on conflict do nothing`,
      [run.runId, run.institutionId, ids],
    );
  }
  await client.query(
    `create temp table image_rows on commit drop as select * from jsonb_populate_recordset(null::record_images, $1::jsonb)`,
    [JSON.stringify(images.map(({ row }) => row).filter((row) => row !== null))],
  );
  // What an undo took away comes back with what it held: its identifiers are among the rows' members. Where they are not, they did not change.
  await client.query('delete from record_identifiers where image_id = any ($1::bigint[])', [
    images.filter(({ row }) => row === null || 'identifiers' in row).map(({ id }) => id),
  ]);
  // The target's side was set back before this: what it says of our own writes is newer than the row of the change set.
  await client.query('delete from record_images where id = any ($1::bigint[])', [ids]);
  await client.query('insert into record_images select * from image_rows');
  await client.query('update record_images set last_run = $1 where id = any ($2::bigint[])', [run.runId, ids]);
  await client.query(
    `insert into record_identifiers select x.* from jsonb_array_elements($1::jsonb) r
     cross join lateral jsonb_populate_recordset(null::record_identifiers, case when jsonb_typeof(r -> 'identifiers') = 'array' then r -> 'identifiers' else '[]' end) x
     on conflict do nothing`,
    [JSON.stringify(images.map(({ row }) => row).filter((row) => row !== null))],
  );
  if (!itself(rolling)) {
    await client.query(
      `insert into change_set_entries as e (run_id, kind, row_id, institution_id, after, outcome, subject_key)
       select $1, 'image', i.id, $2, to_jsonb(i), 'written', i.subject_key from record_images i where i.id = any ($3::bigint[])
       on conflict (run_id, kind, mapping_id, row_id) do update set after = excluded.after`,
      [run.runId, run.institutionId, ids],
    );
  }
  await client.query('drop table image_rows');
};

/** Everything of the run that is not a record: questions, held changes, inputs, watermarks, deliveries, and what is pending. */
export const finishRollback = async (client: PoolClient, run: RunRef, runId: string, table: string): Promise<void> => {
  const own = run.runId === runId;
  const { rows } = await client.query<{ kind: string }>('select kind from sync_runs where id = $1', [runId]);
  const undoesUndo = rows[0]?.kind === 'rollback';
  await restoreQuestions(client, run, runId, table, own);
  if (undoesUndo) await takeBackUndo(client, run, runId);
  else if (!own) await rememberInputs(client, run, runId, table);
  await askAgain(client, run, runId);
  await client.query(
    `update held_changes set state = 'held', version = version + 1, decided_by = null, decided_at = null, batch_id = null, settle_run_id = null
     where settle_run_id = $1 and state in ('applied', 'discarded')`,
    [runId],
  );
  await client.query(`update held_changes set state = 'withdrawn' where run_id = $1 and state = 'held'`, [runId]);
  await client.query(
    `update rejected_records set state = 'open', version = version + 1, batch_id = null, settle_run_id = null
     where settle_run_id = $1 and state = 'resolved'`,
    [runId],
  );
  await client.query(`update decision_batches set state = 'failed' where settle_run_id = $1`, [runId]);
  await restoreRestrictions(client, run, runId, table, own);
  await restoreWatermarks(client, runId);
  await client.query(`update deliveries set state = $2 where run_id = $1 and state = $3`, [
    runId,
    'rolled_back',
    'accepted',
  ]);
  await client.query(
    `insert into target_pending (mapping_id, run_id, institution_id)
     select m.id, $1, m.institution_id from cross_system_mappings m where m.definition ? 'target' and not m.archived on conflict do nothing`,
    [run.runId],
  );
  if (!own) await client.query('update sync_runs set rolled_back_by = $2 where id = $1', [runId, run.runId]);
};

/** Questions that the run opened (in its own name, or in that of the run whose decision it carried out) are withdrawn; those it changed or settled stand as they stood. Of kept records: untouched. */
const restoreQuestions = async (
  client: PoolClient,
  run: RunRef,
  runId: string,
  table: string,
  own: boolean,
): Promise<void> => {
  const kept = `not exists (select 1 from ${table} k where k.golden_id = c.golden_id and k.kept)`;
  if (!own) {
    await client.query(
      `insert into change_set_entries (run_id, kind, row_id, institution_id, before, outcome, subject_key)
       select $1, 'question', c.id, $2, to_jsonb(c), 'written', c.subject_key from sync_conflict_resolutions c
       where ($3 in (c.opened_run, c.changed_run) and c.state = 'open' or c.settle_run_id = $3 or exists (select 1 from change_set_entries e where e.run_id = $3 and e.kind = 'question' and e.row_id = c.id))
         and ${kept} on conflict do nothing`,
      [run.runId, run.institutionId, runId],
    );
  }
  await client.query(
    `update sync_conflict_resolutions c set state = 'withdrawn', changed_run = $2, version = c.version + 1
     where $1 in (c.opened_run, c.changed_run) and c.state = 'open' and ${kept}
       and not exists (select 1 from change_set_entries e where e.run_id = $1 and e.kind = 'question' and e.row_id = c.id)`,
    [runId, run.runId],
  );
  await client.query(
    `update sync_conflict_resolutions c set state = 'open', decision = null, decided_by = null, decided_at = null, batch_id = null, settle_run_id = null,
       changed_run = $2, version = c.version + 1
     where c.settle_run_id = $1 and c.state = 'settled' and ${kept}`,
    [runId, run.runId],
  );
  await client.query(
    `update sync_conflict_resolutions c set state = b.state, candidates = b.candidates, base = b.base, input_hash = b.input_hash, decision = b.decision,
       golden_id = b.golden_id, image_id = b.image_id, suggestion = b.suggestion, impact = coalesce(b.impact, '{}'), subject_key = b.subject_key,
       decided_by = b.decided_by, decided_at = b.decided_at, batch_id = b.batch_id, settle_run_id = b.settle_run_id, changed_run = b.changed_run, version = c.version + 1
     from change_set_entries e cross join lateral jsonb_populate_record(null::sync_conflict_resolutions, e.before) b
     where e.run_id = $1 and e.kind = 'question' and e.row_id = c.id and ${kept}`,
    [runId],
  );
};

/** Restrictions that the run moved to another record hold for the former one again. One that was released stays released. */
const restoreRestrictions = async (
  client: PoolClient,
  run: RunRef,
  runId: string,
  table: string,
  own: boolean,
): Promise<void> => {
  const moved = `e.run_id = $1 and e.kind = 'restriction' and e.row_id = h.id and h.golden_id = (e.after ->> 'golden_id')::bigint
    and not exists (select 1 from ${table} k where k.golden_id = h.golden_id and k.kept)`;
  if (!own) {
    await client.query(
      `insert into change_set_entries (run_id, kind, row_id, institution_id, before, after, outcome, subject_key)
       select $2, 'restriction', h.id, h.institution_id, to_jsonb(h), to_jsonb(h) || jsonb_build_object('golden_id', e.before -> 'golden_id'), 'written', h.subject_key
       from restrictions h, change_set_entries e where ${moved} on conflict do nothing`,
      [runId, run.runId],
    );
  }
  await client.query(
    `update restrictions h set golden_id = (e.before ->> 'golden_id')::bigint from change_set_entries e where ${moved}`,
    [runId],
  );
};

/** (system, key, raw hash) of what the run read: coming again, it is one held question. A row that an identity question holds again
 *  is asked about by that. */
const rememberInputs = async (client: PoolClient, run: RunRef, runId: string, table: string): Promise<void> => {
  const kept = `exists (select 1 from ${table} k where k.golden_id = x.golden_id and k.kept)`;
  await client.query(
    `insert into rolled_back_inputs (mapping_id, source_key, raw_hash, institution_id, run_id, rollback_run_id)
     select distinct on (x.mapping_id, x.source_key, x.hash) x.mapping_id, x.source_key, x.hash, $2::integer, $1::bigint, $3::bigint from (
       select (e.after ->> 'mapping_id')::integer as mapping_id, e.after ->> 'source_key' as source_key, (e.after ->> 'golden_id')::bigint as golden_id,
         case when e.after ->> 'deleted_run' = $1::bigint::text then '${missingHash}'::uuid
           else coalesce(e.after ->> 'read_hash', e.after ->> 'raw_hash')::uuid end as hash
       from change_set_entries e
       where e.run_id = $1::bigint and e.kind = 'image' and e.after ->> 'read_run' = $1::bigint::text and (e.after ->> 'main')::boolean
         and not exists (select 1 from sync_conflict_resolutions c where c.image_id = e.row_id and c.kind = 'identity' and c.state = 'open')
       union all
       select (o.after ->> 'mapping_id')::integer, o.after ->> 'source_key', (o.after ->> 'golden_id')::bigint, coalesce(o.after ->> 'read_hash', o.after ->> 'raw_hash')::uuid
       from (select e.before as after from change_set_entries e where e.run_id = $3::bigint and e.kind = 'image') o
       where o.after ->> 'created_run' = $1::bigint::text and o.after ->> 'read_run' = $1::bigint::text and (o.after ->> 'main')::boolean) x
     where x.hash is not null and not (${kept}) on conflict do nothing`,
    [runId, run.institutionId, run.runId],
  );
};

/** Inputs that the run's discards keep out may come again, as one question; whoever undoes this keeps them out again. */
const askAgain = (client: PoolClient, run: RunRef, runId: string): Promise<unknown> =>
  client.query(
    `with again as (
       update rolled_back_inputs b set discarded = false from held_rows r join held_changes h on h.id = r.held_id
       where h.settle_run_id = $1 and h.state = 'discarded' and h.cause = 'rolled_back_input' and b.discarded
         and b.mapping_id = r.mapping_id and b.source_key = r.source_key and b.raw_hash = coalesce(r.raw_hash, '${missingHash}') returning b.*)
     insert into change_set_entries (run_id, kind, mapping_id, row_id, institution_id, before, after, outcome)
     select $2, 'input', a.mapping_id, n.most + row_number() over (), $3, to_jsonb(a) || '{"discarded": true}', to_jsonb(a), 'written'
     from again a cross join (select coalesce(max(e.row_id), 0) as most from change_set_entries e where e.run_id = $2 and e.kind = 'input') n where ${isAnother} on conflict do nothing`,
    [runId, run.runId, run.institutionId],
  );

/** Undoing an undo: its inputs may come again, its question closes, what it rolled back stands again. What an undo did so to others
 *  is noted, and set back where that undo is undone in its turn. */
const takeBackUndo = async (client: PoolClient, run: RunRef, runId: string): Promise<void> => {
  await remarkRuns(client, run, runId);
  await exchangeInputs(client, run, runId);
  await client.query(
    `update held_changes h set state = 'withdrawn' where h.state = 'held' and h.cause = 'rolled_back_input'
       and not exists (select 1 from held_rows r join rolled_back_inputs b on b.mapping_id = r.mapping_id and b.source_key = r.source_key and not b.discarded where r.held_id = h.id)`,
  );
};

/* A run that rolls itself back leaves no change set of its own about it. */
const isAnother = '$1::bigint <> $2::bigint';

/** Runs that the undo counts as rolled back stand again, as if nobody had undone what they wrote; those that it made stand are rolled back
 *  again. */
const remarkRuns = async (client: PoolClient, run: RunRef, runId: string): Promise<void> => {
  await client.query(
    `with marks as (
       select r.id, r.rolled_back_by as before, null::bigint as after from sync_runs r where r.rolled_back_by = $1
       union
       select r.id, r.rolled_back_by, (e.before ->> 'by')::bigint from change_set_entries e join sync_runs r on r.id = e.row_id
       where e.run_id = $1 and e.kind = 'input' and e.mapping_id = 0 and r.rolled_back_by is not distinct from (e.after ->> 'by')::bigint
     ), noted as (
       insert into change_set_entries (run_id, kind, row_id, institution_id, before, after, outcome)
       select $2, 'input', m.id, $3, jsonb_build_object('by', m.before), jsonb_build_object('by', m.after), 'written'
       from marks m where ${isAnother} on conflict do nothing
     ), anew as (
       update change_set_entries e set rollback_outcome = null from marks m
       where e.run_id = m.id and m.after is null and e.rollback_outcome is not null
     ), given as (
       update deliveries d set state = case when m.after is null then 'accepted' else 'rolled_back' end from marks m
       where d.run_id = m.id and d.state = case when m.after is null then 'rolled_back' else 'accepted' end
     )
     update sync_runs r set rolled_back_by = m.after from marks m where r.id = m.id`,
    [runId, run.runId, run.institutionId],
  );
};

/** Inputs that the undo remembered, or let be remembered again, are forgotten; those that it forgot are remembered again. */
const exchangeInputs = async (client: PoolClient, run: RunRef, runId: string): Promise<void> => {
  const parameters = [runId, run.runId, run.institutionId];
  await client.query(
    `with gone as (
       delete from rolled_back_inputs where (mapping_id, source_key, raw_hash) in (
         select mapping_id, source_key, raw_hash from rolled_back_inputs where rollback_run_id = $1
         union all
         select e.mapping_id, e.after ->> 'source_key', (e.after ->> 'raw_hash')::uuid from change_set_entries e
         where e.run_id = $1 and e.kind = 'input' and e.mapping_id <> 0 and e.after is not null)
       returning *
     )
     insert into change_set_entries (run_id, kind, mapping_id, row_id, institution_id, before, outcome)
     select $2, 'input', g.mapping_id, row_number() over (), $3, to_jsonb(g), 'written' from gone g where ${isAnother} on conflict do nothing`,
    parameters,
  );
  await client.query(
    `with come as (
       insert into rolled_back_inputs select b.* from change_set_entries e cross join lateral jsonb_populate_record(null::rolled_back_inputs, e.before) b
       where e.run_id = $1 and e.kind = 'input' and e.mapping_id <> 0 and e.before is not null
       on conflict do nothing returning *
     )
     insert into change_set_entries (run_id, kind, mapping_id, row_id, institution_id, after, outcome)
     select $2, 'input', c.mapping_id, -row_number() over (), $3, to_jsonb(c), 'written' from come c where ${isAnother} on conflict do nothing`,
    parameters,
  );
};

const restoreWatermarks = async (client: PoolClient, runId: string): Promise<void> => {
  // Images stand again as an older version derived them.
  await client.query(`delete from watermarks where kind = 'mapped' and run_id = $1`, [runId]);
  await client.query(
    `delete from watermarks w using change_set_entries e
     where e.run_id = $1 and e.kind = 'watermark' and e.mapping_id = w.mapping_id and w.kind = 'read' and e.before is null and to_jsonb(w.value) = e.after`,
    [runId],
  );
  await client.query(
    `update watermarks w set value = e.before ->> 'value', run_id = (e.before ->> 'run_id')::bigint from change_set_entries e
     where e.run_id = $1 and e.kind = 'watermark' and e.mapping_id = w.mapping_id and w.kind = 'read' and e.before is not null and to_jsonb(w.value) = e.after`,
    [runId],
  );
};
