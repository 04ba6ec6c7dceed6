import type { PoolClient } from 'pg';
import { identifiersOfImage } from '../database/image-rows.js';
import { stagingOf } from '../database/staging.js';
import type { RunRef } from '../domain/run.js';
import { identifiersOf, naturalKeysOf } from './apply-lone.js';
import type { EntityTypeRef } from './context.js';

/* What a batch of a run changes, written set-based. Temporary tables of the batch: `locked` are its golden records as they stand,
   `next_golden` as they are to be, and `next_images` images. */

const refersToRecords = ({ definition }: EntityTypeRef): boolean =>
  definition.groups.some(({ attributes }) => attributes.some(({ type }) => type === 'reference'));

/** Golden records of `next_golden`, the versions before them (as `locked`), and what a rollback asks of them. */
export const writeGolden = async (client: PoolClient, run: RunRef, type: EntityTypeRef): Promise<void> => {
  await client.query('analyze next_golden (golden_id)');
  await client.query(
    `insert into golden_record_versions (golden_id, version, institution_id, values, versions, origin_image, origins, sticky, status, valid_from, valid_to, subject_key, superseded_run)
     select g.id, g.version, g.institution_id, g.values, g.versions, g.origin_image, g.origins, g.sticky, g.status, g.valid_from, g.valid_to, g.subject_key, $1
     from locked g join next_golden n on n.golden_id = g.id and n.there`,
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
  if (!refersToRecords(type)) return;
  await client.query('delete from golden_references r using next_golden n where r.golden_id = n.golden_id');
  await client.query(
    `insert into golden_references (golden_id, path, target_id, institution_id, subject_key)
     select n.golden_id, r.path, r.target, $1, n.subject_key from next_golden n
     cross join lateral jsonb_to_recordset(n."references") as r (path text, target bigint)`,
    [run.institutionId],
  );
};

/** Of an image `i` that was planned as `n`: what stands after it is written. `$1` is the run. */
const next = {
  raw_hash: 'case when n.deleted or n.ord is null or not n.main then i.raw_hash else n.hash end',
  read_hash: 'case when n.deleted or n.ord is null then i.read_hash end',
  read_run: 'case when n.deleted or n.ord is not null then $1::bigint else i.read_run end',
  deleted_run: 'case when n.deleted then $1::bigint when n.ord is null then i.deleted_run end',
} as const;

/** Whole images before they are written, with their identifiers where these may change, and of what is after what a rollback asks: of
 *  which record it is, and what the run read of it. An image that the run wrote before stays as it was before that; one that a record
 *  takes over from another of the batch is told once. */
const recordImages = (client: PoolClient, run: RunRef): Promise<unknown> => {
  const after = [
    `'golden_id', n.golden_id, 'mapping_id', i.mapping_id, 'source_key', i.source_key, 'main', i.main, 'created_run', i.created_run`,
    ...Object.entries(next).map(([column, value]) => `'${column}', ${value}`),
  ];
  return client.query(
    `insert into change_set_entries as e (run_id, kind, row_id, institution_id, before, after, outcome, subject_key)
     select $1, 'image', i.id, $2, to_jsonb(i) || case when n.same_match then '{}' else ${identifiersOfImage} end, jsonb_build_object(${after.join(', ')}),
       'written', i.subject_key
     from next_images n join record_images i on i.id = n.id
     where i.created_run <> $1 and not (n.deleted and n.id in (select taken.id from next_images taken where not taken.deleted))
     on conflict (run_id, kind, mapping_id, row_id) do update set after = excluded.after,
       before = case when e.before ? 'identifiers' or not excluded.before ? 'identifiers' then e.before
         else e.before || jsonb_build_object('identifiers', excluded.before -> 'identifiers') end`,
    [run.runId, run.institutionId],
  );
};

/** Images of `next_images`, whose records are written, and what they are known by. */
export const writeImages = async (client: PoolClient, run: RunRef, type: EntityTypeRef): Promise<void> => {
  await client.query('analyze next_images (golden_id, id, ord, mapping_id, there, deleted)');
  await recordImages(client, run);
  await client.query(
    `update record_images i set deleted_run = ${next.deleted_run}, last_run = $1, read_run = ${next.read_run} from next_images n
     where i.id = n.id and i.golden_id = n.golden_id and n.there and n.deleted`,
    [run.runId],
  );
  await client.query(
    `update record_images i set statements = n.statements, states = n.states, settled_version = n.settled_version, settled = n.settled,
       untold = (i.untold and i.deleted_run is null) or n.untold, last_run = $1,
       deleted_run = ${next.deleted_run}, raw_hash = ${next.raw_hash}, read_hash = ${next.read_hash}, read_run = ${next.read_run},
       raw = case when n.ord is null or not n.main then i.raw else n.raw end,
       mapping_version = case when n.ord is null then i.mapping_version else p.version end,
       scope_key = case when n.ord is null then i.scope_key else n.scope end,
       effective_at = case when n.ord is null then i.effective_at else n.effective_at end,
       match_name = case when n.ord is null then i.match_name else n.match_name end,
       match_birth = case when n.ord is null then i.match_birth else n.match_birth end,
       match_hash = case when n.ord is null then i.match_hash else n.match_hash end,
       golden_id = n.golden_id, subject_key = coalesce(n.subject_key, i.subject_key),
       published_version = case when i.deleted_run is null and i.golden_id = n.golden_id then i.published_version else 0 end
     from next_images n left join cross_system_mappings p on p.id = n.mapping_id
     where i.id = n.id and n.there and not n.deleted`,
    [run.runId],
  );
  await client.query(
    `insert into record_images (id, institution_id, system_id, mapping_id, entity_type_id, source_key, sub_key, main, golden_id, raw, raw_hash, mapping_version,
       scope_key, statements, states, settled_version, settled, untold, effective_at, match_name, match_birth, match_hash, subject_key, created_run, read_run, last_run)
     select n.id, $2, p.system_id, n.mapping_id, $3, n.key, n.sub_key, n.main, n.golden_id, n.raw, n.hash, p.version,
       n.scope, n.statements, n.states, n.settled_version, n.settled, n.untold, n.effective_at, n.match_name, n.match_birth, n.match_hash, n.subject_key, $1, $1, $1
     from next_images n join cross_system_mappings p on p.id = n.mapping_id where not n.there and not n.deleted`,
    [run.runId, run.institutionId, type.id],
  );
};

/** Identifiers of images that were read and are matched by something else than before. */
export const writeIdentifiers = async (client: PoolClient, run: RunRef, type: EntityTypeRef): Promise<void> => {
  const read = `(select n.ord, n.id as image_id, n.subject_key as subject, n.identifiers from next_images n where n.ord is not null and not n.deleted and not n.same_match)`;
  const natural = type.definition.kind === 'reconciled' ? `union all ${naturalKeysOf(run, type, read)}` : '';
  await client.query(
    `create temp table next_identifiers on commit drop as select scheme, value, image_id, subject from (${identifiersOf(read, type)}) o ${natural}`,
  );
  await client.query('analyze next_identifiers (image_id)');
  await client.query(
    `delete from record_identifiers d using next_images n
     where d.image_id = n.id and n.ord is not null and not n.same_match
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

/** Before the first batch: batches side by side would each make it. */
export const prepareEffects = (client: PoolClient, run: RunRef): Promise<unknown> =>
  client.query(
    `create unlogged table if not exists ${stagingOf(run.runId).effects} (mapping_id integer not null, key text collate "C" not null)`,
  );

/** What had an effect, so that a changed row that changed nothing is told apart. */
export const noteEffects = async (client: PoolClient, run: RunRef): Promise<void> => {
  await client.query(
    `insert into ${stagingOf(run.runId).effects} select n.mapping_id, n.key from next_images n where n.ord is not null and n.effect`,
  );
};
