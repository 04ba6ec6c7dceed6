import { join } from 'node:path';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { projectFolder } from '../../launch/project-folder.js';
import { findTemporalTestServer } from '../../launch/temporal-binary.js';
import { patientScenarios } from './scenarios.js';
import { Theatre, quietRuntime } from './stage.js';
import type { Played } from './stage.js';

/* On the server that skips time: what happens after days, at once. */

jest.setTimeout(60_000);
let environment: TestWorkflowEnvironment;
let theatre: Theatre;

beforeAll(async () => {
  quietRuntime();
  const path = await findTemporalTestServer({ folder: join(projectFolder(), '.concord', 'bin') });
  environment = await TestWorkflowEnvironment.createTimeSkipping({
    server: { executable: { type: 'existing-path', path } },
  });
  theatre = await Theatre.open(environment.client, environment.nativeConnection, false);
});
afterAll(async () => {
  await theatre.close();
  await environment.teardown();
});

async function play(name: string): Promise<Played> {
  const scenario = patientScenarios.find((each) => each.name === name);
  if (scenario === undefined) throw new Error(`no scenario ${name}`);
  return await theatre.play(scenario);
}

test('a question that nobody decides is remembered when it is due, 30 days later', async () => {
  const { fake, handle } = await play('review-expired');
  const before = await environment.currentTimeMs();
  await expect(handle.result()).resolves.toEqual({ settled: 0 });
  const days = ((await environment.currentTimeMs()) - before) / 86_400_000;
  expect(days).toBeGreaterThan(29);
  expect(fake.calls.filter((call) => call.startsWith('remindReview'))).toHaveLength(1);
});

test('a batch that fails is tried again with pauses, and the review lives on', async () => {
  const { fake, handle } = await play('review-batch-fails-then-settles');
  await expect(handle.result()).resolves.toEqual({ settled: 1 });
  expect(fake.calls.filter((call) => call === 'openRun(decision)')).toHaveLength(3);
  expect(fake.calls.filter((call) => call === 'closeRun(failed)')).toHaveLength(2);
});
