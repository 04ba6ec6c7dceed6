import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { Role } from '../../domain/access.js';
import type { HttpRequest } from './http.js';

/** Who asks: the holder of an API key, inside one institution. */
export interface Caller {
  readonly institutionId: number;
  readonly role: Role;
  /** As written to the rows that the caller makes: `role:name of the key`. */
  readonly actor: string;
}

/** Finds who holds a key. null: unknown, expired or revoked. */
export interface ApiKeys {
  find(token: string): Promise<Caller | null>;
}

/** Finds whom a ticket lets in, and uses it up. null: unknown, used or too old. */
export interface Tickets {
  redeem(ticket: string): Promise<Caller | null>;
}

const callers = new WeakMap<HttpRequest, Caller>();

export const rememberCaller = (request: HttpRequest, caller: Caller): void => void callers.set(request, caller);

/** The caller of an admitted request. @throws Error where the guard did not run (a defect) */
export const callerOf = (request: HttpRequest): Caller => {
  const caller = callers.get(request);
  if (caller === undefined) throw new Error('a route without a guard');
  return caller;
};

/** The caller, as an argument of a handler. */
export const CurrentCaller = createParamDecorator((_data: unknown, context: ExecutionContext) =>
  callerOf(context.switchToHttp().getRequest<HttpRequest>()),
);

/** The request, as an argument of a handler, in the little that we need of it. */
export const CurrentRequest = createParamDecorator((_data: unknown, context: ExecutionContext) =>
  context.switchToHttp().getRequest<HttpRequest>(),
);
