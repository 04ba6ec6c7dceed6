import { Body, Controller, Inject } from '@nestjs/common';
import type { Hub } from '../../database/hub.js';
import { endSession, openSession, type Session } from '../../database/sessions.js';
import { permissions, scopeOf, type Permission } from '../../domain/access.js';
import type { Clock } from '../../platform/clock.js';
import { basePath } from '../common/base-path.js';
import { CurrentCaller, CurrentRequest, type Caller } from '../common/caller.js';
import { Endpoint } from '../common/endpoint.js';
import { Answer, type HttpRequest } from '../common/http.js';
import type { Plain } from '../common/plain-type.js';
import { Problem } from '../common/problem.js';
import { CLOCK, COOKIES, DIRECTORY, HUB } from '../common/tokens.js';
import { SwitchBody } from './access.dto.js';
import { MeView, type OwnInstitutionView } from './access.view.js';
import type { Cookies } from './cookies.js';
import type { Directory } from './directory.js';

const tag = 'Access';

/** Whoever asks, about themselves. */
@Controller(`${basePath.slice(1)}/me`)
export class MeController {
  constructor(
    @Inject(HUB) private readonly hub: Hub,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(DIRECTORY) private readonly directory: Directory,
    @Inject(COOKIES) private readonly cookies: Cookies,
  ) {}

  @Endpoint({
    method: 'get',
    path: '',
    operationId: 'getMe',
    summary: 'Who am I, and what may I do?',
    description: 'The one who asks: institution, role, and every cell of the table of permissions that is open.',
    tag,
    may: 'access:read',
    replies: [{ status: 200, type: MeView, description: 'The one who asks.' }],
  })
  async get(@CurrentCaller() caller: Caller): Promise<Plain<MeView>> {
    return await this.viewOf(caller);
  }

  @Endpoint({
    method: 'post',
    path: 'switch',
    operationId: 'switchGrant',
    summary: 'Go on with another role, or in another institution',
    description:
      'For people whose provider gives them several roles. The session gets a new token and lasts as long as before.',
    tag,
    may: 'access:switch',
    body: { type: SwitchBody, example: { institution: 'lakeside', role: 'auditor' } },
    replies: [{ status: 200, type: MeView, description: 'Who you are now.', headers: ['Set-Cookie'] }],
    problems: ['state_forbids', 'not_found'],
  })
  async switch(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
    @Body() { institution, role }: SwitchBody,
  ): Promise<Answer<Plain<MeView>>> {
    const { session } = caller;
    const former = this.cookies.session(request);
    if (session === undefined || former === null)
      throw new Problem('state_forbids', 'A program has one role, which its key or its token gives it.');
    const wanted = session.grants.filter((one) => one.institution === institution && one.role === role);
    const [grant] = await this.directory.known(wanted);
    if (grant === undefined) throw new Problem('not_found', 'Your provider gives you no such role there.');
    const limits = this.directory.sessionLimits;
    const opened = { ...session, institutionId: grant.institutionId, grant };
    const token = await openSession(this.hub, opened, limits, this.clock.now());
    await endSession(this.hub, former);
    const now = await this.directory.ofSession(token);
    if (now === null) throw new Problem('unauthenticated', 'The session is over. Sign in again.');
    return new Answer(await this.viewOf(now), { cookies: [this.cookies.withSession(token, limits.absolute)] });
  }

  private async viewOf({ institutionId, actor, role, organisations, session }: Caller): Promise<Plain<MeView>> {
    const institution = await this.hub.read(institutionId, async (client) => {
      const { rows } = await client.query<OwnInstitutionView>(
        'select code, name, time_zone as "timeZone" from concord.institutions where id = $1',
        [institutionId],
      );
      return rows[0];
    });
    if (institution === undefined) throw new Error('an institution is gone');
    return {
      kind: session === undefined ? 'program' : 'person',
      ...{ actor, role, institution, organisations },
      permissions: Object.fromEntries(
        (Object.keys(permissions) as Permission[]).flatMap((permission) => {
          const scope = scopeOf(role, permission);
          return scope === null ? [] : [[permission, scope]];
        }),
      ),
      session: session === undefined ? null : toSessionView(session),
    };
  }
}

const toSessionView = ({ provider, name, grants, createdAt, expiresAt }: Session): Plain<MeView['session']> => ({
  ...{ provider, name, grants },
  signedInAt: createdAt.toISOString(),
  expiresAt: expiresAt.toISOString(),
});
