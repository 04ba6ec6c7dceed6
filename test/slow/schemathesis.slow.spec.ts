import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Role } from '../../domain/access.js';
import { ApiHarness, base } from '../api/api-harness.js';
import { World } from '../api/builders.js';

/* `npm run schemathesis`: Schemathesis makes up requests from the OpenAPI document, valid and invalid ones, and looks whether every answer
   is one that the document knows. The same requests each time (fixed seed), for a bounded time. */
const program = fileURLToPath(new URL('../../.concord/schemathesis/venv/bin/schemathesis', import.meta.url));
const seconds = 150;

const checks = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_headers_conformance',
  'response_schema_conformance',
  'negative_data_rejection',
  'ignored_auth',
];

let api: ApiHarness;
let world: World;
beforeAll(async () => {
  api = await ApiHarness.open();
  world = await World.build(api);
  const run = await world.run({ state: 'completed_with_questions' });
  const golden = await world.golden(run);
  await world.question(run, golden);
  await world.held(run);
  const { rows } = await api.owner.query<{ id: string }>('select id::text as id from concord.sync_runs');
  const nothing = {
    hash: 'h1',
    runs: [],
    reversed: 0,
    keptCount: 0,
    kept: [],
    targets: [],
    questionsReopened: 0,
    questionsWithdrawn: 0,
  };
  for (const { id } of rows) api.previews.set(id, nothing);
}, 120_000);
afterAll(async () => {
  await api.close();
});

const explore = async (role: Role, operations: string): Promise<{ readonly code: unknown; readonly said: string }> => {
  const child = spawn(
    program,
    [
      ...['run', `${api.url}${base}/openapi.json`, '--url', api.url],
      ...['--header', `Authorization: Bearer ${api.token(role)}`],
      ...['--checks', checks.join(','), '--phases', 'examples,coverage,fuzzing'],
      ...['--include-operation-id-regex', operations, '--continue-on-failure'],
      ...['--seed', '20261120', '--generation-deterministic', '--max-examples', '15', '--max-time', String(seconds)],
      ...['--request-timeout', '20', '--suppress-health-check', 'all', '--warnings', 'off', '--no-color'],
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const said: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => said.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => said.push(chunk));
  const [code] = (await once(child, 'close')) as [unknown];
  return { code, said: Buffer.concat(said).toString('utf8') };
};

test.each<[Role, string]>([
  ['steward', '^(?!.*Keys?$)'],
  ['admin', 'Keys?$'],
])(
  'as %s, every answer is one that the document knows, and none is a defect of ours',
  async (role, operations) => {
    const { code, said } = await explore(role, operations);
    process.stderr.write(said);
    expect(code).toBe(0);
  },
  (seconds + 120) * 1000,
);
