import { createRemoteJWKSet, errors as joseErrors, jwtVerify, type JWTVerifyGetKey } from 'jose';
import * as oidc from 'openid-client';
import { grantsOf, valuesOf, type Grant, type ProviderSettings } from '../../domain/grants.js';
import { linkTo } from '../common/base-path.js';
import { Problem } from '../common/problem.js';
import { say } from '../languages/say.js';

/** What waits in the browser until it comes back from a provider. It is good for one sign-in, in that browser. */
export interface Begun {
  readonly provider: string;
  readonly state: string;
  readonly nonce: string;
  /** Of PKCE: only who began can redeem the code. */
  readonly verifier: string;
  /** Where to go then: a path of ours. */
  readonly returnTo: string;
}

/** Somebody for whom a provider vouched. */
export interface Vouched {
  readonly subject: string;
  readonly name: string;
  readonly grants: readonly Grant[];
}

const patienceSeconds = 10;
/** What a provider says of itself is asked again after so long. */
const knownFor = 60 * 60_000;
/** Signatures that only a provider can make: none by a shared secret, and not `none`. */
const algorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];

/** One OpenID provider. It is asked for the first time when somebody wants to sign in: it need not be up when we start. */
export class Provider {
  private known: { readonly until: number; readonly client: Promise<Known> } | null = null;

  constructor(
    readonly settings: ProviderSettings,
    private readonly secret: string | null,
    private readonly publicUrl: string,
  ) {}

  /** Where to send a browser, and what it has to bring back. */
  async begin(returnTo: string): Promise<{ readonly url: string; readonly begun: Begun }> {
    const { client } = await this.discover();
    const begun = {
      ...{ provider: this.settings.name, returnTo },
      ...{ state: oidc.randomState(), nonce: oidc.randomNonce(), verifier: oidc.randomPKCECodeVerifier() },
    };
    const url = oidc.buildAuthorizationUrl(client, {
      redirect_uri: this.redirectUri(),
      scope: ['openid', ...(this.settings.scopes ?? [])].join(' '),
      ...{ state: begun.state, nonce: begun.nonce },
      ...{ code_challenge: await oidc.calculatePKCECodeChallenge(begun.verifier), code_challenge_method: 'S256' },
    });
    return { url: url.href, begun };
  }

  /** Who came back. `query`: the parameters that the browser brought.
   *  @throws Problem sign_in_failed, unavailable */
  async complete(begun: Begun, query: string): Promise<Vouched> {
    const { client } = await this.discover();
    const checks = {
      ...{ pkceCodeVerifier: begun.verifier, expectedState: begun.state, expectedNonce: begun.nonce },
      idTokenExpected: true,
    };
    try {
      const tokens = await oidc.authorizationCodeGrant(client, new URL(`${this.redirectUri()}?${query}`), checks);
      const claims = tokens.claims();
      if (claims === undefined) throw new Error('a provider gave no claims');
      const more =
        this.settings.userinfo === true ? await oidc.fetchUserInfo(client, tokens.access_token, claims.sub) : {};
      return this.vouchFor({ ...more, ...claims }, claims.sub);
    } catch (error) {
      if (isUnreachable(error)) throw this.unreachable(error);
      throw new Problem('sign_in_failed', say('sign_in_failed.provider', { provider: this.settings.title }), {
        cause: error,
      });
    }
  }

  /** Where a browser signs out there too; null where the provider knows no such place. */
  async signOutUrl(): Promise<string | null> {
    const { client } = await this.discover();
    if (client.serverMetadata().end_session_endpoint === undefined) return null;
    return oidc.buildEndSessionUrl(client, { post_logout_redirect_uri: `${this.publicUrl}/docs` }).href;
  }

  /** Whose access token it is; null where it is not for us, not from there, or no longer good. @throws Problem unavailable */
  async verifyToken(token: string): Promise<Vouched | null> {
    const { audience } = this.settings;
    if (audience === undefined) return null;
    const { keys, issuer } = await this.discover();
    try {
      const { payload } = await jwtVerify(token, keys, {
        ...{ issuer, audience, algorithms },
        requiredClaims: ['exp', 'sub'],
        clockTolerance: 30,
      });
      return this.vouchFor(payload, payload.sub ?? '');
    } catch (error) {
      if (error instanceof joseErrors.JWKSTimeout || isUnreachable(error)) throw this.unreachable(error);
      if (error instanceof joseErrors.JOSEError) return null;
      throw error;
    }
  }

  private vouchFor(claims: Readonly<Record<string, unknown>>, subject: string): Vouched {
    const candidates = [this.settings.nameClaim ?? 'preferred_username', 'client_id', 'azp'];
    const [name = subject] = candidates.flatMap((claim) => valuesOf(claims, claim));
    return { subject, name: name.slice(0, 200), grants: grantsOf(claims, this.settings.grants) };
  }

  private redirectUri(): string {
    return `${this.publicUrl}${linkTo(`sign-in/${this.settings.name}/callback`)}`;
  }

  private async discover(): Promise<Known> {
    if (this.known === null || this.known.until < Date.now())
      this.known = { until: Date.now() + knownFor, client: this.ask() };
    try {
      return await this.known.client;
    } catch (error) {
      this.known = null;
      throw this.unreachable(error);
    }
  }

  private async ask(): Promise<Known> {
    const { issuer, clientId, audience } = this.settings;
    const client = await oidc.discovery(
      new URL(issuer),
      clientId ?? audience ?? '',
      undefined,
      this.secret === null ? oidc.None() : secretOf(this.secret),
      {
        timeout: patienceSeconds,
        // Only this very machine's: the settings refuse another.
        // eslint-disable-next-line @typescript-eslint/no-deprecated -- a warning to the careless, and no plan to take it away
        ...(issuer.startsWith('http:') ? { execute: [oidc.allowInsecureRequests] } : {}),
      },
    );
    const { jwks_uri: keys, issuer: name } = client.serverMetadata();
    if (keys === undefined) throw new Error('a provider names no keys');
    return {
      ...{ client, issuer: name },
      keys: createRemoteJWKSet(new URL(keys), { timeoutDuration: patienceSeconds * 1000 }),
    };
  }

  private unreachable(cause: unknown): Problem {
    return new Problem('unavailable', say('unavailable.provider', { provider: this.settings.title }), { cause });
  }
}

interface Known {
  readonly client: oidc.Configuration;
  readonly issuer: string;
  readonly keys: JWTVerifyGetKey;
}

/* In the way that the provider takes: in the header unless it says that it wants it in the body only. */
const secretOf =
  (secret: string): oidc.ClientAuth =>
  (server, client, body, headers) => {
    const takes = server.token_endpoint_auth_methods_supported ?? ['client_secret_basic'];
    const method = takes.includes('client_secret_basic') ? oidc.ClientSecretBasic : oidc.ClientSecretPost;
    method(secret)(server, client, body, headers);
  };

/* What `fetch` throws where nobody answers, and what we ask it to throw when it takes too long. */
const isUnreachable = (error: unknown): boolean => {
  for (let each = error; each instanceof Error; each = each.cause) {
    if (each.name === 'TimeoutError' || (each instanceof TypeError && each.message === 'fetch failed')) return true;
  }
  return false;
};
