import type { PoolClient } from 'pg';
import type { RunRef } from '../domain/run.js';
import { evidenceOf, suggestDuplicate, type MatchFields } from '../domain/suggestion.js';
import { hash128 } from '../platform/hash.js';
import type { EntityTypeRef, InstitutionContext } from './context.js';
import { impactsOf } from './question-impact.js';

/** The open question that a planned one is about. */
const asked = `c.golden_id = q.golden_id and c.kind = q.kind and c.group_name = q.group_name
  and coalesce(c.image_id, 0) = coalesce(q.image, 0) and c.state = 'open'`;

const matchFieldsJson = (alias: string): string =>
  `json_build_object('id', ${alias}.id::text, 'name', ${alias}.match_name, 'birthDate', ${alias}.match_birth, 'identifiers',
     coalesce((select json_agg(json_build_object('scheme', d.scheme, 'value', d.value) order by d.scheme, d.value) from record_identifiers d
               where d.image_id = ${alias}.id and d.state = 'current'), '[]'))`;

/** Of possible duplicates: what agrees, and the hash of what the answer depends on: who is meant, and by what they were matched.
 *  The same question is asked again only where that changes. */
const judgeDuplicates = async (client: PoolClient): Promise<void> => {
  const { rows } = await client.query<{
    golden: string;
    image: string;
    rival: string;
    own: MatchFields & { readonly id: string };
    others: readonly (MatchFields & { readonly id: string })[] | null;
  }>(
    `select q.golden_id::text as golden, q.image::text as image, q.candidates #>> '{0,value}' as rival, ${matchFieldsJson('i')} as own,
       (select json_agg(${matchFieldsJson('o')} order by o.id) from record_images o
        where o.golden_id = trim(both '"' from q.candidates #>> '{0,value}')::bigint and o.deleted_run is null and o.read_run is not null) as others
     from next_questions q join record_images i on i.id = q.image where q.kind = 'duplicate' and q.candidates is not null`,
  );
  const judged = rows.map(({ rival, own, others }) => ({
    hash: hash128(JSON.stringify(['duplicate', rival, own, others])),
    suggestion: JSON.stringify(suggestDuplicate(evidenceOf([own], others ?? []))),
  }));
  await client.query(
    `update next_questions q set hash = j.hash, suggestion = nullif(j.suggestion, 'null')
     from unnest($1::bigint[], $2::bigint[], $3::uuid[], $4::jsonb[]) as j (golden, image, hash, suggestion)
     where q.kind = 'duplicate' and q.golden_id = j.golden and q.image = j.image`,
    [
      rows.map(({ golden }) => golden),
      rows.map(({ image }) => image),
      judged.map(({ hash }) => hash),
      judged.map(({ suggestion }) => suggestion),
    ],
  );
};

/** Opens, changes and closes questions that the plans of a batch hold. The same question is not asked twice while its inputs
 *  stand; a possible duplicate that was answered is asked again only if its members or what they were matched by changed. */
export const writeQuestions = async (
  client: PoolClient,
  run: RunRef,
  context: InstitutionContext,
  type: EntityTypeRef,
): Promise<void> => {
  const { rowCount } = await client.query(
    `create temp table next_questions on commit drop as
     select b.golden_id, g.subject_key, q.kind, q."group" as group_name, q.base, q.candidates, q.hash, q.suggestion, q.image
     from batch b join golden_records g on g.id = b.golden_id
     cross join lateral jsonb_to_recordset(b.questions) as q (kind text, "group" text, base text, candidates jsonb, hash uuid, suggestion jsonb, image bigint)
     where b.questions is not null`,
  );
  if ((rowCount ?? 0) === 0) return;
  await judgeDuplicates(client);
  await client.query(
    `insert into change_set_entries (run_id, kind, row_id, institution_id, before, outcome, subject_key)
     select $1, 'question', c.id, $2, to_jsonb(c), 'written', c.subject_key
     from sync_conflict_resolutions c join next_questions q on ${asked}
     where c.input_hash is distinct from q.hash on conflict do nothing`,
    [run.runId, run.institutionId],
  );
  await client.query(
    `update sync_conflict_resolutions c set state = 'agreed', changed_run = $1, version = c.version + 1
     from next_questions q where ${asked} and q.candidates is null`,
    [run.runId],
  );
  await client.query(
    `update sync_conflict_resolutions c set candidates = q.candidates, base = q.base, input_hash = q.hash, suggestion = q.suggestion,
       changed_run = $1, version = c.version + 1
     from next_questions q where ${asked} and q.candidates is not null and c.input_hash <> q.hash`,
    [run.runId],
  );
  const dueDays = run.jobId === null ? 7 : (context.job(run.jobId).definition.review?.dueDays ?? 7);
  await client.query(
    `insert into sync_conflict_resolutions (institution_id, job_id, opened_run, changed_run, kind, entity_type_id, golden_id, group_name, base, candidates,
       input_hash, suggestion, image_id, due_at, subject_key)
     select $2, $3, coalesce(r.parent_run_id, r.id), $1, q.kind, $4, q.golden_id, q.group_name, q.base, q.candidates, q.hash,
       q.suggestion, q.image, r.started_at + make_interval(days => $5), q.subject_key
     from next_questions q, sync_runs r
     where r.id = $1 and q.candidates is not null
       and not exists (select 1 from sync_conflict_resolutions c where ${asked})
       and not exists (select 1 from sync_conflict_resolutions c where q.kind = 'duplicate' and c.kind = 'duplicate'
                         and c.golden_id = q.golden_id and c.input_hash = q.hash and c.state <> 'withdrawn')
       and not exists (select 1 from sync_conflict_resolutions c where q.kind = 'duplicate' and c.kind = 'duplicate' and c.state = 'open'
                         and c.candidates #>> '{0,value}' = to_jsonb(q.golden_id::text)::text
                         and q.candidates #>> '{0,value}' = to_jsonb(c.golden_id::text)::text)`,
    [run.runId, run.institutionId, run.jobId, type.id, dueDays],
  );
};

/** What deciding the questions of a run would write: told anew with every type that is applied, for records of later types refer to
 *  those of earlier ones. */
export const noteImpacts = async (client: PoolClient, run: RunRef, context: InstitutionContext): Promise<void> => {
  const { rows } = await client.query<{ type: number; ids: string[] }>(
    `select entity_type_id as type, array_agg(id::text order by id) as ids from sync_conflict_resolutions
     where changed_run = $1 and state = 'open' group by 1`,
    [run.runId],
  );
  for (const { type, ids } of rows) await noteImpact(client, context, context.entityType(type), ids);
};

/** What deciding these questions would write. */
export const noteImpact = async (
  client: PoolClient,
  context: InstitutionContext,
  type: EntityTypeRef,
  ids: readonly string[],
): Promise<void> => {
  if (ids.length === 0) return;
  const { rows } = await client.query<{ id: string; golden: string; group: string }>(
    `select id::text, golden_id::text as golden, group_name as "group" from sync_conflict_resolutions where id = any ($1::bigint[])`,
    [ids],
  );
  const impacts = await impactsOf(
    client,
    context,
    type,
    rows.map(({ golden, group }) => ({ goldenId: golden, group: group === '' ? null : group })),
  );
  await client.query(
    `update sync_conflict_resolutions c set impact = x.impact from unnest($1::bigint[], $2::jsonb[]) as x (id, impact) where c.id = x.id`,
    [rows.map(({ id }) => id), impacts.map((impact) => JSON.stringify(impact))],
  );
};
