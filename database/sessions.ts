import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto';
import type { PoolClient } from 'pg';
import type { MemberRole } from '../domain/access.js';
import { SyncError } from '../domain/errors.js';
import type { Grant } from '../domain/grants.js';
import { enterInstitution, type Hub } from './hub.js';

/** A person who signed in. */
export interface SignedIn {
  /** The provider that vouches for them, and whom it calls them. */
  readonly provider: string;
  readonly subject: string;
  /** For people: it stands, with role and provider, as the actor of everything they do. */
  readonly name: string;
  /** All that they may be. */
  readonly grants: readonly Grant[];
}

/** A session that is valid. */
export interface Session extends SignedIn {
  readonly id: string;
  readonly institutionId: number;
  readonly role: MemberRole;
  /** Codes of the organisations that the person is bound to; none: not bound. */
  readonly organisations: readonly string[];
  readonly createdAt: Date;
  readonly expiresAt: Date;
  /** When the provider last said what the person may be. */
  readonly vouchedAt: Date;
}

/** How long a session lasts, in minutes. */
export interface SessionLimits {
  /** Without a request. */
  readonly idle: number;
  /** From signing in, whatever happens. */
  readonly absolute: number;
  /** Until the provider is asked again what the person may be. */
  readonly recheck: number;
}

export interface OpenSession extends SignedIn {
  /** The grant that is used from now on, of an institution of ours. */
  readonly institutionId: number;
  readonly grant: Grant;
  /** When the person signed in, if it is not now: another grant does not make a session last longer. */
  readonly createdAt?: Date;
  /** When the provider vouched for the grants, if it is not now. */
  readonly vouchedAt?: Date;
  /** What the provider is asked with again; null: it gave nothing. */
  readonly refreshToken: string | null;
}

/** Opens a session and returns its token: 256 random bits, of which only the hash is stored. Sessions of the institution that are over
 *  go at the same time. */
export async function openSession(
  hub: Hub,
  session: OpenSession,
  { absolute }: SessionLimits,
  now: Date,
): Promise<string> {
  const token = randomBytes(32).toString('base64url');
  const { institutionId, provider, subject, name, grant, grants, createdAt = now, vouchedAt = now } = session;
  const renewal = session.refreshToken === null ? null : sealed(session.refreshToken, token);
  await hub.transaction(institutionId, async (client) => {
    await client.query('delete from concord.sessions where institution_id = $1 and expires_at < $2', [
      institutionId,
      now,
    ]);
    await client.query(
      `insert into concord.sessions (institution_id, token_hash, provider, subject, name, role, organisations, grants,
         created_at, last_used_at, expires_at, vouched_at, renewal)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $9::timestamptz + $11 * interval '1 minute', $12, $13)`,
      [
        ...[institutionId, hashOf(token), provider, subject, name, grant.role, [...grant.organisations]],
        ...[JSON.stringify(grants), createdAt, now, absolute, vouchedAt, renewal],
      ],
    );
  });
  return token;
}

/** The session of a token; null where there is none, or it is over. That it was used is noted, once a minute at most. */
export async function findSession(
  hub: Hub,
  token: string,
  { idle }: SessionLimits,
  now: Date,
): Promise<Session | null> {
  if (!tokenPattern.test(token)) return null;
  return await hub.system(async (client) => {
    const id = await enterSession(client, token);
    if (id === null) return null;
    const { rows } = await client.query<SessionRow>(
      `with used as (
         update concord.sessions set last_used_at = $2
         where id = $1 and expires_at > $2 and last_used_at > $2::timestamptz - $3 * interval '1 minute'
           and last_used_at < $2::timestamptz - interval '1 minute')
       select id, institution_id, provider, subject, name, role, organisations, grants, created_at, expires_at, vouched_at
       from concord.sessions
       where id = $1 and expires_at > $2 and last_used_at > $2::timestamptz - $3 * interval '1 minute'`,
      [id, now, idle],
    );
    const [row] = rows;
    return row === undefined ? null : toSession(row);
  });
}

/** Ends a session. False where there is none (any more). */
export async function endSession(hub: Hub, token: string): Promise<boolean> {
  if (!tokenPattern.test(token)) return false;
  return await hub.system(async (client) => {
    const id = await enterSession(client, token);
    if (id === null) return false;
    const ended = await client.query('delete from concord.sessions where id = $1', [id]);
    return ended.rowCount === 1;
  });
}

/** What a provider says when it is asked again. */
export interface Renewed {
  readonly grants: readonly Grant[];
  /** As the grant that the session uses says now. */
  readonly organisations: readonly string[];
  readonly refreshToken: string | null;
}

/** Asks again what somebody may be whose session was vouched for before `before`, one request at a time: a provider may take the same
 *  refresh token only once. `ask` null: they may nothing of what the session uses, and it ends. False where it is over. */
export async function renewSession(
  hub: Hub,
  token: string,
  { before, now }: { readonly before: Date; readonly now: Date },
  ask: (refreshToken: string | null) => Promise<Renewed | null>,
): Promise<boolean> {
  return await hub.system(async (client) => {
    const id = await enterSession(client, token);
    if (id === null) return false;
    const { rows } = await client.query<{ renewal: string | null; vouched_at: Date }>(
      'select renewal, vouched_at from concord.sessions where id = $1 for update',
      [id],
    );
    const [row] = rows;
    if (row === undefined) return false;
    // Another request asked meanwhile.
    if (row.vouched_at >= before) return true;
    const renewed = await ask(row.renewal === null ? null : opened(row.renewal, token));
    if (renewed === null) {
      await client.query('delete from concord.sessions where id = $1', [id]);
      return false;
    }
    const { grants, organisations, refreshToken } = renewed;
    await client.query(
      'update concord.sessions set grants = $2, organisations = $3, renewal = $4, vouched_at = $5 where id = $1',
      [
        ...[id, JSON.stringify(grants), [...organisations]],
        ...[refreshToken === null ? null : sealed(refreshToken, token), now],
      ],
    );
    return true;
  });
}

/** What a session's provider is asked with again; null: it gave nothing. */
export async function refreshTokenOf(hub: Hub, token: string): Promise<string | null> {
  return await hub.system(async (client) => {
    const id = await enterSession(client, token);
    if (id === null) return null;
    const { rows } = await client.query<{ renewal: string | null }>(
      'select renewal from concord.sessions where id = $1',
      [id],
    );
    const renewal = rows[0]?.renewal ?? null;
    return renewal === null ? null : opened(renewal, token);
  });
}

/** The institution with a code; null where there is none yet. */
export async function institutionIdOf(hub: Hub, code: string): Promise<number | null> {
  return await hub.system(async (client) => {
    const { rows } = await client.query<{ id: number | null }>('select concord.institution_by_code($1) as id', [code]);
    const [row] = rows;
    if (row === undefined) throw new SyncError('internal', 'a function returned no row');
    return row.id;
  });
}

/* Goes into the institution of a token's session. Returns the session's id; null: there is none of the token. */
const enterSession = async (client: PoolClient, token: string): Promise<string | null> => {
  const { rows } = await client.query<{ id: string; institution_id: number }>(
    'select id, institution_id from concord.session_by_token($1)',
    [hashOf(token)],
  );
  const [place] = rows;
  if (place === undefined) return null;
  await enterInstitution(client, place.institution_id);
  return place.id;
};

interface SessionRow {
  readonly id: string;
  readonly institution_id: number;
  readonly provider: string;
  readonly subject: string;
  readonly name: string;
  readonly role: MemberRole;
  readonly organisations: readonly string[];
  readonly grants: readonly Grant[];
  readonly created_at: Date;
  readonly expires_at: Date;
  readonly vouched_at: Date;
}

const tokenPattern = /^[\w-]{43}$/;

/* AES-256-GCM with a key that follows from the session's token, which is not stored: the database alone opens nothing. */
const cipher = 'aes-256-gcm';
const keyFrom = (token: string): Uint8Array =>
  new Uint8Array(hkdfSync('sha256', token, '', 'renewal of a session of Concord', 32));

const sealed = (text: string, token: string): string => {
  const nonce = randomBytes(12);
  const made = createCipheriv(cipher, keyFrom(token), nonce);
  const body = Buffer.concat([made.update(text, 'utf8'), made.final()]);
  return Buffer.concat([nonce, made.getAuthTag(), body]).toString('base64url');
};

const opened = (renewal: string, token: string): string => {
  const bytes = Buffer.from(renewal, 'base64url');
  const made = createDecipheriv(cipher, keyFrom(token), bytes.subarray(0, 12));
  made.setAuthTag(bytes.subarray(12, 28));
  return Buffer.concat([made.update(bytes.subarray(28)), made.final()]).toString('utf8');
};

const hashOf = (token: string): string => createHash('sha256').update(token).digest('hex');

const toSession = (row: SessionRow): Session => ({
  ...{ id: row.id, institutionId: row.institution_id, provider: row.provider, subject: row.subject, name: row.name },
  ...{ role: row.role, organisations: row.organisations, grants: row.grants },
  ...{ createdAt: row.created_at, expiresAt: row.expires_at, vouchedAt: row.vouched_at },
});
