import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { ApiHarness, type Reply } from './api-harness.js';
import { World } from './builders.js';

let api: ApiHarness;
let world: World;
let run: string;
beforeAll(async () => {
  api = await ApiHarness.open();
  world = await World.build(api);
});
afterAll(async () => {
  await api.close();
});
beforeEach(async () => {
  await api.owner.query('delete from decision_batches; delete from outbox; delete from idempotency_keys');
  run = await world.run();
});

interface Group {
  readonly name: string;
  readonly value: unknown;
  readonly words: string;
}
const groupsOf = (reply: Reply): Readonly<Record<string, Group>> =>
  Object.fromEntries((reply.body as { groups: Group[] }).groups.map((group) => [group.name, group]));

describe('a golden record', () => {
  test('tells where each value comes from, in words', async () => {
    const created = await world.run();
    const decision = await world.run({ kind: 'decision', actor: 'secretary:Front office', parent: created });
    const golden = await world.golden(created, {
      ...{ version: 3, updatedRun: decision, versions: [1, 3, 2, 0], sticky: [1] },
      values: ['{"family":"Okafor","given":"Amara"}', '"amara@desk.example"', 'null', null],
      origins: [null, null, null, null],
    });
    const image = await world.image(created, golden);
    await api.owner.query(
      'update golden_records set origins = array[$2::bigint, null, $2::bigint, null] where id = $1',
      [golden, image],
    );
    for (const [version, by] of [
      [1, created],
      [2, decision],
    ] as const) {
      await api.owner.query(
        `insert into golden_record_versions (golden_id, version, institution_id, values, status, superseded_run) values ($1, $2, $3, '{}', 'active', $4)`,
        [golden, version, api.institutionId, by],
      );
    }
    await world.identifier(image, 'staff_number', 'E-77');
    await world.question(created, golden);
    const reply = await api.get(`golden-records/${golden}`);
    expect(reply.headers.get('etag')).toBe('"3"');
    expect(reply.headers.get('cache-control')).toBe('no-store');
    const today = new Date().toLocaleDateString('en-GB', {
      day: 'numeric',
      month: 'long',
      year: 'numeric',
      timeZone: 'UTC',
    });
    const { name, email, tax_number: taxNumber, start } = groupsOf(reply);
    expect(name).toMatchObject({
      ...{
        value: { given: 'Amara', family: 'Okafor' },
        system: 'hr',
        sourceKey: 'E-77',
        sticky: false,
        since: [{ version: 1, runId: created }],
      },
      words: `From hr (record E-77), since version 1, by run ${created} on ${today}.`,
    });
    expect(email).toMatchObject({
      ...{ value: 'amara@desk.example', system: null, sticky: true, decidedBy: 'secretary:Front office' },
      words: `Decided by the secretary (Front office), since version 3, by run ${decision} on ${today}. It stands against imports until a source agrees.`,
    });
    expect(taxNumber).toMatchObject({
      value: null,
      says: 'empty',
      words: expect.stringMatching(/^Explicitly empty\. From hr/),
    });
    expect(start).toMatchObject({
      value: null,
      says: 'nothing',
      since: [],
      words: 'No system has said anything about this.',
    });
    expect(reply.body).toMatchObject({
      ...{ id: golden, type: 'person', version: 3, status: 'active', mergedInto: null },
      sources: [{ system: 'hr', mapping: 'hr.staff', sourceKey: 'E-77', deleted: false }],
      identifiers: [{ scheme: 'staff_number', value: 'E-77', system: 'hr' }],
      questions: [{ group: 'email' }],
    });
    expect(await api.get('golden-records/999999')).toMatchObject({ status: 404 });
  });

  test('sensitive values are for the steward alone', async () => {
    const golden = await world.golden(run, { values: [null, null, '"T-123"', null] });
    expect(groupsOf(await api.get(`golden-records/${golden}`))['tax_number']).toMatchObject({
      value: 'T-123',
      masked: false,
    });
    for (const as of ['secretary', 'auditor'] as const) {
      const reply = await api.get(`golden-records/${golden}`, { as });
      expect(groupsOf(reply)['tax_number']).toMatchObject({ value: null, says: 'value', masked: true });
      expect(JSON.stringify(reply.body)).not.toContain('T-123');
    }
  });

  test('is found by an identifier', async () => {
    const golden = await world.golden(run);
    await world.identifier(await world.image(run, golden, { key: 'E-5' }), 'staff_number', 'E:5');
    const found = await api.get('golden-records?type=person&identifier=staff_number:E:5', { as: 'secretary' });
    expect(found).toMatchObject({
      status: 200,
      body: { items: [{ id: golden, type: 'person', status: 'active' }], nextCursor: null },
    });
    expect(await api.get('golden-records?type=person&identifier=staff_number:E-6')).toMatchObject({
      body: { items: [] },
    });
    expect(await api.get('golden-records?type=person&identifier=E5')).toMatchObject({ status: 400 });
    expect(await api.get('golden-records?type=person&identifier=staff_number: e:5 ')).toMatchObject({
      body: { items: [{ id: golden }] },
    });
  });
});

describe('setting a value by hand', () => {
  const override = (golden: string, body: object, headers: Record<string, string> = {}): Promise<Reply> =>
    api.post(`golden-records/${golden}/override`, { reason: 'She told us at the desk', ...body }, { headers });

  test('is durable with the word that it waits; twice it is once', async () => {
    const golden = await world.golden(run);
    const body = { group: 'name', value: { family: 'Okafor', given: 'Amara Joy' } };
    const first = await override(golden, body);
    expect(first).toMatchObject({ status: 200, body: { state: 'decided', kind: 'override' } });
    expect((await override(golden, body)).body).toEqual(first.body);
    expect(
      (await api.owner.query('select kind, job_id, parent_run_id, items, reason, actor from decision_batches')).rows,
    ).toEqual([
      {
        ...{
          kind: 'override',
          job_id: world.jobId,
          parent_run_id: null,
          reason: 'She told us at the desk',
          actor: 'steward:Test desk',
        },
        items: [{ goldenId: golden, group: 'name', value: '{"family":"Okafor","given":"Amara Joy"}' }],
      },
    ]);
    expect(await world.count(`outbox where topic = 'review' and subject = $1`, String(world.jobId))).toBe(1);
  });

  test.each([
    [{ group: 'name', value: 'Amara' }, '/value'],
    [{ group: 'name', value: { given: 'Amara', nick: 'A' } }, '/value/nick'],
    [{ group: 'name', value: {} }, '/value'],
    [{ group: 'start', value: '2026-02-30' }, '/value'],
    [{ group: 'email', value: ['a', 'b'] }, '/value'],
    [{ group: 'email', value: '' }, '/value'],
    [{ group: 'email' }, '/value'],
    [{ group: 'shoe_size', value: '42' }, '/group'],
  ])('refuses %j', async (body, pointer) => {
    const golden = await world.golden(run);
    expect(await override(golden, body)).toMatchObject({
      status: 400,
      body: { code: 'validation_failed', errors: [{ pointer }] },
    });
    expect(await world.count('decision_batches')).toBe(0);
  });

  test('null says that there is none; an ended record and an outdated version are refused', async () => {
    const golden = await world.golden(run, { version: 2 });
    expect(await override(golden, { group: 'email', value: null }, { 'if-match': '"1"' })).toMatchObject({
      status: 412,
    });
    expect(await override(golden, { group: 'email', value: null }, { 'if-match': '"2"' })).toMatchObject({
      status: 200,
    });
    const ended = await world.golden(run, { status: 'ended' });
    expect(await override(ended, { group: 'email', value: null })).toMatchObject({
      status: 409,
      body: { code: 'state_forbids' },
    });
    const orphan = await world.golden(await world.run({ jobId: null, kind: 'due' }));
    expect(await override(orphan, { group: 'email', value: null })).toMatchObject({ status: 409 });
  });
});

describe('held changes', () => {
  test('are listed in words, with their records', async () => {
    const held = await world.held(run, { keys: ['E-1', 'E-2', 'E-3'] });
    expect(await api.get('held-changes', { as: 'operator' })).toMatchObject({
      body: {
        items: [
          {
            ...{
              id: held,
              status: 'held',
              version: 1,
              cause: 'limit',
              operation: 'delete',
              mapping: 'hr.staff',
              rows: 212,
              of: 1900,
            },
            words: 'hr.staff wants to remove 212 of 1900 records (11.2%).',
          },
        ],
      },
    });
    expect(await api.get(`held-changes?run=${run}&cause=limit&job=${world.jobId}&status=all`)).toMatchObject({
      body: { items: [{ id: held }] },
    });
    expect(await api.get('held-changes?status=released')).toMatchObject({ body: { items: [] } });
    const { body } = await api.get(`held-changes/${held}/records?limit=2`);
    expect(body).toMatchObject({
      items: [{ mapping: 'hr.staff', sourceKey: 'E-1', operation: 'delete' }, { sourceKey: 'E-2' }],
    });
    const cursor = (body as { nextCursor: string }).nextCursor;
    expect(await api.get(`held-changes/${held}/records?limit=2&cursor=${cursor}`)).toMatchObject({
      body: { items: [{ sourceKey: 'E-3' }], nextCursor: null },
    });
    expect(await api.get(`held-changes/${held}/records`, { as: 'operator' })).toMatchObject({ status: 403 });
  });

  test.each([
    ['release', 'released'],
    ['discard', 'discarded'],
  ])('%s twenty times at once is once', async (decision, state) => {
    const held = await world.held(run);
    const ask = (): Promise<Reply> =>
      api.post(`held-changes/${held}/${decision}`, { version: 1, reason: 'HR confirmed' }, { as: 'secretary' });
    const replies = await Promise.all(Array.from({ length: 20 }, ask));
    expect(replies.map(({ status }) => status)).toEqual(replies.map(() => 200));
    expect(
      (await api.owner.query('select kind, parent_run_id, job_id, items, reason from decision_batches')).rows,
    ).toEqual([
      {
        kind: decision,
        parent_run_id: run,
        job_id: world.jobId,
        items: [{ heldId: held, version: 1 }],
        reason: 'HR confirmed',
      },
    ]);
    expect(await world.count('outbox')).toBe(1);
    expect(await api.get(`held-changes/${held}`)).toMatchObject({
      body: { status: state, decidedBy: 'secretary:Test desk' },
    });
    const other = decision === 'release' ? 'discard' : 'release';
    expect(await api.post(`held-changes/${held}/${other}`, { version: 1, reason: 'x' })).toMatchObject({
      status: 410,
      body: { code: 'closed', current: { status: state } },
    });
  });

  test('an outdated version is refused; a reason is needed', async () => {
    const held = await world.held(run);
    await api.owner.query('update held_changes set version = 2 where id = $1', [held]);
    expect(await api.post(`held-changes/${held}/release`, { version: 1, reason: 'x' })).toMatchObject({
      status: 409,
      body: { code: 'conflict_changed', current: { version: 2 } },
    });
    expect(await api.post(`held-changes/${held}/release`, { version: 2 })).toMatchObject({ status: 400 });
    expect(await api.post('held-changes/999999/release', { version: 1, reason: 'x' })).toMatchObject({ status: 404 });
  });
});

describe('the overview', () => {
  test('says how everything is, without personal data', async () => {
    await world.held(run);
    const newest = await world.run({ state: 'completed_with_questions' });
    await world.finding(newest, 'source_unreachable', 'sis');
    await world.question(newest, await world.golden(newest), { dueAt: '2026-11-19T00:00:00Z' });
    const { status, headers, body } = await api.get('status/overview', { as: 'admin' });
    expect(status).toBe(200);
    expect(headers.get('cache-control')).toBe('private, max-age=5');
    expect(body).toMatchObject({
      ...{
        asOf: '2026-11-20T07:10:00.000Z',
        overall: 'failing',
        words: expect.stringContaining('sis could not be used'),
      },
      systems: expect.arrayContaining([
        expect.objectContaining({ name: 'sis', state: 'failing', problem: 'source_unreachable' }),
        expect.objectContaining({ name: 'hr', state: 'ok', owner: 'hr-office' }),
      ]),
      jobs: [{ name: 'people', state: 'attention', lastRunId: newest, held: 1 }],
      conflicts: { overdue: 1, held: 1, oldest: expect.any(String) },
      alerts: [{ code: 'source_unreachable', actor: 'operator' }],
      next: [],
    });
    expect(JSON.stringify(body)).not.toMatch(/amara|Okafor/i);
    const etag = headers.get('etag') ?? '';
    api.clock.advance(60_000);
    expect(await api.get('status/overview', { headers: { 'if-none-match': etag } })).toMatchObject({ status: 304 });
    await world.held(run);
    expect((await api.get('status/overview', { headers: { 'if-none-match': etag } })).status).toBe(304);
    await world.question(newest, await world.golden(newest));
    expect((await api.get('status/overview', { headers: { 'if-none-match': etag } })).status).toBe(200);
  });
});

describe('checking records', () => {
  const columns = { id: 'E-1', given: 'A', family: 'B', email: 'a@b.example', start: '2026-12-01' };
  const report = {
    summary: { records: 4, accepted: 1, warned: 2, rejected: 1, filtered: 0 },
    byRule: [
      { rule: 'family_is_there', field: 'family', severity: 'reject', failed: 1 },
      { rule: 'email_is_an_email', field: 'email', severity: 'blank_and_warn', failed: 1 },
      { rule: 'email_is_unique', field: 'email', severity: 'warn', failed: 2 },
      { field: 'start', severity: 'blank_and_warn', failed: 1 },
    ],
  };

  test('as JSON: a report in figures, by rule and by record; nothing is stored', async () => {
    const before = await world.count('rejected_records');
    const { status, body } = await api.post(
      'quality/validate',
      {
        mapping: 'hr.staff',
        records: [
          columns,
          { ...columns, id: 'E-2', email: 'no address', start: 'soon' },
          { ...columns, id: 'E-3', email: 'c@b.example' },
          { id: 'E-4', given: 'D', email: 'c@b.example' },
        ],
      },
      { as: 'secretary' },
    );
    expect(status).toBe(200);
    expect(body).toMatchObject({
      ...report,
      records: [
        {
          row: '2',
          key: 'E-2',
          outcome: 'warned',
          problems: [
            { pointer: '/records/1/email', rule: 'email_is_an_email', detail: 'expected an e-mail address' },
            { pointer: '/records/1/start' },
          ],
        },
        { row: '3', outcome: 'warned', problems: [{ rule: 'email_is_unique' }] },
        {
          row: '4',
          key: 'E-4',
          outcome: 'rejected',
          problems: [
            { pointer: '/records/3/family', rule: 'family_is_there', severity: 'reject' },
            { rule: 'email_is_unique' },
          ],
        },
      ],
    });
    expect(await world.count('rejected_records')).toBe(before);
  });

  test('as CSV: the same, in any order of columns and any encoding', async () => {
    const csv = [
      'email;id;family;given;start',
      'a@b.example;E-1;M\u00fcller;A;2026-12-01',
      'no address;E-2;B;A;soon',
      'c@b.example;E-3;B;A;',
      'c@b.example;E-4;;D;',
    ].join('\r\n');
    const reply = await api.post('quality/validate?mapping=hr.staff&delimiter=%3B', undefined, {
      text: csv,
      headers: { 'content-type': 'text/csv' },
    });
    expect(reply).toMatchObject({ status: 200, body: report });
    const torn = await api.post('quality/validate?mapping=hr.staff', undefined, {
      text: 'id,given,family,email,start\nE-1,A,B\nE-2,A,B,a@b.example,\n',
      headers: { 'content-type': 'text/csv; charset=utf-8' },
    });
    expect(torn).toMatchObject({
      status: 200,
      body: { summary: { records: 2, accepted: 1, rejected: 1 }, records: [{ outcome: 'rejected' }] },
    });
  });

  test('what cannot be checked is refused', async () => {
    const csv = { 'content-type': 'text/csv' };
    expect(await api.post('quality/validate', { mapping: 'hr.nobody', records: [] })).toMatchObject({ status: 404 });
    expect(await api.post('quality/validate', { mapping: 'finance.people', records: [] })).toMatchObject({
      status: 409,
      body: { code: 'state_forbids' },
    });
    expect(
      await api.post('quality/validate', { mapping: 'hr.staff', records: [{ colour: 'red', email: { a: 1 } }] }),
    ).toMatchObject({
      status: 400,
      body: { errors: [{ pointer: '/records/0/colour' }, { pointer: '/records/0/email' }] },
    });
    expect(await api.post('quality/validate', { mapping: 'hr.staff', records: [null] })).toMatchObject({ status: 400 });
    expect(
      await api.post('quality/validate', { mapping: 'hr.staff', records: Array.from({ length: 5001 }, () => ({})) }),
    ).toMatchObject({ status: 400 });
    expect(await api.post('quality/validate', undefined, { text: 'id\n1\n', headers: csv })).toMatchObject({
      status: 400,
      body: { errors: [{ pointer: 'mapping', code: 'missing' }] },
    });
    expect(
      await api.post('quality/validate?mapping=hr.staff', undefined, { text: 'id\n1\n', headers: csv }),
    ).toMatchObject({ status: 400, body: { code: 'body_malformed', detail: expect.stringContaining('email') } });
    expect(await api.post('quality/validate?mapping=hr.staff', undefined, { text: '', headers: csv })).toMatchObject({
      status: 422,
      body: { code: 'delivery_unreadable' },
    });
    const many = `id,given,family,email,start\n${'E,A,B,,\n'.repeat(5001)}`;
    expect(await api.post('quality/validate?mapping=hr.staff', undefined, { text: many, headers: csv })).toMatchObject({
      status: 413,
      body: { code: 'body_too_large' },
    });
  });
});
