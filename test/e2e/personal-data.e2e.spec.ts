import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { Client } from '@temporalio/client';
import { createApiKey } from '../../database/api-keys.js';
import type { Role } from '../../domain/access.js';
import { freePort } from '../../launch/ports.js';
import { EventStream } from '../harness/event-stream.js';
import { startProgram } from '../harness/processes.js';
import type { ChildProgram } from '../harness/processes.js';
import { connectTemporal, temporalAddress, uniqueSuffix } from '../harness/temporal.js';
import { Campus } from './campus.js';

/* Nothing that a system says of a person stands in what operators see: histories of workflows, logs at their most talkative, metrics,
   events. Every value of every person holds a word that occurs nowhere else; people are asked about, searched for, decided on, set
   aside, refused by a target, quoted by an error of the database, and rolled back. */

jest.setTimeout(600_000);

const word = 'Zqxv';
const base = '/api/secretary/data-sync';
const scope = `.${uniqueSuffix()}`;

let campus: Campus;
let programs: readonly ChildProgram[] = [];
let url = '';
let metricsUrls: readonly string[] = [];
let events: EventStream;
const keys = new Map<Role, string>();

const marked = (number: number): Parameters<Campus['addStudent']>[0] & Parameters<Campus['addEmployee']>[0] => ({
  ...{ nid: `${word}-nid-${number}`, given: `${word}given${number}`, family: `${word}family${number}` },
});

beforeAll(async () => {
  campus = await Campus.open({ students: 0, employees: 0, both: 0 });
  for (let number = 0; number < 8; number += 1) {
    campus.addStudent({ ...marked(number), id: `${word}-s-${number}`, phone: `${word}-phone-${number}` });
    campus.addEmployee({
      ...marked(number + 4),
      staff_no: `${word}-e-${number}`,
      email: `${word}-${number}@example.edu`,
    });
  }
  await campus.storeStudents();
  campus.deliver();
  for (const role of ['steward', 'operator'] as const)
    keys.set(role, (await createApiKey(campus.hub, campus.institutionId, { role, name: 'desk', actor: 'test' })).key);
  const [port, ...metricsPorts] = [await freePort(0), await freePort(0), await freePort(0)];
  const environment = {
    ...{ DATABASE_URL: campus.concordUrl, TEMPORAL_ADDRESS: temporalAddress(), CONCORD_LOG_LEVEL: 'debug' },
    CONCORD_API_PORT: String(port),
  };
  const started = (['worker/main', 'api/main'] as const).map((entry, index) =>
    startProgram({
      entry,
      args: ['--scope', scope, ...(entry === 'worker/main' ? ['--retry-seconds', '0.1'] : [])],
      environment: { ...environment, CONCORD_METRICS_PORT: String(metricsPorts[index]) },
    }),
  );
  programs = started;
  await Promise.all(programs.map((program) => program.line(/is up/, 120_000)));
  url = `http://127.0.0.1:${String(port)}${base}`;
  metricsUrls = metricsPorts.map((one) => `http://127.0.0.1:${String(one)}/metrics`);
  events = await EventStream.open(`${url}/events?topics=run,progress,delivery,inbox`, {
    authorization: `Bearer ${keys.get('operator') ?? ''}`,
  });
});
afterAll(async () => {
  await events.leave();
  for (const program of programs) await program.stop();
  await campus.close();
});

let asked = 0;
async function ask(method: 'GET' | 'POST', path: string, as: Role, body?: object): Promise<Record<string, unknown>> {
  asked += 1;
  const response = await fetch(`${url}/${path}`, {
    method,
    headers: {
      authorization: `Bearer ${keys.get(as) ?? ''}`,
      ...(method === 'POST' ? { 'idempotency-key': `k${asked}` } : {}),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, ...((await response.json()) as object) };
}

/** Has a run done, and waits for its end. */
async function runOf(path: string, as: Role, body?: object): Promise<{ readonly id: string; readonly state: string }> {
  const before = await campus.asOwner<{ id: string }>('select coalesce(max(id), 0)::text as id from concord.sync_runs');
  expect(await ask('POST', path, as, body)).toMatchObject({ status: expect.any(Number) });
  for (;;) {
    const [run] = await campus.asOwner<{ id: string; state: string }>(
      'select id::text, state from concord.sync_runs where id > $1 and finished_at is not null order by id limit 1',
      [before[0]?.id],
    );
    if (run !== undefined) return run;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Everything that Temporal keeps of our workflows, payloads as the text that they hold. */
async function histories(): Promise<string> {
  const connection = await connectTemporal();
  try {
    const client = new Client({ connection });
    const ids = await campus.asOwner<{ id: string }>('select workflow_id as id from concord.sync_runs');
    const wanted = [...ids.map(({ id }) => id), `review/${campus.job()}${scope}`];
    const texts: string[] = [];
    for (const id of wanted) {
      const handle = client.workflow.getHandle(id);
      const description = await handle.describe();
      texts.push(plain(description.raw), plain(await handle.fetchHistory()), JSON.stringify(description.memo ?? {}));
    }
    return texts.join('\n');
  } finally {
    await connection.close();
  }
}

/* A message of the server turns itself into JSON with its bytes in base64, under the name `data`. */
const plain = (message: unknown): string =>
  JSON.stringify(message, (name, value: unknown) => {
    if (name === 'data' && typeof value === 'string') return Buffer.from(value, 'base64').toString('utf8');
    return typeof value === 'bigint' ? String(value) : value;
  });

test('what happens to people is told by ids and counts alone', async () => {
  const sync = `jobs/${campus.job()}/runs`;
  // A campus comes with an empty delivery.
  for (let delivery = 0; delivery < 2; delivery += 1) expect((await runOf(sync, 'operator')).state).toBe('completed');

  // A question, three kinds of rows that are set aside, one that the target refuses with a quotation.
  const [first, , , , shared] = [...campus.students.values()];
  const twin = [...campus.employees.values()].find(({ nid }) => nid === shared?.nid);
  if (first === undefined || shared === undefined || twin === undefined) throw new Error('nobody is there');
  campus.students.set(shared.id, { ...shared, given: `${word}-one` });
  campus.employees.set(twin.staff_no, { ...twin, given: `${word}-other` });
  campus.students.set(first.id, { ...first, phone: `${word}-refused` });
  campus.addStudent({ ...marked(90), id: `${word}-s-90`, family: '' });
  await campus.storeStudents();
  await campus.target.query(`alter table persons add constraint short check (phone <> '${word}-refused')`);
  campus.deliver(`${campus.employeesFile()}${word}-few,fields\r\n${word}-bad,"${word}-quote,x,y,z\r\n`);
  const second = await runOf(sync, 'operator');
  expect(second.state).toBe('completed_with_questions');
  expect((await campus.rejected(second.id)).length).toBeGreaterThanOrEqual(3);
  await campus.target.query('alter table persons drop constraint short');

  // A search, a decision in words of its own, a request that is refused.
  for (const path of [`golden-records?type=person&identifier=nid:${word}-nid-1`, `rejected-records?key=${word}-s-90`])
    expect(await ask('GET', path, 'steward')).toMatchObject({ status: 200, items: [{}] });
  expect(await ask('GET', `golden-records?type=person&identifier=${word}`, 'steward')).toMatchObject({ status: 400 });
  const pending = await ask('GET', 'conflicts/pending', 'steward');
  const [question] = pending['items'] as { readonly id: string; readonly version: number }[];
  if (question === undefined) throw new Error('there is no question');
  const decision = {
    version: question.version,
    choice: { value: { given: `${word}-decided`, family: `${word}-decided` } },
    reason: `${word} said so`,
  };
  expect(await ask('POST', `conflicts/${question.id}/decision`, 'steward', { ...decision, version: 99 })).toMatchObject(
    {
      status: 409,
    },
  );
  const decided = await runOf(`conflicts/${question.id}/decision`, 'steward', decision);
  expect(decided.state).toBe('completed');

  // An error of the database that quotes a row: the run fails after it began, and takes itself back.
  await campus.everyPhone(`${word}-later`);
  await campus.asOwner(`
    create or replace function public.refuse() returns trigger language plpgsql as
      $$ begin raise exception 'no: %', new.values using errcode = '22000', detail = new.values::text, hint = new.values::text; end $$;
    create trigger refuse before update on concord.golden_records for each row when (new.values[3] like '%later%') execute function public.refuse()`);
  expect((await runOf(sync, 'operator')).state).toMatch(/rolled_back|failed/);
  await campus.admit('golden_records');
  // And a source that does not convert.
  await campus.source.query(`alter table students rename column phone to "${word}-telephone"`);
  expect((await runOf(sync, 'operator')).state).toMatch(/completed|failed/);
  await campus.source.query(`alter table students rename column "${word}-telephone" to phone`);

  const preview = await ask('POST', `runs/${second.id}/rollback/preview`, 'steward');
  const undone = await runOf(`runs/${second.id}/rollback`, 'steward', {
    previewHash: preview['previewHash'],
    reason: `${word} came to the desk`,
  });
  expect(undone.state).toBe('completed');

  const found = {
    histories: linesWith(await histories()),
    ...Object.fromEntries(programs.map((program, index) => [`log ${index}`, linesWith(program.output())])),
    metrics: linesWith((await Promise.all(metricsUrls.map(async (one) => await (await fetch(one)).text()))).join('\n')),
    events: linesWith(JSON.stringify(events.messages)),
    outbox: linesWith(JSON.stringify(await campus.asOwner('select * from concord.outbox'))),
    // What a person wrote as the reason stays here, and goes no further.
    runs: linesWith(
      JSON.stringify(await campus.asOwner(`select to_jsonb(r) - 'reason' as run from concord.sync_runs r`)),
    ),
  };
  expect(found).toEqual(Object.fromEntries(Object.keys(found).map((name) => [name, []])));
  // The search itself finds what is there.
  expect(programs[0]?.output()).toContain('step done');
  expect(programs[1]?.output()).toContain('golden-records');
  expect((await histories()).replaceAll('\\', '')).toContain(`"runId":"${second.id}"`);
  expect(linesWith(plain(await campus.asOwner('select * from concord.golden_records'))).length).toBeGreaterThan(0);
});

/** Where the word stands, with what is around it. */
const linesWith = (text: string): readonly string[] =>
  [...text.matchAll(new RegExp(`.{0,160}${word}.{0,80}`, 'gi'))].map(([line]) => line).slice(0, 5);
