import { createHash, randomBytes } from 'node:crypto';
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
}

/** How long a session lasts, in minutes. */
export interface SessionLimits {
  /** Without a request. */
  readonly idle: number;
  /** From signing in, whatever happens. */
  readonly absolute: number;
}

export interface OpenSession extends SignedIn {
  /** The grant that is used from now on, of an institution of ours. */
  readonly institutionId: number;
  readonly grant: Grant;
  /** When the person signed in, if it is not now: another grant does not make a session last longer. */
  readonly createdAt?: Date;
}

/** Opens a session and returns its token: 256 random bits, of which only the hash is stored. Sessions of the institution that are over
 *  go at the same time. */
export async function openSession(
  hub: Hub,
  opened: OpenSession,
  { absolute }: SessionLimits,
  now: Date,
): Promise<string> {
  const token = randomBytes(32).toString('base64url');
  const { institutionId, provider, subject, name, grant, grants, createdAt = now } = opened;
  await hub.transaction(institutionId, async (client) => {
    await client.query('delete from concord.sessions where institution_id = $1 and expires_at < $2', [
      institutionId,
      now,
    ]);
    await client.query(
      `insert into concord.sessions (institution_id, token_hash, provider, subject, name, role, organisations, grants,
         created_at, last_used_at, expires_at)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $9::timestamptz + $11 * interval '1 minute')`,
      [
        ...[institutionId, hashOf(token), provider, subject, name, grant.role, [...grant.organisations]],
        ...[JSON.stringify(grants), createdAt, now, absolute],
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
    const found = await client.query<{ id: string; institution_id: number }>(
      'select id, institution_id from concord.session_by_token($1)',
      [hashOf(token)],
    );
    const [place] = found.rows;
    if (place === undefined) return null;
    await enterInstitution(client, place.institution_id);
    const { rows } = await client.query<SessionRow>(
      `with used as (
         update concord.sessions set last_used_at = $2
         where id = $1 and expires_at > $2 and last_used_at > $2::timestamptz - $3 * interval '1 minute'
           and last_used_at < $2::timestamptz - interval '1 minute')
       select id, institution_id, provider, subject, name, role, organisations, grants, created_at, expires_at
       from concord.sessions
       where id = $1 and expires_at > $2 and last_used_at > $2::timestamptz - $3 * interval '1 minute'`,
      [place.id, now, idle],
    );
    const [row] = rows;
    return row === undefined ? null : toSession(row);
  });
}

/** Ends a session. False where there is none (any more). */
export async function endSession(hub: Hub, token: string): Promise<boolean> {
  if (!tokenPattern.test(token)) return false;
  return await hub.system(async (client) => {
    const found = await client.query<{ id: string; institution_id: number }>(
      'select id, institution_id from concord.session_by_token($1)',
      [hashOf(token)],
    );
    const [place] = found.rows;
    if (place === undefined) return false;
    await enterInstitution(client, place.institution_id);
    const ended = await client.query('delete from concord.sessions where id = $1', [place.id]);
    return ended.rowCount === 1;
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
}

const tokenPattern = /^[\w-]{43}$/;

const hashOf = (token: string): string => createHash('sha256').update(token).digest('hex');

const toSession = (row: SessionRow): Session => ({
  ...{ id: row.id, institutionId: row.institution_id, provider: row.provider, subject: row.subject, name: row.name },
  ...{ role: row.role, organisations: row.organisations, grants: row.grants },
  ...{ createdAt: row.created_at, expiresAt: row.expires_at },
});
