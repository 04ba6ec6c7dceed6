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
  await api.owner.query('delete from rejected_records; delete from decision_batches; delete from outbox');
  run = await world.run({ state: 'completed_with_questions' });
});

const put = (id: string, values: object, version = 1, reason = 'seen in the passport'): Promise<Reply> =>
  api.put(`rejected-records/${id}/correction`, { values, reason }, { headers: { 'if-match': `"${version}"` } });
const replay = (id: string, version = 1): Promise<Reply> => api.post(`rejected-records/${id}/replay`, { version });
const items = ({ body }: Reply): Record<string, unknown>[] => (body as { items: Record<string, unknown>[] }).items;

describe('records set aside', () => {
  test('come with their reasons, and with the row as far as the role may see it', async () => {
    const id = await world.setAside(run);
    const [seen] = items(await api.get(`runs/${run}/rejected`, { as: 'secretary' }));
    expect(seen).toMatchObject({
      ...{ id, runId: run, mapping: 'hr.staff', sourceKey: 'E-77', field: 'family', reason: 'family_is_there' },
      ...{ detail: 'a value is required', state: 'open', version: 1, correction: null, masked: [] },
      raw: '["E-77","Amara","","amara@hr.example","2026-01-01"]',
      values: { id: 'E-77', given: 'Amara', family: '', email: 'amara@hr.example', start: '2026-01-01' },
    });
    const [masked] = items(await api.get(`runs/${run}/rejected`, { as: 'auditor' }));
    expect(masked).toMatchObject({ raw: null, values: {}, masked: ['id', 'given', 'family', 'email', 'start'] });
    expect(JSON.stringify(masked)).not.toContain('amara@');
  });

  test('one that could not be read as a row is shown as it came, to those who see everything', async () => {
    await world.setAside(run, { raw: 'E-9;"broken', reason: 'quote' });
    expect(items(await api.get(`runs/${run}/rejected`))).toMatchObject([{ raw: 'E-9;"broken', values: null }]);
    expect(items(await api.get(`runs/${run}/rejected`, { as: 'auditor' }))).toMatchObject([
      { raw: null, values: null },
    ]);
  });

  test('are paged in the order they were met, and filtered by kind, state, reason, column and key', async () => {
    const ids = [
      await world.setAside(run, { key: 'A' }),
      await world.setAside(run, { key: 'B', reason: 'field_count' }),
      await world.setAside(run, { key: 'C', kind: 'waiting', reason: 'parent_missing' }),
    ];
    const first = await api.get(`runs/${run}/rejected?limit=2`);
    expect(items(first).map(({ id }) => id)).toEqual(ids.slice(0, 2));
    const { nextCursor } = first.body as { nextCursor: string };
    expect(items(await api.get(`runs/${run}/rejected?limit=2&cursor=${nextCursor}`)).map(({ id }) => id)).toEqual(
      ids.slice(2),
    );
    const found = async (query: string): Promise<unknown[]> =>
      items(await api.get(`runs/${run}/rejected?${query}`)).map(({ id }) => id);
    expect(await found('kind=waiting')).toEqual([ids[2]]);
    expect(await found('reason=field_count')).toEqual([ids[1]]);
    expect(await found('key=A&field=family&state=open&mapping=hr.staff')).toEqual([ids[0]]);
    expect(await found('mapping=sis.students')).toEqual([]);
    expect(await api.get(`runs/${run}/rejected?limit=2&kind=waiting&cursor=${nextCursor}`)).toMatchObject({
      body: { code: 'cursor_mismatch' },
    });
  });

  test('are found in all runs by key, newest first', async () => {
    const before = await world.setAside(run, { key: 'E-5' });
    const later = await world.setAside(await world.run(), { key: 'E-5' });
    await world.setAside(run, { key: 'E-6' });
    expect(items(await api.get('rejected-records?key=E-5')).map(({ id }) => id)).toEqual([later, before]);
    expect(items(await api.get(`rejected-records?key=E-5&run=${run}&job=${world.jobId}`)).map(({ id }) => id)).toEqual([
      before,
    ]);
    expect(items(await api.get('rejected-records?key=E-5', { as: 'stranger' }))).toEqual([]);
  });

  test('are counted by cause, the most frequent first, each with an example', async () => {
    for (const key of ['A', 'B', 'C']) await world.setAside(run, { key });
    const other = await world.setAside(run, { key: 'D', reason: 'field_count' });
    const { body } = await api.get(`runs/${run}/rejected/groups`, { as: 'auditor' });
    expect(body).toMatchObject({
      count: 4,
      more: false,
      items: [
        { reason: 'family_is_there', field: 'family', count: 3, open: 3, exampleKey: 'A', mapping: 'hr.staff' },
        { reason: 'field_count', count: 1, exampleKey: 'D', exampleId: other },
      ],
    });
    const link = (body as { items: { links: { records: string } }[] }).items[1]?.links.records ?? '';
    expect(items(await api.get(link)).map(({ id }) => id)).toEqual([other]);
  });
});

describe('a correction', () => {
  test('is stored with who and why, on the version that was seen', async () => {
    const id = await world.setAside(run);
    const reply = await put(id, { family: 'Okafor' });
    expect(reply).toMatchObject({
      status: 200,
      body: {
        ...{ state: 'open', version: 2, values: { family: '' } },
        correction: { values: { family: 'Okafor' }, reason: 'seen in the passport', by: 'steward:Test desk' },
      },
    });
    expect(reply.headers.get('etag')).toBe('"2"');
    expect(await put(id, { family: 'Obi' })).toMatchObject({
      status: 412,
      body: { code: 'precondition_failed', currentEtag: '"2"', changedBy: 'steward:Test desk' },
    });
    expect(
      await api.put(`rejected-records/${id}/correction`, { values: { family: 'Obi' }, reason: 'x' }),
    ).toMatchObject({ status: 428 });
    // A second one begins with the first.
    expect(await put(id, { given: 'Amarachi' }, 2)).toMatchObject({
      body: { version: 3, correction: { values: { family: 'Okafor', given: 'Amarachi' } } },
    });
    expect(items(await api.get(`runs/${run}/rejected`, { as: 'auditor' }))).toMatchObject([
      { correction: { values: {}, by: 'steward:Test desk' } },
    ]);
  });

  test('that would be set aside still is refused, and so is one that names no column of the mapping', async () => {
    const id = await world.setAside(run);
    expect(await put(id, { given: 'A' })).toMatchObject({
      status: 422,
      body: { code: 'row_still_rejected', errors: [{ pointer: '/values/family', code: 'family_is_there' }] },
    });
    expect(await put(id, { colour: 'red', family: 5 })).toMatchObject({
      status: 400,
      body: {
        errors: [
          { pointer: '/values/colour', code: 'unknown' },
          { pointer: '/values/family', code: 'invalid' },
        ],
      },
    });
    expect(await put(id, {})).toMatchObject({ status: 400 });
    expect(await put(id, { family: 'a\u0000b' })).toMatchObject({ status: 400 });
    expect(await world.count('rejected_records where corrected is not null')).toBe(0);
  });

  test('of a row that could not be read needs all columns', async () => {
    const id = await world.setAside(run, { raw: 'E-9;"broken' });
    const { body } = await put(id, { id: 'E-9', family: 'Obi' });
    expect((body as { errors: { pointer: string }[] }).errors.map(({ pointer }) => pointer)).toEqual([
      '/values/given',
      '/values/email',
      '/values/start',
    ]);
    expect(await put(id, { id: 'E-9', family: 'Obi', given: 'A', email: null, start: null })).toMatchObject({
      status: 200,
      body: { correction: { values: { id: 'E-9', family: 'Obi', given: 'A', email: null, start: null } } },
    });
  });

  test('can be taken away', async () => {
    const id = await world.setAside(run);
    await put(id, { family: 'Okafor' });
    expect(
      await api.ask('DELETE', `rejected-records/${id}/correction`, { headers: { 'if-match': '"2"' } }),
    ).toMatchObject({ status: 200, body: { version: 3, correction: null } });
  });

  test('takes no other institution nor a record that is on its way', async () => {
    const id = await world.setAside(run);
    expect(
      await api.put(
        `rejected-records/${id}/correction`,
        { values: { family: 'X' }, reason: 'x' },
        { as: 'stranger', headers: { 'if-match': '"1"' } },
      ),
    ).toMatchObject({ status: 404 });
    await put(id, { family: 'Okafor' });
    await replay(id, 2);
    expect(await put(id, { family: 'Obi' }, 3)).toMatchObject({ status: 409, body: { code: 'state_forbids' } });
  });
});

describe('a replay', () => {
  test('is a batch of its own, left for the review of the job', async () => {
    const id = await world.setAside(run);
    await put(id, { family: 'Okafor' });
    const { status, body } = await replay(id, 2);
    expect([status, body]).toMatchObject([200, { state: 'decided', kind: 'replay' }]);
    const { batchId } = body as { batchId: string };
    const { rows } = await api.owner.query(
      'select kind, parent_run_id, actor, items, state, job_id from decision_batches',
    );
    expect(rows).toEqual([
      {
        ...{ kind: 'replay', parent_run_id: run, actor: 'steward:Test desk', state: 'pending', job_id: world.jobId },
        items: [{ rejectedId: id, version: 2 }],
      },
    ]);
    expect(await world.count(`outbox where topic = 'review' and subject = $1`, String(world.jobId))).toBe(1);
    expect(await api.get(`rejected-records/${id}`)).toMatchObject({ body: { state: 'replaying', batchId } });
    expect(await api.get(`decisions/${batchId}`, { as: 'operator' })).toMatchObject({
      body: { kind: 'replay', state: 'pending', itemCount: 1 },
    });
    expect(await replay(id, 3)).toMatchObject({ status: 409, body: { code: 'state_forbids' } });
  });

  test('of a row as it was read is possible where the mapping takes it now', async () => {
    const mended = await world.setAside(run, { raw: ['E-1', 'A', 'Obi', '', ''] });
    expect(await replay(mended)).toMatchObject({ status: 200 });
    const broken = await world.setAside(run);
    expect(await replay(broken)).toMatchObject({ status: 422, body: { code: 'row_still_rejected' } });
    const line = await world.setAside(run, { raw: 'E-9;"broken' });
    expect(await replay(line)).toMatchObject({ status: 409, body: { code: 'state_forbids' } });
  });

  test('of a run that is at work, or was rolled back, is refused; so is an outdated version', async () => {
    const raw = ['E-1', 'A', 'Obi', '', ''];
    const atWork = await world.run({ state: 'merge', finished: false });
    expect(await replay(await world.setAside(atWork, { raw }))).toMatchObject({ body: { code: 'state_forbids' } });
    await api.owner.query('update sync_runs set finished_at = now() where id = $1', [atWork]);
    const back = await world.run({ state: 'rolled_back' });
    expect(await replay(await world.setAside(back, { raw }))).toMatchObject({ body: { code: 'state_forbids' } });
    expect(await replay(await world.setAside(run, { raw }), 2)).toMatchObject({ body: { code: 'conflict_changed' } });
    expect(await api.post('rejected-records/999999/replay', { version: 1 })).toMatchObject({ status: 404 });
  });

  test('of many is one batch a run, each record with its own result', async () => {
    const raw = (key: string): string[] => [key, 'A', 'Obi', '', ''];
    const other = await world.run();
    const ids = [
      await world.setAside(run, { raw: raw('E-1') }),
      await world.setAside(run, { raw: raw('E-2') }),
      await world.setAside(other, { raw: raw('E-3') }),
      await world.setAside(run, { raw: raw('E-1') }),
      await world.setAside(run),
    ];
    const records = [...ids, '999999'].map((rejectedId) => ({ rejectedId, version: 1 }));
    const { body } = await api.post('rejected-records:replay', { records, reason: 'the rule was mended' });
    expect(body).toMatchObject({ accepted: 3, rejected: 3 });
    expect(items({ body } as Reply).map(({ result }) => result)).toEqual([
      ...['replaying', 'replaying', 'replaying', 'state_forbids', 'row_still_rejected', 'not_found'],
    ]);
    const { batches } = body as { batches: { parentRunId: string; decisions: number }[] };
    expect(batches).toMatchObject([
      { parentRunId: run, decisions: 2 },
      { parentRunId: other, decisions: 1 },
    ]);
    expect(await api.post('rejected-records:replay', { records: [records[0], records[0]] })).toMatchObject({
      status: 400,
      body: { errors: [{ pointer: '/records/1/rejectedId', code: 'repeated' }] },
    });
  });

  test('the same request again has no second effect', async () => {
    const id = await world.setAside(run, { raw: ['E-1', 'A', 'Obi', '', ''] });
    const ask = (): Promise<Reply> =>
      api.post(`rejected-records/${id}/replay`, { version: 1 }, { headers: { 'idempotency-key': `again-${id}` } });
    const first = await ask();
    expect((await ask()).body).toEqual(first.body);
    expect(await world.count('decision_batches')).toBe(1);
  });
});
