import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { beforeAll, expect, jest, test } from '@jest/globals';
import { Worker } from '@temporalio/worker';
import type { WorkflowBundleOption } from '@temporalio/worker';
import { projectFolder } from '../../launch/project-folder.js';
import { readBundle } from '../../worker/create-worker.js';
import { patientScenarios, scenarios } from '../workflows/scenarios.js';
import { quietRuntime, testBundle } from '../workflows/stage.js';

/* Runs that are under way when a new version is installed go on in it: replayed, it must ask for the same steps in the same
   order. Where a test fails, the change needs `patched`; recording the history again would only hide that. */

interface Recorded {
  readonly workflowId: string;
  readonly history: unknown;
}

jest.setTimeout(60_000);
const folder = join(projectFolder(), 'test', 'replay', 'histories');
const files = readdirSync(folder).filter((name) => name.endsWith('.json'));
let workflowBundle: WorkflowBundleOption;

beforeAll(async () => {
  quietRuntime();
  workflowBundle = await testBundle();
});

test('every scenario has a recorded history', () => {
  const names = [...scenarios, ...patientScenarios].map(({ name }) => `${name}.json`);
  expect(names.length).toBeGreaterThan(0);
  expect(files.sort()).toEqual(names.sort());
});

test('the bundle as the build leaves it, read without its map, replays the same', async () => {
  if (!('code' in workflowBundle)) throw new Error('no code');
  const file = join(mkdtempSync(join(tmpdir(), 'concord-bundle-')), 'workflow-bundle.js');
  writeFileSync(file, workflowBundle.code);
  const read = readBundle(file);
  rmSync(dirname(file), { recursive: true });
  const { history, workflowId } = JSON.parse(readFileSync(join(folder, 'completed.json'), 'utf8')) as Recorded;
  await Worker.runReplayHistory({ workflowBundle: read }, history, workflowId);
});

test.each(files)('%s goes on in this version', async (file) => {
  const recorded = JSON.parse(readFileSync(join(folder, file), 'utf8')) as Recorded;
  await Worker.runReplayHistory({ workflowBundle, replayName: file }, recorded.history, recorded.workflowId);
});
