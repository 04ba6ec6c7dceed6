import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { Client } from '@temporalio/client';
import { createApiKey } from '../../database/api-keys.js';
import { freePort } from '../../launch/ports.js';
import { startProgram } from '../harness/processes.js';
import { connectTemporal, temporalAddress, uniqueSuffix } from '../harness/temporal.js';
import { Campus } from './campus.js';

/* One trace from a caller's request through the workflow and its activities to the statements, as a collector receives it. */

jest.setTimeout(300_000);

interface Span {
  readonly name: string;
  readonly service: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
}

interface OtlpBody {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly { key: string; value: { stringValue?: string } }[] };
    readonly scopeSpans: readonly { readonly spans: readonly Omit<Span, 'service'>[] }[];
  }[];
}

let campus: Campus;
let key: string;
let collector: Server;
const received: string[] = [];

beforeAll(async () => {
  campus = await Campus.open({ students: 20, employees: 8, both: 4 });
  ({ key } = await createApiKey(campus.hub, campus.institutionId, { role: 'steward', name: 'Desk', actor: 'test' }));
  collector = createServer((request, reply) => {
    let text = '';
    request.setEncoding('utf8').on('data', (part: string) => (text += part));
    request.on('end', () => {
      received.push(text);
      reply.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
  });
  await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
});
afterAll(async () => {
  await new Promise((resolve) => collector.close(resolve));
  await campus.close();
});

const spansOf = (): readonly Span[] =>
  received
    .flatMap((text) => (JSON.parse(text) as OtlpBody).resourceSpans)
    .flatMap(({ resource, scopeSpans }) => {
      const service = resource.attributes.find((one) => one.key === 'service.name')?.value.stringValue ?? '';
      return scopeSpans.flatMap(({ spans }) => spans.map((span) => ({ ...span, service })));
    });

test('a run is one trace, from the request to the statements, and holds nothing of anybody', async () => {
  const scope = `.${uniqueSuffix()}`;
  const port = await freePort(0);
  const environment = {
    ...{ DATABASE_URL: campus.concordUrl, TEMPORAL_ADDRESS: temporalAddress(), CONCORD_API_PORT: String(port) },
    CONCORD_PUBLIC_URL: 'https://concord.example.edu/',
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${String((collector.address() as AddressInfo).port)}`,
  };
  const [traceId, callerSpan] = ['4bf92f3577b34da6a3ce929d0e0e4736', '00f067aa0ba902b7'];
  const ask = (method: string, path: string, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(`http://127.0.0.1:${String(port)}/api/secretary/data-sync/${path}`, {
      method,
      headers: { authorization: `Bearer ${key}`, ...headers },
    });
  const programs = [
    startProgram({ entry: 'worker/main', args: ['--scope', scope], environment }),
    startProgram({ entry: 'api/main', args: ['--scope', scope], environment }),
  ];
  let workflowId = '';
  try {
    await Promise.all(programs.map((program) => program.line(/ is up/, 120_000)));
    const traced = { traceparent: `00-${traceId}-${callerSpan}-01`, 'idempotency-key': 'traced' };
    const started = await ask('POST', `jobs/${String(campus.job())}/runs`, traced);
    expect([started.status, started.headers.get('trace-id')]).toEqual([202, traceId]);
    ({ workflowId } = (await started.json()) as { workflowId: string });
    const over = async (): Promise<boolean> => {
      const { items } = (await (await ask('GET', `runs?workflowId=${encodeURIComponent(workflowId)}`)).json()) as {
        items: { finishedAt: string | null }[];
      };
      return (items[0]?.finishedAt ?? null) !== null;
    };
    while (!(await over())) await pause(100);
    const connection = await connectTemporal();
    const handle = new Client({ connection }).workflow.getHandle(workflowId);
    await handle.result();
    const described = await handle.describe();
    expect(described.memo).toEqual({ traceId });
    expect(await described.staticDetails()).toBe(
      `[Its run in Concord](https://concord.example.edu/api/secretary/data-sync/runs?workflowId=${encodeURIComponent(workflowId)})`,
    );
    await connection.close();
  } finally {
    for (const program of programs) await program.stop();
  }
  const all = spansOf();
  const trace = all.filter((span) => span.traceId === traceId);
  const byId = new Map(trace.map((span) => [span.spanId, span]));
  const lineOf = (span: Span | undefined): readonly string[] =>
    span === undefined ? [] : [...lineOf(byId.get(span.parentSpanId ?? '')), `${span.service} ${span.name}`];
  const route = 'concord-api POST /api/secretary/data-sync/jobs/:jobId/runs';
  const run = [route, 'concord-api start syncRun', 'concord-worker workflow syncRun'];
  const lines = trace.map(lineOf);

  const request = trace.find(({ name }) => name.startsWith('POST '));
  expect(request?.parentSpanId).toBe(callerSpan);
  for (const line of [
    [route, 'concord-api insert idempotency_keys'],
    run,
    [...run, 'concord-worker activity openRun'],
    [...run, 'concord-worker activity openRun', 'concord-worker insert sync_runs'],
    [...run, 'concord-worker activity publish'],
  ])
    expect(lines).toContainEqual(line);
  // Everything of the trace hangs together below the caller's span.
  expect(lines.filter(([first]) => first !== route)).toEqual([]);
  expect(new Set(trace.map(({ spanId }) => spanId)).size).toBe(trace.length);

  const text = received.join('\n');
  for (const { given, family, phone, nid } of campus.students.values())
    for (const value of [given, family, phone, `"${nid}"`]) expect(text).not.toContain(value);
  expect(text).not.toContain(key);
});
