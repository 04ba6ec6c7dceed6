import type { PoolClient } from 'pg';
import { stagingOf } from '../database/staging.js';
import type { RunRef } from '../domain/run.js';
import type { EntityTypeRef } from './context.js';
import { identifierPlaces } from './identifier-places.js';
import { validityOf } from './lone.js';
import { matchHashOf } from './match-hash.js';
import { naturalKeyScheme } from './match.js';

/** Records whose place is after `from`, up to `to`. */
export interface LoneRange {
  readonly from: number;
  readonly to: number;
  /** All of them are new and stand alone: the match table has none of them, and they get their ids here. */
  readonly allNew: boolean;
}

/** The lone records of a range as `c`, and their ids. */
const recordsOf = (
  run: RunRef,
  type: EntityTypeRef,
  { from, to, allNew }: LoneRange,
): { readonly ids: string; readonly goldenId: string; readonly imageId: string; readonly records: string } => {
  const staging = stagingOf(run.runId);
  const within = (alias: string): string => `${alias}.ord > ${String(from)} and ${alias}.ord <= ${String(to)}`;
  if (allNew) {
    // Taken at one go, and not row by row: two batches side by side have their records apart then, where they are stored.
    const taken = (sequence: string): string =>
      `array (select nextval('${sequence}') from generate_series(1, ${String(to - from)}))`;
    const idOf = (list: string): string => `((select ${list} from ids))[c.ord - ${String(from)}]`;
    return {
      ids: `ids as materialized (select ${taken('golden_ids')} as golden, ${taken('image_ids')} as image),`,
      goldenId: idOf('golden'),
      imageId: idOf('image'),
      records: `(select * from ${staging.canon} c where ${within('c')} and c.entity_type_id = $2 and c.op = 'u') c`,
    };
  }
  return {
    ids: '',
    goldenId: 'c.golden_id',
    imageId: 'c.image_id',
    // Said of both sides of the join: each is then read by its index on the range, and not as a whole for each batch.
    records: `(select c.*, m.golden_id, m.image_id from ${staging.match(type.id)} m join ${staging.canon} c on c.ord = m.ord
       where m.lone and m.rival is null and m.op = 'u' and ${within('m')} and ${within('c')}) c`,
  };
};

/**
 * Applies lone new records of one range in SQL: the golden record says what its only row says, in version 1. The same outcome
 * as the core's plan of one first statement (tested). Their image, `created_run` and version are intent and before-image.
 */
export const applyLone = async (
  client: PoolClient,
  run: RunRef,
  type: EntityTypeRef,
  range: LoneRange,
): Promise<number> => {
  const staging = stagingOf(run.runId);
  const reconciled = type.definition.kind === 'reconciled';
  const values = reconciled ? 'r.values' : 'c.values';
  const [validFrom, validTo] = validityOf(type.definition, values);
  const join = reconciled ? `join ${staging.resolved(type.id)} r on r.ord = c.ord` : '';
  const { ids, goldenId, imageId, records } = recordsOf(run, type, range);
  const subject = reconciled ? 'r.subject' : type.definition.subject === 'self' ? goldenId : 'null::bigint';
  // Statements of a mastered main record are derived from its raw row; references are not in it, so others keep them.
  const statements = reconciled ? 'values' : 'case when main then null else values end';
  const naturalKey = reconciled ? 'r.natural_key' : 'null::text';
  const [paths, targets] = reconciled ? ['r.paths', 'r.targets'] : ['null::text[]', 'null::bigint[]'];
  // Staged rows are wide: they are read once for all that is made of them.
  const { rows } = await client.query<{ count: string }>(
    `with ${ids} lone as materialized (
       select ${goldenId} as golden_id, ${imageId} as image_id, ${values} as values, ${subject} as subject, ${validFrom} as valid_from, ${validTo} as valid_to,
         c.mapping_id, p.system_id, p.version, c.key, c.sub_key, c.main, c.raw, c.hash, c.scope, c.effective_at, c.match_name,
         c.match_birth, c.identifiers, ${naturalKey} as natural_key, ${paths} as paths, ${targets} as targets
       from cross_system_mappings p join ${records} on p.id = c.mapping_id ${join}),
     golden as (
       insert into golden_records (id, institution_id, entity_type_id, values, origin_image, valid_from, valid_to, subject_key, created_run, updated_run)
       select golden_id, $1, $2, values, image_id, valid_from, valid_to, subject, $3, $3 from lone),
     images as (
       insert into record_images (id, institution_id, system_id, mapping_id, entity_type_id, source_key, sub_key, main, golden_id, raw, raw_hash,
         mapping_version, scope_key, statements, settled_version, effective_at, match_name, match_birth, match_hash, subject_key, created_run, read_run, last_run)
       select image_id, $1, system_id, mapping_id, $2, key, sub_key, main, golden_id, raw, hash,
         version, scope, ${statements}, 1, effective_at, match_name, match_birth, ${matchHashOf(type, 'lone')}, subject, $3, $3, $3 from lone),
     identifiers as (
       insert into record_identifiers (institution_id, entity_type_id, scheme, value, image_id, subject_key)
       select $1, $2, scheme, value, image_id, subject from (${identifiersOf('lone', type)}) o order by value),
     "natural" as (
       insert into record_identifiers (institution_id, entity_type_id, scheme, value, image_id, subject_key)
       select $1, $2, '${naturalKeyScheme}', natural_key, image_id, subject from lone where natural_key is not null),
     refs as (
       insert into golden_references (golden_id, path, target_id, institution_id, subject_key)
       select v.golden_id, t.path, t.target, $1, v.subject from lone v cross join lateral unnest(v.paths, v.targets) as t (path, target))
     select count(*) from lone`,
    [run.institutionId, type.id, run.runId],
  );
  return Number(rows[0]?.count ?? 0);
};

/** A row for each identifier of records: a record has one of each scheme. `records`: identifiers, image_id, subject. */
export const identifiersOf = (records: string, type: EntityTypeRef): string =>
  `select v.identifiers[n * 2 + 1] as scheme, v.identifiers[n * 2 + 2] collate "C" as value, v.image_id, v.subject
    from ${records} v join ${identifierPlaces(type)} on n < cardinality(v.identifiers) / 2`;

/** The natural key of each reconciled record, as `identifiersOf`. `records`: ord, image_id, subject. */
export const naturalKeysOf = (run: RunRef, type: EntityTypeRef, records: string): string =>
  `select '${naturalKeyScheme}', r.natural_key, v.image_id, v.subject
    from ${records} v join ${stagingOf(run.runId).resolved(type.id)} r on r.ord = v.ord where r.natural_key is not null`;
