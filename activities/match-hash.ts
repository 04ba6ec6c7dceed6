import type { EntityTypeRef } from './context.js';

/** A hash of what a canonical record is matched by, in SQL. It only tells that nothing of it changed: where it differs, the name, the birth
 *  date and the identifiers themselves are compared, so that another version of PostgreSQL may hash in another way. Reconciled records
 *  have none: their natural key depends on the records that they refer to.
 *  @param record match_name, match_birth, identifiers */
export const matchHashOf = (type: EntityTypeRef, record: string): string =>
  type.definition.kind === 'reconciled'
    ? 'null::bigint'
    : `hash_record_extended(row(${record}.match_name, ${record}.match_birth, ${record}.identifiers), 0)`;
