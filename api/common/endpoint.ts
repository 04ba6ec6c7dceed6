import { applyDecorators, Delete, Get, Header, HttpCode, Post, Put, type Type } from '@nestjs/common';
import {
  ApiBearerAuth,
  ApiBody,
  ApiConsumes,
  ApiCookieAuth,
  ApiExtension,
  ApiHeader,
  ApiOperation,
  ApiParam,
  ApiResponse,
  ApiTags,
  type ApiResponseOptions,
} from '@nestjs/swagger';
import { rolesWith } from '../../domain/access.js';
import { AcceptsTicket, Admit, Rate, ReadsQuery, type Admission } from './access.guard.js';
import { describeCode, type ProblemCode } from './problem.js';
import { ProblemView } from './problem.view.js';
import type { RateClass } from './rate-limits.js';

const methods = { get: Get, post: Post, put: Put, delete: Delete } as const;

export interface SuccessReply {
  readonly status: number;
  readonly type?: Type<unknown>;
  readonly description: string;
  readonly example?: unknown;
  /** Of a reply that is not JSON. */
  readonly mediaType?: string;
  readonly headers?: readonly ReplyHeader[];
}

export type ReplyHeader = 'ETag' | 'Location' | 'Link' | 'Idempotency-Replayed' | 'Set-Cookie';

export interface EndpointOptions {
  readonly method: keyof typeof methods;
  readonly path: string;
  /** A name as clients generate functions of it: never rename one. */
  readonly operationId: string;
  readonly summary: string;
  readonly description: string;
  readonly tag: string;
  /** The cell of the table of permissions (domain/access.ts) that opens it. */
  readonly may: Admission;
  readonly replies: readonly SuccessReply[];
  /** Problems of this route beside those that every route has. */
  readonly problems?: readonly ProblemCode[];
  /** What each `{name}` of the path is. */
  readonly parameters?: Readonly<Record<string, string>>;
  readonly readsQuery?: boolean;
  /** A ticket among the parameters may stand in for a key. */
  readonly ticket?: boolean;
  readonly body?: {
    readonly example: unknown;
    readonly types?: readonly string[];
    readonly type: Type<unknown>;
    readonly required?: boolean;
  };
  readonly idempotencyKey?: 'required' | 'optional';
  /** By which limit requests are counted; what it is by itself: see `rateOf`. */
  readonly rate?: RateClass;
  readonly ifMatch?: boolean;
  readonly ifNoneMatch?: boolean;
  /** How long a reply may be kept; personal data (the default): not at all. */
  readonly cacheControl?: string;
}

/** One route: its address, whom it admits, and all that the OpenAPI document says of it. */
export const Endpoint = (options: EndpointOptions): MethodDecorator =>
  applyDecorators(
    methods[options.method](options.path.replaceAll(/\{(\w+)\}/g, ':$1')),
    HttpCode(options.replies[0]?.status ?? 200),
    Header('cache-control', options.cacheControl ?? 'no-store'),
    Admit(options.may),
    ApiExtension('x-permission', options.may),
    ReadsQuery(options.readsQuery ?? false),
    Rate(rateOf(options)),
    AcceptsTicket(options.ticket ?? false),
    ApiTags(options.tag),
    ApiOperation({
      operationId: options.operationId,
      summary: options.summary,
      description: `${options.description}\n\n${admissionText(options.may)}`,
      ...(options.may === 'anybody' ? { security: [] } : {}),
    }),
    ...(options.may === 'anybody' ? [] : [ApiBearerAuth('apiKey'), ApiCookieAuth('session')]),
    ...Object.entries(options.parameters ?? {}).map(([name, description]) =>
      ApiParam({ name, description, schema: { type: 'string', maxLength: 100 }, example: '17' }),
    ),
    ...requestHeaders(options),
    ...(options.body === undefined
      ? []
      : [describeBody(options.body), ApiConsumes(...(options.body.types ?? ['application/json']))]),
    ...options.replies.map((reply) => ApiResponse(describeReply(reply, rateOf(options)))),
    ...problemReplies(options),
  );

/** Reading, starting work (what answers 202), or another change; what is open to anybody is not counted. */
export const rateOf = (options: EndpointOptions): RateClass | null => {
  if (options.rate !== undefined) return options.rate;
  if (options.may === 'anybody') return null;
  if (options.method === 'get') return 'read';
  return options.replies.some(({ status }) => status === 202) ? 'work' : 'write';
};

const admissionText = (may: Admission): string =>
  may === 'anybody' ? 'Open to anybody.' : `Roles: ${rolesWith(may).join(', ')} (\`${may}\`).`;

const requestHeaders = (options: EndpointOptions): MethodDecorator[] => {
  const headers: MethodDecorator[] = [];
  const add = (name: string, description: string, required: boolean, example: string): void => {
    headers.push(ApiHeader({ name, description, required, schema: { type: 'string', maxLength: 255 }, example }));
  };
  if (options.idempotencyKey !== undefined) {
    add(
      'Idempotency-Key',
      'A text of your own for this request. Sent again with the same body it has no second effect, and the first reply is given again for 24 hours.',
      options.idempotencyKey === 'required',
      '6f2c1f0e-run-monday',
    );
  }
  if (options.ifMatch === true) add('If-Match', 'The ETag of the version that the change is made on.', true, '"3"');
  if (options.ifNoneMatch === true)
    add('If-None-Match', 'The ETag that you hold: answered by 304 while it is current.', false, '"3"');
  return headers;
};

const describeBody = (body: NonNullable<EndpointOptions['body']>): MethodDecorator =>
  ApiBody({
    type: body.type,
    required: body.required ?? true,
    examples: { example: { summary: 'An example', value: body.example } },
  });

/* Of whatever is counted. */
const countHeaders = {
  'RateLimit-Policy': { $ref: '#/components/headers/RateLimit-Policy' },
  RateLimit: { $ref: '#/components/headers/RateLimit' },
};

const describeReply = (reply: SuccessReply, rate: RateClass | null): ApiResponseOptions => ({
  status: reply.status,
  description: reply.description,
  ...(reply.type === undefined ? {} : { type: reply.type }),
  headers: {
    ...Object.fromEntries((reply.headers ?? []).map((name) => [name, { $ref: `#/components/headers/${name}` }])),
    ...(rate === null ? {} : countHeaders),
  },
  ...(reply.mediaType === undefined
    ? {}
    : { content: { [reply.mediaType]: { schema: { type: 'string' }, example: reply.example } } }),
  ...(reply.example === undefined || reply.mediaType !== undefined
    ? {}
    : { examples: { example: { summary: 'An example', value: reply.example } } }),
});

const commonProblems = (options: EndpointOptions): readonly ProblemCode[] => [
  'validation_failed',
  ...(options.may === 'anybody' ? [] : (['unauthenticated', 'forbidden'] as const)),
  ...(options.may === 'anybody' || options.method === 'get' ? [] : (['origin_refused'] as const)),
  ...(rateOf(options) === null ? [] : (['rate_limited'] as const)),
  ...(options.parameters === undefined && options.readsQuery !== true ? [] : (['not_found'] as const)),
  ...(options.body === undefined ? [] : (['body_too_large', 'media_type_unsupported'] as const)),
  ...(options.idempotencyKey === undefined ? [] : (['idempotency_in_flight', 'idempotency_key_reused'] as const)),
  ...(options.idempotencyKey === 'required' ? (['idempotency_key_required'] as const) : []),
  ...(options.ifMatch === true ? (['precondition_failed', 'precondition_required'] as const) : []),
  ...(options.replies.some(({ status }) => status === 503) ? [] : (['unavailable'] as const)),
];

const problemReplies = (options: EndpointOptions): MethodDecorator[] => {
  const codes = new Set<ProblemCode>([...commonProblems(options), ...(options.problems ?? [])]);
  const statuses = [...new Set([...codes].map((code) => describeCode(code).status))];
  return statuses.map((status) => {
    const of = [...codes].filter((code) => describeCode(code).status === status);
    return ApiResponse({
      status,
      description: of.map((code) => `\`${code}\`: ${titleOf(code)}.`).join(' '),
      headers: {
        'Content-Language': { $ref: '#/components/headers/Content-Language' },
        ...(status === 429 ? { 'Retry-After': { $ref: '#/components/headers/Retry-After' }, ...countHeaders } : {}),
      },
      content: {
        'application/problem+json': {
          schema: { $ref: `#/components/schemas/${ProblemView.name}` },
          examples: Object.fromEntries(of.map((code) => [code, { $ref: `#/components/examples/${code}` }])),
        },
      },
    });
  });
};

const titleOf = (code: ProblemCode): string => describeCode(code).title;
