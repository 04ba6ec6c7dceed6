import { Catch, HttpException, Inject, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import { SyncError } from '../../domain/errors.js';
import { DatabaseUnreachable } from '../../database/hub.js';
import type { Log } from '../../platform/log.js';
import { languageOf, say, type Said } from '../languages/say.js';
import { headerOf, type HttpReply, type HttpRequest } from './http.js';
import { Problem, toDocument, type ProblemCode } from './problem.js';
import { LOG } from './tokens.js';

/** Every error leaves as `application/problem+json`, and none with a stack trace. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(@Inject(LOG) private readonly log: Log) {}

  catch(thrown: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<HttpRequest>();
    const problem = toProblem(thrown);
    if (problem.status >= 500)
      this.log.error({ err: thrown, traceId: request.id, code: problem.code }, 'request failed');
    sendProblem(http.getResponse<HttpReply>(), problem, request);
  }
}

/** For what goes wrong before Nest sees the request, too. */
export function sendProblem(
  reply: HttpReply,
  problem: Problem,
  request: Pick<HttpRequest, 'url' | 'id' | 'headers'>,
): void {
  const language = languageOf(headerOf(request, 'accept-language'));
  for (const [name, value] of Object.entries(problem.options.headers ?? {})) reply.header(name, value);
  reply
    .status(problem.status)
    .header('content-type', 'application/problem+json; charset=utf-8')
    .header('cache-control', 'no-store')
    .header('content-language', language)
    .header('vary', 'accept-language')
    .send(JSON.stringify(toDocument(problem, request, language)));
}

/** Whatever was thrown, as a problem. The text of an error that we did not write never leaves: it may quote a row. */
export function toProblem(thrown: unknown): Problem {
  if (thrown instanceof Problem) return thrown;
  if (thrown instanceof SyncError) return new Problem(thrown.code, thrown.message, { cause: thrown });
  if (thrown instanceof HttpException) return ofStatus(thrown.getStatus(), thrown);
  if (isUnavailable(thrown)) return new Problem('unavailable', say('unavailable.part'), { cause: thrown });
  const status = statusCodeOf(thrown);
  if (status !== null && status < 500) return ofStatus(status, thrown);
  return new Problem('internal', say('internal.defect'), { cause: thrown });
}

const details: Readonly<Record<number, readonly [code: ProblemCode, detail: string | Said]>> = {
  400: ['body_malformed', say('body_malformed.unreadable')],
  401: ['unauthenticated', say('unauthenticated.none')],
  403: ['forbidden', 'The role of this API key does not admit this.'],
  404: ['not_found', say('not_found.address')],
  413: ['body_too_large', say('body_too_large.route')],
  415: ['media_type_unsupported', say('media_type_unsupported.route')],
};

function ofStatus(status: number, cause: unknown): Problem {
  const known = details[status];
  if (known !== undefined) return new Problem(known[0], known[1], { cause });
  if (status >= 500) return new Problem('internal', say('internal.defect'), { cause });
  return new Problem('request_refused', say('request_refused.as_it_is'), { status, cause });
}

function statusCodeOf(thrown: unknown): number | null {
  if (!(thrown instanceof Error) || !('statusCode' in thrown)) return null;
  return typeof thrown.statusCode === 'number' ? thrown.statusCode : null;
}

/* gRPC says of Temporal's frontend: deadline exceeded, unavailable. */
const unavailableCodes: readonly unknown[] = [4, 14];

function isUnavailable(thrown: unknown): boolean {
  if (thrown instanceof DatabaseUnreachable) return true;
  for (let error = thrown; error instanceof Error; error = error.cause) {
    if ('code' in error && unavailableCodes.includes(error.code)) return true;
  }
  return false;
}
