import { createHash, timingSafeEqual } from 'node:crypto';
import type { PoolClient } from 'pg';
import { boundRoles, type MemberRole } from '../domain/access.js';
import { SyncError } from '../domain/errors.js';
import { randomIds } from '../platform/ids.js';
import type { Ids } from '../platform/ids.js';
import { enterInstitution } from './hub.js';
import type { Hub } from './hub.js';

export interface NewApiKey {
  readonly role: MemberRole;
  /** Whose or what it is, for people: it stands as the actor of everything done with it. */
  readonly name: string;
  /** Who makes it. */
  readonly actor: string;
  readonly expiresAt?: Date;
  /** Codes of the organisations that it is bound to; none: not bound. */
  readonly organisations?: readonly string[];
}

export interface CreatedApiKey {
  readonly id: number;
  /** `concord_<prefix>_<secret>`. Shown once: only its hash is stored. */
  readonly key: string;
}

/** Who a request comes from. */
export interface ApiKeyHolder {
  readonly keyId: number;
  readonly institutionId: number;
  readonly role: MemberRole;
  readonly name: string;
  /** Codes of the organisations that it is bound to; none: not bound. */
  readonly organisations: readonly string[];
}

const keyPattern = /^concord_([0-9a-f]{12})_([\w-]{32})$/;

/** Makes a key. @throws SyncError configuration_invalid where keys of the role are not bound to organisations */
export async function createApiKey(
  hub: Hub,
  institutionId: number,
  made: NewApiKey,
  ids: Ids = randomIds,
): Promise<CreatedApiKey> {
  return await hub.transaction(institutionId, (client) => insertApiKey(client, institutionId, made, ids));
}

/** The same, in the transaction of a client that has entered the institution. */
export async function insertApiKey(
  client: PoolClient,
  institutionId: number,
  { role, name, actor, expiresAt, organisations = [] }: NewApiKey,
  ids: Ids = randomIds,
): Promise<CreatedApiKey> {
  if (organisations.length > 0 && !boundRoles.includes(role))
    throw new SyncError('configuration_invalid', `the role ${role} is not bound to organisations`);
  const { key, prefix, secretHash } = newSecret(ids);
  const answer = await client.query<{ id: number }>(
    `insert into api_keys (institution_id, prefix, secret_hash, role, name, created_by, expires_at, organisations)
     values ($1, $2, $3, $4, $5, $6, $7, $8) returning id`,
    [institutionId, prefix, secretHash, role, name, actor, expiresAt ?? null, [...organisations]],
  );
  const [row] = answer.rows;
  if (row === undefined) throw new SyncError('internal', 'the key was not stored');
  return { id: row.id, key };
}

/** A key that nobody has yet, with what is stored of it. */
export function newSecret(ids: Ids = randomIds): {
  readonly key: string;
  readonly prefix: string;
  readonly secretHash: string;
} {
  const prefix = ids.newId().slice(-12);
  const secret = ids.newKey();
  return { key: `concord_${prefix}_${secret}`, prefix, secretHash: hashOf(secret).toString('hex') };
}

/** Who the key belongs to; null where it is unknown, wrong, expired or revoked, without telling which. Takes as long for one
 *  secret as for another. The last use is noted, once a minute at most. */
export async function verifyApiKey(hub: Hub, key: string, now: Date): Promise<ApiKeyHolder | null> {
  const [, prefix, secret] = keyPattern.exec(key) ?? [];
  if (prefix === undefined || secret === undefined) return null;
  return await hub.system(async (client) => {
    const answer = await client.query<StoredKey>(
      'select id, institution_id, secret_hash, role, name, expires_at, revoked_at from key_by_prefix($1)',
      [prefix],
    );
    const [row] = answer.rows;
    const fits = timingSafeEqual(hashOf(secret), row === undefined ? hashOf('') : Buffer.from(row.secret_hash, 'hex'));
    if (row === undefined || !fits || !isValid(row, now)) return null;
    await enterInstitution(client, row.institution_id);
    const { rows } = await client.query<{ organisations: readonly string[] }>(
      `with used as (
         update api_keys set last_used_at = $2
         where id = $1 and (last_used_at is null or last_used_at < $2::timestamptz - interval '1 minute'))
       select organisations from api_keys where id = $1`,
      [row.id, now],
    );
    const { id, institution_id: institutionId, role, name } = row;
    return { keyId: id, institutionId, role, name, organisations: rows[0]?.organisations ?? [] };
  });
}

/** Ends a key for good. False where the institution has no such key in use. */
export async function revokeApiKey(hub: Hub, institutionId: number, keyId: number, now: Date): Promise<boolean> {
  const answer = await hub.transaction(institutionId, (client) =>
    client.query('update api_keys set revoked_at = $2 where id = $1 and revoked_at is null', [keyId, now]),
  );
  return answer.rowCount === 1;
}

interface StoredKey {
  readonly id: number;
  readonly institution_id: number;
  readonly secret_hash: string;
  readonly role: MemberRole;
  readonly name: string;
  readonly expires_at: Date | null;
  readonly revoked_at: Date | null;
}

function isValid(row: StoredKey, now: Date): boolean {
  return row.revoked_at === null && (row.expires_at === null || row.expires_at > now);
}

/* A secret of 192 random bits needs no slow hash. */
function hashOf(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}
