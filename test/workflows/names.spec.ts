import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { bundleWorkflowCode } from '@temporalio/worker';
import { join } from 'node:path';
import { projectFolder } from '../../launch/project-folder.js';
import { searchAttributes, taskQueues } from '../../domain/run.js';
import * as workflows from '../../workflows/index.js';
import { cancelRun, pause, progress, resume, reviewProgress, scheduleIds, wake } from '../../workflows/messages.js';
import { scheduledKey, workflowIds, workflowTypes } from '../../workflows/messages.js';
import { fakeActivities } from './fake-activities.js';

/* Names stand in stored histories, schedules and searches: a change here breaks runs that are under way. A changed snapshot
   needs a line in the CHANGELOG that says how they go on. */

test('the names that histories hold are frozen', () => {
  expect({
    workflowTypes: Object.keys(workflows).sort(),
    activities: Object.keys(fakeActivities().activities).sort(),
    queries: [progress.name, reviewProgress.name],
    signals: [wake.name, resume.name],
    updates: [pause.name, cancelRun.name],
    taskQueues,
    searchAttributes,
    workflowIds: [
      workflowIds.syncRun(3, 'key'),
      workflowIds.syncRun(3, scheduledKey),
      workflowIds.settleRun('4'),
      workflowIds.rollbackRun('5', 'key'),
      workflowIds.recoverRun('5'),
      workflowIds.review(3),
      workflowIds.dueRun(1, '2026-09-01'),
      workflowIds.inquiry('6'),
      workflowIds.liveSync('5012', 'key'),
      workflowIds.indexNames(1, '7'),
    ],
    scheduleIds: [scheduleIds.job(1, 3), scheduleIds.due(1)],
  }).toMatchSnapshot();
});

test('each workflow type is what its function is called', () => {
  expect(Object.values(workflowTypes).sort()).toEqual(Object.keys(workflows).sort());
  for (const [name, workflow] of Object.entries(workflows)) expect(workflow.name).toBe(name);
});

describe('the bundle', () => {
  let code: string;
  const warned: string[] = [];

  beforeAll(async () => {
    const quiet = (): void => undefined;
    const warn = (message: string): void => void warned.push(message);
    const bundle = await bundleWorkflowCode({
      workflowsPath: join(projectFolder(), 'workflows', 'index.ts'),
      logger: { trace: quiet, debug: quiet, info: quiet, log: quiet, warn, error: warn },
    });
    code = bundle.code;
  }, 60_000);
  afterAll(() => {
    code = '';
  });

  test('is small: a package that cannot run in a workflow would show', () => {
    expect(code.length).toBeGreaterThan(100_000);
    expect(code.length).toBeLessThan(2_500_000);
    expect(warned).toEqual([]);
  });

  test.each(['typeorm', 'class-validator', '@nestjs', 'node_modules/pg'])('is without %s', (name) => {
    expect(code.includes(`node_modules/${name}/`) || code.includes(`${name}/index`)).toBe(false);
  });
});
