import { createHash, timingSafeEqual } from 'node:crypto';
import { Body, Controller, Inject, Param, Query } from '@nestjs/common';
import { ApiQuery } from '@nestjs/swagger';
import type { Hub } from '../../database/hub.js';
import { endSession, findSession, openSession } from '../../database/sessions.js';
import { memberRoles } from '../../domain/access.js';
import type { Clock } from '../../platform/clock.js';
import type { Log } from '../../platform/log.js';
import { refuseOtherOrigins } from '../common/access.guard.js';
import { basePath, linkTo } from '../common/base-path.js';
import { CurrentRequest } from '../common/caller.js';
import { Endpoint } from '../common/endpoint.js';
import { Text } from '../common/fields.js';
import { Answer, type HttpRequest } from '../common/http.js';
import { notFound } from '../common/ids.js';
import type { Plain } from '../common/plain-type.js';
import { Problem } from '../common/problem.js';
import { CLOCK, COOKIES, DEMO_PASSWORD_HASH, DIRECTORY, HUB, LOG, PUBLIC_URL } from '../common/tokens.js';
import { say } from '../languages/say.js';
import { DemoSignInBody } from './access.dto.js';
import { DemoVisitorView, ProvidersView, SignedOutView } from './access.view.js';
import type { Cookies } from './cookies.js';
import { demoProvider, type Directory } from './directory.js';
import type { Begun, Provider } from './provider.js';

const tag = 'Access';
const parameters = { provider: 'The provider.' };

/** How signing in is begun. */
export class BeginQuery {
  @Text({
    optional: true,
    max: 2000,
    pattern: /^\/(?![/\\])/,
    description: 'Where to go afterwards: a path of this host (absent: /docs).',
    example: '/docs',
  })
  returnTo?: string;
}

/** People sign in at a provider of their institution (OpenID Connect, authorization code with PKCE) and come back with a session. */
@Controller(basePath.slice(1))
export class SignInController {
  constructor(
    @Inject(HUB) private readonly hub: Hub,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LOG) private readonly log: Log,
    @Inject(DIRECTORY) private readonly directory: Directory,
    @Inject(COOKIES) private readonly cookies: Cookies,
    @Inject(PUBLIC_URL) private readonly publicUrl: string,
    @Inject(DEMO_PASSWORD_HASH) private readonly demoPasswordHash: string | null,
  ) {}

  @Endpoint({
    method: 'get',
    path: 'sign-in',
    operationId: 'getProviders',
    summary: 'Where can people sign in?',
    description: 'The OpenID providers of the institutions.',
    tag,
    may: 'anybody',
    rate: 'signIn',
    cacheControl: 'public, max-age=60',
    replies: [{ status: 200, type: ProvidersView, description: 'The providers.' }],
  })
  list(): Plain<ProvidersView> {
    const people = this.directory.providers.filter(({ settings }) => settings.clientId !== undefined);
    return {
      providers: people.map(({ settings: { name, title } }) => ({ name, title, href: linkTo(`sign-in/${name}`) })),
    };
  }

  @Endpoint({
    method: 'get',
    path: 'sign-in/{provider}',
    operationId: 'beginSignIn',
    summary: 'Sign in',
    description: 'For browsers: leads to the provider, from where the person comes back with a session.',
    tag,
    may: 'anybody',
    rate: 'signIn',
    parameters,
    readsQuery: true,
    replies: [{ status: 302, description: 'To the provider.', headers: ['Location', 'Set-Cookie'] }],
  })
  async begin(
    @Param('provider') name: string,
    @Query() { returnTo = '/docs' }: BeginQuery,
  ): Promise<Answer<undefined>> {
    const { url, begun } = await this.provider(name).begin(returnTo);
    const cookie = this.cookies.withBegun(Buffer.from(JSON.stringify(begun)).toString('base64url'));
    return new Answer(undefined, { status: 302, headers: { location: url }, cookies: [cookie] });
  }

  @Endpoint({
    method: 'post',
    path: 'sign-in/demo',
    operationId: 'signInToDemo',
    summary: 'Visit the demo',
    description:
      'With the password that `npm run demo` tells, as whatever role one wants to see. There is no such account anywhere else.',
    tag,
    may: 'anybody',
    rate: 'signIn',
    body: { type: DemoSignInBody, example: { institution: 'lakeside', role: 'secretary', password: 'k3fT…' } },
    replies: [{ status: 200, type: DemoVisitorView, description: 'Signed in.', headers: ['Set-Cookie'] }],
    problems: ['not_found', 'sign_in_failed', 'origin_refused'],
  })
  async visitDemo(
    @CurrentRequest() request: HttpRequest,
    @Body() { institution, role, password }: DemoSignInBody,
  ): Promise<Answer<Plain<DemoVisitorView>>> {
    if (this.demoPasswordHash === null) throw notFound('provider', demoProvider);
    refuseOtherOrigins(request, this.publicUrl);
    if (!isPassword(password, this.demoPasswordHash))
      throw new Problem('sign_in_failed', say('sign_in_failed.provider', { provider: 'The demo' }));
    const every = memberRoles.map((one) => ({ institution, role: one, organisations: [] }));
    const grants = await this.directory.known(every);
    const grant = grants.find((one) => one.role === role);
    if (grant === undefined) throw notFound('institution', institution);
    const limits = this.directory.sessionLimits;
    const visitor = { provider: demoProvider, subject: 'visitor', name: 'visitor', grants: every, refreshToken: null };
    const opened = { ...visitor, grant, institutionId: grant.institutionId };
    const token = await openSession(this.hub, opened, limits, this.clock.now());
    return new Answer(
      { actor: `${role}:visitor@${demoProvider}`, role },
      { cookies: [this.cookies.withSession(token, limits.absolute)] },
    );
  }

  @ApiQuery({
    name: 'code',
    required: false,
    schema: { type: 'string', maxLength: 4000 },
    description: 'Of the provider.',
  })
  @ApiQuery({
    name: 'state',
    required: false,
    schema: { type: 'string', maxLength: 4000 },
    description: 'As it was sent.',
  })
  @Endpoint({
    method: 'get',
    path: 'sign-in/{provider}/callback',
    operationId: 'completeSignIn',
    summary: 'Come back from the provider',
    description:
      'For browsers: the provider sends them here. Whatever more it adds to the address is read as OpenID Connect says. The session begins with a new token, and one that the browser had ends.',
    tag,
    may: 'anybody',
    rate: 'signIn',
    parameters,
    readsQuery: true,
    replies: [{ status: 302, description: 'Signed in; back to where it began.', headers: ['Location', 'Set-Cookie'] }],
    problems: ['sign_in_failed', 'no_access'],
  })
  async complete(@Param('provider') name: string, @CurrentRequest() request: HttpRequest): Promise<Answer<undefined>> {
    const provider = this.provider(name);
    const begun = readBegun(this.cookies.begun(request));
    if (begun?.provider !== name) throw new Problem('sign_in_failed', say('sign_in_failed.other_browser'));
    const vouched = await provider.complete(begun, request.url.split('?')[1] ?? '');
    const grants = await this.directory.known(vouched.grants);
    const [grant] = grants;
    if (grant === undefined)
      throw new Problem('no_access', say('no_access.grants', { provider: provider.settings.title }));
    const former = this.cookies.session(request);
    if (former !== null) await endSession(this.hub, former);
    const { subject, name: person, refreshToken } = vouched;
    const limits = this.directory.sessionLimits;
    const token = await openSession(
      this.hub,
      {
        ...{ provider: name, subject, name: person, grant, institutionId: grant.institutionId, refreshToken },
        grants: grants.map(({ institution, role, organisations }) => ({ institution, role, organisations })),
      },
      limits,
      this.clock.now(),
    );
    this.log.info({ traceId: request.id, provider: name, role: grant.role }, 'signed in');
    return new Answer(undefined, {
      status: 302,
      headers: { location: begun.returnTo },
      cookies: [this.cookies.withSession(token, limits.absolute), this.cookies.withoutBegun()],
    });
  }

  @Endpoint({
    method: 'post',
    path: 'sign-out',
    operationId: 'signOut',
    summary: 'Sign out',
    description:
      'Ends the session of this browser, if it has one, and says where to sign out at the provider too (RP-initiated logout).',
    tag,
    may: 'anybody',
    rate: 'signIn',
    replies: [{ status: 200, type: SignedOutView, description: 'Signed out.', headers: ['Set-Cookie'] }],
    problems: ['origin_refused'],
  })
  async signOut(@CurrentRequest() request: HttpRequest): Promise<Answer<Plain<SignedOutView>>> {
    const cookies = [this.cookies.withoutSession()];
    const token = this.cookies.session(request);
    if (token === null) return new Answer({ providerSignOut: null }, { cookies });
    refuseOtherOrigins(request, this.publicUrl);
    const session = await findSession(this.hub, token, this.directory.sessionLimits, this.clock.now());
    await endSession(this.hub, token);
    const provider = session === null ? null : this.directory.provider(session.provider);
    // Signed out is signed out, also where the provider does not answer.
    const providerSignOut = (await provider?.signOutUrl().catch(() => null)) ?? null;
    return new Answer({ providerSignOut }, { cookies });
  }

  private provider(name: string): Provider {
    const provider = this.directory.provider(name);
    if (provider?.settings.clientId === undefined) throw notFound('provider', name);
    return provider;
  }
}

/* A random one, of a demo that lasts for minutes: nothing that a slow hash would have to protect. */
const isPassword = (password: string, hash: string): boolean =>
  timingSafeEqual(createHash('sha256').update(password).digest(), Buffer.from(hash, 'hex'));

/* The browser's word, and worth no more than what it can do with it: end its own sign-in. */
const readBegun = (cookie: string | null): Begun | null => {
  if (cookie === null) return null;
  try {
    const value = JSON.parse(Buffer.from(cookie, 'base64url').toString('utf8')) as Partial<Begun> | null;
    const { provider, state, nonce, verifier, returnTo } = value ?? {};
    const all = [provider, state, nonce, verifier, returnTo];
    if (!all.every((part) => typeof part === 'string') || !/^\/(?![/\\])/.test(returnTo ?? '')) return null;
    return value as Begun;
  } catch {
    return null;
  }
};
