import { createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
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
let metricsPort: number;
let workerMetricsPort: number;
let key: string;
let institutionId: number;
let jobId: string;
const scope = `.${uniqueSuffix()}`;

beforeAll(async () => {
  database = await createDatabase();
  hub = createHub({ url: database.url, role: 'concord_api', max: 2 });
  ({ institutionId } = await applyConfiguration(hub, configuration, 'test'));
  ({ key } = await createApiKey(hub, institutionId, { role: 'steward', name: 'Data office', actor: 'test' }));
  [port, metricsPort, workerMetricsPort] = [await freePort(), await freePort(), await freePort()];
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
    environment: {
      ...{ DATABASE_URL: database.url, TEMPORAL_ADDRESS: temporal, CONCORD_API_PORT: String(port) },
      ...{ CONCORD_METRICS_PORT: String(metricsPort), CONCORD_DRAIN_SECONDS: '1' },
    },
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
  test('is ready where PostgreSQL and Temporal answer and workers ask for work', async () => {
    const parts = ['accepting', 'database', 'migrations', 'temporal', 'workers'];
    const before = await get('/readyz');
    expect([before.status, await before.json()]).toEqual([
      503,
      { status: 'not_ready', parts: parts.map((part) => ({ part, ready: part !== 'workers' })) },
    ]);
    const worker = startProgram({
      entry: 'worker/main',
      args: ['--scope', scope],
      environment: {
        ...{ DATABASE_URL: database.url, TEMPORAL_ADDRESS: temporalAddress() },
        CONCORD_METRICS_PORT: String(workerMetricsPort),
      },
    });
    try {
      await worker.line(/^The worker is up/);
      while ((await get('/readyz')).status !== 200) await pause(50);
      const own = await fetch(`http://127.0.0.1:${workerMetricsPort}/readyz`);
      expect([own.status, await own.json()]).toEqual([
        200,
        {
          status: 'ready',
          parts: { accepting: true, database: true, migrations: true, temporal: true, polling: true },
        },
      ]);
      const metrics = await (await fetch(`http://127.0.0.1:${workerMetricsPort}/metrics`)).text();
      for (const name of [
        'concord_read_models_readable 1',
        'concord_outbox_pending ',
        'temporal_worker_task_slots_available',
      ])
        expect(metrics).toContain(name);
    } finally {
      await worker.stop();
    }
    expect(await worker.exited).toBe(0);
  });

  test('a schema that is older than the process is not ready; a newer one is', async () => {
    const owner = new pg.Client({ connectionString: database.url });
    await owner.connect();
    const migrations = async (): Promise<unknown> => {
      const { parts } = (await (await get('/readyz')).json()) as { parts: { part: string; ready: boolean }[] };
      return parts.find(({ part }) => part === 'migrations')?.ready;
    };
    await owner.query("insert into public.concord_migrations (name, digest) values ('9999-of-a-later-version', '')");
    expect(await migrations()).toBe(true);
    const { rows } = await owner.query<{ name: string; digest: string }>(
      `delete from public.concord_migrations where name = (select max(name) from public.concord_migrations where name < '9999')
       returning name, digest`,
    );
    expect(await migrations()).toBe(false);
    await owner.query('insert into public.concord_migrations (name, digest) values ($1, $2)', [
      ...[rows[0]?.name, rows[0]?.digest],
    ]);
    await owner.query("delete from public.concord_migrations where name = '9999-of-a-later-version'");
    await owner.end();
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

  test('tells its metrics on a port of their own, by route', async () => {
    const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
    expect(text).toMatch(
      /^concord_http_request_duration_seconds_count\{method="GET",route="\/api\/secretary\/data-sync\/jobs",status="200"\} 1$/m,
    );
    expect(text).not.toContain(jobId === '' ? 'monday' : `jobs/${jobId}`);
    expect((await get('/metrics')).status).toBe(404);
  });

  test('ends when it is told to: first not ready, then no new connections; what is at hand is answered', async () => {
    // A request that waits for us: it begins before the end and is answered after the last connection was refused.
    const owner = new pg.Client({ connectionString: database.url });
    await owner.connect();
    await owner.query('begin; lock table concord.held_changes in access exclusive mode');
    const slow = fetch(`${url}/api/secretary/data-sync/held-changes`, { headers: { authorization: `Bearer ${key}` } });
    const waits = async (): Promise<boolean> =>
      (
        await owner.query(
          "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
        )
      ).rowCount === 1;
    while (!(await waits())) await pause(20);

    const answers: (number | string)[] = [];
    const caller = async (): Promise<void> => {
      for (;;) {
        try {
          const reply = await get('/healthz');
          await reply.arrayBuffer();
          answers.push(reply.status);
        } catch (error) {
          const { cause } = error as { cause?: { code?: string } };
          answers.push(cause?.code ?? 'unknown');
          if (cause?.code === 'ECONNREFUSED') return;
        }
      }
    };
    const callers = Array.from({ length: 8 }, caller);
    while (answers.length < 20) await pause(10);
    const stopping = program.stop();
    await program.line(/takes no more work/);
    const ready = await get('/readyz');
    expect([ready.status, ready.headers.get('connection')]).toEqual([503, 'close']);
    expect(await ready.json()).toMatchObject({ parts: [{ part: 'accepting', ready: false }, {}, {}, {}, {}] });
    await Promise.all(callers);
    await owner.query('rollback');
    await owner.end();
    expect((await slow).status).toBe(200);
    await stopping;
    expect(await program.exited).toBe(0);
    expect(program.output()).toContain('the API is down');
    // A connection that the server had not taken up yet when it closed is reset; nothing that it took up is lost.
    expect(answers.filter((answer) => ![200, 'ECONNREFUSED', 'ECONNRESET', 'UND_ERR_SOCKET'].includes(answer))).toEqual(
      [],
    );
  }, 60_000);

  test('without Temporal it is up, and says that it is not ready; a start is refused for now', async () => {
    program = start('127.0.0.1:1');
    await program.line(/^The API is up/);
    const response = await get('/readyz');
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({
      status: 'not_ready',
      parts: [
        {},
        { ready: true },
        { ready: true },
        { part: 'temporal', ready: false },
        { part: 'workers', ready: false },
      ],
    });
    const overview = await fetch(`${url}/api/secretary/data-sync/status/overview`, {
      headers: { authorization: `Bearer ${key}` },
    });
    expect(overview.status).toBe(200);
    const refused = await post(`jobs/${jobId}/runs`, 'tuesday');
    expect([refused.status, await refused.json()]).toEqual([503, expect.objectContaining({ code: 'unavailable' })]);
  }, 30_000);
});
