import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { OpenAPIObject } from '@nestjs/swagger';
import { createDocument } from '../../api/openapi.js';
import { breakingChanges } from './breaking-changes.js';
import { createUnconnectedApi } from './unconnected-api.js';

/* The document and the client are committed: others build on them, and a change is seen where it is reviewed. Both are written
   anew with UPDATE_OPENAPI=1; what would break programs that were written against the committed one, with UPDATE_OPENAPI=breaking. */
const fileOf = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const committedDocument = fileOf('docs/openapi.json');
const committedClient = fileOf('client/schema.ts');
const { UPDATE_OPENAPI: wanted } = process.env;
const update = wanted === '1' || wanted === 'breaking';

let application: NestFastifyApplication;
beforeAll(async () => {
  application = await createUnconnectedApi();
});
afterAll(async () => {
  await application.close();
});

const breaks = (): readonly string[] =>
  breakingChanges(JSON.parse(readFileSync(committedDocument, 'utf8')), createDocument(application));

test('nothing that programs build on was taken away', () => {
  if (wanted === 'breaking') return;
  expect(breaks()).toEqual([]);
});

test('docs/openapi.json is the document that the API serves (UPDATE_OPENAPI=1 writes it)', () => {
  const generated = sorted(createDocument(application));
  if (update && (wanted === 'breaking' || breaks().length === 0))
    writeFileSync(committedDocument, `${JSON.stringify(generated, null, 2)}\n`);
  expect(JSON.parse(readFileSync(committedDocument, 'utf8'))).toEqual(JSON.parse(JSON.stringify(generated)));
});

test('client/schema.ts is made of it (UPDATE_OPENAPI=1 writes it)', () => {
  const generated = execFileSync(
    process.execPath,
    [fileOf('node_modules/openapi-typescript/bin/cli.js'), committedDocument],
    { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 },
  );
  if (update) writeFileSync(committedClient, generated);
  expect(readFileSync(committedClient, 'utf8')).toBe(generated);
}, 60_000);

/* By name, so that what two people add lies apart. */
const sorted = (document: OpenAPIObject): OpenAPIObject => ({
  ...document,
  paths: byName(document.paths),
  components: { ...document.components, schemas: byName(document.components?.schemas ?? {}) },
});

const byName = <T>(members: Readonly<Record<string, T>>): Record<string, T> =>
  Object.fromEntries(Object.entries(members).sort(([a], [b]) => (a < b ? -1 : 1)));
