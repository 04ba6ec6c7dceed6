import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ApiHarness, type OpenApi, type OpenApiOperation } from './api-harness.js';

let api: ApiHarness;
let document: OpenApi;
beforeAll(async () => {
  api = await ApiHarness.open();
  document = await api.openApi();
});
afterAll(async () => {
  await api.close();
});

const operations = (): readonly (OpenApiOperation & { place: string; method: string })[] =>
  Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ ...operation, method, place: `${method} ${path}` })),
  );

const failing = (rule: (operation: ReturnType<typeof operations>[number]) => boolean): string[] =>
  operations()
    .filter((operation) => !rule(operation))
    .map(({ place }) => place);

test('it is OpenAPI 3.1, and has the five paths that the mission names', () => {
  expect(document.openapi).toBe('3.1.0');
  const base = '/api/secretary/data-sync';
  expect(Object.keys(document.paths)).toEqual(
    expect.arrayContaining(
      [
        'status/overview',
        'jobs/create',
        'mappings/{mappingId}',
        'conflicts/pending',
        'quality/validate',
        'conflicts/decisions:batch',
      ].map((path) => `${base}/${path}`),
    ),
  );
  expect(JSON.stringify(document)).not.toMatch(/"nullable"|"type":(\["any"|"any")|"schemas\/"/);
});

test('every operation has an id of its own, summary, description, one declared tag and security', () => {
  const ids = operations().map(({ operationId }) => operationId);
  expect(new Set(ids).size).toBe(ids.length);
  const tags = document.tags.map(({ name }) => name);
  expect(failing(({ operationId }) => /^[a-z]+[A-Za-z]+$/.test(operationId))).toEqual([]);
  expect(failing(({ summary, description }) => summary !== '' && description !== '')).toEqual([]);
  expect(failing(({ tags: own }) => own.length === 1 && tags.includes(own[0] ?? ''))).toEqual([]);
  expect(
    failing(({ security, description }) => description.includes('Open to anybody') === (security?.length === 0)),
  ).toEqual([]);
});

test('every reply but 302 and 304 has a schema and an example; every error is a problem', () => {
  const wrong = operations().flatMap(({ place, responses }) =>
    Object.entries(responses)
      .filter(([status, { content }]) => {
        if (status === '304' || status === '302') return content !== undefined;
        const [[type, media] = ['', undefined]] = Object.entries(content ?? {});
        const problem = Number(status) >= 400 && !(status === '503' && place.endsWith('/readyz'));
        const success = place.endsWith('/events') ? 'text/event-stream' : 'application/json';
        return (
          type !== (problem ? 'application/problem+json' : success) || (media?.examples ?? media?.example) === undefined
        );
      })
      .map(([status]) => `${place} ${status}`),
  );
  expect(wrong).toEqual([]);
  expect(failing(({ responses }) => Object.keys(responses).some((status) => Number(status) >= 400))).toEqual([]);
});

test('bodies have examples; lists have limit and cursor; PUT has If-Match; what answers 202 has an Idempotency-Key', () => {
  const named = ({ parameters = [] }: OpenApiOperation): string[] => parameters.map(({ name }) => name);
  expect(
    failing(
      ({ requestBody }) =>
        requestBody === undefined || Object.values(requestBody.content).every(({ examples }) => examples !== undefined),
    ),
  ).toEqual([]);
  expect(
    failing(
      (operation) =>
        !/^(list|find)/.test(operation.operationId) ||
        ['limit', 'cursor'].every((name) => named(operation).includes(name)),
    ),
  ).toEqual([]);
  expect(failing((operation) => operation.method !== 'put' || named(operation).includes('If-Match'))).toEqual([]);
  expect(
    failing((operation) => !('202' in operation.responses) || named(operation).includes('Idempotency-Key')),
  ).toEqual([]);
});

test('texts and lists are bounded; properties are camelCase', () => {
  const wrong: string[] = [];
  const look = (schema: unknown, place: string): void => {
    if (typeof schema !== 'object' || schema === null) return;
    const { type, maxLength, maxItems, enum: values, properties, items } = schema as Record<string, unknown>;
    const types = Array.isArray(type) ? type : [type];
    if (types.includes('string') && maxLength === undefined && values === undefined)
      wrong.push(`${place}: no maxLength`);
    if (types.includes('array') && maxItems === undefined) wrong.push(`${place}: no maxItems`);
    look(items, `${place}[]`);
    for (const [name, member] of Object.entries(properties ?? {})) {
      if (!/^[a-z][a-zA-Z0-9]*$/.test(name)) wrong.push(`${place}.${name}: not camelCase`);
      look(member, `${place}.${name}`);
    }
  };
  for (const [name, schema] of Object.entries(document.components.schemas)) look(schema, name);
  expect(wrong).toEqual([]);
});

test('CSV is announced where it is read', () => {
  const operation = operations().find(({ operationId }) => operationId === 'validateQuality');
  expect(Object.keys(operation?.requestBody?.content ?? {}).sort()).toEqual(['application/json', 'text/csv']);
});
