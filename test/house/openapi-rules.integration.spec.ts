import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';

const root = fileURLToPath(new URL('../..', import.meta.url));
const base = '/api/secretary/data-sync';

interface Draft {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, { properties: Record<string, Record<string, unknown>> }> };
}
interface Operation {
  parameters: { name: string }[];
  responses: Record<string, { content?: Record<string, unknown> }>;
  'x-permission'?: string;
  description?: string;
}

/* Each breaks one rule of spectral.yaml. */
const breaks: Readonly<Record<string, (draft: Draft) => void>> = {
  'errors-are-problems': ({ paths }) => {
    const reply = paths[`${base}/runs/{runId}`]?.['get']?.responses['404'];
    if (reply?.content !== undefined) reply.content = { 'application/json': { schema: { type: 'object' } } };
  },
  'operations-tell-who-may': ({ paths }) => {
    delete paths[`${base}/me`]?.['get']?.['x-permission'];
  },
  'lists-have-pages': ({ paths }) => {
    without(paths[`${base}/runs`]?.['get'], 'cursor');
  },
  'changes-name-their-version': ({ paths }) => {
    without(paths[`${base}/mappings/{mappingId}`]?.['put'], 'If-Match');
  },
  'work-is-started-once': ({ paths }) => {
    without(paths[`${base}/jobs/{jobId}/runs`]?.['post'], 'Idempotency-Key');
  },
  'requests-are-counted': ({ paths }) => {
    delete paths[`${base}/keys`]?.['get']?.responses['429'];
  },
  'paths-are-kebab': (draft) => {
    const named = (path: string): string => path.replace(/golden-records$/, 'golden_records');
    draft.paths = Object.fromEntries(Object.entries(draft.paths).map(([path, item]) => [named(path), item]));
  },
  'properties-are-camel': ({ components }) => {
    const view = components.schemas['KeyView']?.properties;
    if (view !== undefined) view['made_by'] = { type: 'string', maxLength: 5, description: 'x' };
  },
  'texts-are-bounded': ({ components }) => {
    delete components.schemas['KeyView']?.properties['name']?.['maxLength'];
  },
  'lists-are-bounded': ({ components }) => {
    delete components.schemas['KeyPage']?.properties['items']?.['maxItems'];
  },
  'moments-are-date-times': ({ components }) => {
    delete components.schemas['KeyView']?.properties['createdAt']?.['format'];
  },
  'properties-are-described': ({ components }) => {
    delete components.schemas['KeyView']?.properties['state']?.['description'];
  },
  'operation-description': ({ paths }) => {
    delete paths[`${base}/jobs`]?.['get']?.description;
  },
};

const without = (operation: Operation | undefined, name: string): void => {
  if (operation !== undefined) operation.parameters = operation.parameters.filter((one) => one.name !== name);
};

test('spectral.yaml refuses what it must', () => {
  const draft = JSON.parse(readFileSync(join(root, 'docs/openapi.json'), 'utf8')) as Draft;
  for (const spoil of Object.values(breaks)) spoil(draft);
  const folder = mkdtempSync(join(tmpdir(), 'concord-openapi-'));
  try {
    const file = join(folder, 'openapi.json');
    writeFileSync(file, JSON.stringify(draft));
    const { stdout, status } = spawnSync(
      process.execPath,
      [
        join(root, 'node_modules/@stoplight/spectral-cli/dist/index.js'),
        ...['lint', file, '--ruleset', join(root, 'spectral.yaml'), '--format', 'json'],
      ],
      { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 },
    );
    expect(status).toBe(1);
    // The closing line of the program follows the list.
    const found = JSON.parse(stdout.slice(0, stdout.lastIndexOf(']') + 1)) as { code: string }[];
    expect([...new Set(found.map(({ code }) => code))].sort()).toEqual(Object.keys(breaks).sort());
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}, 120_000);
