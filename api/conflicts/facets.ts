import type { PoolClient } from 'pg';
import { conflictTables, filtered, parametersOf, type ConflictFilter } from './conflict.queries.js';

/** Values by which questions can be told apart, each with how many there are. */
export interface FacetRow {
  readonly facet: string;
  readonly value: string | null;
  readonly count: number;
}

const facets: Readonly<Record<string, string>> = {
  status: `case q.state when 'open' then 'pending' else q.state end`,
  type: 'q.kind',
  job: 'q.job_id::text',
  entityType: 't.name',
  group: 'q.group_name',
  assignee: 'q.assignee',
};

/** At most so many values a facet: the most frequent. */
export const mostFacetValues = 200;

/** Counts the questions of a filter by each facet, and by the systems that take part in them. */
export const countFacets = async (
  client: PoolClient,
  filter: ConflictFilter,
  now: Date,
): Promise<{ readonly rows: readonly FacetRow[]; readonly total: number; readonly overdue: number }> => {
  const parameters = parametersOf(filter);
  const rows: FacetRow[] = [];
  for (const [facet, expression] of Object.entries(facets)) {
    const found = await client.query<FacetRow>(
      `select '${facet}' as facet, ${expression} as value, count(*)::int as count from ${conflictTables} where ${filtered}
       group by 2 order by 3 desc, 2 limit ${mostFacetValues}`,
      parameters,
    );
    rows.push(...found.rows);
  }
  const systems = await client.query<FacetRow>(
    `select 'system' as facet, s.name as value, count(distinct q.id)::int as count from ${conflictTables}
       cross join lateral jsonb_path_query(q.candidates, '$[*].systems[*]') found (name) cross join lateral (select found.name #>> '{}' as name) s
     where ${filtered} group by 2 order by 3 desc, 2 limit ${mostFacetValues}`,
    parameters,
  );
  const { rows: sums } = await client.query<{ total: number; overdue: number }>(
    `select count(*)::int as total, (count(*) filter (where q.state = 'open' and q.due_at < $${parameters.length + 1}))::int as overdue
     from ${conflictTables} where ${filtered}`,
    [...parameters, now],
  );
  return { rows: [...rows, ...systems.rows], total: sums[0]?.total ?? 0, overdue: sums[0]?.overdue ?? 0 };
};
