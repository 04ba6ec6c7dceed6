import type { PoolClient } from 'pg';
import type { MemberRole } from '../../domain/access.js';

export interface KeyRow {
  readonly id: string;
  readonly name: string;
  readonly role: MemberRole;
  readonly organisations: readonly string[];
  readonly prefix: string;
  readonly created_by: string;
  readonly created_at: Date;
  readonly expires_at: Date | null;
  readonly last_used_at: Date | null;
  readonly revoked_at: Date | null;
  readonly version: number;
  readonly changed_by: string | null;
  readonly changed_at: Date | null;
}

export interface KeyFilter {
  readonly state: 'active' | 'expired' | 'revoked' | null;
  readonly role: string | null;
}

const columns = `k.id::text as id, k.name, k.role, k.organisations, k.prefix, k.created_by, k.created_at, k.expires_at, k.last_used_at, k.revoked_at,
  k.version, k.changed_by, k.changed_at`;

/** Keys of the institution, newest first; `before`: the id that the page before ended with. */
export const listKeys = async (
  client: PoolClient,
  { state, role }: KeyFilter,
  page: { readonly before: string | null; readonly most: number },
  now: Date,
): Promise<readonly KeyRow[]> => {
  const { rows } = await client.query<KeyRow>(
    `select ${columns} from concord.api_keys k
     where ($1::integer is null or k.id < $1) and ($2::text is null or k.role = $2)
       and ($3::text is null or $3 = case when k.revoked_at is not null then 'revoked' when k.expires_at <= $4 then 'expired' else 'active' end)
     order by k.id desc limit $5`,
    [page.before, role, state, now, page.most],
  );
  return rows;
};

/** A key; null where the institution has none of this id. `lock`: to change it. */
export const findKey = async (
  client: PoolClient,
  id: number,
  options: { readonly lock?: boolean } = {},
): Promise<KeyRow | null> => {
  const { rows } = await client.query<KeyRow>(
    `select ${columns} from concord.api_keys k where k.id = $1 ${options.lock === true ? 'for update' : ''}`,
    [id],
  );
  return rows[0] ?? null;
};

/** Makes another key of the same kind, with all that the former has, and lets the former end. Returns the id of the new one. */
export const rotateKey = async (
  client: PoolClient,
  former: { readonly id: string; readonly until: Date },
  made: {
    readonly prefix: string;
    readonly secretHash: string;
    readonly actor: string;
    readonly now: Date;
    readonly expiresAt: Date | null;
  },
): Promise<number> => {
  const { rows } = await client.query<{ id: number }>(
    `insert into concord.api_keys overriding system value
     select r.* from concord.api_keys k cross join lateral jsonb_populate_record(k, jsonb_build_object(
       'id', nextval('concord.api_keys_id_seq'), 'prefix', $2::text, 'secret_hash', $3::text, 'created_by', $4::text,
       'created_at', $5::timestamptz, 'expires_at', $6::timestamptz, 'revoked_at', null, 'last_used_at', null,
       'version', 1, 'changed_by', null, 'changed_at', null)) r
     where k.id = $1 returning id`,
    [former.id, made.prefix, made.secretHash, made.actor, made.now, made.expiresAt],
  );
  const [row] = rows;
  if (row === undefined) throw new Error('a key that was locked is gone');
  await client.query(
    `update concord.api_keys set expires_at = least(expires_at, $2), version = version + 1, changed_by = $3, changed_at = $4
     where id = $1`,
    [former.id, former.until, made.actor, made.now],
  );
  return row.id;
};

/** Ends a key for good. */
export const revokeKey = async (client: PoolClient, id: string, actor: string, now: Date): Promise<void> => {
  await client.query(
    `update concord.api_keys set revoked_at = $2, version = version + 1, changed_by = $3, changed_at = $2
     where id = $1 and revoked_at is null`,
    [id, now, actor],
  );
};
