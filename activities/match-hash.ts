import type { EntityTypeRef } from './context.js';

/** A hash of what a canonical record is matched by, in SQL. It only tells that nothing of it changed: where it differs, the name, the birth
 *  date and the identifiers themselves are compared, so that another version of PostgreSQL may hash in another way. Reconciled records
 *  have none: their natural key depends on the records that they refer to.
 *  @param record match_name, match_birth, identifiers */
export const matchHashOf = (type: EntityTypeRef, record: string): string =>
  type.definition.kind === 'reconciled'
    ? 'null::bigint'
    : `hash_record_extended(row(${record}.match_name, ${record}.match_birth, ${record}.identifiers), 0)`;

/** Of an image `i` of a golden record `g` that is read as `c`, if it is read: the hash, and whether it is matched by what it was matched by,
 *  and its identifiers are about whom they were about. */
export const matchColumns = (type: EntityTypeRef): string => {
  const hash = `case when c.ord is not null then ${matchHashOf(type, 'c')} end`;
  return `${hash} as match_hash, coalesce(i.match_hash = ${hash} and i.deleted_run is null and i.golden_id = g.id
      and i.subject_key is not distinct from g.subject_key, false) as same_match`;
};
