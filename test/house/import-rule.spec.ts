import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';

const root = fileURLToPath(new URL('../..', import.meta.url));

/* A house in small: each file's imports, and the rules that must refuse it. */
const files: Record<string, { imports: string; refusedBy: string[] }> = {
  'domain/run.ts': { imports: '', refusedBy: [] },
  'domain/merge.ts': { imports: "import './run.js';", refusedBy: [] },
  'domain/reads-files.ts': { imports: "import 'node:fs';", refusedBy: ['domain-is-pure-core'] },
  'domain/uses-package.ts': { imports: "import 'pg';", refusedBy: ['domain-is-pure-packages'] },
  'domain/knows-platform.ts': { imports: "import '../platform/log.js';", refusedBy: ['layer-domain'] },
  'domain/knows-platform-type.ts': {
    imports: "import type { Log } from '../platform/log.js'; export type L = Log;",
    refusedBy: ['layer-domain'],
  },
  'domain/merge.spec.ts': {
    imports: "import 'node:fs'; import '../test/builders.js'; import './merge.js';",
    refusedBy: [],
  },
  'platform/log.ts': { imports: 'export interface Log { a: string }', refusedBy: [] },
  'database/golden.ts': { imports: "import '../domain/merge.js'; import '../platform/log.js';", refusedBy: [] },
  'database/knows-connectors.ts': { imports: "import '../connectors/csv.js';", refusedBy: ['layer-database'] },
  'connectors/csv.ts': { imports: "import '../domain/merge.js';", refusedBy: [] },
  'activities/merge.ts': {
    imports: "import '../database/golden.js'; import '../connectors/csv.js'; export type Acts = string;",
    refusedBy: [],
  },
  'activities/knows-api.ts': { imports: "import '../api/app.js';", refusedBy: ['layer-activities'] },
  'workflows/messages.ts': { imports: "import '../domain/run.js';", refusedBy: [] },
  'workflows/sync-run.ts': {
    imports: "import type { Acts } from '../activities/merge.js'; import '@temporalio/workflow'; export type A = Acts;",
    refusedBy: [],
  },
  'workflows/calls-activity.ts': { imports: "import '../activities/merge.js';", refusedBy: ['layer-workflows'] },
  'workflows/calls-domain.ts': { imports: "import '../domain/merge.js';", refusedBy: ['layer-workflows'] },
  'workflows/bundles-typeorm.ts': { imports: "import 'typeorm';", refusedBy: ['workflows-are-bundled'] },
  'api/app.ts': {
    imports:
      "import '../workflows/messages.js'; import type { A } from '../workflows/sync-run.js'; import '../database/golden.js'; export type B = A;",
    refusedBy: [],
  },
  'api/calls-workflow.ts': { imports: "import '../workflows/sync-run.js';", refusedBy: ['layer-api'] },
  'worker/main.ts': { imports: "import '../activities/merge.js'; import '../database/golden.js';", refusedBy: [] },
  'worker/knows-api.ts': { imports: "import '../api/app.js';", refusedBy: ['layer-worker'] },
  'client/client.ts': { imports: '', refusedBy: [] },
  'client/knows-api.ts': { imports: "import '../api/app.js';", refusedBy: ['layer-client'] },
  'cli/asks.ts': { imports: "import '../client/client.js';", refusedBy: [] },
  'cli/up.ts': { imports: "import '../worker/main.js'; import '../api/app.js';", refusedBy: [] },
  'cli/status.ts': { imports: "import '../worker/main.js';", refusedBy: ['layer-cli'] },
  'cli/reads-database.ts': { imports: "import '../database/golden.js';", refusedBy: ['layer-cli'] },
  'test/builders.ts': { imports: "import '../domain/merge.js';", refusedBy: [] },
  'api/uses-test.ts': { imports: "import '../test/builders.js';", refusedBy: ['layer-api'] },
  'formats/one.ts': { imports: "import './two.js';", refusedBy: ['no-circular'] },
  'formats/two.ts': { imports: "import './one.js';", refusedBy: [] }, // a cycle is told once
  'database/person.ts': { imports: "import './name.js'; export type Person = string;", refusedBy: [] },
  'database/name.ts': { imports: "import type { Person } from './person.js'; export type P = Person;", refusedBy: [] },
  'formats/nowhere.ts': { imports: "import './missing.js';", refusedBy: ['not-resolvable'] },
};

interface Report {
  readonly summary: {
    readonly violations: readonly { readonly from: string; readonly rule: { readonly name: string } }[];
  };
}

let house: string;
beforeAll(() => {
  house = mkdtempSync(join(tmpdir(), 'concord-house-'));
  for (const [path, { imports }] of Object.entries(files)) {
    mkdirSync(dirname(join(house, path)), { recursive: true });
    writeFileSync(join(house, path), `${imports}\nexport {};\n`);
  }
  for (const name of ['package.json', 'tsconfig.json', 'node_modules'])
    symlinkSync(join(root, name), join(house, name));
});
afterAll(() => {
  rmSync(house, { recursive: true, force: true });
});

test('the import rule refuses what it must, and nothing else', () => {
  const program = join(root, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs');
  const args = [program, '--config', join(root, '.dependency-cruiser.cjs'), '--output-type', 'json', '.'];
  const report = JSON.parse(execFileSync(process.execPath, args, { cwd: house, encoding: 'utf8' })) as Report;
  const refused = Object.fromEntries(Object.keys(files).map((path) => [path, new Set<string>()]));
  for (const { from, rule } of report.summary.violations) refused[from]?.add(rule.name);
  const expected = Object.entries(files).map(([path, { refusedBy }]) => [path, refusedBy]);
  expect(Object.entries(refused).map(([path, rules]) => [path, [...rules].sort()])).toEqual(expected);
}, 60_000);
