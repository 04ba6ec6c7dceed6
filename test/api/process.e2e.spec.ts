import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createApiKey } from '../../database/api-keys.js';
import { applyConfiguration } from '../../database/configuration-store.js';
import { createHub, type Hub } from '../../database/hub.js';
import { createDatabase, type TestDatabase } from '../harness/database.js';
import { startProgram, type ChildProgram } from '../harness/processes.js';
import { connectTemporal, temporalAddress, uniqueSuffix } from '../harness/temporal.js';
import { configuration } from './builders.js';

let database: TestDatabase;
let hub: Hub;
let program: ChildProgram;
let url: string;
let port: number;
let key: string;
let institutionId: number;
let jobId: string;
const scope = `.${uniqueSuffix()}`;

beforeAll(async () => {
  database = await createDatabase();
  hub = createHub({ url: database.url, role: 'concord_api', max: 2 });
  ({ institutionId } = await applyConfiguration(hub, configuration, 'test'));
  ({ key } = await createApiKey(hub, institutionId, { role: 'steward', name: 'Data office', actor: 'test' }));
  port = await freePort();
  program = start(temporalAddress());
  await program.line(/^The API is up/);
  url = `http://127.0.0.1:${port}`;
}, 60_000);
afterAll(async () => {
  await program.stop();
  await hub.close();
  await database.drop();
});

const start = (temporal: string): ChildProgram =>
  startProgram({
    entry: 'api/main',
    args: ['--scope', scope],
    environment: { DATABASE_URL: database.url, TEMPORAL_ADDRESS: temporal, CONCORD_API_PORT: String(port) },
  });

const freePort = async (): Promise<number> => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
};

const get = (path: string): Promise<Response> => fetch(url + path);
const post = (path: string, idempotencyKey: string): Promise<Response> =>
  fetch(`${url}/api/secretary/data-sync/${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'idempotency-key': idempotencyKey },
  });

describe('the API as a process', () => {
  test('is ready where PostgreSQL and Temporal answer', async () => {
    const response = await get('/readyz');
    expect(await response.json()).toEqual({
      status: 'ready',
      parts: ['database', 'migrations', 'temporal'].map((part) => ({ part, ready: true })),
    });
  });

  test('serves its documentation', async () => {
    const page = await get('/docs');
    expect(page.headers.get('content-security-policy')).toContain("default-src 'self'");
    expect(await page.text()).toContain('swagger-ui');
    for (const file of ['swagger-ui.css', 'swagger-ui-bundle.js', 'start.js']) {
      expect([file, (await get(`/docs/${file}`)).status]).toEqual([file, 200]);
    }
    expect((await get('/docs/package.json')).status).toBe(404);
  });

  test('starts one workflow in Temporal for one key', async () => {
    const jobs = await fetch(`${url}/api/secretary/data-sync/jobs`, { headers: { authorization: `Bearer ${key}` } });
    const { items } = (await jobs.json()) as { items: { id: string }[] };
    jobId = items[0]?.id ?? '';
    const first = await post(`jobs/${jobId}/runs`, 'monday');
    const body = (await first.json()) as { workflowId: string };
    expect([first.status, body.workflowId.endsWith(scope)]).toEqual([202, true]);
    await hub.transaction(institutionId, (client) => client.query('delete from idempotency_keys'));
    const again = await post(`jobs/${jobId}/runs`, 'monday');
    expect([again.status, ((await again.json()) as { workflowId: string }).workflowId]).toEqual([202, body.workflowId]);
    const connection = await connectTemporal();
    try {
      const described = await connection.workflowService.describeWorkflowExecution({
        namespace: 'default',
        execution: { workflowId: body.workflowId },
      });
      expect(described.workflowExecutionInfo?.type?.name).toBe('syncRun');
      expect(described.workflowExecutionInfo?.taskQueue).toBe(`sync-io${scope}`);
      await connection.workflowService.terminateWorkflowExecution({
        namespace: 'default',
        workflowExecution: { workflowId: body.workflowId },
      });
    } finally {
      await connection.close();
    }
  }, 30_000);

  test('its log names routes, and neither keys nor addresses nor bodies', () => {
    const lines = program.output();
    expect(lines).toContain('"route":"/api/secretary/data-sync/jobs/:jobId/runs"');
    expect(lines).not.toContain(key);
    expect(lines).not.toContain('monday');
  });

  test('ends when it is told to', async () => {
    await program.stop();
    expect(await program.exited).toBe(0);
    expect(program.output()).toContain('the API is down');
  });

  test('without Temporal it is up, and says that it is not ready; a start is refused for now', async () => {
    program = start('127.0.0.1:1');
    await program.line(/^The API is up/);
    const response = await get('/readyz');
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({
      status: 'not_ready',
      parts: [{ ready: true }, { ready: true }, { part: 'temporal', ready: false }],
    });
    const overview = await fetch(`${url}/api/secretary/data-sync/status/overview`, {
      headers: { authorization: `Bearer ${key}` },
    });
    expect(overview.status).toBe(200);
    const refused = await post(`jobs/${jobId}/runs`, 'tuesday');
    expect([refused.status, await refused.json()]).toEqual([503, expect.objectContaining({ code: 'unavailable' })]);
  }, 30_000);
});
