import type { PoolClient } from 'pg';

export interface RestrictionRow {
  readonly id: string;
  readonly golden_id: string;
  readonly entity_type: string;
  readonly recipient_class: string;
  readonly valid_from: string | null;
  readonly valid_to: string | null;
  readonly authority: string | null;
  readonly reason: string | null;
  readonly placed_by: string;
  readonly placed_at: Date;
  readonly released_by: string | null;
  readonly released_at: Date | null;
  readonly release_reason: string | null;
  readonly state: string;
}

/* `$1`: the day. */
const selectRestrictions = `
  select h.id, h.golden_id, t.name as entity_type, h.recipient_class, h.valid_from, h.valid_to, h.authority, h.reason, h.placed_by, h.placed_at,
    h.released_by, h.released_at, h.release_reason,
    case when h.released_at is not null then 'released' when h.valid_to < $1::date then 'ended' else 'standing' end as state
  from concord.restrictions h
    join concord.golden_records g on g.id = h.golden_id
    join concord.entity_types t on t.id = g.entity_type_id`;

export interface RestrictionFilter {
  readonly goldenId: string | null;
  readonly recipientClass: string | null;
  readonly state: string | null;
}

/** Newest first. */
export const listRestrictions = async (
  client: PoolClient,
  day: string,
  filter: RestrictionFilter,
  before: string | null,
  most: number,
): Promise<readonly RestrictionRow[]> => {
  const { rows } = await client.query<RestrictionRow>(
    `select * from (${selectRestrictions}) r
     where ($2::bigint is null or r.golden_id = $2) and ($3::text is null or r.recipient_class = $3) and ($4::text is null or r.state = $4)
       and ($5::bigint is null or r.id < $5)
     order by r.id desc limit $6`,
    [day, filter.goldenId, filter.recipientClass, filter.state, before, most],
  );
  return rows;
};

/** `lock`: nobody else releases it until the transaction ends. */
export const findRestriction = async (
  client: PoolClient,
  day: string,
  id: string,
  lock = false,
): Promise<RestrictionRow | null> => {
  const { rows } = await client.query<RestrictionRow>(
    `${selectRestrictions} where h.id = $2 ${lock ? 'for update of h' : ''}`,
    [day, id],
  );
  return rows[0] ?? null;
};

export interface NewRestriction {
  readonly goldenId: string;
  readonly recipientClass: string;
  readonly from: string | null;
  readonly to: string | null;
  readonly authority: string;
  readonly reason: string;
  readonly actor: string;
}

/** Places a restriction; null where one stands already. */
export const insertRestriction = async (client: PoolClient, wanted: NewRestriction): Promise<string | null> => {
  const { rows } = await client.query<{ id: string }>(
    `insert into concord.restrictions (institution_id, golden_id, recipient_class, valid_from, valid_to, placed_by, authority, reason, subject_key)
     select institution_id, id, $2, $3, $4, $5, $6, $7, subject_key from concord.golden_records where id = $1
     on conflict (golden_id, recipient_class) where released_at is null do nothing returning id`,
    [
      ...[wanted.goldenId, wanted.recipientClass, wanted.from, wanted.to],
      ...[wanted.actor, wanted.authority, wanted.reason],
    ],
  );
  return rows[0]?.id ?? null;
};

/** The restriction that stands for a record and a class. */
export const findStanding = async (
  client: PoolClient,
  goldenId: string,
  recipientClass: string,
): Promise<string | null> => {
  const { rows } = await client.query<{ id: string }>(
    'select id from concord.restrictions where golden_id = $1 and recipient_class = $2 and released_at is null',
    [goldenId, recipientClass],
  );
  return rows[0]?.id ?? null;
};

export const markReleased = async (
  client: PoolClient,
  id: string,
  by: { readonly actor: string; readonly reason: string },
): Promise<void> => {
  await client.query(
    `update concord.restrictions set released_by = $2, release_reason = $3, released_at = now() where id = $1 and released_at is null`,
    [id, by.actor, by.reason],
  );
};

/** Whatever reads the record is projected again on these days, in every target that was published to before. */
export const markDue = async (client: PoolClient, goldenId: string, days: readonly string[]): Promise<void> => {
  await client.query('select concord.mark_due($1, $2)', [goldenId, days]);
};
