import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Client, Connection } from '@temporalio/client';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { projectFolder } from './project-folder.js';
import { findTemporal, findTemporalTestServer } from './temporal-binary.js';
import { startTemporal } from './temporal-server.js';
import type { RunningTemporal, TemporalOptions } from './temporal-server.js';

const programs = join(projectFolder(), '.concord', 'bin');
let folder: string;
let running: RunningTemporal | null = null;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'concord temporal '));
});
afterEach(async () => {
  await running?.stop();
  running = null;
  rmSync(folder, { recursive: true });
}, 30_000);

async function start(options: Partial<TemporalOptions> = {}): Promise<RunningTemporal> {
  const executable = await findTemporal({ folder: programs });
  running = await startTemporal({ executable, folder, preferredPort: 0, preferredUiPort: null, ...options });
  return running;
}

async function withClient<T>(work: (client: Client) => Promise<T>): Promise<T> {
  const connection = await Connection.connect({ address: running?.address ?? '' });
  try {
    return await work(new Client({ connection }));
  } finally {
    await connection.close();
  }
}

test('keeps workflows and address over a kill -9, and learns a new search attribute at a restart', async () => {
  const first = await start({ searchAttributes: [{ name: 'ConcordJob', kind: 'Keyword' }] });
  await withClient((client) => client.workflow.start('waits', { workflowId: 'kept', taskQueue: 'nobody' }));
  await first.kill9();

  const searchAttributes = [
    { name: 'ConcordJob', kind: 'Keyword' },
    { name: 'ConcordAsOf', kind: 'Datetime' },
  ] as const;
  const second = await start({ preferredPort: first.port, searchAttributes });
  expect(second.address).toBe(first.address);
  const description = await withClient((client) => client.workflow.getHandle('kept').describe());
  expect(description.status.name).toBe('RUNNING');
  const registered = await withClient((client) =>
    client.connection.operatorService.listSearchAttributes({ namespace: 'default' }),
  );
  expect(Object.keys(registered.customAttributes)).toEqual(expect.arrayContaining(['ConcordJob', 'ConcordAsOf']));
}, 60_000);

test('takes other ports where the documented ones are taken, and serves its pages', async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const { port } = other.address() as AddressInfo;
  const temporal = await start({ preferredPort: port, preferredUiPort: port });
  expect(temporal.port).not.toBe(port);
  const page = await fetch(temporal.uiUrl ?? '');
  expect(page.status).toBe(200);
  await page.text();
  await new Promise((resolve) => other.close(resolve));
}, 60_000);

test('the time-skipping server is there for tests of timers', async () => {
  const path = await findTemporalTestServer({ folder: programs });
  const environment = await TestWorkflowEnvironment.createTimeSkipping({
    server: { executable: { type: 'existing-path', path } },
  });
  const before = await environment.currentTimeMs();
  await environment.sleep('30 days');
  expect((await environment.currentTimeMs()) - before).toBeGreaterThanOrEqual(30 * 86_400_000);
  await environment.teardown();
}, 60_000);
