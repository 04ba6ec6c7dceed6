import { Inject, Injectable, SetMetadata, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { rolesWith, scopeOf, type Permission } from '../../domain/access.js';
import { rememberCaller, type ApiKeys, type Caller, type Tickets } from './caller.js';
import { headerOf, type HttpRequest } from './http.js';
import { Problem } from './problem.js';
import { API_KEYS, TICKETS } from './tokens.js';

/** Who may call a route: anybody, or the roles of a cell of the table of permissions. */
export type Admission = 'anybody' | Permission;

const admissionKey = 'concord:admission';
const queryKey = 'concord:query';
const ticketKey = 'concord:ticket';

/** Names who may call a route. A route without it admits nobody. */
export const Admit = (admission: Admission): MethodDecorator & ClassDecorator => SetMetadata(admissionKey, admission);

/** Says that a route reads parameters through a DTO; any other route refuses them. */
export const ReadsQuery = (reads: boolean): MethodDecorator => SetMetadata(queryKey, reads);

/** Says that a ticket among the parameters may stand in for a key. */
export const AcceptsTicket = (accepts: boolean): MethodDecorator => SetMetadata(ticketKey, accepts);

/** Reads the API key, and lets in whom the route admits. */
@Injectable()
export class AccessGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    @Inject(API_KEYS) private readonly keys: ApiKeys,
    @Inject(TICKETS) private readonly tickets: Tickets,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const places = [context.getHandler(), context.getClass()];
    const admission = this.reflector.getAllAndOverride<Admission | undefined>(admissionKey, places);
    const request = context.switchToHttp().getRequest<HttpRequest>();
    const accepts = this.reflector.getAllAndOverride<boolean | undefined>(ticketKey, places) === true;
    if (admission !== 'anybody') await this.admit(request, admission, accepts ? ticketOf(request.query) : null);
    if (this.reflector.getAllAndOverride<boolean | undefined>(queryKey, places) !== true)
      refuseParameters(request.query);
    return true;
  }

  private async admit(request: HttpRequest, permission: Permission | undefined, ticket: string | null): Promise<void> {
    const caller = ticket === null ? await this.holderOfKey(request) : await this.tickets.redeem(ticket);
    if (caller === null) throw unauthenticated('This ticket is unknown, used or too old; get another one.');
    if (permission === undefined || scopeOf(caller.role, permission) === null) {
      const admitted = permission === undefined ? [] : rolesWith(permission);
      throw new Problem(
        'forbidden',
        `The role ${caller.role} does not admit this; it needs ${admitted.join(' or ') || 'another'}.`,
      );
    }
    rememberCaller(request, caller);
  }

  private async holderOfKey(request: HttpRequest): Promise<Caller> {
    const token = bearerOf(headerOf(request, 'authorization'));
    if (token === null) throw unauthenticated('Send an API key: Authorization: Bearer concord_…');
    const caller = await this.keys.find(token);
    if (caller === null) throw unauthenticated('This API key is unknown, expired or revoked.');
    return caller;
  }
}

function ticketOf(query: unknown): string | null {
  if (typeof query !== 'object' || query === null || !('ticket' in query)) return null;
  return typeof query.ticket === 'string' ? query.ticket : null;
}

function bearerOf(header: string | null): string | null {
  const match = /^Bearer +([\w.~+/-]+=*)$/i.exec(header ?? '');
  return match?.[1] ?? null;
}

function unauthenticated(detail: string): Problem {
  return new Problem('unauthenticated', detail, { headers: { 'www-authenticate': 'Bearer realm="concord"' } });
}

function refuseParameters(query: unknown): void {
  const names = typeof query === 'object' && query !== null ? Object.keys(query) : [];
  if (names.length === 0) return;
  throw new Problem('validation_failed', 'This route takes no parameters.', {
    errors: names.map((name) => ({ pointer: name, code: 'unknown', detail: 'this parameter is not known here' })),
  });
}
