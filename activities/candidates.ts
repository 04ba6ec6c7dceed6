import type { PoolClient } from 'pg';
import { DatabaseUnreachable } from '../database/hub.js';
import { goldenJson, lastWrittenBy, type GoldenJson } from '../database/golden-rows.js';
import { isAlive, markAlive, recreate, stagingOf } from '../database/staging.js';
import type { NeededReference } from '../domain/projection-paths.js';
import type { RunRef } from '../domain/run.js';
import { encodeTextArray } from '../platform/copy-sink.js';
import type { InstitutionContext, MappingRef } from './context.js';
import { recordsOf } from './diff.js';

/** What a target has not been offered yet: runs that are through with their golden writes, and this one. */
export const pendingRuns = async (client: PoolClient, run: RunRef, mapping: MappingRef): Promise<string[]> => {
  const { rows } = await client.query<{ id: string }>(
    `select p.run_id::text as id from target_pending p join sync_runs r on r.id = p.run_id
     where p.mapping_id = $1 and (p.run_id = $2 or r.finished_at is not null)`,
    [mapping.id, run.runId],
  );
  return rows.map(({ id }) => id);
};

export const hasBaseline = async (client: PoolClient, mapping: MappingRef): Promise<boolean> => {
  const { rowCount } = await client.query(`select 1 from watermarks where mapping_id = $1 and kind = 'baseline'`, [
    mapping.id,
  ]);
  return (rowCount ?? 0) > 0;
};

/** Whether all rows were judged by another version of the mapping (or of the code tables that it writes by). */
const projectsAnew = async (client: PoolClient, mapping: MappingRef): Promise<boolean> => {
  const { rowCount } = await client.query(
    `select 1 from watermarks where mapping_id = $1 and case kind when 'projected' then value::integer end < $2`,
    [mapping.id, mapping.derivedSince],
  );
  return (rowCount ?? 0) > 0;
};

/** All rows were judged by this version. */
export const noteProjected = (client: PoolClient, run: RunRef, mapping: MappingRef): Promise<unknown> =>
  client.query(
    `insert into watermarks (mapping_id, kind, institution_id, value, run_id) values ($1, 'projected', $2, $3, $4)
     on conflict (mapping_id, kind) do update set value = excluded.value, run_id = excluded.run_id
     where watermarks.value <> excluded.value`,
    [mapping.id, run.institutionId, String(mapping.version), run.runId],
  );

/** A golden record and the records it reads, by way of references. */
const rootsReading = (references: readonly NeededReference[], touched: string): string[] =>
  references.map((reference, index) => {
    const chain = chainOf(references, reference);
    const joins = chain
      .map(
        (hop, depth) =>
          `join golden_references h${index}_${depth} on h${index}_${depth}.golden_id = ${depth === 0 ? 'g.id' : `h${index}_${depth - 1}.target_id`} and h${index}_${depth}.path = '${relativePath(hop)}'`,
      )
      .join(' ');
    return `select g.id from golden_records g ${joins} where g.entity_type_id = $2 and ${touched.replaceAll('GOLDEN', `h${index}_${chain.length - 1}.target_id`)}`;
  });

const chainOf = (references: readonly NeededReference[], reference: NeededReference): NeededReference[] => {
  const parent = references.find(({ path }) => path === reference.parent);
  return parent === undefined ? [reference] : [...chainOf(references, parent), reference];
};

/** The path of a reference within the record that makes it, as `golden_references` keeps it. Names are checked configuration. */
const relativePath = ({ path, parent }: NeededReference): string =>
  (parent === '' ? path : path.slice(parent.length + 1)).replaceAll("'", "''");

const ofSubject = (subjectKey: string | undefined, golden: string): string =>
  subjectKey === undefined ? '' : `and ${golden} in (${recordsOf(BigInt(subjectKey).toString())})`;

/** Fills the table of golden records to look at. */
export const collectCandidates = async (
  client: PoolClient,
  run: RunRef,
  context: InstitutionContext,
  mapping: MappingRef,
  { asOf, pending }: { readonly asOf: string; readonly pending: readonly string[] },
): Promise<void> => {
  const table = stagingOf(run.runId).candidates(mapping.id);
  const target = context.target(mapping);
  const root = context.entityTypeNamed(target.root).id;
  const { subjectKey } = run;
  await recreate(client, table, 'golden_id bigint not null, done boolean not null default false');
  if (!(await hasBaseline(client, mapping)) || (await projectsAnew(client, mapping))) {
    await client.query(`insert into ${table} (golden_id) select id from golden_records where entity_type_id = $1`, [
      root,
    ]);
  } else {
    const touched = `exists (select 1 from golden_records t where t.id = GOLDEN and ${lastWrittenBy('t', '= any ($3::bigint[])')})`;
    const restricted = `exists (select 1 from restrictions h where h.golden_id = GOLDEN and h.placed_run = any ($3::bigint[]))`;
    const ofRoot = (table: string): string =>
      `join golden_records r on r.id = ${table}.golden_id and r.entity_type_id = $2`;
    const parts = [
      `select id from golden_records g where g.entity_type_id = $2 and ${lastWrittenBy('g', '= any ($3::bigint[])')}`,
      `select g.id from golden_records g join restrictions h on h.golden_id = g.id where g.entity_type_id = $2 and h.placed_run = any ($3::bigint[])`,
      ...rootsReading(target.references, touched),
      ...rootsReading(target.references, restricted),
      `select i.golden_id from record_images i ${ofRoot('i')} where i.mapping_id = $1 and i.untold ${ofSubject(subjectKey, 'i.golden_id')}`,
      `select d.golden_id from target_due d ${ofRoot('d')} where d.mapping_id = $1 and d.due <= $4::date ${ofSubject(subjectKey, 'd.golden_id')}`,
    ];
    await client.query(
      `insert into ${table} (golden_id) select distinct x.id from (${parts.join(' union all ')}) x (id)`,
      [mapping.id, root, pending, asOf],
    );
  }
  await client.query(`create unique index on ${table} (golden_id)`);
  await client.query(`analyze ${table}`);
  await markAlive(client, table);
};

/** The candidates were all there to the end: PostgreSQL did not crash and start over meanwhile. Trying again collects them anew. */
export const checkCandidates = async (client: PoolClient, run: RunRef, mapping: MappingRef): Promise<void> => {
  if (await isAlive(client, stagingOf(run.runId).candidates(mapping.id))) return;
  throw new DatabaseUnreachable(new Error('the candidates of a target are gone'));
};

/** An image as publishing sees it. */
export type TargetImageJson = readonly [
  id: string,
  key: string,
  rawHash: string | null,
  raw: string | null,
  mappingVersion: number,
  statements: readonly (string | null)[] | null,
  states: string | null,
  settledVersion: number,
  settled: readonly number[] | null,
  published: number,
  untold: boolean,
  deleted: boolean,
  read: boolean,
  toldHash: string | null,
];

export interface Candidate {
  readonly goldenId: string;
  readonly golden: GoldenJson;
  /** By reference path; null where there is none, or it has ended. */
  readonly references: Readonly<
    Record<string, { readonly version: number; readonly values: readonly (string | null)[] } | null>
  >;
  readonly image: TargetImageJson | null;
  readonly restrictions: readonly (readonly [string, string | null, string | null])[] | null;
  readonly identifiers: Readonly<Record<string, string>> | null;
}

const imageJson = `json_build_array(i.id::text, i.source_key, i.raw_hash, i.raw, i.mapping_version, i.statements, i.states, i.settled_version,
  i.settled, i.published_version, i.untold, i.deleted_run is not null, i.read_run is not null, i.told_hash)`;

/** Images of a golden record `g`, found by that, whatever the statistics say: while they do not know a mapping's images yet, PostgreSQL
 *  would rather look through all of those for each record. */
export const imagesOfRecord = 'select * from record_images one where one.golden_id = g.id offset 0';

const isMerged = `exists (select 1 from golden_records m where m.id = k.golden_id and m.merged_into is not null)`;

/** Whether records among the candidates became part of others. */
export const hasMerged = async (client: PoolClient, run: RunRef, mapping: MappingRef): Promise<boolean> => {
  const { rowCount } = await client.query(
    `select 1 from ${stagingOf(run.runId).candidates(mapping.id)} k where ${isMerged} limit 1`,
  );
  return (rowCount ?? 0) > 0;
};

/** Candidates of which nothing is left to be done. */
export const noteDone = async (
  client: PoolClient,
  run: RunRef,
  mapping: MappingRef,
  goldenIds: readonly string[],
): Promise<void> => {
  await client.query(
    `update ${stagingOf(run.runId).candidates(mapping.id)} set done = true where golden_id = any ($1::bigint[])`,
    [encodeTextArray(goldenIds)],
  );
};

/** As `noteDone`, of all candidates from the first golden id to the last of each range. */
export const noteRangesDone = async (
  client: PoolClient,
  run: RunRef,
  mapping: MappingRef,
  ranges: readonly (readonly [first: bigint, last: bigint])[],
): Promise<void> => {
  await client.query(
    `update ${stagingOf(run.runId).candidates(mapping.id)} c set done = true
     from unnest($1::bigint[], $2::bigint[]) as r (first, last) where c.golden_id between r.first and r.last`,
    [ranges.map(([first]) => first), ranges.map(([, last]) => last)],
  );
};

/** A query of candidates that are not done, with everything that a projection reads, in the order of golden ids. */
export const candidateQuery = (
  run: RunRef,
  context: InstitutionContext,
  mapping: MappingRef,
  {
    after,
    most,
    which,
  }: { readonly after: string; readonly most: number; readonly which: 'merged' | 'others' | 'all' },
): string => {
  const target = context.target(mapping);
  const aliases = new Map<string, string>([['', 'g.id']]);
  const joins = target.references.map((reference, index) => {
    aliases.set(reference.path, `r${index}.target_id`);
    return `left join golden_references r${index} on r${index}.golden_id = ${aliases.get(reference.parent) ?? 'g.id'} and r${index}.path = '${relativePath(reference)}'
      left join golden_records p${index} on p${index}.id = r${index}.target_id and p${index}.status = 'active'`;
  });
  const references = target.references
    .map(
      ({ path }, index) =>
        `'${path.replaceAll("'", "''")}', case when p${index}.id is null then null else json_build_object('version', p${index}.version, 'values', p${index}.values) end`,
    )
    .join(', ');
  const subjects = ['g.id', ...target.references.map((_, index) => `r${index}.target_id`)].join(', ');
  const identifiers = target.keys.some((key) => key.identifier !== undefined)
    ? `(select json_object_agg(d.scheme, d.value) from record_images s join record_identifiers d on d.image_id = s.id and d.state = 'current'
        where s.golden_id = ${aliases.get(target.keys.find((key) => key.identifier !== undefined)?.of ?? '') ?? 'g.id'} and s.deleted_run is null)`
    : 'null';
  return `copy (
    select c.golden_id, ${goldenJson}, json_build_object(${references}),
      case when i.id is null then null else ${imageJson} end,
      (select json_agg(json_build_array(h.recipient_class, h.valid_from, h.valid_to)) from restrictions h
       where h.golden_id in (${subjects}) and h.released_at is null),
      ${identifiers}
    from (select golden_id from ${stagingOf(run.runId).candidates(mapping.id)} k where golden_id > ${BigInt(after)} and not done
      ${which === 'all' ? '' : which === 'merged' ? `and ${isMerged}` : `and not ${isMerged}`} order by golden_id limit ${most}) c
    join golden_records g on g.id = c.golden_id
    ${joins.join('\n')}
    left join lateral (${imagesOfRecord}) i on i.mapping_id = ${mapping.id} and i.sub_key = '' and i.entity_type_id = g.entity_type_id
    order by c.golden_id, i.deleted_run is not null, i.id) to stdout`;
};
