import type { PoolClient } from 'pg';
import { isThere, isAlive, recreate, stagingColumns, stagingOf, recreateDelta } from '../database/staging.js';
import type { RunRef } from '../domain/run.js';
import { evidenceOf, suggestIdentity, type MatchFields } from '../domain/suggestion.js';
import { hash128 } from '../platform/hash.js';
import { noteImpact } from './apply-questions.js';
import type { EntityTypeRef, InstitutionContext, MappingRef } from './context.js';

/* A known key that arrives with another name and another birth date may have been given to somebody else. Its row is held whole, in
   the question that is asked about it, until a person says: the same person, and the row is applied; or another one, and the key
   is of a new record from then on. */

/** What a question keeps of the row: it is all that carrying the decision out needs. */
interface HeldRow {
  readonly mapping: number;
  readonly key: string;
  readonly raw: string;
  readonly hash: string;
  readonly scope: string | null;
}

interface Other {
  readonly key: string;
  readonly type: number;
  readonly image: string;
  readonly golden: string;
  readonly raw: string;
  readonly hash: string;
  readonly scope: string | null;
  readonly said: readonly (string | null)[];
  readonly held: readonly (string | null)[];
  readonly own: MatchFields;
  readonly arriving: MatchFields;
}

const identifiersJson = (list: string): string =>
  `coalesce((select json_agg(json_build_object('scheme', ${list}[n * 2 + 1], 'value', ${list}[n * 2 + 2]))
     from generate_series(0, coalesce(cardinality(${list}), 0) / 2 - 1) n), '[]')`;

/** The records that are not who their key says, the main one of each row first (`isAnotherPerson` of the core, set-based). Rows
 *  that a person released while rows were still held so by the mapping are not asked about again. */
const othersOf = async (client: PoolClient, run: RunRef, mapping: MappingRef): Promise<Other[]> => {
  const staging = stagingOf(run.runId);
  const { rows } = await client.query<Other>(
    `select distinct on (c.key) c.key, c.entity_type_id as type, i.id::text as image, i.golden_id::text as golden, r.raw, r.hash::text as hash, r.scope,
       c.values as said, g.values as held,
       json_build_object('name', i.match_name, 'birthDate', i.match_birth, 'identifiers', coalesce(
         (select json_agg(json_build_object('scheme', d.scheme, 'value', d.value)) from record_identifiers d
          where d.image_id = i.id and d.state = 'current' and d.value <> c.key), '[]')) as own,
       json_build_object('name', c.match_name, 'birthDate', c.match_birth, 'identifiers', ${identifiersJson('c.identifiers')}) as arriving
     from ${staging.canon} c
     join ${staging.raw(mapping.id)} r on r.key = c.key
     join ${staging.standing(mapping.id)} i on i.entity_type_id = c.entity_type_id and i.key = c.key and i.sub_key = c.sub_key
       and i.deleted_run is null and i.created_run <> $1
     join golden_records g on g.id = i.golden_id
     where c.mapping_id = $2 and c.op = 'u' and c.match_name <> i.match_name and c.match_birth <> i.match_birth
       and not exists (select 1 from held_rows h join held_changes x on x.id = h.held_id join decision_batches b on b.id = x.batch_id
                       where b.settle_run_id = $1 and x.cause = 'identity' and h.mapping_id = c.mapping_id and h.source_key = c.key)
     order by c.key, c.main desc, i.id`,
    [run.runId, mapping.id],
  );
  return rows;
};

/** Values of a record as one JSON text, by group. */
const recordJson = (type: EntityTypeRef, values: readonly (string | null)[]): string => {
  const members = type.definition.groups
    .map(({ name }, index) => [name, values[index] ?? null] as const)
    .filter(([, value]) => value !== null)
    .sort(([left], [right]) => (left < right ? -1 : 1));
  return `{${members.map(([name, value]) => `${JSON.stringify(name)}:${String(value)}`).join(',')}}`;
};

/** Holds the rows of one source whose keys came with somebody else, and asks about each. A question whose row is not so any more
 *  closes. */
export const holdOtherPersons = async (
  client: PoolClient,
  run: RunRef,
  context: InstitutionContext,
  mapping: MappingRef,
): Promise<void> => {
  const staging = stagingOf(run.runId);
  const others = await othersOf(client, run, mapping);
  await closeAnswered(
    client,
    run,
    mapping,
    others.map(({ key }) => key),
  );
  if (others.length === 0) return;
  const opened = new Map<number, string[]>();
  for (const other of others) {
    const id = await ask(client, run, context, mapping, other);
    if (id !== null) opened.set(other.type, [...(opened.get(other.type) ?? []), id]);
  }
  for (const [type, ids] of opened) await noteImpact(client, context, context.entityType(type), ids);
  const keys = others.map(({ key }) => key);
  await client.query(
    `insert into ${staging.problem} (mapping_id, key, kind, reason, detail) select $1, k, 'held', 'identity', '' from unnest($2::text[]) k`,
    [mapping.id, keys],
  );
  await client.query(`delete from ${staging.canon} c where c.mapping_id = $1 and c.key = any ($2::text[])`, [
    mapping.id,
    keys,
  ]);
};

/** Asks, or changes what was asked. Returns the question where it is new or changed. */
const ask = async (
  client: PoolClient,
  run: RunRef,
  context: InstitutionContext,
  mapping: MappingRef,
  other: Other,
): Promise<string | null> => {
  const type = context.entityType(other.type);
  const row: HeldRow = {
    ...{ mapping: mapping.id, key: other.key, raw: other.raw },
    ...{ hash: other.hash, scope: other.scope },
  };
  const candidate = {
    value: recordJson(type, other.said),
    images: [other.image],
    systems: [mapping.system.name],
    row,
  };
  const base = recordJson(type, other.held);
  const hash = hash128(JSON.stringify(['identity', other.image, other.hash]));
  const suggestion = JSON.stringify(suggestIdentity(evidenceOf([other.own], [other.arriving])));
  const known = await client.query<{ id: string; state: string; same: boolean }>(
    `select id::text, state, input_hash = $2 as same from sync_conflict_resolutions
     where image_id = $1 and kind = 'identity' and (state = 'open' or state = 'decided' and input_hash = $2) order by state desc, id desc limit 1`,
    [other.image, hash],
  );
  const [before] = known.rows;
  if (before?.same === true) return null;
  if (before !== undefined) {
    await keepQuestion(client, run, [before.id]);
    await client.query(
      `update sync_conflict_resolutions set candidates = $2, base = $3, input_hash = $4, suggestion = $5, changed_run = $6, version = version + 1
       where id = $1`,
      [before.id, JSON.stringify([candidate]), base, hash, suggestion, run.runId],
    );
    return before.id;
  }
  const dueDays = run.jobId === null ? 7 : (context.job(run.jobId).definition.review?.dueDays ?? 7);
  const { rows } = await client.query<{ id: string }>(
    `insert into sync_conflict_resolutions (institution_id, job_id, opened_run, changed_run, kind, entity_type_id, golden_id, image_id, candidates, base,
       input_hash, suggestion, due_at, subject_key)
     select r.institution_id, r.job_id, coalesce(case when r.kind <> 'sync' then r.parent_run_id end, r.id), r.id, 'identity', g.entity_type_id, g.id, $2, $3,
       $4, $5, $6, r.started_at + make_interval(days => $7), g.subject_key
     from golden_records g, sync_runs r where g.id = $1 and r.id = $8 returning id::text as id`,
    [other.golden, other.image, JSON.stringify([candidate]), base, hash, suggestion, dueDays, run.runId],
  );
  return rows[0]?.id ?? null;
};

const keepQuestion = (client: PoolClient, run: RunRef, ids: readonly string[]): Promise<unknown> =>
  client.query(
    `insert into change_set_entries (run_id, kind, row_id, institution_id, before, outcome, subject_key)
     select $1, 'question', c.id, c.institution_id, to_jsonb(c), 'written', c.subject_key from sync_conflict_resolutions c
     where c.id = any ($2::bigint[]) on conflict do nothing`,
    [run.runId, ids],
  );

/** The source was put right (or the row is gone): there is nothing to ask any more. */
const closeAnswered = async (
  client: PoolClient,
  run: RunRef,
  mapping: MappingRef,
  held: readonly string[],
): Promise<void> => {
  const staging = stagingOf(run.runId);
  const key = 'i.source_key';
  const staged = `exists (select 1 from ${staging.raw(mapping.id)} r where r.key = ${key})`;
  // A source that was compared while it was read stages no row that is as it was.
  const unchanged = (await isAlive(client, staging.unseen(mapping.id)))
    ? `not ${staged} and not exists (select 1 from ${staging.unseen(mapping.id)} u join record_images m on m.id = u.id where m.source_key = ${key})`
    : `exists (select 1 from ${staging.raw(mapping.id)} r where r.key = ${key} and r.hash = i.raw_hash)`;
  const { rows } = await client.query<{ id: string }>(
    `select c.id::text as id from sync_conflict_resolutions c join record_images i on i.id = c.image_id
     where c.kind = 'identity' and c.state = 'open' and i.mapping_id = $1 and i.source_key <> all ($2::text[])
       and (${unchanged}
         or exists (select 1 from ${staging.canon} k where k.mapping_id = $1 and k.key = i.source_key and k.op = 'u')
         or exists (select 1 from ${staging.delta(mapping.id)} d where d.key = i.source_key and d.class = 'm'))
       and not exists (select 1 from ${staging.problem} p where p.mapping_id = $1 and p.key = i.source_key and p.kind = 'rejected')`,
    [mapping.id, held],
  );
  if (rows.length === 0) return;
  const ids = rows.map(({ id }) => id);
  await keepQuestion(client, run, ids);
  await client.query(
    `update sync_conflict_resolutions set state = 'agreed', changed_run = $2, version = version + 1 where id = any ($1::bigint[])`,
    [ids, run.runId],
  );
};

/** Keys that are somebody else's from now on: (mapping, key). There only where a person said so. */
export const apartTable = (run: RunRef): string => `${stagingOf(run.runId).canon}_apart`;

export const hasApart = (client: PoolClient, run: RunRef): Promise<boolean> => isThere(client, apartTable(run));

/** Stages the rows that a batch of identity decisions lets through, in place of an extraction. Returns their mappings. */
export const stageIdentityRows = async (client: PoolClient, run: RunRef, batchId: string): Promise<number[]> => {
  const staging = stagingOf(run.runId);
  const decided = `(select (x.row ->> 'mapping')::integer as mapping_id, x.row ->> 'key' as source_key, x.row ->> 'raw' as raw,
      (x.row ->> 'hash')::uuid as raw_hash, x.row ->> 'scope' as scope_key, c.decision #> '{choice,same}' = 'true' as same
    from sync_conflict_resolutions c cross join lateral (select c.candidates #> '{0,row}' as row) x
    where c.batch_id = ${BigInt(batchId)} and c.kind = 'identity' and c.state in ('decided', 'settled'))`;
  const { rows } = await client.query<{ id: number }>(`select distinct mapping_id as id from ${decided} r order by 1`);
  if (rows.length === 0) return [];
  await recreate(client, apartTable(run), 'mapping_id integer not null, key text collate "C" not null');
  await client.query(
    `insert into ${apartTable(run)} select distinct mapping_id, source_key from ${decided} r where not r.same`,
  );
  for (const { id } of rows) {
    await recreate(client, staging.raw(id), stagingColumns.raw);
    await recreateDelta(client, run.runId, id);
    await client.query(
      `insert into ${staging.raw(id)} (part, key, raw, hash, scope)
       select 0, source_key, raw, raw_hash, scope_key from ${decided} r where r.mapping_id = $1`,
      [id],
    );
    await client.query(
      `insert into ${staging.delta(id)} (key, class, hash)
       select r.source_key, 'c', i.raw_hash from ${decided} r
       left join record_images i on i.mapping_id = r.mapping_id and i.source_key = r.source_key and i.main and i.deleted_run is null
       where r.mapping_id = $1`,
      [id],
    );
  }
  return rows.map(({ id }) => id);
};

/** What was said under a key that is somebody else's now is withdrawn from the records that it was said of. */
export const withdrawApart = async (client: PoolClient, run: RunRef, mapping: MappingRef): Promise<void> => {
  if (!(await hasApart(client, run))) return;
  const { canon } = stagingOf(run.runId);
  await client.query(
    `insert into ${canon} (mapping_id, entity_type_id, key, sub_key, main, op, values)
     select i.mapping_id, i.entity_type_id, i.source_key, i.sub_key, i.main, 'd', '{}'
     from ${apartTable(run)} a join record_images i on i.mapping_id = a.mapping_id and i.source_key = a.key and i.deleted_run is null and i.read_run is not null
     where a.mapping_id = $1 and exists (select 1 from ${canon} c where c.mapping_id = i.mapping_id and c.entity_type_id = i.entity_type_id
       and c.key = i.source_key and c.sub_key = i.sub_key and c.op = 'u')`,
    [mapping.id],
  );
};
