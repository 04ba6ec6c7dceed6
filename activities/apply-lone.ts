import type { PoolClient } from 'pg';
import { stagingOf } from '../database/staging.js';
import type { RunRef } from '../domain/run.js';
import type { EntityTypeRef } from './context.js';
import { naturalKeyScheme } from './match.js';
import { validityGroups } from './merge.js';

/** A date out of a lone text value, without failing on what is none. */
const dateOf = (position: number): string =>
  `case when v.values[${position + 1}] ~ '^"\\d{4}-\\d{2}-\\d{2}"$' then trim(both '"' from v.values[${position + 1}])::date end`;

/**
 * Applies lone new records of one range in SQL: the golden record says what its only row says, in version 1. The same outcome
 * as the core's plan of one first statement (tested). Their image, `created_run` and version are intent and before-image.
 */
export const applyLone = async (
  client: PoolClient,
  run: RunRef,
  type: EntityTypeRef,
  from: string,
  to: string,
): Promise<number> => {
  const staging = stagingOf(run.runId);
  const reconciled = type.definition.kind === 'reconciled';
  const span = validityGroups(type.definition);
  const [validFrom, validTo] =
    span === 'none' || span === null ? ['null::date', 'null::date'] : [dateOf(span.from), dateOf(span.to)];
  const values = reconciled ? 'r.values' : 'c.values';
  const join = reconciled ? `join ${staging.resolved(type.id)} r on r.ord = m.ord` : '';
  const subject = reconciled ? 'r.subject' : type.definition.subject === 'self' ? 'm.golden_id' : 'null::bigint';
  // Said of both sides of a join: each is then read by its index on the range, and not as a whole for each batch.
  const within = (alias: string): string => `${alias}.ord > ${BigInt(from)} and ${alias}.ord <= ${BigInt(to)}`;
  const rows = `select m.ord, m.golden_id, m.image_id, ${values} as values, ${subject} as subject
    from ${staging.match(type.id)} m join ${staging.canon} c on c.ord = m.ord ${join}
    where m.lone and m.rival is null and m.op = 'u' and ${within('m')} and ${within('c')}`;
  const inserted = await client.query(
    `insert into golden_records (id, institution_id, entity_type_id, values, origin_image, valid_from, valid_to, subject_key, created_run, updated_run)
     select v.golden_id, $1, $2, v.values, v.image_id, ${validFrom}, ${validTo}, v.subject, $3, $3 from (${rows}) v`,
    [run.institutionId, type.id, run.runId],
  );
  // Statements of a mastered main record are derived from its raw row; references are not in it, so others keep them.
  const statements = reconciled ? 'v.values' : 'case when c.main then null else v.values end';
  await client.query(
    `insert into record_images (id, institution_id, system_id, mapping_id, entity_type_id, source_key, sub_key, main, golden_id, raw, raw_hash,
       mapping_version, scope_key, statements, settled_version, effective_at, match_name, match_birth, subject_key, created_run, read_run, last_run)
     select v.image_id, $1, p.system_id, c.mapping_id, $2, c.key, c.sub_key, c.main, v.golden_id, c.raw, c.hash,
       p.version, c.scope, ${statements}, 1, c.effective_at, c.match_name, c.match_birth, v.subject, $3, $3, $3
     from (${rows}) v join ${staging.canon} c on c.ord = v.ord and ${within('c')} join cross_system_mappings p on p.id = c.mapping_id`,
    [run.institutionId, type.id, run.runId],
  );
  await insertIdentifiers(client, run, type, `select v.ord, v.image_id, v.subject from (${rows}) v`, within('c'));
  if (reconciled) await insertReferences(client, run, type, rows);
  return inserted.rowCount ?? 0;
};

/** Identifiers of canonical records under images that have none: a record has one of each scheme. `rows`: ord, image_id, subject. */
export const insertIdentifiers = async (
  client: PoolClient,
  run: RunRef,
  type: EntityTypeRef,
  rows: string,
  within = 'true',
): Promise<void> => {
  const staging = stagingOf(run.runId);
  const schemes = (type.definition.identifiers ?? []).length;
  if (schemes > 0) {
    const places = Array.from({ length: schemes }, (_, place) => `(${place})`).join(', ');
    await client.query(
      `insert into record_identifiers (institution_id, entity_type_id, scheme, value, image_id, subject_key)
       select $1, $2, c.identifiers[n * 2 + 1], c.identifiers[n * 2 + 2], v.image_id, v.subject
       from (${rows}) v join ${staging.canon} c on c.ord = v.ord and ${within}
       cross join (values ${places}) as places (n)
       where n < cardinality(c.identifiers) / 2 order by c.identifiers[n * 2 + 2] collate "C"`,
      [run.institutionId, type.id],
    );
  }
  if (type.definition.kind !== 'reconciled') return;
  await client.query(
    `insert into record_identifiers (institution_id, entity_type_id, scheme, value, image_id, subject_key)
     select $1, $2, '${naturalKeyScheme}', r.natural_key, v.image_id, v.subject
     from (${rows}) v join ${staging.resolved(type.id)} r on r.ord = v.ord where r.natural_key is not null`,
    [run.institutionId, type.id],
  );
};

const insertReferences = async (client: PoolClient, run: RunRef, type: EntityTypeRef, rows: string): Promise<void> => {
  await client.query(
    `insert into golden_references (golden_id, path, target_id, institution_id, subject_key)
     select v.golden_id, t.path, t.target, $1, v.subject
     from (${rows}) v join ${stagingOf(run.runId).resolved(type.id)} r on r.ord = v.ord
     cross join lateral unnest(r.paths, r.targets) as t (path, target)`,
    [run.institutionId],
  );
};
