import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { Provider } from '../../api/access/provider.js';
import type { ProviderSettings } from '../../domain/grants.js';
import { OpenIdProvider, secret } from '../harness/openid-provider.js';
import { ApiHarness, base, type Reply } from './api-harness.js';
import { World } from './builders.js';

const publicUrl = 'https://concord.example';
const session = '__Host-concord-session';

let api: ApiHarness;
let openId: OpenIdProvider;
beforeAll(async () => {
  openId = await OpenIdProvider.start({
    redirectUri: `${publicUrl}${base}/sign-in/lakeside/callback`,
    afterSignOut: `${publicUrl}/docs`,
    machines: { importer: { roles: ['concord-operator'] }, stranger: { roles: ['other'] }, nobody: {} },
  });
  const settings: ProviderSettings = {
    ...{ name: 'lakeside', title: 'Lakeside University', issuer: openId.issuer },
    ...{ clientId: 'concord', scopes: ['profile', 'groups'], audience: 'https://concord.example/api' },
    grants: [
      { claim: 'groups', value: 'registry', institution: 'lakeside', role: 'secretary', organisationsClaim: 'schools' },
      { claim: 'groups', value: 'data-office', institution: 'lakeside', role: 'steward' },
      { claim: 'groups', value: 'data-office', institution: 'elsewhere', role: 'auditor' },
      { claim: 'groups', value: 'lost', institution: 'nowhere', role: 'steward' },
      { claim: 'roles', value: 'concord-operator', institution: 'lakeside', role: 'operator' },
    ],
  };
  const gone = { ...settings, name: 'gone', title: 'Gone College', issuer: 'http://127.0.0.1:9' };
  api = await ApiHarness.open({
    publicUrl,
    providers: [new Provider(settings, secret, publicUrl), new Provider(gone, null, publicUrl)],
    session: { idle: 60, absolute: 600 },
  });
  await World.build(api);
  openId.people.set('p-1', { preferred_username: 'amara', groups: ['registry'], schools: ['law'] });
  openId.people.set('p-2', { preferred_username: 'jonas', groups: ['data-office', 'others'] });
  openId.people.set('p-3', { preferred_username: 'mei', groups: ['gardeners'] });
  openId.people.set('p-4', { preferred_username: 'ana', groups: ['registry'] });
  openId.people.set('p-5', { preferred_username: 'li', groups: ['lost'] });
}, 60_000);
afterAll(async () => {
  await api.close();
  await openId.stop();
});
beforeEach(() => {
  api.clock.set('2026-11-20T07:10:00Z');
});

/** A browser: keeps the cookies, sends them along, and `Origin` with what it sends. */
class Browser {
  readonly cookies = new Map<string, string>();

  async ask(method: string, path: string, options: { body?: unknown; origin?: string | null } = {}): Promise<Reply> {
    const { body, origin = publicUrl } = options;
    const reply = await api.ask(method, path, {
      as: 'nobody',
      ...(body === undefined ? {} : { body }),
      headers: {
        cookie: [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; '),
        ...(origin === null || method === 'GET' ? {} : { origin }),
      },
    });
    for (const cookie of reply.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
      if (/Max-Age=0/.test(cookie)) this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
    return reply;
  }

  get(path: string): Promise<Reply> {
    return this.ask('GET', path);
  }

  /** As a person of the provider; gives the last reply. */
  async signIn(person: string, returnTo = '/docs'): Promise<Reply> {
    openId.person = person;
    const begun = await this.get(`sign-in/lakeside?returnTo=${encodeURIComponent(returnTo)}`);
    expect(begun.status).toBe(302);
    const back = new URL(await openId.browse(begun.headers.get('location') ?? ''));
    expect(back.origin).toBe(publicUrl);
    return await this.get(`${back.pathname}${back.search}`);
  }
}

describe('people', () => {
  test('sign in at their provider and come back with a session', async () => {
    const browser = new Browser();
    const reply = await browser.signIn('p-1', '/docs#conflicts');
    expect(reply.status).toBe(302);
    expect(reply.headers.get('location')).toBe('/docs#conflicts');
    const cookie = reply.headers.getSetCookie().find((one) => one.startsWith(session)) ?? '';
    expect(cookie).toMatch(/; Path=\/(;|$)/);
    expect(cookie).toMatch(/; HttpOnly/);
    expect(cookie).toMatch(/; Secure/);
    expect(cookie).toMatch(/; SameSite=Lax/);
    expect((await browser.get('me')).body).toMatchObject({
      ...{ kind: 'person', actor: 'secretary:amara@lakeside', role: 'secretary', organisations: ['law'] },
      institution: { code: 'lakeside' },
      permissions: { 'question:decide': 'affiliated', 'run:read': 'institution' },
      session: {
        ...{ provider: 'lakeside', name: 'amara', signedInAt: '2026-11-20T07:10:00.000Z' },
        expiresAt: '2026-11-20T17:10:00.000Z',
        grants: [{ institution: 'lakeside', role: 'secretary', organisations: ['law'] }],
      },
    });
  });

  test('may what their role may, and what they do bears their name', async () => {
    const browser = new Browser();
    await browser.signIn('p-2');
    expect(await browser.get('jobs')).toMatchObject({ status: 200 });
    expect(await browser.get('keys')).toMatchObject({ status: 403, body: { code: 'forbidden' } });
    const jobs = (await browser.get('jobs')).body as { items: readonly { id: string }[] };
    const started = await api.ask('POST', `jobs/${jobs.items[0]?.id ?? ''}/runs`, {
      as: 'nobody',
      body: {},
      headers: {
        cookie: `${session}=${browser.cookies.get(session) ?? ''}`,
        origin: publicUrl,
        'idempotency-key': 'of-a-person',
      },
    });
    expect(started.status).toBe(202);
    expect(api.started.at(-1)?.args).toMatchObject([{ actor: 'steward:jonas@lakeside' }]);
  });

  test('of whom nothing gives a role are told so, and have no session', async () => {
    for (const person of ['p-3', 'p-4', 'p-5']) {
      const browser = new Browser();
      expect(await browser.signIn(person)).toMatchObject({ status: 403, body: { code: 'no_access' } });
      expect(browser.cookies.has(session)).toBe(false);
    }
  });

  test('who may be several things change from one to another, in another institution too', async () => {
    const browser = new Browser();
    await browser.signIn('p-2');
    const former = browser.cookies.get(session);
    const other = { institution: 'elsewhere', role: 'auditor' };
    expect(await browser.ask('POST', 'me/switch', { body: { ...other, role: 'admin' } })).toMatchObject({
      status: 404,
    });
    api.clock.advance(30 * 60_000);
    expect(await browser.ask('POST', 'me/switch', { body: other })).toMatchObject({
      status: 200,
      body: {
        ...{ actor: 'auditor:jonas@lakeside', institution: { code: 'elsewhere' } },
        session: { expiresAt: '2026-11-20T17:10:00.000Z' },
      },
    });
    expect(browser.cookies.get(session)).not.toBe(former);
    expect(await browser.get('keys')).toMatchObject({ status: 200 });
    const left = await api.get('me', { as: 'nobody', headers: { cookie: `${session}=${former ?? ''}` } });
    expect(left).toMatchObject({ status: 401, body: { code: 'unauthenticated' } });
    expect(await api.post('me/switch', other, { as: 'steward' })).toMatchObject({
      status: 409,
      body: { code: 'state_forbids' },
    });
  });

  test('sign out here, and are told where to sign out there', async () => {
    const browser = new Browser();
    await browser.signIn('p-1');
    const token = browser.cookies.get(session) ?? '';
    const reply = await browser.ask('POST', 'sign-out');
    const { providerSignOut } = reply.body as { providerSignOut: string };
    const there = new URL(providerSignOut);
    expect(there.origin).toBe(openId.issuer);
    expect(there.searchParams.get('post_logout_redirect_uri')).toBe(`${publicUrl}/docs`);
    expect((await fetch(there, { redirect: 'manual' })).status).toBe(200);
    expect(browser.cookies.has(session)).toBe(false);
    expect(await api.get('me', { as: 'nobody', headers: { cookie: `${session}=${token}` } })).toMatchObject({
      status: 401,
    });
    expect(await browser.ask('POST', 'sign-out')).toMatchObject({ status: 200, body: { providerSignOut: null } });
  });
});

describe('a session', () => {
  test('ends after an idle hour, and after ten hours whatever is done', async () => {
    const idle = new Browser();
    await idle.signIn('p-1');
    api.clock.advance(59 * 60_000);
    expect(await idle.get('me')).toMatchObject({ status: 200 });
    api.clock.advance(61 * 60_000);
    expect(await idle.get('me')).toMatchObject({ status: 401 });

    const busy = new Browser();
    api.clock.set('2026-11-20T07:10:00Z');
    await busy.signIn('p-1');
    for (let minutes = 0; minutes < 595; minutes += 35) {
      api.clock.advance(35 * 60_000);
      expect(await busy.get('me')).toMatchObject({ status: 200 });
    }
    api.clock.advance(5 * 60_000);
    expect(await busy.get('me')).toMatchObject({ status: 401 });
  });

  test('gets a new token at each sign-in, and the one before ends', async () => {
    const browser = new Browser();
    await browser.signIn('p-1');
    const first = browser.cookies.get(session) ?? '';
    await browser.signIn('p-1');
    expect(browser.cookies.get(session)).not.toBe(first);
    expect(await browser.get('me')).toMatchObject({ status: 200 });
    expect(await api.get('me', { as: 'nobody', headers: { cookie: `${session}=${first}` } })).toMatchObject({
      status: 401,
    });
  });

  test('is stored as a hash', async () => {
    const browser = new Browser();
    await browser.signIn('p-1');
    const { rows } = await api.owner.query('select s::text as row from concord.sessions s');
    expect(rows.length).toBeGreaterThan(0);
    expect(JSON.stringify(rows)).not.toContain(browser.cookies.get(session));
  });

  test('changes nothing from another site, or from no browser', async () => {
    const browser = new Browser();
    await browser.signIn('p-2');
    for (const origin of ['https://evil.example', 'http://concord.example', 'null', null]) {
      expect(await browser.ask('POST', 'me/switch', { body: {}, origin })).toMatchObject({
        status: 403,
        body: { code: 'origin_refused' },
      });
      expect(await browser.ask('POST', 'sign-out', { origin })).toMatchObject({ status: 403 });
    }
    expect(await browser.get('me')).toMatchObject({ status: 200 });
  });

  test('does not help where a wrong key is shown', async () => {
    const browser = new Browser();
    await browser.signIn('p-2');
    const cookie = `${session}=${browser.cookies.get(session) ?? ''}`;
    const headers = { cookie, authorization: 'Bearer concord_000000000000_00000000000000000000000000000000' };
    expect(await api.get('me', { as: 'nobody', headers })).toMatchObject({ status: 401 });
  });
});

describe('signing in is refused', () => {
  test('where the browser that comes back is not the one that began, or brings another state', async () => {
    openId.person = 'p-1';
    const browser = new Browser();
    const begun = await browser.get('sign-in/lakeside');
    const back = new URL(await openId.browse(begun.headers.get('location') ?? ''));
    const path = `${back.pathname}${back.search}`;
    expect(await new Browser().get(path)).toMatchObject({ status: 400, body: { code: 'sign_in_failed' } });
    const other = path.replace(/state=[^&]+/, 'state=another');
    expect(await browser.get(other)).toMatchObject({ status: 400, body: { code: 'sign_in_failed' } });
    expect(await browser.get(path)).toMatchObject({ status: 302 });
    // A code is good once.
    expect(await browser.get(path)).toMatchObject({ status: 400, body: { code: 'sign_in_failed' } });
  });

  test('where the person does not consent', async () => {
    expect(await new Browser().signIn('')).toMatchObject({ status: 400, body: { code: 'sign_in_failed' } });
  });

  test('where the way back would lead elsewhere', async () => {
    for (const returnTo of ['https://evil.example', '//evil.example', '/\\evil.example', 'docs']) {
      const reply = await api.get(`sign-in/lakeside?returnTo=${encodeURIComponent(returnTo)}`, { as: 'nobody' });
      expect(reply).toMatchObject({ status: 400, body: { code: 'validation_failed' } });
    }
  });

  test('where there is no such provider, or it does not answer', async () => {
    expect(await api.get('sign-in', { as: 'nobody' })).toMatchObject({
      status: 200,
      body: { providers: [{ name: 'lakeside', href: `${base}/sign-in/lakeside` }, { name: 'gone' }] },
    });
    expect(await api.get('sign-in/none', { as: 'nobody' })).toMatchObject({ status: 404 });
    expect(await api.get('sign-in/gone', { as: 'nobody' })).toMatchObject({
      status: 503,
      body: { code: 'unavailable', detail: 'Gone College does not answer. Try again.' },
    });
  });
});

describe('programs with access tokens', () => {
  const audience = 'https://concord.example/api';
  const ask = (token: string): Promise<Reply> =>
    api.get('me', { as: 'nobody', headers: { authorization: `Bearer ${token}` } });

  test('come in by the claims that their provider signed', async () => {
    expect(await ask(await openId.token('importer', audience))).toMatchObject({
      status: 200,
      body: { kind: 'program', actor: 'operator:importer@lakeside', role: 'operator', session: null },
    });
  });

  test('are refused without a role, for another audience, with another signature, or none', async () => {
    const good = await openId.token('importer', audience);
    const [header = '', payload = '', signature = ''] = good.split('.');
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as object;
    const forged = Buffer.from(JSON.stringify({ ...claims, roles: ['x'] })).toString('base64url');
    const none = Buffer.from(JSON.stringify({ alg: 'none' })).toString('base64url');
    const refused = [
      await openId.token('stranger', audience),
      await openId.token('nobody', audience),
      await openId.token('importer', 'https://other.example/api'),
      `${header}.${forged}.${signature}`,
      `${none}.${payload}.`,
      `${header}.${payload}`,
      'a.b.c',
    ];
    for (const token of refused) expect(await ask(token)).toMatchObject({ status: 401 });
  });
});
