import type { PoolClient } from 'pg';
import type { QuestionKind, QuestionState } from '../../database/rows.js';
import type { EntityTypeDefinition } from '../../domain/entity-type.js';

export interface ConflictRow {
  readonly id: string;
  readonly kind: QuestionKind;
  readonly state: QuestionState;
  readonly version: number;
  readonly entity_type: string;
  readonly definition: EntityTypeDefinition;
  readonly golden_id: string;
  /** Of a possible duplicate: the record that may be the same, as far as whoever looks sees it. */
  readonly other_id: string | null;
  readonly group_name: string;
  readonly base: string | null;
  readonly candidates: unknown;
  readonly suggestion: unknown;
  readonly impact: unknown;
  readonly job_id: number | null;
  readonly opened_run: string;
  readonly created_at: Date;
  readonly due_at: Date | null;
  readonly due_key: string;
  readonly assignee: string | null;
  readonly decision: unknown;
  readonly decided_by: string | null;
  readonly decided_at: Date | null;
  readonly batch_id: string | null;
  readonly settle_run_id: string | null;
}

const columns = `q.id, q.kind, q.state, q.version, t.name as entity_type, t.definition, q.golden_id, q.group_name, q.base, q.candidates,
  q.suggestion, q.impact, q.job_id, q.opened_run, q.created_at, q.due_at, coalesce(q.due_at, 'infinity')::text as due_key, q.assignee,
  q.decision, q.decided_by, q.decided_at, q.batch_id, q.settle_run_id,
  case when q.kind = 'duplicate' then (select o.id from concord.golden_records o
    where o.id = substring(q.candidates #>> '{0,value}' from '^"(\\d{1,18})"$')::bigint) end as other_id`;
export const conflictTables = `concord.sync_conflict_resolutions q join concord.entity_types t on t.id = q.entity_type_id`;

export interface ConflictFilter {
  readonly states: readonly QuestionState[] | null;
  readonly kinds: readonly string[] | null;
  readonly jobId: number | null;
  readonly runId: string | null;
  readonly entityType: string | null;
  readonly group: string | null;
  /** Who is to decide it; `''`: nobody is named. */
  readonly assignee: string | null;
  /** Opened at this moment or before. */
  readonly openedBy: Date | null;
  /** Takes part in it. */
  readonly system: string | null;
}

export const filtered = `($1::text[] is null or q.state = any ($1)) and ($2::text[] is null or q.kind = any ($2))
  and ($3::int is null or q.job_id = $3) and ($4::bigint is null or q.opened_run = $4)
  and ($5::text is null or t.name = $5) and ($6::text is null or q.group_name = $6)
  and ($7::text is null or coalesce(q.assignee, '') = $7) and ($8::timestamptz is null or q.created_at <= $8)
  and ($9::text is null or q.candidates @> jsonb_build_array(jsonb_build_object('systems', jsonb_build_array($9::text))))`;

export const parametersOf = (filter: ConflictFilter): unknown[] => [
  filter.states,
  filter.kinds,
  filter.jobId,
  filter.runId,
  filter.entityType,
  filter.group,
  filter.assignee,
  filter.openedBy,
  filter.system,
];

export interface ConflictOrder {
  readonly by: 'createdAt' | 'dueAt';
  readonly descending: boolean;
}

/** A page, after the position where the one before ended. Ids rise with the time of opening, so they are its order. */
export const listConflicts = async (
  client: PoolClient,
  filter: ConflictFilter,
  order: ConflictOrder,
  after: readonly string[] | null,
  most: number,
): Promise<readonly ConflictRow[]> => {
  const [direction, beyond] = order.descending ? ['desc', '<'] : ['asc', '>'];
  const byDue = order.by === 'dueAt';
  const position = byDue
    ? `($10::timestamptz is null or (coalesce(q.due_at, 'infinity'), q.id) ${beyond} ($10::timestamptz, $11::bigint))`
    : `($10::bigint is null or q.id ${beyond} $10::bigint)`;
  const { rows } = await client.query<ConflictRow>(
    `select ${columns} from ${conflictTables} where ${filtered} and ${position}
     order by ${byDue ? `coalesce(q.due_at, 'infinity') ${direction}, ` : ''}q.id ${direction} limit $${byDue ? 12 : 11}`,
    [...parametersOf(filter), ...(byDue ? [after?.[0] ?? null, after?.[1] ?? null] : [after?.[0] ?? null]), most],
  );
  return rows;
};

export const countConflicts = async (client: PoolClient, filter: ConflictFilter): Promise<number> => {
  const { rows } = await client.query<{ count: number }>(
    `select count(*)::int as count from ${conflictTables} where ${filtered}`,
    parametersOf(filter),
  );
  return rows[0]?.count ?? 0;
};

export const findConflict = async (client: PoolClient, id: string): Promise<ConflictRow | null> => {
  const { rows } = await client.query<ConflictRow>(`select ${columns} from ${conflictTables} where q.id = $1`, [id]);
  return rows[0] ?? null;
};

/** Questions that nobody else decides or changes until the transaction ends; in the order of their ids, against deadlocks. */
export const lockConflicts = async (client: PoolClient, ids: readonly string[]): Promise<readonly ConflictRow[]> => {
  const { rows } = await client.query<ConflictRow>(
    `select ${columns} from ${conflictTables} where q.id = any ($1::bigint[]) order by q.id for update of q`,
    [ids],
  );
  return rows;
};

export interface DecisionRow {
  readonly id: string;
  /** As it was asked for: `{version, choice, reason}`. */
  readonly decision: object;
}

/** Marks questions as decided. */
export const markDecided = async (
  client: PoolClient,
  decisions: readonly DecisionRow[],
  by: { readonly actor: string; readonly batchId: string },
): Promise<void> => {
  await client.query(
    `update concord.sync_conflict_resolutions q
     set state = 'decided', decision = d.decision, decided_by = $3, decided_at = now(), batch_id = $4
     from unnest($1::bigint[], $2::jsonb[]) as d (id, decision) where q.id = d.id and q.state = 'open'`,
    [decisions.map(({ id }) => id), decisions.map(({ decision }) => JSON.stringify(decision)), by.actor, by.batchId],
  );
};

/** Names who is to decide an open question (null: nobody). False: it is not open, or at another version. */
export const assign = async (
  client: PoolClient,
  id: string,
  version: number,
  assignee: string | null,
): Promise<boolean> => {
  const { rowCount } = await client.query(
    `update concord.sync_conflict_resolutions set assignee = $3 where id = $1 and version = $2 and state = 'open'`,
    [id, version, assignee],
  );
  return rowCount === 1;
};
