import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { breakingChanges } from './breaking-changes.js';

interface Schema {
  type?: unknown;
  enum?: string[];
  required?: string[];
  maxLength?: number;
  properties: Record<string, Schema>;
}
interface Draft {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema> };
}
interface Operation {
  operationId: string;
  parameters: { name: string; in: string; required?: boolean; schema?: object }[];
  requestBody?: { required?: boolean };
  responses: Record<string, { content?: Record<string, unknown> }>;
}

const text = readFileSync(fileURLToPath(new URL('../../docs/openapi.json', import.meta.url)), 'utf8');
const base = '/api/secretary/data-sync';
const changed = (change: (draft: Draft) => void): readonly string[] => {
  const draft = JSON.parse(text) as Draft;
  change(draft);
  return breakingChanges(JSON.parse(text), draft);
};
const operation = (draft: Draft, method: string, path: string): Operation => {
  const found = draft.paths[`${base}/${path}`]?.[method];
  if (found === undefined) throw new Error(`no ${method} ${path}`);
  return found;
};
const schema = (draft: Draft, name: string): Schema => {
  const found = draft.components.schemas[name];
  if (found === undefined) throw new Error(`no ${name}`);
  return found;
};

test('what is added breaks nothing', () => {
  expect(changed(() => undefined)).toEqual([]);
  expect(
    changed((draft) => {
      draft.paths[`${base}/more`] = { get: operation(draft, 'get', 'jobs') };
      operation(draft, 'get', 'jobs').parameters.push({ name: 'more', in: 'query' });
      schema(draft, 'KeyView').properties['more'] = { type: 'string', properties: {} };
      schema(draft, 'KeyView').required?.push('more');
      schema(draft, 'CreateKeyBody').properties['more'] = { type: 'string', properties: {} };
      schema(draft, 'CreateKeyBody').properties['role']?.enum?.push('registrar');
    }),
  ).toEqual([]);
});

test.each<[string, (draft: Draft) => void]>([
  [`get ${base}/keys: is gone`, ({ paths }) => delete paths[`${base}/keys`]?.['get']],
  [`get ${base}/jobs: has another operationId`, (draft) => (operation(draft, 'get', 'jobs').operationId = 'jobs')],
  [
    `get ${base}/runs: the parameter query job is gone`,
    (draft) => {
      const found = operation(draft, 'get', 'runs');
      found.parameters = found.parameters.filter(({ name }) => name !== 'job');
    },
  ],
  [
    `get ${base}/runs: the parameter query limit is required now`,
    (draft) => operation(draft, 'get', 'runs').parameters.forEach((one) => (one.required ||= one.name === 'limit')),
  ],
  [`post ${base}/keys 201: is gone`, (draft) => delete operation(draft, 'post', 'keys').responses['201']],
  ['KeyView.name: is gone', (draft) => delete schema(draft, 'KeyView').properties['name']],
  [
    'KeyView.state: may be absent now',
    (draft) => {
      const view = schema(draft, 'KeyView');
      view.required = (view.required ?? []).filter((name) => name !== 'state');
    },
  ],
  [
    'KeyView.name: null is new',
    (draft) => ((schema(draft, 'KeyView').properties['name'] ?? { type: 0 }).type = ['string', 'null']),
  ],
  ['CreateKeyBody.expiresAt: is required now', (draft) => schema(draft, 'CreateKeyBody').required?.push('expiresAt')],
  [
    'CreateKeyBody.role: the word admin is gone',
    (draft) => schema(draft, 'CreateKeyBody').properties['role']?.enum?.pop(),
  ],
  [
    'CreateKeyBody.name: maxLength is less',
    (draft) => ((schema(draft, 'CreateKeyBody').properties['name'] ?? { maxLength: 0 }).maxLength = 10),
  ],
])('%s', (line, change) => {
  expect(changed(change)).toContain(line);
});
