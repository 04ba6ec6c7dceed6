import type { PoolClient } from 'pg';

/** What is known of one part of one step: a partition, a mapping, an entity type. */
export interface PartRow {
  readonly step: string;
  readonly part: string;
  readonly attempts: number;
  readonly chunks: number;
  readonly intended: number;
  readonly counts: Readonly<Record<string, number>>;
  readonly taken_at: Date | null;
  readonly recorded_at: Date | null;
}

/** Parts as leases (who began) and chunks (what is done) tell them. Chunks of posted types count for publish, which they are. */
export const readParts = async (client: PoolClient, runId: string): Promise<readonly PartRow[]> => {
  const { rows } = await client.query<PartRow>(
    `with done as (
       select case when step like 'post%' then 'publish' else step end as step, part,
         (count(*) filter (where state = 'done'))::int as chunks, (count(*) filter (where state <> 'done'))::int as intended,
         max(recorded_at) as recorded_at
       from concord.run_chunks where run_id = $1 and step not in ('plan', 'dispositions') group by 1, 2),
     summed as (
       select step, part, jsonb_object_agg(name, total) as counts from (
         select case when c.step like 'post%' then 'publish' else c.step end as step, c.part, n.key as name, sum(n.value::text::numeric) as total
         from concord.run_chunks c cross join lateral jsonb_each(c.counts) n
         where c.run_id = $1 and c.step not in ('plan', 'dispositions', 'post_rows') and jsonb_typeof(n.value) = 'number' group by 1, 2, 3) s
       group by step, part),
     begun as (select step, part, token::int as attempts, taken_at from concord.run_leases where run_id = $1 and step <> 'plan')
     select coalesce(d.step, b.step) as step, coalesce(d.part, b.part) as part, coalesce(b.attempts, 0) as attempts,
       coalesce(d.chunks, 0) as chunks, coalesce(d.intended, 0) as intended, coalesce(s.counts, '{}') as counts, b.taken_at, d.recorded_at
     from done d full join begun b on b.step = d.step and b.part = d.part
       left join summed s on s.step = d.step and s.part = d.part
     order by 1, 2`,
    [runId],
  );
  return rows;
};

export interface PlannedSourceRow {
  readonly mapping_id: string;
  readonly partitions: number;
  readonly rows: number;
}

/** What the run is to read, by mapping. */
export const readPlannedSources = async (client: PoolClient, runId: string): Promise<readonly PlannedSourceRow[]> => {
  const { rows } = await client.query<PlannedSourceRow>(
    `select c.part as mapping_id, jsonb_array_length(c.counts -> 'partitions') as partitions,
       coalesce((select sum((p ->> 'estimatedRows')::float8) from jsonb_array_elements(c.counts -> 'partitions') p), 0)::float8 as rows
     from concord.run_chunks c where c.run_id = $1 and c.step = 'plan' and c.part <> '' and c.counts ? 'partitions'`,
    [runId],
  );
  return rows;
};

/** Names of what parts are called after, by id. */
export const readPartNames = async (
  client: PoolClient,
): Promise<{ readonly mappings: ReadonlyMap<string, string>; readonly types: ReadonlyMap<string, string> }> => {
  const named = async (table: string): Promise<ReadonlyMap<string, string>> => {
    const { rows } = await client.query<{ id: number; name: string }>(`select id, name from concord.${table}`);
    return new Map(rows.map(({ id, name }) => [String(id), name]));
  };
  return { mappings: await named('cross_system_mappings'), types: await named('entity_types') };
};
