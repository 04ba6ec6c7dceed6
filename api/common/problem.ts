import type { ErrorCode } from '../../domain/errors.js';
import {
  detailIn,
  fieldInWords,
  inWords,
  titleIn,
  type Language,
  type Said,
  type SaidOfField,
} from '../languages/say.js';
import { linkTo } from './base-path.js';

/**
 * What the API answers where it cannot do what was asked, beside the codes of `domain/errors.ts`. Each code says its cause and
 * remedy where it is defined; clients depend on the names: never rename one.
 */
export const problemCodes = {
  /** A field of the body, or a parameter, is missing, unknown or not what it has to be. Remedy: mend what `errors` names. */
  validation_failed: { status: 400, title: 'The request is not valid' },
  /** The body is not JSON (or not CSV where CSV was announced). Remedy: send what Content-Type says. */
  body_malformed: { status: 400, title: 'The body cannot be read' },
  /** The cursor was made for another filter or order, or is none of ours. Remedy: begin with the first page. */
  cursor_mismatch: { status: 400, title: 'The cursor does not fit the question' },
  /** Work would start, and the request could not be told from its repetition. Remedy: send an Idempotency-Key. */
  idempotency_key_required: { status: 400, title: 'An Idempotency-Key is needed' },
  /** No API key, or one that is unknown, expired or revoked. Remedy: send `Authorization: Bearer concord_…`. */
  unauthenticated: { status: 401, title: 'There is no valid API key' },
  /** The OpenID provider did not confirm who somebody is, or the browser that comes back is another. Remedy: begin again. */
  sign_in_failed: { status: 400, title: 'Signing in failed' },
  /** The role of the API key does not admit this. Remedy: ask someone whose role does; `detail` names the roles. */
  forbidden: { status: 403, title: 'Not with this role' },
  /** The provider knows them, but no rule of ours makes a role of its claims. Remedy: ask those who keep the roles there. */
  no_access: { status: 403, title: 'Known, but without a role' },
  /** A change was sent with a session's cookie from another site, or by no browser. Remedy: send it from ours, or with an API key. */
  origin_refused: { status: 403, title: 'Sent from elsewhere' },
  /** The question, or the held change, is no longer what the decision was made on. Remedy: look at `current` and decide again. */
  conflict_changed: { status: 409, title: 'It changed meanwhile' },
  /** The first request with this Idempotency-Key is not done yet. Remedy: repeat it in a moment. */
  idempotency_in_flight: { status: 409, title: 'The first request is still at work' },
  /** The bytes do not begin where what was received ends. Remedy: send from `received` on. */
  offset_mismatch: { status: 409, title: 'The bytes do not follow on' },
  /** Something of this name exists already. Remedy: take another name, or change what is there. */
  name_taken: { status: 409, title: 'The name is taken' },
  /** Others refer to it: `dependents` names them. Remedy: change or archive those first. */
  in_use: { status: 409, title: 'Others refer to it' },
  /** The job does not run in this time. Remedy: wait until it is over, or take the window out of the job. */
  freeze_window: { status: 409, title: 'The job is frozen' },
  /** The question, or the held change, is closed: decided, withdrawn or settled by agreement. `current` says how. */
  closed: { status: 410, title: 'It is closed' },
  /** The object has another version than If-Match says. Remedy: read it again and repeat the change. */
  precondition_failed: { status: 412, title: 'It changed since you read it' },
  /** The body is larger than the limit that `detail` names. */
  body_too_large: { status: 413, title: 'The body is too large' },
  /** Content-Type is none that this route reads. */
  media_type_unsupported: { status: 415, title: 'Not in this form' },
  /** The Idempotency-Key was used for another request. Remedy: a new key for every new request. */
  idempotency_key_reused: { status: 422, title: 'The Idempotency-Key was used for something else' },
  /** The choice cannot be made for this question: `detail` says why and which can. */
  choice_not_possible: { status: 422, title: 'This cannot be chosen here' },
  /** The row would be set aside still, for the cause that `errors` names. Remedy: correct that too, or mend the mapping. */
  row_still_rejected: { status: 422, title: 'The row would be set aside still' },
  /** A change needs If-Match with the ETag of what it is made on. */
  precondition_required: { status: 428, title: 'If-Match is needed' },
  /** More requests than the limit that `RateLimit-Policy` names. Remedy: wait as long as `Retry-After` says. */
  rate_limited: { status: 429, title: 'Too many requests' },
  /** The method is none that this path knows, or the request is none that HTTP knows. */
  request_refused: { status: 400, title: 'The request was refused' },
  /** The database or Temporal does not answer. Remedy: try again; if it lasts, tell the operator. */
  unavailable: { status: 503, title: 'Not available just now' },
} as const satisfies Record<string, { status: number; title: string }>;

/** The status and title of the codes that come from the rest of Concord. */
const syncCodes = {
  source_unreachable: [502, 'A system does not answer'],
  source_forbidden: [502, 'A system refused our credentials'],
  source_schema_changed: [409, 'A system changed its form'],
  source_reads_no_keys: [409, 'A system cannot be asked for single rows'],
  source_empty: [409, 'A system delivered nothing'],
  delivery_incomplete: [422, 'The delivery is cut off'],
  delivery_unreadable: [422, 'The file cannot be read'],
  target_unreachable: [502, 'A system does not answer'],
  target_forbidden: [502, 'A system refused our credentials'],
  target_schema_changed: [409, 'A system changed its form'],
  target_row_exists: [409, 'The row is there already'],
  configuration_invalid: [422, 'The configuration is not right'],
  staging_lost: [503, 'A step is being repeated'],
  lease_lost: [503, 'A step was taken over'],
  job_occupied: [409, 'The job is at work'],
  not_found: [404, 'There is no such thing'],
  state_forbids: [409, 'Not in this state'],
  preview_outdated: [409, 'The preview no longer holds'],
  internal: [500, 'Something broke in Concord'],
} as const satisfies Record<ErrorCode, readonly [status: number, title: string]>;

export type ProblemCode = keyof typeof problemCodes | ErrorCode;

export interface ProblemPart {
  /** JSON Pointer into the body; for a parameter its name. */
  readonly pointer: string;
  readonly code: string;
  readonly detail: string;
  /** The same for other languages. Where it is absent, `detail` is told as it is. */
  readonly said?: SaidOfField;
}

/** `application/problem+json` (RFC 9457). */
export interface ProblemDocument {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly instance: string;
  readonly code: string;
  readonly traceId: string;
  readonly errors?: readonly ProblemPart[];
  readonly [extension: string]: unknown;
}

export interface ProblemOptions {
  readonly errors?: readonly ProblemPart[];
  /** Members of the document besides, such as the new state. */
  readonly extensions?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly status?: number;
  readonly cause?: unknown;
}

/** Thrown where a request cannot be answered as asked; the filter makes the document of it. */
export class Problem extends Error {
  /** What happened, in English. */
  readonly detail: string;

  /** `what`: what happened. A text is told in English; in other languages the code is explained in its place. */
  constructor(
    readonly code: ProblemCode,
    private readonly what: string | Said,
    readonly options: ProblemOptions = {},
  ) {
    const detail = typeof what === 'string' ? what : inWords(what, 'en');
    super(`${code}: ${detail}`, { cause: options.cause });
    this.name = 'Problem';
    this.detail = detail;
  }

  /** What happened, in a language. */
  detailIn(language: Language): string {
    if (language === 'en') return this.detail;
    return typeof this.what === 'string' ? detailIn(this.code, language) : inWords(this.what, language);
  }

  get status(): number {
    return this.options.status ?? describeCode(this.code).status;
  }
}

const isOurs = (code: ProblemCode): code is keyof typeof problemCodes => code in problemCodes;

export const describeCode = (code: ProblemCode): { readonly status: number; readonly title: string } => {
  if (isOurs(code)) return problemCodes[code];
  const [status, title] = syncCodes[code];
  return { status, title };
};

export const allProblemCodes: readonly ProblemCode[] = [
  ...(Object.keys(problemCodes) as (keyof typeof problemCodes)[]),
  ...(Object.keys(syncCodes) as ErrorCode[]),
];

/** The page that says what a code means. */
export const problemType = (code: string): string => linkTo(`problems/${code}`);

/* Without the parameters: they may be personal, and long. */
const placeOf = (url: string): string => (url.split('?')[0] ?? '').slice(0, 2000);

/** A part of a problem that a rule of the catalogues tells. */
export const partOf = (pointer: string, code: string, said: SaidOfField): ProblemPart => ({
  ...{ pointer, code, said },
  detail: fieldInWords(said, 'en'),
});

const partIn = ({ pointer, code, detail, said }: ProblemPart, language: Language): ProblemPart => ({
  ...{ pointer, code },
  detail: said === undefined ? detail : fieldInWords(said, language),
});

/** The document of a problem: `title` and the details in the language, all else the same in each. */
export const toDocument = (
  problem: Problem,
  request: { readonly url: string; readonly id: string },
  language: Language = 'en',
): ProblemDocument => ({
  ...problem.options.extensions,
  type: problemType(problem.code),
  title: language === 'en' ? describeCode(problem.code).title : titleIn(problem.code, language),
  status: problem.status,
  detail: problem.detailIn(language),
  instance: placeOf(request.url),
  code: problem.code,
  traceId: request.id,
  ...(problem.options.errors === undefined
    ? {}
    : { errors: problem.options.errors.map((part) => partIn(part, language)) }),
});
