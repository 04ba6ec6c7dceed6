import { hash128 } from '../../platform/hash.js';
import { canonicalJson } from '../../platform/canonical-json.js';
import { say } from '../languages/say.js';
import { Answer, headerOf, type HttpRequest } from './http.js';
import { partOf, Problem } from './problem.js';

/** The strong ETag of a version. */
export const etagOf = (version: number): string => `"${version}"`;

/** Who changed an object last, for those whose change came too late. */
export interface CurrentVersion {
  readonly version: number;
  readonly changedBy: string;
  readonly changedAt: string;
}

/** Refuses a change that was not made on the current version. `diff` says what another changed meanwhile.
 *  @throws Problem precondition_required, precondition_failed */
export const requireMatch = (
  request: HttpRequest,
  current: CurrentVersion,
  diff: (sentVersion: number | null) => unknown,
): void => {
  const sent = tagHeaderOf(request, 'If-Match');
  if (sent === null) {
    throw new Problem('precondition_required', say('precondition_required.send'), {
      extensions: { currentEtag: etagOf(current.version) },
      headers: { etag: etagOf(current.version) },
    });
  }
  if (tagsOf(sent).includes(etagOf(current.version)) || sent.trim() === '*') return;
  throw new Problem('precondition_failed', say('precondition_failed.changed', { by: current.changedBy }), {
    extensions: {
      currentEtag: etagOf(current.version),
      changedBy: current.changedBy,
      changedAt: current.changedAt,
      diff: diff(versionOf(sent)),
    },
    headers: { etag: etagOf(current.version) },
  });
};

/** The same for a state that has no number. @throws Problem precondition_required, precondition_failed */
export const requireTag = (request: HttpRequest, state: string, detail: string): void => {
  const sent = tagHeaderOf(request, 'If-Match');
  const current = { extensions: { currentEtag: `"${state}"` }, headers: { etag: `"${state}"` } };
  if (sent === null) throw new Problem('precondition_required', say('precondition_required.send'), current);
  if (!tagsOf(sent).includes(`"${state}"`) && sent.trim() !== '*')
    throw new Problem('precondition_failed', detail, current);
};

/** The body with its ETag, or 304 where the client has it. `etag` absent: made of the content. */
export const withEtag = <Body>(
  request: HttpRequest,
  body: Body,
  options: { readonly etag?: string; readonly cacheControl: string; readonly stable?: unknown },
): Answer<Body | undefined> => {
  const etag = options.etag ?? `"${hash128(canonicalJson(options.stable ?? body)).slice(0, 18)}"`;
  const headers = { etag, 'cache-control': options.cacheControl };
  const known = tagHeaderOf(request, 'If-None-Match');
  if (known !== null && (known.trim() === '*' || tagsOf(known).includes(etag)))
    return new Answer(undefined, { status: 304, headers });
  return new Answer(body, { headers });
};

/* As long as the document says. */
const tagHeaderOf = (request: HttpRequest, name: string): string | null => {
  const header = headerOf(request, name.toLowerCase());
  if (header === null || header.length <= 255) return header;
  throw new Problem('validation_failed', `${name} is too long.`, {
    errors: [partOf(name, 'invalid', { field: 'isLength', values: { field: name, min: 1, max: 255 } })],
  });
};

const tagsOf = (header: string): readonly string[] => header.split(',').map((tag) => tag.trim().replace(/^W\//, ''));

const versionOf = (header: string): number | null => {
  const match = /^"(\d{1,9})"$/.exec(header.trim());
  return match === null ? null : Number(match[1]);
};
