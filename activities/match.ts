import type { PoolClient } from 'pg';
import { indexByPlace, isAlive, recreate, stagingColumns, stagingOf } from '../database/staging.js';
import { recheckKnown } from './recheck.js';
import { canonicalRecordTools } from './references.js';
import { SyncError } from '../domain/errors.js';
import type { RunRef } from '../domain/run.js';
import { copyOut } from '../platform/copy.js';
import { CopySink, decodeTextArray, encodeTextArray } from '../platform/copy-sink.js';
import type { StepCounts } from './contract.js';
import type { EntityTypeRef, InstitutionContext } from './context.js';
import type { ActivityDependencies } from './dependencies.js';
import { apartTable, hasApart } from './identity.js';
import { identifierPlaces } from './identifier-places.js';
import { fenced, readChunks, recordChunk, takeLease, type Lease } from './lease.js';
import { lonePathHolds } from './lone.js';
import { matchHashOf } from './match-hash.js';
import { areStanding } from './standing.js';

/** The scheme under which the natural key of a reconciled record is kept among identifiers. */
export const naturalKeyScheme = '#key';

const matchColumns = `ord bigint not null, op "char" not null, image_id bigint not null, new_image boolean not null,
  golden_id bigint not null, new_golden boolean not null, lone boolean not null, rival bigint`;

/** Resolves references of records through the crosswalk. Records whose parent has not arrived wait: they are told apart by a
 *  missing row in the resolved table. */
const resolveReferences = async (
  dependencies: ActivityDependencies,
  run: RunRef,
  lease: Lease,
  type: EntityTypeRef,
): Promise<void> => {
  const { hub, heartbeat, cancelled } = dependencies;
  const staging = stagingOf(run.runId);
  const table = staging.resolved(type.id);
  const tools = canonicalRecordTools(type.definition);
  await fenced(hub, lease, (client) => recreate(client, table, stagingColumns.resolved));
  await hub.bulk(run.institutionId, (reading) =>
    fenced(
      hub,
      lease,
      async (writing) => {
        const sink = new CopySink(
          writing,
          `copy ${table} (ord, values, natural_key, paths, targets, subject) from stdin`,
        );
        const query = `copy (
          select c.ord, c.values, c.refs, array_agg(coalesce(i.golden_id, 0) order by n)
          from ${staging.canon} c
          cross join lateral generate_series(0, coalesce(cardinality(c.refs), 0) / 6 - 1) n
          left join record_images i on i.mapping_id = c.refs[n * 6 + 3]::integer and i.entity_type_id = c.refs[n * 6 + 4]::integer
            and i.source_key = c.refs[n * 6 + 5] and i.sub_key = c.refs[n * 6 + 6] and i.deleted_run is null
          where c.entity_type_id = ${type.id} and c.op = 'u' and c.refs is not null
          group by c.ord, c.values, c.refs
          union all
          select c.ord, c.values, '{}', '{}' from ${staging.canon} c
          where c.entity_type_id = ${type.id} and c.op = 'u' and c.refs is null) to stdout`;
        for await (const rows of copyOut(reading, query, { signal: cancelled() })) {
          for (const [ord, values, refs, targets] of rows) {
            const resolved = tools.resolve(
              decodeTextArray(values ?? '{}'),
              decodeTextArray(refs ?? '{}').map((item) => item ?? ''),
              decodeTextArray(targets ?? '{}').map((item) => item ?? '0'),
            );
            if (resolved === null) continue;
            const wait = sink.add([
              ord ?? '',
              encodeTextArray(resolved.values),
              resolved.naturalKey,
              encodeTextArray(resolved.references.map(({ path }) => path)),
              `{${resolved.references.map(({ target }) => target).join(',')}}`,
              resolved.subject,
            ]);
            if (wait !== null) await wait;
          }
          heartbeat();
        }
        await sink.finish();
        await writing.query(`create unique index on ${table} (ord)`);
        await writing.query(`analyze ${table}`);
      },
      'bulk',
    ),
  );
};

/** Notes records that wait for a parent, with their row, so that they rejoin the next run. */
const noteWaiting = async (client: PoolClient, run: RunRef, type: EntityTypeRef): Promise<number> => {
  const staging = stagingOf(run.runId);
  await client.query(`delete from rejected_records where run_id = $1 and kind = 'waiting' and rule = $2`, [
    run.runId,
    type.definition.name,
  ]);
  const { rowCount } = await client.query(
    `insert into rejected_records (institution_id, run_id, mapping_id, kind, source_key, position, raw, raw_hash, rule, reason, detail)
     select distinct on (c.mapping_id, c.key) $1::integer, $2::bigint, c.mapping_id, 'waiting', c.key, '', m.raw, m.hash, $3,
       'parent_missing', 'a record that this one refers to has not arrived yet'
     from ${staging.canon} c
     left join ${staging.canon} m on m.mapping_id = c.mapping_id and m.key = c.key and m.main and m.op = 'u'
     where c.entity_type_id = $4 and c.op = 'u' and not exists (select 1 from ${staging.resolved(type.id)} r where r.ord = c.ord)`,
    [run.institutionId, run.runId, type.definition.name, type.id],
  );
  return rowCount ?? 0;
};

/** Where the images of the canonical records are: staged, where nothing can have moved since. */
const imagesOf = async (client: PoolClient, run: RunRef): Promise<string> => {
  const staging = stagingOf(run.runId);
  const { rows } = await client.query<{ id: number }>(`select distinct mapping_id as id from ${staging.canon}`);
  const ids = rows.map(({ id }) => id);
  if (ids.length === 0 || !(await areStanding(client, run, ids))) return 'record_images';
  const parts = ids.map((id) => `select ${id} as mapping_id, key as source_key, s.* from ${staging.standing(id)} s`);
  return `(${parts.join(' union all ')})`;
};

/** The crosswalk: records whose image is known. An image withdrawn by an earlier run is known too and comes back; where its record ended with
 *  it, another one may stand for the same by now: it is found as for a new one, and is the former one (`former`) where there is none. */
const joinCrosswalk = async (
  client: PoolClient,
  run: RunRef,
  type: EntityTypeRef,
  reconciled: boolean,
): Promise<void> => {
  const staging = stagingOf(run.runId);
  const only = reconciled
    ? `and (c.op = 'd' or exists (select 1 from ${staging.resolved(type.id)} r where r.ord = c.ord))`
    : '';
  // A key that a person gave to somebody else keeps its image; which record it is of is found as for a new one.
  const apart = (await hasApart(client, run))
    ? `c.op = 'u' and exists (select 1 from ${apartTable(run)} a where a.mapping_id = c.mapping_id and a.key = c.key)`
    : 'false';
  const returns = `(c.op = 'u' and i.deleted_run is not null
    and exists (select 1 from golden_records g where g.id = i.golden_id and g.status = 'ended'))`;
  await client.query(
    `create temp table known on commit drop as
     select c.ord, c.op, c.mapping_id, c.key, i.id as image_id, case when not (${apart}) and not ${returns} then i.golden_id end as golden_id,
       case when not (${apart}) and ${returns} then i.golden_id end as former,
       i.deleted_run is null and i.match_hash is distinct from ${matchHashOf(type, 'c')} as rematched
     from ${staging.canon} c
     left join ${await imagesOf(client, run)} i on i.mapping_id = c.mapping_id and i.entity_type_id = c.entity_type_id
       and i.source_key = c.key and i.sub_key = c.sub_key
     where c.entity_type_id = $1 ${only}`,
    [type.id],
  );
  await client.query('create unique index on known (ord)');
  await client.query('analyze known');
};

/** Records that are sure to be new and to stand alone, of a type whose lone records are merged in SQL: no record of the type is known, and all are of one source, in which identifiers
 *  link nothing. */
interface AllNew {
  readonly records: number;
  /** The last of their places. */
  readonly top: number;
}

/** Null where they are not all new. */
const allAreNew = async (client: PoolClient, run: RunRef, type: EntityTypeRef): Promise<AllNew | null> => {
  if (type.definition.kind === 'reconciled' || !lonePathHolds(type)) return null;
  const known = await client.query('select 1 from golden_records where entity_type_id = $1 limit 1', [type.id]);
  if ((known.rowCount ?? 0) > 0) return null;
  const { rows } = await client.query<{ mappings: number; records: string; top: string | null }>(
    `select case when min(mapping_id) = max(mapping_id) then 1 else 0 end as mappings, count(*) as records, max(ord)::text as top
     from ${stagingOf(run.runId).canon} c where c.entity_type_id = $1`,
    [type.id],
  );
  const [found] = rows;
  return found?.mappings === 1 ? { records: Number(found.records), top: Number(found.top) } : null;
};

/** Up to which place all records are new and stand alone, without a row in the match table; 0: the table has them all. */
export const allNewUpTo = async (client: PoolClient, run: RunRef, type: EntityTypeRef): Promise<number> => {
  const [chunk] = await readChunks(client, run.runId, 'match', String(type.id));
  return Number(chunk?.counts['allNewUpTo'] ?? 0);
};

/** Whether an identifier could link anything: another image of the type holds some, or records of several sources are new. */
const canLink = async (client: PoolClient, type: EntityTypeRef): Promise<boolean> => {
  if (type.definition.kind === 'reconciled') return true;
  if ((type.definition.identifiers ?? []).length === 0) return false;
  const { rows } = await client.query<{ possible: boolean }>(
    `select exists (select 1 from record_identifiers where entity_type_id = $1)
       or (select count(distinct mapping_id) > 1 from known where golden_id is null) as possible`,
    [type.id],
  );
  return rows[0]?.possible === true;
};

/** Identifiers of records that no image is known of. Those that occur in several rows of one source are not unique there and
 *  never link; placeholders were left out by the mapping. */
const collectIdentifiers = async (
  client: PoolClient,
  run: RunRef,
  type: EntityTypeRef,
  reconciled: boolean,
): Promise<number> => {
  const staging = stagingOf(run.runId);
  const own = reconciled
    ? `select k.ord, k.mapping_id, '${naturalKeyScheme}' as scheme, r.natural_key as value, null::text as name, null::text as birth, true as sure, false as shared
       from known k join ${staging.resolved(type.id)} r on r.ord = k.ord where k.golden_id is null and r.natural_key is not null`
    : `select k.ord, k.mapping_id, c.identifiers[n * 2 + 1] as scheme, c.identifiers[n * 2 + 2] as value,
         c.match_name as name, c.match_birth as birth, false as sure, c.identifiers[n * 2 + 1] = any ($1::text[]) as shared
       from known k join ${staging.canon} c on c.ord = k.ord
       join ${identifierPlaces(type)} on n < cardinality(c.identifiers) / 2
       where k.golden_id is null`;
  const shared = (type.definition.identifiers ?? [])
    .filter((scheme) => scheme.shared === true)
    .map(({ scheme }) => scheme);
  await client.query(
    `create temp table offered (ord bigint, mapping_id integer, scheme text, value text, name text, birth text, sure boolean, shared boolean) on commit drop`,
  );
  await client.query(`insert into offered ${own}`, reconciled ? [] : [shared]);
  const { rowCount } = await client.query('analyze offered').then(() => client.query('select 1 from offered limit 1'));
  if ((rowCount ?? 0) === 0) return 0;
  await client.query(
    `delete from offered o using (
       select mapping_id, scheme, value from offered where not sure and not shared group by mapping_id, scheme, value having count(distinct ord) > 1) twice
     where o.mapping_id = twice.mapping_id and o.scheme = twice.scheme and o.value = twice.value`,
  );
  await client.query('create index on offered (value, scheme)');
  return rowCount ?? 0;
};

/** Whether an identifier that two records share links them: `judgeHit` of the core, set-based (a test compares them). An address
 *  that several people share takes name and birth date; any other takes one of them. */
const links = (name: string, birth: string): string =>
  `(o.sure or case when o.shared then coalesce(o.birth = ${birth} and o.name = ${name}, false)
     else coalesce(o.birth = ${birth}, false) or coalesce(o.name = ${name}, false) end)`;

/** A shared address is worth a question where one of name and birth date agrees and neither differs. */
const halfAgrees = (name: string, birth: string): string =>
  `((o.birth = ${birth} or o.name = ${name}) and coalesce(o.birth = ${birth}, true) and coalesce(o.name = ${name}, true))`;

/** Links of new records to golden records by identifiers that other images hold. `linked`: corroborated by birth date or name,
 *  and the golden record has no live image of the same mapping yet; else it is a question. */
const linkToKnown = async (client: PoolClient, type: EntityTypeRef): Promise<void> => {
  await client.query(
    `create temp table hits on commit drop as
     select o.ord, i.golden_id,
       bool_or(${links('i.match_name', 'i.match_birth')}) as corroborated,
       bool_or(not o.sure and exists (select 1 from record_images s where s.golden_id = i.golden_id and s.mapping_id = o.mapping_id
         and s.entity_type_id = $1 and s.deleted_run is null and s.sub_key = '')) as occupied
     from offered o
     join record_identifiers d on d.entity_type_id = $1 and d.value = o.value and d.scheme = o.scheme and d.state = 'current'
     join record_images i on i.id = d.image_id and i.deleted_run is null
     where (not o.shared or ${halfAgrees('i.match_name', 'i.match_birth')})
       and not exists (select 1 from known k where k.image_id = i.id and k.golden_id is null)
     group by o.ord, i.golden_id`,
    [type.id],
  );
  await client.query('create index on hits (ord)');
  await client.query('analyze hits');
};

/** Links of new records to each other: an edge where two of different mappings share a corroborated identifier. */
const linkAmongNew = async (client: PoolClient): Promise<void> => {
  await client.query(
    `create temp table edges on commit drop as
     select distinct o.ord as left_ord, b.ord as right_ord,
       ${links('b.name', 'b.birth')} as corroborated
     from offered o join offered b on b.value = o.value and b.scheme = o.scheme and b.ord <> o.ord
       and (o.sure or b.mapping_id <> o.mapping_id)
     where not o.shared or ${halfAgrees('b.name', 'b.birth')}`,
  );
  await client.query('create index on edges (left_ord)');
  await client.query('analyze edges');
};

/** Clusters by label propagation: every record takes the smallest label among its neighbours until none changes.
 *  Source: connected components by min-label, as in DESIGN §6. */
const propagateLabels = async (client: PoolClient): Promise<void> => {
  await client.query(
    `create temp table labels on commit drop as
     select ord, ord as label from (select left_ord as ord from edges where corroborated union select right_ord from edges where corroborated) x`,
  );
  await client.query('create unique index on labels (ord)');
  await client.query('analyze labels');
  for (;;) {
    const { rowCount } = await client.query(
      `update labels l set label = m.label
       from (select e.left_ord as ord, min(n.label) as label from edges e join labels n on n.ord = e.right_ord where e.corroborated group by e.left_ord) m
       where m.ord = l.ord and m.label < l.label`,
    );
    if ((rowCount ?? 0) === 0) return;
  }
};

/** In a cluster with two records of one mapping nobody can tell which belongs: all but the first of that mapping stand alone
 *  and are asked about. (Natural keys are sure: there the same key is the same record.) */
const splitContradictions = async (client: PoolClient, reconciled: boolean): Promise<void> => {
  if (reconciled) return;
  await client.query(
    `create temp table apart on commit drop as
     select x.ord, x.label from (
       select l.ord, l.label, row_number() over (partition by l.label, k.mapping_id order by l.ord) as place
       from labels l join known k on k.ord = l.ord) x where x.place > 1`,
  );
  await client.query('update labels l set label = l.ord from apart a where a.ord = l.ord');
};

/** Writes the match table: the golden record of each record, and the rival it may be a duplicate of. */
const assign = async (
  client: PoolClient,
  run: RunRef,
  type: EntityTypeRef,
  reconciled: boolean,
  linked: boolean,
): Promise<void> => {
  const table = stagingOf(run.runId).match(type.id);
  await recreate(client, table, matchColumns);
  if (!linked) {
    await client.query(
      `insert into ${table} (ord, op, image_id, new_image, golden_id, new_golden, lone, rival)
       select ord, op, coalesce(image_id, nextval('image_ids')), image_id is null, coalesce(golden_id, former, nextval('golden_ids')),
         golden_id is null and former is null, golden_id is null and image_id is null, null from known order by ord`,
    );
    return;
  }
  await client.query(
    `create temp table chosen on commit drop as
     select coalesce(l.label, h.ord) as label, min(h.golden_id) as golden_id
     from hits h left join labels l on l.ord = h.ord where h.corroborated and not h.occupied group by 1`,
  );
  await client.query(
    `create temp table clusters on commit drop as
     select x.label, coalesce(min(c.golden_id), min(x.former), nextval('golden_ids')) as golden_id,
       min(c.golden_id) is null and min(x.former) is null as is_new, min(x.size) as size
     from (select coalesce(l.label, k.ord) as label, count(*) as size, min(k.former) as former from known k left join labels l on l.ord = k.ord
           where k.golden_id is null group by 1 order by 1) x
     left join chosen c on c.label = x.label group by x.label`,
  );
  await client.query('create unique index on clusters (label)');
  await client.query('analyze clusters');
  const apart = reconciled ? 'null::bigint' : '(select a.label from apart a where a.ord = k.ord)';
  await client.query(
    `insert into ${table} (ord, op, image_id, new_image, golden_id, new_golden, lone, rival)
     select k.ord, k.op, coalesce(k.image_id, nextval('image_ids')), k.image_id is null, coalesce(k.golden_id, c.golden_id),
       k.golden_id is null and c.is_new, k.golden_id is null and k.image_id is null and c.is_new and c.size = 1,
       case when k.golden_id is null then coalesce(
         (select min(h.golden_id) from hits h where h.ord = k.ord and h.golden_id <> c.golden_id and (not h.corroborated or h.occupied or not c.is_new)),
         (select r.golden_id from clusters r where r.label = ${apart}),
         (select min(r.golden_id) from edges e left join labels n on n.ord = e.right_ord join clusters r on r.label = coalesce(n.label, e.right_ord)
          where e.left_ord = k.ord and not e.corroborated and r.golden_id < c.golden_id)) end
     from known k left join labels l on l.ord = k.ord left join clusters c on c.label = coalesce(l.label, k.ord)
     order by k.ord`,
  );
};

export const createMatch = (dependencies: ActivityDependencies) => {
  const { hub, configurations, crashPoint } = dependencies;
  return {
    /** Finds who is who among one entity type's records: by the crosswalk, then by corroborated identifiers (mastered) or the
     *  natural key (reconciled). Scored matching would come in here as a further source of links. */
    async match(run: RunRef, entityTypeId: number): Promise<StepCounts> {
      // What people decided is about records that are known.
      if (run.kind === 'decision') return {};
      const context = await configurations.of(run.institutionId);
      const type = context.entityType(entityTypeId);
      const lease = await takeLease(hub, run, 'match', String(entityTypeId));
      const [done] = await hub.read(run.institutionId, async (client) => {
        await checkCanon(client, run);
        return readChunks(client, run.runId, 'match', String(entityTypeId));
      });
      // Made anew it would be another one than the merge may be reading.
      if (done !== undefined) return done.counts as StepCounts;
      const counts = await matchType(dependencies, run, lease, context, type);
      crashPoint('match');
      return counts;
    },
  };
};

const matchWithKnown = async (
  client: PoolClient,
  run: RunRef,
  type: EntityTypeRef,
  reconciled: boolean,
): Promise<void> => {
  await joinCrosswalk(client, run, type, reconciled);
  const offered = (await canLink(client, type)) ? await collectIdentifiers(client, run, type, reconciled) : 0;
  if (offered > 0) {
    await linkToKnown(client, type);
    await linkAmongNew(client);
    await propagateLabels(client);
    await splitContradictions(client, reconciled);
  }
  await assign(client, run, type, reconciled, offered > 0);
  await recheckKnown(client, run, type);
};

const matchByTable = async (
  client: PoolClient,
  run: RunRef,
  type: EntityTypeRef,
  reconciled: boolean,
): Promise<StepCounts> => {
  await matchWithKnown(client, run, type, reconciled);
  const table = stagingOf(run.runId).match(type.id);
  await indexByPlace(client, table);
  await client.query(`analyze ${table}`);
  const { rows } = await client.query<{ records: string; created: string; rivals: string }>(
    `select count(*) as records, count(*) filter (where new_golden) as created, count(rival) as rivals from ${table}`,
  );
  return {
    records: Number(rows[0]?.records ?? 0),
    created: Number(rows[0]?.created ?? 0),
    duplicates: Number(rows[0]?.rivals ?? 0),
  };
};

/** Matches one entity type anew; also called by `apply` where another run created records meanwhile. */
export const matchType = async (
  dependencies: ActivityDependencies,
  run: RunRef,
  lease: Lease,
  _context: InstitutionContext,
  type: EntityTypeRef,
): Promise<StepCounts> => {
  const reconciled = type.definition.kind === 'reconciled';
  if (reconciled) await resolveReferences(dependencies, run, lease, type);
  return fenced(
    dependencies.hub,
    lease,
    async (client) => {
      const waiting = reconciled ? await noteWaiting(client, run, type) : 0;
      const allNew = await allAreNew(client, run, type);
      const counts: StepCounts =
        allNew === null
          ? { ...(await matchByTable(client, run, type, reconciled)), waiting }
          : { records: allNew.records, created: allNew.records, duplicates: 0, waiting, allNewUpTo: allNew.top };
      if (allNew !== null) await recreate(client, stagingOf(run.runId).match(type.id), matchColumns);
      await recordChunk(client, { ...lease, step: 'match', part: String(type.id) }, 0, { counts });
      return counts;
    },
    'bulk',
  );
};

/** The canonical records are as they were written, or staging is lost. */
export const checkCanon = async (client: PoolClient, run: RunRef): Promise<void> => {
  const chunks = await readChunks(client, run.runId, 'standardize', '');
  if (chunks.length === 0 || !(await isAlive(client, stagingOf(run.runId).canon)))
    throw new SyncError('staging_lost', 'the canonical records are gone');
};
