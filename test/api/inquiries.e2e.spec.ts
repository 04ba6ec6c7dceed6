import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { createApiKey } from '../../database/api-keys.js';
import { applyConfiguration } from '../../database/configuration-store.js';
import { createHub, type Hub } from '../../database/hub.js';
import type { Role } from '../../domain/access.js';
import type { Configuration } from '../../domain/job-definition.js';
import { createDatabase, type TestDatabase } from '../harness/database.js';
import { startProgram, type ChildProgram } from '../harness/processes.js';
import { connectTemporal, temporalAddress, uniqueSuffix } from '../harness/temporal.js';
import { person, staffMapping } from './builders.js';

/* A real API and a real worker: what people ask systems goes through Temporal, and nothing of the answer does. */

const scope = `.${uniqueSuffix()}`;
const rowCount = 25_000;
let ours: TestDatabase;
let source: TestDatabase;
let hub: Hub;
let folder: string;
let programs: ChildProgram[] = [];
let url: string;
const keys = new Map<Role, string>();

const system = (name: string, kind: string, settings: object): Configuration['systems'][number] => ({
  ...{ name, kind },
  settings: settings as Readonly<Record<string, unknown>>,
});
const students = {
  ...{ name: 'sis.students', system: 'sis', entity: 'students' },
  source: {
    ...{ columns: ['id', 'family', 'email', 'tax'], key: ['id'] },
    records: [
      {
        entityType: 'person',
        groups: { email: { from: 'email' }, name: { family: { from: 'family' } }, tax_number: { from: 'tax' } },
        identifiers: { staff_number: { from: 'id' } },
      },
    ],
    rules: [{ name: 'email_form', field: 'email', severity: 'warn', check: 'type', type: 'email' } as const],
  },
};
const configuration: Configuration = {
  institution: { code: 'lakeside', name: 'Lakeside', timeZone: 'Europe/London' },
  systems: [
    system('sis', 'postgresql', { url: { env: 'CONCORD_SECRET_SIS' } }),
    system('hr', 'csv', {
      incoming: { env: 'CONCORD_SECRET_HR' },
      files: { staff: { file: 'staff.csv', key: ['id'] } },
    }),
    system('down', 'postgresql', { url: { env: 'CONCORD_SECRET_DOWN' } }),
    system('forgotten', 'postgresql', { url: { env: 'CONCORD_SECRET_FORGOTTEN' } }),
  ],
  entityTypes: [person],
  codeTables: [],
  mappings: [students, staffMapping],
  jobs: [],
};

beforeAll(async () => {
  ours = await createDatabase();
  source = await createDatabase({ empty: true });
  hub = createHub({ url: ours.url, role: 'concord_api', max: 2 });
  const client = new pg.Client({ connectionString: source.url });
  await client.connect();
  await client.query(
    `create table students (id text primary key, family text not null, email text, tax text, born date, dropped boolean)`,
  );
  await client.query(
    `insert into students select 'S' || lpad(n::text, 6, '0'), 'Family ' || n,
       case when n = 3 then 'nonsense' when n % 4 > 0 then 'p' || n || '@x.example' end, 'T' || n, date '2000-01-01' + n % 1000, n % 7 = 0
     from generate_series(1, $1::int) n`,
    [rowCount],
  );
  await client.end();
  folder = mkdtempSync(join(tmpdir(), 'concord-inquiries-'));
  mkdirSync(join(folder, 'day-1'));
  writeFileSync(
    join(folder, 'day-1', 'staff.csv'),
    'id,given,family,email,start\nE-1,Amara,Okafor, Amara@x.example ,2026-01-01\nE-2,Jonas,,j@x.example,2026-01-02\n',
  );
  const { institutionId } = await applyConfiguration(hub, configuration, 'test');
  for (const role of ['secretary', 'steward', 'operator'] as const)
    keys.set(role, (await createApiKey(hub, institutionId, { role, name: role, actor: 'test' })).key);
  const port = await freePort();
  const environment = { DATABASE_URL: ours.url, TEMPORAL_ADDRESS: temporalAddress(), CONCORD_API_PORT: String(port) };
  const secrets = {
    CONCORD_SECRET_SIS: source.url,
    CONCORD_SECRET_HR: folder,
    CONCORD_SECRET_DOWN: 'postgres://nobody:s3cret@127.0.0.1:1/none',
  };
  programs = [
    startProgram({ entry: 'api/main', args: ['--scope', scope], environment }),
    startProgram({ entry: 'worker/main', args: ['--scope', scope], environment: { ...environment, ...secrets } }),
  ];
  await programs[0]?.line(/^The API is up/);
  await programs[1]?.line(/^The worker is up/);
  url = `http://127.0.0.1:${port}/api/secretary/data-sync`;
}, 90_000);
afterAll(async () => {
  for (const program of programs) await program.stop();
  await hub.close();
  await ours.drop();
  await source.drop();
  rmSync(folder, { recursive: true, force: true });
});

const freePort = async (): Promise<number> => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
};

interface Inquiry {
  readonly id: string | null;
  readonly state: string;
  readonly answer: unknown;
  readonly failure: unknown;
  readonly links: { readonly self: string };
}

const send = async (
  role: Role,
  method: string,
  path: string,
  body?: object,
): Promise<{ status: number; body: Inquiry }> => {
  const response = await fetch(`${url}/${path}`, {
    method,
    headers: {
      authorization: `Bearer ${keys.get(role) ?? ''}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as Inquiry };
};

/* An answer, however long a busy machine takes for it. */
const ask = async (role: Role, path: string, body?: object): Promise<Inquiry> => {
  const reply = await send(role, 'POST', path, body);
  expect([200, 202]).toContain(reply.status);
  let inquiry = reply.body;
  while (inquiry.state === 'asked') inquiry = (await send(role, 'GET', `inquiries/${inquiry.id ?? ''}`)).body;
  return inquiry;
};

describe('a connection test', () => {
  test('tells what answers, and what it can do', async () => {
    expect(await ask('operator', 'systems/sis/test')).toMatchObject({
      ...{ state: 'answered', failure: null },
      answer: { product: 'PostgreSQL', capabilities: ['snapshots', 'watermarks', 'rows', 'copy'] },
    });
    expect(await ask('operator', 'systems/hr/test')).toMatchObject({
      answer: { product: 'CSV files', capabilities: ['deliveries'] },
    });
    expect((await send('operator', 'GET', 'systems/hr/capabilities')).body).toMatchObject({
      items: [{ name: 'deliveries' }],
    });
  });

  test('tells the cause and the remedy, and no secret', async () => {
    const down = await ask('operator', 'systems/down/test');
    expect(down).toMatchObject({
      state: 'failed',
      failure: { code: 'source_unreachable', remedy: expect.stringContaining('address') },
    });
    const forgotten = await ask('operator', 'systems/forgotten/test');
    expect(forgotten).toMatchObject({
      failure: {
        code: 'configuration_invalid',
        detail: expect.stringContaining('CONCORD_SECRET_FORGOTTEN is not set'),
      },
    });
    expect(JSON.stringify([down, forgotten])).not.toContain('s3cret');
  });

  test('is answered to who asked, and to nobody else', async () => {
    const { id } = await ask('operator', 'systems/sis/test');
    expect((await send('steward', 'GET', `inquiries/${id ?? ''}`)).status).toBe(404);
    expect((await send('secretary', 'POST', 'systems/sis/test')).status).toBe(403);
  });
});

describe('discovery', () => {
  test('lists what a system holds', async () => {
    expect(await ask('steward', 'systems/sis/discover', {})).toMatchObject({
      answer: {
        more: false,
        entities: [
          {
            ...{ entity: 'students', key: ['id'], statistics: null },
            columns: expect.arrayContaining([{ name: 'born', type: 'date', nullable: true }]),
          },
        ],
      },
    });
  });

  test('gives figures of named ones, without a sample of any value', async () => {
    const found = await ask('steward', 'systems/sis/discover', { entities: ['students'] });
    expect(found.answer).toMatchObject({
      entities: [
        {
          statistics: {
            rows: 10_000,
            columns: [
              { column: 'id', blank: 0, distinct: 10_000, longest: 7, form: 'mixed' },
              { column: 'family', form: 'mixed' },
              { column: 'email', blank: 0.25, distinct: 7500, form: 'mixed' },
              { column: 'tax', distinct: 10_000 },
              { column: 'born', form: 'date' },
              { column: 'dropped', form: 'boolean', distinct: 2 },
            ],
          },
        },
      ],
    });
    expect(JSON.stringify(found.answer)).not.toMatch(/S0000|x\.example|Family 1/);
    expect(await ask('steward', 'systems/hr/discover', { entities: ['staff'] })).toMatchObject({
      answer: { entities: [{ entity: 'staff', statistics: { rows: 2 } }] },
    });
    expect(await ask('steward', 'systems/sis/discover', { entities: ['pupils'] })).toMatchObject({
      failure: { code: 'source_schema_changed' },
    });
  });

  test('leads to a proposal of a mapping that can be tried and stored', async () => {
    const { id } = await ask('steward', 'systems/sis/discover', { entities: ['students'] });
    const proposed = await send('steward', 'POST', 'mappings/propose', {
      ...{ inquiryId: id, entity: 'students', entityType: 'person' },
    });
    const { definition, matches, unmapped } = proposed.body as unknown as {
      definition: object;
      matches: { column: string; group: string }[];
      unmapped: string[];
    };
    expect(matches.map(({ column, group }) => [column, group])).toEqual(
      expect.arrayContaining([
        ['email', 'email'],
        ['family', 'name'],
      ]),
    );
    expect(unmapped).toContain('dropped');
    expect(await ask('steward', 'mappings/sis.students/dry-run', { definition, limit: 3 })).toMatchObject({
      answer: { counts: { rows: 3, read: 3 } },
    });
  });
});

describe('a dry run of a mapping', () => {
  test('reads the first rows of the source, before and after, as the role sees them; nothing of it passes through Temporal', async () => {
    const upper = structuredClone(students);
    Object.assign(upper.source.records[0]?.groups ?? {}, {
      email: { from: 'email', steps: [{ use: 'case', to: 'upper' }] },
    });
    const asSteward = await ask('steward', 'mappings/sis.students/dry-run', { definition: upper, limit: 4 });
    expect(asSteward.answer).toMatchObject({
      counts: { rows: 4, read: 4, rejected: 0, changed: 3 },
      byField: [{ field: 'email', reason: 'email_form', count: 1 }],
      rows: [
        {
          sourceKey: 'S000001',
          changed: true,
          before: { records: [{ values: { email: 'p1@x.example', tax_number: 'T1' } }] },
          after: { records: [{ values: { email: 'P1@X.EXAMPLE' } }] },
        },
        {},
        { after: { problems: [{ field: 'email', reason: 'email_form' }] } },
        { changed: false },
      ],
    });
    const asSecretary = await ask('secretary', 'mappings/sis.students/dry-run', { limit: 1 });
    expect(asSecretary.answer).toMatchObject({
      rows: [{ after: { records: [{ values: { email: 'p1@x.example', tax_number: '•••' } }] } }],
    });
    expect((await send('operator', 'POST', 'mappings/sis.students/dry-run', {})).status).toBe(403);
    const connection = await connectTemporal();
    try {
      const history = await connection.workflowService.getWorkflowExecutionHistory({
        namespace: 'default',
        execution: { workflowId: `inquiry/${asSteward.id ?? ''}${scope}` },
      });
      const text = JSON.stringify(history, (_name, value: unknown) =>
        value instanceof Uint8Array ? Buffer.from(value).toString('utf8') : value,
      );
      expect(text).toContain('answerInquiry');
      expect(text).not.toMatch(/x\.example|S000001|T1"/i);
    } finally {
      await connection.close();
    }
  });

  test('reads files of the newest delivery, and what cannot be read says why', async () => {
    expect(await ask('steward', 'mappings/hr.staff/dry-run')).toMatchObject({
      answer: {
        counts: { rows: 2, read: 1, rejected: 1 },
        rows: [
          { sourceKey: 'E-1' },
          { after: { outcome: 'rejected', problems: [{ field: 'family', reason: 'family_is_there' }] } },
        ],
      },
    });
    const missing = structuredClone(students);
    missing.source.columns.push('colour');
    expect(await ask('steward', 'mappings/sis.students/dry-run', { definition: missing })).toMatchObject({
      failure: { code: 'source_schema_changed', detail: expect.stringContaining('colour') },
    });
  });
});
