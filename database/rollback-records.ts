import type { PoolClient } from 'pg';
import type { ImageRow, RollbackInput } from '../domain/record-rollback.js';
import { goldenJson, readGolden, versionJson, type GoldenJson } from './golden-rows.js';
import { withIdentifiers } from './image-rows.js';

/* What a rollback looks at: read in one place for the deed and for its preview. */

/** A run with the settle runs that carried out decisions about it, each after its own children, newest first. Runs that are
 *  rolled back already are left out, unless by `by`: a rollback that is tried again. */
export const childrenFirst = async (client: PoolClient, runId: string, by: string | null): Promise<string[]> => {
  const { rows } = await client.query<{ id: string }>(
    `select id::text from sync_runs where parent_run_id = $1 and kind in ('decision', 'release') and finished_at is not null
       and apply_started and (rolled_back_by is null or rolled_back_by = $2) order by id desc`,
    [runId, by],
  );
  const children: string[] = [];
  for (const { id } of rows) children.push(...(await childrenFirst(client, id, by)));
  return [...children, runId];
};

/** Golden records that runs touched, with the run: changed, made, or read for. `runs`: a comparison, as `= $1`. */
export const touchedBy = (runs: string): string =>
  `select row_id as id, run_id as run from change_set_entries where run_id ${runs} and kind in ('golden', 'target')
   union all select golden_id, run_id from change_set_entries where run_id ${runs} and golden_id is not null
   union all select id, created_run from golden_records where created_run ${runs}
   union all select golden_id, created_run from record_images where created_run ${runs}
   union all select q.golden_id, r.id from sync_conflict_resolutions q
     cross join lateral (values (q.opened_run), (q.changed_run), (q.settle_run_id)) as r (id) where r.id ${runs}`;

/** A restriction outlives a rollback: a row that may not be sent any more is not put back. `golden`: whose row it was. */
export const restrictedRow = (golden: string, recipientClass: string, date: string): string => `exists (
  select 1 from restrictions h
  where h.released_at is null and h.recipient_class in (${recipientClass}, '*')
    and (h.valid_from is null or h.valid_from <= ${date}) and (h.valid_to is null or h.valid_to >= ${date})
    and (h.golden_id = ${golden} or exists (select 1 from golden_references r where r.golden_id = ${golden} and r.target_id = h.golden_id)))`;

/** Rows of targets that a run told with another record than before: (mapping, the record now, the one before). There are only those
 *  of records that a person united or parted. */
export const movedRows = `select (e.before ->> 'mapping_id')::integer as mapping_id, (e.after ->> 'golden_id')::bigint as now, e.golden_id as was
  from change_set_entries e where e.run_id = any ($1::bigint[]) and e.kind = 'image' and e.after ->> 'golden_id' <> e.golden_id::text`;

interface PageRow {
  readonly id: string;
  readonly made: boolean;
  readonly before: GoldenJson | null;
  readonly after: GoldenJson | null;
  readonly current: GoldenJson;
  readonly question: boolean;
  readonly joined: boolean;
  readonly restorations: readonly (readonly [number, GoldenJson | null])[] | null;
  readonly touched:
    | readonly {
        readonly id: string;
        readonly before: ImageRow | null;
        readonly read_run: string | null;
        readonly taken: boolean;
      }[]
    | null;
  readonly images: readonly ImageRow[] | null;
}

/** Runs whose effect stands: not rolled back, and neither the rollback under way nor what it took back before. */
const standing = (alias: string): string =>
  `(${alias}.rolled_back_by is null and ${alias}.id <> all ($2::bigint[]) and ${alias}.kind <> 'rollback')`;

/** The run that a question owes a state to, as it will be when what was taken back before is taken back. */
const owed = (column: string): string =>
  `coalesce((select (w.before ->> '${column}')::bigint from change_set_entries w
     where w.run_id = any ($2::bigint[]) and w.kind = 'question' and w.row_id = q.id order by w.run_id limit 1), q.${column})`;

/** Another image that stands has the key of the one that is to come back, and not by this run: it does not give it up. */
const keyTaken = `exists (select 1 from record_images o
  where o.mapping_id = (x.before ->> 'mapping_id')::integer and o.entity_type_id = (x.before ->> 'entity_type_id')::integer
    and o.source_key = x.before ->> 'source_key' and o.sub_key = x.before ->> 'sub_key' and o.id <> x.row_id
    and o.created_run <> all ($2::bigint[])
    and not exists (select 1 from change_set_entries y where y.run_id = $1 and y.kind = 'image' and y.mapping_id = 0 and y.row_id = o.id
                      and y.before ->> 'source_key' <> o.source_key))`;

/** Reads records with everything that the plan of their rollback looks at. An image belongs to the record that it was of before the
 *  run, wherever the run put it. `wanted`: a query of `golden_id` over the parameters
 *  from `$3` on. `takenBack`: runs that count as rolled back, and the rollback itself. */
export const readRollbackInputs = async (
  client: PoolClient,
  runId: string,
  takenBack: readonly string[],
  wanted: string,
  parameters: readonly unknown[],
): Promise<RollbackInput[]> => {
  const { rows } = await client.query<PageRow>(
    `select c.golden_id::text as id, g.created_run = $1 as made,
       (select ${versionJson} from golden_record_versions v where v.golden_id = g.id and v.version = e.before_version) as before,
       case when e.after_version is null then null
         when e.after_version = g.version then ${goldenJson}
         else (select ${versionJson} from golden_record_versions v where v.golden_id = g.id and v.version = e.after_version) end as after,
       ${goldenJson} as current,
       exists (select 1 from sync_conflict_resolutions q join sync_runs r on r.id = ${owed('changed_run')}
         where q.golden_id = g.id and q.kind = 'value' and r.id > $1 and ${standing('r')})
       or exists (select 1 from sync_conflict_resolutions q join sync_runs r on r.id = ${owed('settle_run_id')}
         where q.golden_id = g.id and r.id > $1 and ${standing('r')}) as question,
       g.created_run = $1 and exists (select 1 from record_images i join sync_runs r on r.id = i.created_run
         where i.golden_id = g.id and i.created_run <> $1 and i.read_run is not null and i.deleted_run is null and ${standing('r')}
           and not exists (select 1 from change_set_entries x where x.run_id = $1 and x.kind = 'image' and x.mapping_id = 0 and x.row_id = i.id)) as joined,
       (select json_agg(json_build_array(u.written::integer, (select ${versionJson} from golden_record_versions v
           where v.golden_id = g.id and v.version = u.restored::integer)))
         from change_set_entries x cross join lateral jsonb_each_text(x.after -> 'restores') as u (written, restored)
         where x.kind = 'golden' and x.after is not null and x.row_id = g.id and jsonb_typeof(x.after -> 'restores') = 'object') as restorations,
       (select json_agg(json_build_object('id', y.id::text, 'before', y.before, 'read_run', y.read_run, 'taken', y.taken)) from (
          select x.row_id as id, x.before, coalesce(x.after, x.before) ->> 'read_run' as read_run, ${keyTaken} as taken from change_set_entries x
          where x.run_id = $1 and x.kind = 'image' and x.golden_id = g.id
          union all
          select i.id, null, case when i.read_run is null then null else $1::bigint::text end, false from record_images i
          where i.golden_id = g.id and i.created_run = $1
            and not exists (select 1 from change_set_entries x where x.run_id = $1 and x.kind = 'image' and x.row_id = i.id)) y) as touched,
       (select json_agg(y.image order by y.id) from (
          select i.id, ${withIdentifiers} as image from record_images i where i.golden_id = g.id
            and not exists (select 1 from change_set_entries x where x.run_id = $1 and x.kind = 'image' and x.mapping_id = 0 and x.row_id = i.id and x.golden_id <> g.id)
          union all
          select i.id, ${withIdentifiers} from change_set_entries x join record_images i on i.id = x.row_id
          where x.run_id = $1 and x.kind = 'image' and x.golden_id = g.id and i.golden_id <> g.id) y) as images
     from (${wanted}) c join golden_records g on g.id = c.golden_id
     left join change_set_entries e on e.run_id = $1 and e.kind = 'golden' and e.mapping_id = 0 and e.row_id = g.id
     order by c.golden_id`,
    [runId, takenBack, ...parameters],
  );
  return rows.map((row) => toInput(row, runId));
};

const toInput = (row: PageRow, runId: string): RollbackInput => {
  const current = new Map((row.images ?? []).map((image) => [String(image.id), image]));
  const touched = new Map((row.touched ?? []).map((one) => [one.id, one]));
  const ids = [...new Set([...touched.keys(), ...current.keys()])];
  return {
    goldenId: row.id,
    made: row.made,
    before: readGolden(row.before),
    after: readGolden(row.after),
    current: readGolden(row.current),
    questionSince: row.question,
    joinedSince: row.joined,
    restorations: new Map((row.restorations ?? []).map(([version, record]) => [version, readGolden(record)])),
    images: ids.map((id) => {
      const one = touched.get(id);
      return {
        id,
        before: one === undefined ? undefined : one.before,
        readSince: isReadSince(current.get(id), one, runId),
        current: current.get(id) ?? null,
        keyTaken: one?.taken ?? false,
      };
    }),
  };
};

/** @param touched what the run left of it; undefined: it did not touch it */
const isReadSince = (
  current: ImageRow | undefined,
  touched: { readonly read_run: string | null } | undefined,
  runId: string,
): boolean => {
  if (current === undefined) return false;
  const reading = String(current.read_run ?? '');
  return touched === undefined ? BigInt(reading) > BigInt(runId) : reading !== (touched.read_run ?? '');
};

/** Records that a run put together or parted: they are taken back together or not at all. */
export class Couplings {
  private constructor(private readonly partners: ReadonlyMap<string, ReadonlySet<string>>) {}

  static async read(client: PoolClient, runId: string): Promise<Couplings> {
    const { rows } = await client.query<{ left: string; right: string }>(
      `select e.golden_id::text as left, (e.after ->> 'golden_id') as right from change_set_entries e
       where e.run_id = $1 and e.kind = 'image' and e.after is not null and e.golden_id::text <> e.after ->> 'golden_id'
       union
       select e.row_id::text, e.after ->> 'with' from change_set_entries e
       where e.run_id = $1 and e.kind = 'golden' and e.after ->> 'with' is not null`,
      [runId],
    );
    const partners = new Map<string, Set<string>>();
    const add = (from: string, to: string): void => {
      partners.set(from, (partners.get(from) ?? new Set()).add(to));
    };
    for (const { left, right } of rows) {
      add(left, right);
      add(right, left);
    }
    return new Couplings(partners);
  }

  get members(): readonly string[] {
    return [...this.partners.keys()];
  }

  /** Those that are kept because one of these is, without these. */
  with(ids: Iterable<string>): string[] {
    const known = new Set(ids);
    const queue = [...known];
    const found: string[] = [];
    for (let id = queue.pop(); id !== undefined; id = queue.pop()) {
      for (const partner of this.partners.get(id) ?? []) {
        if (known.has(partner)) continue;
        known.add(partner);
        found.push(partner);
        queue.push(partner);
      }
    }
    return found;
  }
}
