import { Inject, Injectable, SetMetadata, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { rolesWith, scopeOf, type Permission } from '../../domain/access.js';
import type { Cookies } from '../access/cookies.js';
import { say, type Said } from '../languages/say.js';
import { rememberCaller, type Caller, type Callers, type Tickets } from './caller.js';
import { headerOf, type HttpReply, type HttpRequest } from './http.js';
import { partOf, Problem } from './problem.js';
import type { RateClass, RateLimits } from './rate-limits.js';
import { CALLERS, COOKIES, PUBLIC_URL, RATE_LIMITS, TICKETS } from './tokens.js';

/** Who may call a route: anybody, or the roles of a cell of the table of permissions. */
export type Admission = 'anybody' | Permission;

const admissionKey = 'concord:admission';
const queryKey = 'concord:query';
const rateKey = 'concord:rate';
const ticketKey = 'concord:ticket';

/** Names who may call a route. A route without it admits nobody. */
export const Admit = (admission: Admission): MethodDecorator & ClassDecorator => SetMetadata(admissionKey, admission);

/** Says that a route reads parameters through a DTO; any other route refuses them. */
export const ReadsQuery = (reads: boolean): MethodDecorator => SetMetadata(queryKey, reads);

/** Says by which limit requests are counted; null: by none. */
export const Rate = (rate: RateClass | null): MethodDecorator => SetMetadata(rateKey, rate);

/** Says that a ticket among the parameters may stand in for a key. */
export const AcceptsTicket = (accepts: boolean): MethodDecorator => SetMetadata(ticketKey, accepts);

/** Finds out who asks, counts the request, and lets in whom the route admits. */
@Injectable()
export class AccessGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    @Inject(CALLERS) private readonly callers: Callers,
    @Inject(COOKIES) private readonly cookies: Cookies,
    @Inject(RATE_LIMITS) private readonly limits: RateLimits,
    @Inject(PUBLIC_URL) private readonly publicUrl: string,
    @Inject(TICKETS) private readonly tickets: Tickets,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const places = [context.getHandler(), context.getClass()];
    const admission = this.reflector.getAllAndOverride<Admission | undefined>(admissionKey, places);
    const rate = this.reflector.getAllAndOverride<RateClass | null | undefined>(rateKey, places) ?? null;
    const http = context.switchToHttp();
    const request = http.getRequest<HttpRequest>();
    const reply = http.getResponse<HttpReply>();
    const accepts = this.reflector.getAllAndOverride<boolean | undefined>(ticketKey, places) === true;
    const ticket = accepts ? ticketOf(request.query) : null;
    if (admission !== 'anybody') await this.admit(request, reply, { permission: admission, rate, ticket });
    else if (rate !== null) await this.limits.take(reply, rate, request.ip);
    if (this.reflector.getAllAndOverride<boolean | undefined>(queryKey, places) !== true)
      refuseParameters(request.query);
    return true;
  }

  private async admit(
    request: HttpRequest,
    reply: HttpReply,
    {
      permission,
      rate,
      ticket,
    }: { readonly permission: Permission | undefined; readonly rate: RateClass | null; readonly ticket: string | null },
  ): Promise<void> {
    const caller = ticket === null ? await this.callerOf(request, reply) : await this.holderOf(ticket, request, reply);
    if (rate !== null) await this.limits.take(reply, rate, `${caller.institutionId} ${caller.actor}`);
    if (permission === undefined || scopeOf(caller.role, permission) === null) {
      const admitted = permission === undefined ? [] : rolesWith(permission);
      throw new Problem(
        'forbidden',
        say('forbidden.role', { role: caller.role, roles: admitted.join(' or ') || 'another' }),
      );
    }
    rememberCaller(request, caller);
  }

  /** Whoever shows a key goes by it, also in a browser where somebody is signed in. */
  private async callerOf(request: HttpRequest, reply: HttpReply): Promise<Caller> {
    const header = headerOf(request, 'authorization');
    const session = header === null ? this.cookies.session(request) : null;
    if (session !== null) {
      refuseOtherOrigins(request, this.publicUrl);
      return (await this.callers.ofSession(session)) ?? (await this.refuse(request, reply, 'unauthenticated.session'));
    }
    const token = bearerOf(header);
    if (token === null) throw unauthenticated(say('unauthenticated.none'));
    return (await this.callers.ofBearer(token)) ?? (await this.refuse(request, reply, 'unauthenticated.wrong'));
  }

  private async holderOf(ticket: string, request: HttpRequest, reply: HttpReply): Promise<Caller> {
    return (await this.tickets.redeem(ticket)) ?? (await this.refuse(request, reply, 'unauthenticated.ticket'));
  }

  /* Guesses are counted by address. A caller that is known is never refused for the guesses of others there. */
  private async refuse(
    request: HttpRequest,
    reply: HttpReply,
    why: 'unauthenticated.session' | 'unauthenticated.wrong' | 'unauthenticated.ticket',
  ): Promise<never> {
    await this.limits.take(reply, 'signIn', request.ip);
    throw unauthenticated(say(why));
  }
}

const harmless: readonly string[] = ['GET', 'HEAD', 'OPTIONS'];

/** A browser sends our cookie whoever made it ask: a change must come from our own pages, as the browser says by `Origin`.
 *  @throws Problem origin_refused */
export function refuseOtherOrigins(request: HttpRequest, publicUrl: string): void {
  if (harmless.includes(request.method) || headerOf(request, 'origin') === publicUrl) return;
  throw new Problem('origin_refused', say('origin_refused.other', { origin: publicUrl }));
}

function ticketOf(query: unknown): string | null {
  if (typeof query !== 'object' || query === null || !('ticket' in query)) return null;
  return typeof query.ticket === 'string' ? query.ticket : null;
}

function bearerOf(header: string | null): string | null {
  const match = /^Bearer +([\w.~+/-]+=*)$/i.exec(header ?? '');
  return match?.[1] ?? null;
}

function unauthenticated(said: Said): Problem {
  return new Problem('unauthenticated', said, { headers: { 'www-authenticate': 'Bearer realm="concord"' } });
}

function refuseParameters(query: unknown): void {
  const names = typeof query === 'object' && query !== null ? Object.keys(query) : [];
  if (names.length === 0) return;
  throw new Problem('validation_failed', say('validation_failed.no_parameters'), {
    errors: names.map((name) => partOf(name, 'unknown', { field: 'parameter', values: {} })),
  });
}
