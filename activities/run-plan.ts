import type { PoolClient } from 'pg';
import type {
  ChangeCounts,
  OperationCounts,
  PlannedHeld,
  PlannedQuestions,
  PlannedRecords,
  PlannedRejections,
  PlannedWrites,
} from '../domain/run-plan.js';
import type { RunRef } from '../domain/run.js';

/* What a run did to the stores that a transaction sees. Over the copy of a dry run it is the plan; over the stores themselves it
   is what a run did: a test compares the two. */

type Operation = keyof OperationCounts;

interface OperationRow {
  readonly name: string;
  readonly operation: Operation;
  readonly count: string;
}

/** Golden records that a run touched. One that it made has no entry: its row says so. */
const touchedRecords = `
  select c.id, c.before_version, c.after_version, g.entity_type_id, g.subject_key, g.created_run = $1 as created,
    case when c.before_version is null then 'insert' when g.status = 'ended' and v.status <> 'ended' then 'delete' else 'update' end as operation
  from (
    select e.row_id as id, e.before_version, e.after_version from change_set_entries e where e.run_id = $1 and e.kind = 'golden'
    union all
    select g.id, null, g.version from golden_records g where g.created_run = $1
      and not exists (select from change_set_entries e where e.run_id = $1 and e.kind = 'golden' and e.row_id = g.id)) c
  join golden_records g on g.id = c.id
  left join golden_record_versions v on v.golden_id = c.id and v.version = c.before_version`;

/** Rows of targets that a run wrote. One that it inserted in bulk has no entry: its image says so, and no more than its key. */
const writtenRows = `
  select e.mapping_id, e.row_id, e.before, e.after,
    case when e.before is null then 'insert' when e.after is null then 'delete' else 'update' end as operation
  from change_set_entries e
  where e.run_id = $1 and e.kind = 'target' and e.outcome = 'written' and e.before is distinct from e.after
  union all
  select i.mapping_id, i.golden_id, null, jsonb_build_object('key', i.source_key), 'insert' from record_images i
  where i.created_run = $1 and i.read_run is null
    and not exists (select from change_set_entries e
      where e.run_id = $1 and e.kind = 'target' and e.mapping_id = i.mapping_id and e.row_id = i.golden_id)`;

/** Everything that a run did, counted. Lists are in the order of names. */
export const changesOf = async (client: PoolClient, run: Pick<RunRef, 'runId'>): Promise<ChangeCounts> => ({
  records: await recordsOf(client, run.runId),
  targets: await targetsOf(client, run.runId),
  questions: await questionsOf(client, run.runId),
  held: await heldOf(client, run.runId),
  rejected: await rejectionsOf(client, run.runId),
  findings: await findingsOf(client, run.runId),
});

const none: OperationCounts = { insert: 0, update: 0, delete: 0 };

const byName = (rows: readonly OperationRow[]): Map<string, OperationCounts> => {
  const counts = new Map<string, OperationCounts>();
  for (const { name, operation, count } of rows) {
    const before = counts.get(name) ?? none;
    counts.set(name, { ...before, [operation]: before[operation] + Number(count) });
  }
  return counts;
};

const recordsOf = async (client: PoolClient, runId: string): Promise<PlannedRecords[]> => {
  const { rows } = await client.query<OperationRow>(
    `select t.name, r.operation, count(*) from (${touchedRecords}) r join entity_types t on t.id = r.entity_type_id
     group by 1, 2 order by 1`,
    [runId],
  );
  return [...byName(rows)].map(([entityType, counts]) => ({ entityType, ...counts }));
};

const targetsOf = async (client: PoolClient, runId: string): Promise<PlannedWrites[]> => {
  const { rows } = await client.query<OperationRow>(
    `select m.name, w.operation, count(*) from (${writtenRows}) w join cross_system_mappings m on m.id = w.mapping_id group by 1, 2
     union all
     select m.name, 'insert', sum((c.counts #>> '{outcome,new}')::bigint) from run_chunks c
       join cross_system_mappings m on m.id = split_part(c.part, '/', 3)::integer
     where c.run_id = $1 and c.step = 'post' and c.counts #>> '{outcome,new}' is not null group by 1, 2 order by 1`,
    [runId],
  );
  const left = await client.query<{ name: string; differs: string; withheld: string }>(
    `select m.name, sum(x.differs)::text as differs, sum(x.withheld)::text as withheld from (
       select split_part(part, '/', 1)::integer as id, coalesce((counts ->> 'differs')::bigint, 0) as differs,
         coalesce((counts ->> 'withheld')::bigint, 0) as withheld
       from run_chunks where run_id = $1 and step = 'publish' and part like '%/counts'
       union all
       select split_part(part, '/', 3)::integer, coalesce((counts #>> '{outcome,differs}')::bigint, 0), 0
       from run_chunks where run_id = $1 and step = 'post') x
     join cross_system_mappings m on m.id = x.id group by 1`,
    [runId],
  );
  const written = byName(rows);
  return left.rows
    .map(({ name, differs, withheld }) => ({
      mapping: name,
      ...(written.get(name) ?? none),
      differs: Number(differs),
      withheld: Number(withheld),
    }))
    .sort((one, other) => (one.mapping < other.mapping ? -1 : 1));
};

const questionsOf = async (client: PoolClient, runId: string): Promise<PlannedQuestions[]> => {
  const { rows } = await client.query<Record<keyof PlannedQuestions, string>>(
    `select c.kind, t.name as "entityType", count(*) filter (where c.opened_run = $1 and c.state = 'open') as opened,
       count(*) filter (where c.opened_run <> $1 and c.state = 'open') as changed, count(*) filter (where c.state = 'agreed') as closed
     from sync_conflict_resolutions c join entity_types t on t.id = c.entity_type_id
     where c.changed_run = $1 group by 1, 2 order by 1, 2`,
    [runId],
  );
  return rows.map(({ kind, entityType, opened, changed, closed }) => ({
    ...{ kind, entityType },
    ...{ opened: Number(opened), changed: Number(changed), closed: Number(closed) },
  }));
};

const heldOf = async (client: PoolClient, runId: string): Promise<PlannedHeld[]> => {
  const { rows } = await client.query<Omit<PlannedHeld, 'rows'> & { rows: string }>(
    `select h.cause, h.operation, m.name as mapping, h.row_count as rows, h.reason
     from held_changes h left join cross_system_mappings m on m.id = h.mapping_id
     where h.run_id = $1 and h.state = 'held' order by 1, 2, 3`,
    [runId],
  );
  return rows.map((row) => ({ ...row, rows: Number(row.rows) }));
};

const rejectionsOf = async (client: PoolClient, runId: string): Promise<PlannedRejections[]> => {
  const { rows } = await client.query<Omit<PlannedRejections, 'rows'> & { rows: string }>(
    `select x.kind, m.name as mapping, x.reason, x.field, count(*) as rows
     from rejected_records x join cross_system_mappings m on m.id = x.mapping_id
     where x.run_id = $1 group by 1, 2, 3, 4 order by 1, 2, 3, 4`,
    [runId],
  );
  return rows.map((row) => ({ ...row, rows: Number(row.rows) }));
};

const findingsOf = async (client: PoolClient, runId: string): Promise<{ kind: string; count: number }[]> => {
  const { rows } = await client.query<{ kind: string; count: string }>(
    'select kind, count(*) from findings where run_id = $1 group by 1 order by 1',
    [runId],
  );
  return rows.map(({ kind, count }) => ({ kind, count: Number(count) }));
};

/** So many of each operation of each entity type and target are kept. */
const samplesOfEach = 10;

const goldenJson = (alias: string): string =>
  `jsonb_build_object('version', ${alias}.version, 'values', to_jsonb(${alias}.values), 'status', ${alias}.status)`;

/** Keeps some of what a dry run would change, before and after. */
export const keepSamples = async (client: PoolClient, run: RunRef): Promise<void> => {
  await client.query('delete from run_samples where run_id = $1', [run.runId]);
  await client.query(
    `insert into run_samples (run_id, kind, mapping_id, row_id, institution_id, entity_type_id, golden_id, operation, outcome, before, after, subject_key)
     select $1, 'golden', 0, r.id, $2, r.entity_type_id, case when not r.created then r.id end, r.operation, 'intended',
       (select ${goldenJson('v')} from golden_record_versions v where v.golden_id = r.id and v.version = r.before_version),
       ${goldenJson('g')}, case when r.created and r.subject_key = r.id then null else r.subject_key end
     from (select r.*, row_number() over (partition by r.entity_type_id, r.operation order by r.id) as place from (${touchedRecords}) r) r
       join golden_records g on g.id = r.id
     where r.place <= ${samplesOfEach}`,
    [run.runId, run.institutionId],
  );
  await client.query(
    `insert into run_samples (run_id, kind, mapping_id, row_id, institution_id, entity_type_id, golden_id, operation, outcome, before, after, subject_key)
     select $1, 'target', w.mapping_id, w.row_id, $2, g.entity_type_id, case when g.created_run <> $1 then g.id end, w.operation, 'intended',
       w.before, w.after, case when g.created_run = $1 and g.subject_key = g.id then null else g.subject_key end
     from (select w.*, row_number() over (partition by w.mapping_id, w.operation order by w.row_id) as place from (${writtenRows}) w) w
       join golden_records g on g.id = w.row_id
     where w.place <= ${samplesOfEach}`,
    [run.runId, run.institutionId],
  );
};
