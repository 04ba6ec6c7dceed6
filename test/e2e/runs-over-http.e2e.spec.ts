import { createHash, createHmac, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createApiKey } from '../../database/api-keys.js';
import type { Role } from '../../domain/access.js';
import { freePort } from '../../launch/ports.js';
import { EventStream, type Message } from '../harness/event-stream.js';
import { startProgram, type ChildProgram } from '../harness/processes.js';
import { temporalAddress, uniqueSuffix } from '../harness/temporal.js';
import { Campus } from './campus.js';

/* A worker and two API processes, and everything over HTTP: what one process is told, the other one tells. The steps build on one
   another. */

const base = '/api/secretary/data-sync';
const secret = `whsec_${randomBytes(32).toString('base64')}`;

let campus: Campus;
let spool: string;
let programs: readonly ChildProgram[] = [];
let urls: readonly string[] = [];
let system: string;
let events: EventStream;
const keys = new Map<Role, string>();

beforeAll(async () => {
  campus = await Campus.open({ students: 30, employees: 10, both: 4 });
  spool = mkdtempSync(join(tmpdir(), 'concord-spool-'));
  // One job reads the system; the others would share its deliveries.
  await campus.asOwner(`update concord.synchronization_jobs set archived = true where name <> 'all'`);
  const rows = await campus.asOwner<{ id: number }>(
    `update concord.data_source_configurations set settings = settings || '{"webhook": {"env": "CONCORD_SECRET_HR_WEBHOOK"}}'
     where name = 'hr' returning id`,
  );
  system = String(rows[0]?.id);
  for (const role of ['secretary', 'steward', 'operator'] as const)
    keys.set(role, (await createApiKey(campus.hub, campus.institutionId, { role, name: 'desk', actor: 'test' })).key);
  const scope = `.${uniqueSuffix()}`;
  const environment = {
    DATABASE_URL: campus.concordUrl,
    TEMPORAL_ADDRESS: temporalAddress(),
    CONCORD_SPOOL_FOLDER: spool,
  };
  const ports = [await freePort(0), await freePort(0)];
  programs = [
    startProgram({ entry: 'worker/main', args: ['--scope', scope, '--retry-seconds', '1'], environment }),
    ...ports.map((port) =>
      startProgram({
        entry: 'api/main',
        args: ['--scope', scope],
        environment: { ...environment, CONCORD_API_PORT: String(port), CONCORD_SECRET_HR_WEBHOOK: secret },
      }),
    ),
  ];
  await Promise.all(programs.map((program) => program.line(/is up/, 120_000)));
  urls = ports.map((port) => `http://127.0.0.1:${port}`);
  events = await EventStream.open(`${urls[1] ?? ''}${base}/events?topics=run,progress,delivery,inbox`, {
    authorization: `Bearer ${keys.get('operator') ?? ''}`,
  });
}, 180_000);
afterAll(async () => {
  await events.leave();
  await Promise.all(programs.map((program) => program.stop()));
  await campus.close();
  rmSync(spool, { recursive: true, force: true });
}, 60_000);

const ask = async (
  method: string,
  path: string,
  options: { as?: Role; body?: unknown; text?: string; headers?: Record<string, string> } = {},
): Promise<{ readonly status: number; readonly body: Record<string, unknown> }> => {
  const body = options.text ?? (options.body === undefined ? undefined : JSON.stringify(options.body));
  const address = path.startsWith('/') ? path : `${base}/${path}`;
  const response = await fetch(`${urls[0] ?? ''}${address}`, {
    method,
    headers: {
      ...(options.as === undefined ? {} : { authorization: `Bearer ${keys.get(options.as) ?? ''}` }),
      ...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
      ...options.headers,
    },
    ...(body === undefined ? {} : { body }),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
};

const told =
  (type: string, data: Readonly<Record<string, unknown>> = {}) =>
  (message: Message): boolean =>
    message.event === type && Object.entries(data).every(([name, value]) => message.data?.data[name] === value);
const ended = (runId: string): Promise<Message> =>
  events.until(
    (message) =>
      message.data?.data['runId'] === runId && /^concord\.job\.(completed|failed|cancelled)$/.test(message.event ?? ''),
  );
const rowOf = async (nid: string): Promise<readonly (string | null)[] | undefined> =>
  (await campus.tableRows()).find(([own]) => own === nid);
const started = async (kind: string, after: number): Promise<string> => {
  const message = await events.until(
    (one) => one.event === 'concord.job.started' && one.data?.data['kind'] === kind && Number(one.id) > after,
  );
  return String(message.data?.data['runId']);
};
const lastId = (): number => Math.max(0, ...events.messages.map(({ id }) => Number(id ?? 0)));

test('a file sent in two parts becomes a delivery, a run, and rows in the targets; the other process tells of it', async () => {
  // The first delivery, which lies in the folder already.
  const before = lastId();
  await ask('POST', `jobs/${campus.job()}/runs`, { as: 'operator', headers: { 'idempotency-key': 'first' } });
  await ended(await started('sync', before));
  campus.addEmployee({ staff_no: 'e-new', nid: 'n-new' });
  const content = campus.employeesFile();
  const sha256 = createHash('sha256').update(content).digest('hex');
  const announcement = {
    files: [{ name: 'employees.csv', sha256, bytes: Buffer.byteLength(content), rows: campus.employees.size }],
    manifest: { complete: true },
  };
  const announced = await ask('POST', `systems/${system}/deliveries`, { as: 'operator', body: announcement });
  expect(announced.status).toBe(201);
  const [file] = announced.body['files'] as { links: { append: string } }[];
  const half = Math.floor(content.length / 2);
  const from = lastId();
  for (const [offset, part] of [
    [0, content.slice(0, half)],
    [half, content.slice(half)],
  ] as const) {
    const sent = await ask('POST', `${file?.links.append ?? ''}?offset=${offset}`, {
      as: 'operator',
      text: part,
      headers: { 'content-type': 'application/octet-stream' },
    });
    expect(sent.status).toBe(200);
  }
  await events.until(told('concord.upload.placed'));
  const run = await started('sync', from);
  const end = await ended(run);
  expect(end.event).toBe('concord.job.completed');
  await events.until(told('concord.delivery.accepted', { runId: run }));
  expect(events.messages.some(told('concord.job.progressed', { runId: run, step: 'extract' }))).toBe(true);
  expect(await rowOf('n-new')).toBeDefined();
  const seen = await ask('GET', `deliveries?run=${run}`, { as: 'operator' });
  expect(seen.body['items']).toMatchObject([{ state: 'accepted', files: [{ name: 'employees.csv', sha256 }] }]);
  expect((await ask('GET', `runs/${run}`, { as: 'operator' })).body).toMatchObject({ actor: 'operator:desk' });
  const progress = await ask('GET', `runs/${run}/progress`, { as: 'operator' });
  expect(progress.body['steps']).toMatchObject([{ step: 'extract', state: 'done' }, {}, {}, {}, {}, {}, {}, {}, {}]);
  // The same contents again are the same delivery: nothing runs.
  const again = await ask('POST', `systems/${system}/deliveries`, { as: 'operator', body: announcement });
  expect([again.status, again.body]).toMatchObject([200, { known: true, delivery: { state: 'accepted' } }]);
}, 180_000);

test('a signed message wakes the job; a second time it does not', async () => {
  campus.addStudent({ id: 's-bad', nid: 'n-bad', family: '' });
  await campus.storeStudents();
  const body = '{"type":"changed"}';
  const timestamp = String(Math.floor(Date.now() / 1000));
  const signature = createHmac('sha256', Buffer.from(secret.slice(6), 'base64')).update(`msg_1.${timestamp}.${body}`);
  const headers = {
    ...{ 'content-type': 'application/json', 'webhook-id': 'msg_1', 'webhook-timestamp': timestamp },
    'webhook-signature': `v1,${signature.digest('base64')}`,
  };
  const from = lastId();
  const woken = await ask('POST', `systems/${system}/webhook`, { text: body, headers });
  expect([woken.status, woken.body]).toEqual([200, { state: 'woken', jobs: 1 }]);
  const run = await started('sync', from);
  await ended(run);
  expect((await ask('GET', `runs/${run}`, { as: 'operator' })).body).toMatchObject({
    actor: 'webhook:hr',
    rejected: 1,
  });
  const repeated = await ask('POST', `systems/${system}/webhook`, { text: body, headers });
  expect(repeated.body).toEqual({ state: 'repeated', jobs: 0 });
}, 120_000);

test('a record that was set aside is corrected, sent through alone, and taken back', async () => {
  const found = await ask('GET', 'rejected-records?key=s-bad', { as: 'steward' });
  const [record] = found.body['items'] as { id: string; runId: string; version: number }[];
  const corrected = await ask('PUT', `rejected-records/${record?.id ?? ''}/correction`, {
    as: 'steward',
    body: { values: { family: 'Mended' }, reason: 'seen in the passport' },
    headers: { 'if-match': `"${record?.version ?? 0}"` },
  });
  expect(corrected.status).toBe(200);
  const from = lastId();
  const replayed = await ask('POST', `rejected-records/${record?.id ?? ''}/replay`, {
    as: 'steward',
    body: { version: corrected.body['version'] },
  });
  const run = await started('release', from);
  expect((await ended(run)).event).toBe('concord.job.completed');
  expect(await rowOf('n-bad')).toMatchObject({ 2: 'Mended' });
  expect((await ask('GET', `rejected-records/${record?.id ?? ''}`, { as: 'steward' })).body).toMatchObject({
    state: 'resolved',
    replayedByRunId: run,
  });
  expect((await ask('GET', `runs/${run}`, { as: 'steward' })).body).toMatchObject({
    ...{ parentRunId: record?.runId, actor: 'steward:desk', balance: { balances: true } },
  });
  const changes = await ask('GET', `runs/${run}/changes?kind=golden`, { as: 'steward' });
  expect(changes.body['items']).toMatchObject([{ operation: 'insert', entityType: 'person' }]);
  const taken = await ask('POST', `decisions/${String(replayed.body['batchId'])}/take-back`, {
    as: 'steward',
    body: { reason: 'it was the other one' },
    headers: { 'idempotency-key': 'back' },
  });
  expect([taken.status, taken.body]).toMatchObject([202, { state: 'rolling_back' }]);
  await events.until(told('concord.job.rolled_back', { runId: run }));
  await ended(await started('rollback', from));
  expect(await rowOf('n-bad')).toBeUndefined();
  expect((await ask('GET', `rejected-records/${record?.id ?? ''}`, { as: 'steward' })).body).toMatchObject({
    state: 'open',
  });
}, 180_000);

test('a job start with one key is one run, even where all stored replies are lost', async () => {
  const start = (): ReturnType<typeof ask> =>
    ask('POST', `jobs/${campus.job()}/runs`, { as: 'secretary', headers: { 'idempotency-key': 'monday' } });
  const from = lastId();
  const first = await start();
  const run = await started('sync', from);
  await campus.asOwner('truncate concord.idempotency_keys');
  expect((await start()).body).toMatchObject({ workflowId: first.body['workflowId'], runId: run });
  await ended(run);
  await campus.asOwner('truncate concord.idempotency_keys');
  expect((await start()).body).toMatchObject({ workflowId: first.body['workflowId'], runId: run });
  const rows = await campus.asOwner<{ count: number }>(
    `select count(*)::int as count from concord.sync_runs where workflow_id = $1`,
    [first.body['workflowId']],
  );
  expect(rows[0]?.count).toBe(1);
}, 120_000);
