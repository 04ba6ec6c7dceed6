import type { PoolClient } from 'pg';
import type { CanonicalRecord } from '../domain/canonical-record.js';
import { naturalKeyScheme } from './match.js';

/** A row of a system that is read too is known by what it says once it was told: it may be all that is left of its record when the record
 *  comes back from elsewhere. A natural key is made of the records that it refers to, so it is that of another image.
 *  @param imageId the image of the row */
export const identifyTold = async (
  client: PoolClient,
  imageId: string,
  { identifiers, corroboration: { name, birthDate } }: CanonicalRecord,
): Promise<void> => {
  await client.query(
    `with me as materialized (select id, institution_id, entity_type_id, golden_id, subject_key from record_images where id = $1),
     there as materialized (select d.scheme, d.value from record_identifiers d where d.image_id = $1),
     said (scheme, value) as materialized (
       select * from unnest($2::text[], $3::text[])
       union all
       select d.scheme, d.value from (
         select d.scheme, d.value from me join record_images o on o.golden_id = me.golden_id and o.entity_type_id = me.entity_type_id and o.id <> me.id
         join record_identifiers d on d.image_id = o.id and d.scheme = $4
         where not exists (select from there t where t.scheme = $4) order by o.deleted_run nulls first limit 1) d),
     come as (
       insert into record_identifiers (institution_id, entity_type_id, scheme, value, image_id, subject_key)
       select me.institution_id, me.entity_type_id, s.scheme, s.value, me.id, me.subject_key from me, said s
       where not exists (select from there t where t.scheme = s.scheme and t.value = s.value) returning 1),
     gone as (
       delete from record_identifiers d where d.image_id = $1 and d.scheme <> $4
         and not exists (select from said s where s.scheme = d.scheme and s.value = d.value) returning 1)
     update record_images i set match_name = $5, match_birth = $6, match_hash = null where i.id = $1
       and (exists (select from come) or exists (select from gone) or i.match_name is distinct from $5 or i.match_birth is distinct from $6)`,
    [
      ...[imageId, identifiers.map(({ scheme }) => scheme), identifiers.map(({ value }) => value), naturalKeyScheme],
      ...[name, birthDate],
    ],
  );
};
