import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import { partsFor } from './common/openapi-parts.js';
import { ProblemView } from './common/problem.view.js';

const tags: Readonly<Record<string, string>> = {
  Status: 'How everything is.',
  Jobs: 'What is synchronized with what.',
  Runs: 'Synchronizations, and taking them back.',
  'Records set aside': 'What could not be used: why, corrected, and sent through alone.',
  Institutions: 'For the host of the platform: which there are, and making another.',
  Institution: 'Whose data it all is.',
  Systems: 'What is connected.',
  'Entity types': 'What records are of.',
  Mappings: 'What the fields of a system mean.',
  Rules: 'What rows have to fulfil.',
  'Code tables': 'Which codes mean the same.',
  Configuration: 'All of it, as files.',
  Questions: 'What the rules could not settle waits for a person.',
  'Held changes': 'What was too much, or came back, waits for a person.',
  'Golden records': 'What we hold to be true, and why.',
  Deliveries: 'Files that systems deliver, and files that are delivered over HTTP.',
  Restrictions: 'What is kept from whom.',
  Organisations: 'The parts of the institution, by which is decided who sees whom.',
  Quality: 'What the rules say of records.',
  Events: 'What happens, as it happens.',
  Access: 'Who people and programs are, and what they may do.',
  Health: 'For whoever watches over the process.',
};

const description = `Keeps the records of an institution's systems in agreement.

Programs send an API key or an access token of their institution's OpenID provider: \`Authorization: Bearer …\`. People sign in and
have a session. The role decides what one may do; the institution, what one sees: each operation names its cell of the table of
permissions (\`x-permission\`). Requests are counted: \`RateLimit\` says how many are left. Problems are told in English, German and
Arabic (\`Accept-Language\`).
Errors are \`application/problem+json\` (RFC 9457) with a stable \`code\`. Lists are paged by opaque cursors. Work that outlives the
request answers 202 and \`Location\`. Bodies are at most 5 MB.`;

/** The OpenAPI 3.1 document of the application. */
export const createDocument = (application: INestApplication): OpenAPIObject => {
  const builder = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle('Concord')
    .setVersion('1')
    .setDescription(description)
    .setLicense('Apache-2.0', 'https://www.apache.org/licenses/LICENSE-2.0')
    .addServer('/')
    .addBearerAuth(
      {
        ...{ type: 'http', scheme: 'bearer', bearerFormat: 'concord_… or JWT' },
        description: 'An API key, or an access token (OAuth 2.0 client credentials) of a provider that we trust.',
      },
      'apiKey',
    )
    .addCookieAuth(
      '__Host-concord-session',
      {
        ...{ type: 'apiKey', in: 'cookie' },
        description: 'The session of a person who signed in. Changes must come from our own origin.',
      },
      'session',
    );
  for (const [name, words] of Object.entries(tags)) builder.addTag(name, words);
  const document = SwaggerModule.createDocument(application, builder.build(), {
    extraModels: [ProblemView],
    autoTagControllers: false,
  });
  const plain: unknown = toJsonSchema(document);
  if (!isDocument(plain)) throw new TypeError('no OpenAPI document');
  return {
    ...plain,
    paths: withExamples(withPlainPaths(plain)),
    components: { ...plain.components, ...partsFor(plain.paths) },
  };
};

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isDocument = (value: unknown): value is OpenAPIObject =>
  isObject(value) && isObject(value['paths']) && 'openapi' in value;

/* OpenAPI 3.1 speaks JSON Schema: null is a type of its own, and what may be anything has no type. */
const toJsonSchema = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(toJsonSchema);
  if (!isObject(value)) return value;
  const { nullable, ...rest } = value;
  const object = Object.fromEntries(
    Object.entries(rest).map(([name, member]) => [
      name,
      name === 'example' || name === 'examples' ? member : toJsonSchema(member),
    ]),
  );
  const { type } = object;
  if (type === 'any' || (Array.isArray(type) && type.includes('any'))) delete object['type'];
  return nullable === true ? orNull(object) : object;
};

const orNull = (schema: Record<string, unknown>): Record<string, unknown> => {
  const { description: words, example, ...rest } = schema;
  const about = {
    ...(words === undefined ? {} : { description: words }),
    ...(example === undefined ? {} : { example }),
  };
  if (typeof rest['type'] === 'string' && !('allOf' in rest)) {
    const values = Array.isArray(rest['enum']) ? { enum: [...(rest['enum'] as unknown[]), null] } : {};
    return { ...rest, ...values, ...about, type: [rest['type'], 'null'] };
  }
  return Object.keys(rest).length === 0 ? about : { anyOf: [withoutLoneAllOf(rest), { type: 'null' }], ...about };
};

const withoutLoneAllOf = ({ type: _type, allOf, ...rest }: Record<string, unknown>): unknown =>
  Array.isArray(allOf) && allOf.length === 1 && Object.keys(rest).length === 0
    ? allOf[0]
    : { ...rest, ...(allOf === undefined ? {} : { allOf }) };

/* The router writes a colon twice where it is one. */
const withPlainPaths = (document: OpenAPIObject): OpenAPIObject => ({
  ...document,
  paths: Object.fromEntries(
    Object.entries(document.paths).map(([path, item]) => [
      path.replaceAll('::', ':').replaceAll(/\{:(\w+)\}/g, ':$1'),
      item,
    ]),
  ),
});

/* A reply without an example gets the one that the examples of its fields make. */
const withExamples = (document: OpenAPIObject): OpenAPIObject['paths'] => {
  const schemas: unknown = document.components?.schemas;
  const exampleFor = (schema: unknown): unknown => exampleOf(schema, isObject(schemas) ? schemas : {});
  for (const item of Object.values(document.paths)) {
    for (const operation of Object.values(item as Record<string, unknown>)) {
      if (!isObject(operation) || !isObject(operation['responses'])) continue;
      describeCsv(operation['requestBody']);
      describeBytes(operation['requestBody']);
      for (const response of Object.values(operation['responses'])) addExample(response, exampleFor);
    }
  }
  return document.paths;
};

/* The generator gives every form of a body the schema of the JSON one. */
const describeCsv = (body: unknown): void => {
  if (!isObject(body) || !isObject(body['content']) || !('text/csv' in body['content'])) return;
  const csv = {
    schema: { type: 'string', maxLength: 5 * 1024 * 1024, description: 'A header and rows (RFC 4180).' },
    examples: { example: { summary: 'An example', value: 'id,email\r\nE-77,amara@lakeside.example\r\n' } },
  };
  Object.assign(body['content'], { 'text/csv': csv });
};

const describeBytes = (body: unknown): void => {
  if (!isObject(body) || !isObject(body['content'])) return;
  const bytes = body['content']['application/octet-stream'];
  if (isObject(bytes)) Object.assign(bytes, { schema: { type: 'string', format: 'binary' } });
};

const addExample = (response: unknown, exampleFor: (schema: unknown) => unknown): void => {
  if (!isObject(response) || !isObject(response['content'])) return;
  const json = response['content']['application/json'];
  if (!isObject(json) || 'examples' in json || 'example' in json) return;
  Object.assign(json, { example: exampleFor(json['schema']) });
};

const exampleOf = (schema: unknown, schemas: Readonly<Record<string, unknown>>): unknown => {
  if (!isObject(schema)) return null;
  if ('example' in schema) return schema['example'];
  const reference = typeof schema['$ref'] === 'string' ? schema['$ref'].split('/').at(-1) : undefined;
  if (reference !== undefined) return exampleOf(schemas[reference], schemas);
  const alternatives = schema['allOf'] ?? schema['anyOf'];
  if (Array.isArray(alternatives)) return exampleOf(alternatives[0], schemas);
  if (schema['type'] === 'array') {
    const item = exampleOf(schema['items'], schemas);
    return item === null ? [] : [item];
  }
  if (!isObject(schema['properties'])) return schema['type'] === 'object' ? {} : null;
  return Object.fromEntries(
    Object.entries(schema['properties']).map(([name, member]) => [name, exampleOf(member, schemas)]),
  );
};
