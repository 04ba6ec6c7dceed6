import { createHash, timingSafeEqual } from 'node:crypto';
import type { Role } from '../domain/access.js';
import { SyncError } from '../domain/errors.js';
import { randomIds } from '../platform/ids.js';
import type { Ids } from '../platform/ids.js';
import { enterInstitution } from './hub.js';
import type { Hub } from './hub.js';

export interface NewApiKey {
  readonly role: Role;
  /** Whose or what it is, for people: it stands as the actor of everything done with it. */
  readonly name: string;
  /** Who makes it. */
  readonly actor: string;
  readonly expiresAt?: Date;
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
  readonly role: Role;
  readonly name: string;
}

const keyPattern = /^concord_([0-9a-f]{12})_([\w-]{32})$/;

/** Makes a key. */
export async function createApiKey(
  hub: Hub,
  institutionId: number,
  { role, name, actor, expiresAt }: NewApiKey,
  ids: Ids = randomIds,
): Promise<CreatedApiKey> {
  const { key, prefix, secretHash } = newSecret(ids);
  const answer = await hub.transaction(institutionId, (client) =>
    client.query<{ id: number }>(
      `insert into api_keys (institution_id, prefix, secret_hash, role, name, created_by, expires_at)
       values ($1, $2, $3, $4, $5, $6, $7) returning id`,
      [institutionId, prefix, secretHash, role, name, actor, expiresAt ?? null],
    ),
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
    await client.query(
      `update api_keys set last_used_at = $2
       where id = $1 and (last_used_at is null or last_used_at < $2::timestamptz - interval '1 minute')`,
      [row.id, now],
    );
    return { keyId: row.id, institutionId: row.institution_id, role: row.role, name: row.name };
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
  readonly role: Role;
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
