import type { OpenAPIObject } from '@nestjs/swagger';
import { basePath } from './base-path.js';
import { allProblemCodes, describeCode, Problem, toDocument } from './problem.js';

/* What many operations refer to, described once. */

type Headers = NonNullable<NonNullable<OpenAPIObject['components']>['headers']>;
type Examples = NonNullable<NonNullable<OpenAPIObject['components']>['examples']>;

const header = (description: string, example: string, maxLength = 2000): Headers[string] => ({
  ...{ description, example },
  schema: { type: 'string', maxLength },
});

const headers: Headers = {
  ETag: header('The version, for If-Match and If-None-Match.', '"3"', 100),
  Location: header('Where what was begun or made can be seen.', `${basePath}/runs/17`),
  Link: header('The next page, rel="next".', `<${basePath}/runs?cursor=WyJhIl0>; rel="next"`),
  'Idempotency-Replayed': header('`true` where this is the first reply given again.', 'true', 4),
  'Set-Cookie': header('The session, for the browser alone.', '__Host-concord-session=…; Path=/; HttpOnly; Secure'),
  'RateLimit-Policy': header(
    'How many requests of this class a caller may make in how many seconds.',
    '"read";q=3000;w=60',
    100,
  ),
  RateLimit: header('How many are left, and in how many seconds there are more.', '"read";r=2999;t=42', 100),
  'Retry-After': header('How many seconds to wait.', '42', 10),
  'Content-Language': header('The language of `title` and `detail`.', 'en', 10),
};

const examples: Examples = Object.fromEntries(
  allProblemCodes.map((code) => {
    const { title } = describeCode(code);
    const request = { url: basePath, id: '0af7651916cd43dd8448eb211c80319c' };
    return [code, { summary: title, value: toDocument(new Problem(code, `${title}.`), request) }];
  }),
);

/** Those parts that a document refers to. */
export const partsFor = (document: unknown): { readonly headers: Headers; readonly examples: Examples } => {
  const text = JSON.stringify(document);
  const used = <T>(kind: string, parts: Readonly<Record<string, T>>): Record<string, T> =>
    Object.fromEntries(Object.entries(parts).filter(([name]) => text.includes(`"#/components/${kind}/${name}"`)));
  return { headers: used('headers', headers), examples: used('examples', examples) };
};
