import type { PoolClient } from 'pg';

/** An event as it is stored. Positions rise with the order in which transactions were committed. */
export interface EventRow {
  readonly position: number;
  readonly topic: string;
  readonly type: string;
  readonly run_id: string | null;
  readonly job_id: number | null;
  readonly data: Readonly<Record<string, unknown>>;
  readonly created_at: Date;
}

/** The events after a position, in their order. */
export const readEvents = async (client: PoolClient, after: number, most: number): Promise<readonly EventRow[]> => {
  const { rows } = await client.query<Omit<EventRow, 'position'> & { readonly position: string }>(
    `select position, topic, type, run_id, job_id, data, created_at from concord.events
     where position > $1 order by position limit $2`,
    [after, most],
  );
  return rows.map((row) => ({ ...row, position: Number(row.position) }));
};

/** The last position, and whether an event at or before `since` is kept still: if not, some after it may be gone. */
export const readEnds = async (
  client: PoolClient,
  since: number | null,
): Promise<{ readonly last: number; readonly keepsSince: boolean }> => {
  const { rows } = await client.query<{ last: string; keeps: boolean }>(
    `select coalesce((select max(position) from concord.events), 0) as last,
       $1::bigint is null or $1 = 0 or exists (select from concord.events where position <= $1) as keeps`,
    [since],
  );
  return { last: Number(rows[0]?.last ?? 0), keepsSince: rows[0]?.keeps ?? true };
};
