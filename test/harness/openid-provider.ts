import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import Provider, { type Configuration } from 'oidc-provider';

/** Somebody whom the provider knows, with what it says of them. */
export type Claims = Readonly<Record<string, unknown>>;

/** A real OpenID provider on this machine, whose people confirm everything at once. */
export class OpenIdProvider {
  /** Who sits before the browser that signs in next. */
  person = '';
  readonly people = new Map<string, Claims>();

  private constructor(
    private readonly server: Server,
    readonly issuer: string,
  ) {}

  /** `publicUrl`: of the application that people come back to. `machines`: client ids of programs, with their claims. */
  static async start(options: {
    readonly redirectUri: string;
    readonly afterSignOut: string;
    readonly machines: Readonly<Record<string, Claims>>;
  }): Promise<OpenIdProvider> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const issuer = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
    const opened = new OpenIdProvider(server, issuer);
    const provider = new Provider(issuer, opened.configuration(options));
    const answer = provider.callback();
    server.on('request', (request, response) => {
      if (request.url?.startsWith('/interaction/') === true) {
        void opened.confirm(provider, request, response);
        return;
      }
      void answer(request, response);
    });
    return opened;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  /** Follows a browser from the address to which it is sent, until it is sent back to the application. Gives that address. */
  async browse(from: string): Promise<string> {
    const cookies = new Map<string, string>();
    let url = from;
    for (let steps = 0; steps < 10 && url.startsWith(this.issuer); steps += 1) {
      const answer = await fetch(url, {
        redirect: 'manual',
        headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
      });
      await answer.text();
      for (const cookie of answer.headers.getSetCookie()) {
        const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
        cookies.set(name, value);
      }
      const location = answer.headers.get('location');
      if (location === null) throw new Error(`the provider answered with ${answer.status}`);
      url = new URL(location, url).href;
    }
    return url;
  }

  /** An access token of a program, by its client credentials. */
  async token(client: string, audience: string): Promise<string> {
    const answer = await fetch(`${this.issuer}/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(`${client}:${secret}`).toString('base64')}` },
      body: new URLSearchParams({ grant_type: 'client_credentials', resource: audience }),
    });
    const body = (await answer.json()) as { access_token?: string };
    if (body.access_token === undefined) throw new Error(`no token: ${JSON.stringify(body)}`);
    return body.access_token;
  }

  private configuration({
    redirectUri,
    afterSignOut,
    machines,
  }: {
    readonly redirectUri: string;
    readonly afterSignOut: string;
    readonly machines: Readonly<Record<string, Claims>>;
  }): Configuration {
    return {
      clients: [
        {
          ...{ client_id: 'concord', client_secret: secret, redirect_uris: [redirectUri] },
          post_logout_redirect_uris: [afterSignOut],
        },
        ...Object.keys(machines).map((id) => ({
          ...{ client_id: id, client_secret: secret, redirect_uris: [], response_types: [] },
          grant_types: ['client_credentials'],
        })),
      ],
      claims: { openid: ['sub'], profile: ['preferred_username'], groups: ['groups', 'schools'] },
      conformIdTokenClaims: false,
      cookies: { keys: ['of a test'] },
      findAccount: (_context, id) => ({
        accountId: id,
        claims: async () => ({ sub: id, ...this.people.get(id) }),
      }),
      extraTokenClaims: (_context, token) => ({ ...machines[token.clientId ?? ''] }),
      features: {
        devInteractions: { enabled: false },
        clientCredentials: { enabled: true },
        resourceIndicators: {
          enabled: true,
          defaultResource: () => [],
          getResourceServerInfo: (_context, audience) => ({
            ...{ scope: '', audience, accessTokenFormat: 'jwt', accessTokenTTL: 600 },
            jwt: { sign: { alg: 'RS256' } },
          }),
        },
      },
      interactions: { url: (_context, { uid }) => `/interaction/${uid}` },
      pkce: { required: () => true },
    };
  }

  private async confirm(
    provider: Provider,
    request: Parameters<Provider['interactionDetails']>[0],
    response: Parameters<Provider['interactionDetails']>[1],
  ): Promise<void> {
    const { prompt, params, session } = await provider.interactionDetails(request, response);
    if (this.person === '') {
      await provider.interactionFinished(request, response, { error: 'access_denied' });
      return;
    }
    if (prompt.name === 'login') {
      await provider.interactionFinished(request, response, { login: { accountId: this.person } });
      return;
    }
    const grant = new provider.Grant({
      accountId: session?.accountId ?? '',
      clientId: String(params['client_id']),
    });
    grant.addOIDCScope(String(params['scope']));
    await provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } });
  }
}

/** Of all clients. */
export const secret = 'a secret of a test that is long enough';
