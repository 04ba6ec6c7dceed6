import { createHash, timingSafeEqual } from 'node:crypto';
import type { Hub } from '../../database/hub.js';
import { findSession, institutionIdOf, type SessionLimits } from '../../database/sessions.js';
import { verifyApiKey } from '../../database/api-keys.js';
import type { Grant } from '../../domain/grants.js';
import type { Clock } from '../../platform/clock.js';
import type { Caller } from '../common/caller.js';
import type { Provider } from './provider.js';

/** Who people and programs are: by an API key, by an access token of a provider, or by a session. */
export class Directory {
  /** Codes of institutions are never given to another one. */
  private readonly institutions = new Map<string, number>();

  constructor(
    private readonly hub: Hub,
    private readonly clock: Clock,
    readonly providers: readonly Provider[],
    readonly sessionLimits: SessionLimits,
    private readonly hostKey: string | null,
  ) {}

  provider(name: string): Provider | null {
    return this.providers.find(({ settings }) => settings.name === name) ?? null;
  }

  /** Who sends this in the header. null: unknown, expired, revoked, or without a role. */
  async ofBearer(token: string): Promise<Caller | null> {
    if (this.hostKey !== null && isSameSecret(token, this.hostKey)) return host;
    return token.startsWith('concord_') ? await this.ofKey(token) : await this.ofAccessToken(token);
  }

  /** Whose session it is; null: it is over. */
  async ofSession(token: string): Promise<Caller | null> {
    const session = await findSession(this.hub, token, this.sessionLimits, this.clock.now());
    if (session === null) return null;
    const { institutionId, role, organisations, name, provider } = session;
    return { institutionId, role, organisations, actor: actorOf(role, name, provider), session };
  }

  /** Those of the grants whose institution there is, with its id. */
  async known(grants: readonly Grant[]): Promise<readonly (Grant & { readonly institutionId: number })[]> {
    const found = [];
    for (const grant of grants) {
      const institutionId = await this.institutionId(grant.institution);
      if (institutionId !== null) found.push({ ...grant, institutionId });
    }
    return found;
  }

  private async ofKey(token: string): Promise<Caller | null> {
    const holder = await verifyApiKey(this.hub, token, this.clock.now());
    if (holder === null) return null;
    const { institutionId, role, name, organisations } = holder;
    return { institutionId, role, actor: `${role}:${name}`, organisations };
  }

  private async ofAccessToken(token: string): Promise<Caller | null> {
    const issuer = issuerOf(token);
    for (const provider of this.providers) {
      if (issuer === null || !isSame(provider.settings.issuer, issuer)) continue;
      const vouched = await provider.verifyToken(token);
      if (vouched === null) continue;
      const [grant] = await this.known(vouched.grants);
      if (grant === undefined) return null;
      const { institutionId, role, organisations } = grant;
      return { institutionId, role, organisations, actor: actorOf(role, vouched.name, provider.settings.name) };
    }
    return null;
  }

  private async institutionId(code: string): Promise<number | null> {
    const known = this.institutions.get(code);
    if (known !== undefined) return known;
    const id = await institutionIdOf(this.hub, code);
    if (id !== null) this.institutions.set(code, id);
    return id;
  }
}

/* Inside no institution: nothing has the id 0, and policies show it no row. */
const host: Caller = { institutionId: 0, role: 'host', actor: 'host', organisations: [] };

const digestOf = (secret: string): Buffer => createHash('sha256').update(secret).digest();
const isSameSecret = (one: string, other: string): boolean => timingSafeEqual(digestOf(one), digestOf(other));

/** As written to the rows that somebody makes. Names of keys and of people cannot be taken for each other: theirs end in `@provider`. */
const actorOf = (role: string, name: string, provider: string): string => `${role}:${name}@${provider}`;

/* Not believed: it only says whose signature to ask for. */
const issuerOf = (token: string): string | null => {
  const [, payload] = token.split('.');
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload ?? '', 'base64url').toString('utf8'));
    const issuer: unknown = typeof claims === 'object' && claims !== null && 'iss' in claims ? claims.iss : null;
    return typeof issuer === 'string' ? issuer : null;
  } catch {
    return null; // no token of anybody's
  }
};

const isSame = (one: string, other: string): boolean => one.replace(/\/$/, '') === other.replace(/\/$/, '');
