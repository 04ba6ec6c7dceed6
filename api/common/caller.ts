import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { Session } from '../../database/sessions.js';
import type { Role } from '../../domain/access.js';
import type { HttpRequest } from './http.js';

/** Who asks: the holder of an API key, a program with an access token, or a person with a session; inside one institution. */
export interface Caller {
  readonly institutionId: number;
  readonly role: Role;
  /** As written to the rows that the caller makes: `role:name of the key`, or `role:name@provider`. */
  readonly actor: string;
  /** Codes of the organisations that the caller is bound to; none: not bound. */
  readonly organisations: readonly string[];
  /** Of a person who signed in. */
  readonly session?: Session;
}

/** Finds out who asks. null: unknown, over, revoked, or without a role. */
export interface Callers {
  /** Of an API key or an access token. */
  ofBearer(token: string): Promise<Caller | null>;
  /** Of the token in the cookie of a browser. */
  ofSession(token: string): Promise<Caller | null>;
}

/** Finds whom a ticket lets in, and uses it up. null: unknown, used or too old. */
export interface Tickets {
  redeem(ticket: string): Promise<Caller | null>;
}

const callers = new WeakMap<HttpRequest, Caller>();

export const rememberCaller = (request: HttpRequest, caller: Caller): void => void callers.set(request, caller);

/** The caller of a request; null where nobody was let in by name. */
export const findCaller = (request: HttpRequest): Caller | null => callers.get(request) ?? null;

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
