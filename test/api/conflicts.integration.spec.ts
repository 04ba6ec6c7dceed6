import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { ApiHarness } from './api-harness.js';
import { World } from './builders.js';

let api: ApiHarness;
let world: World;
let run: string;
let golden: string;
beforeAll(async () => {
  api = await ApiHarness.open();
  world = await World.build(api);
});
afterAll(async () => {
  await api.close();
});
beforeEach(async () => {
  await api.owner.query(
    'delete from sync_conflict_resolutions; delete from decision_batches; delete from outbox; delete from idempotency_keys',
  );
  run = await world.run({ state: 'completed_with_questions' });
  golden = await world.golden(run);
});

const decide = (
  id: string,
  body: object = {},
  as: 'secretary' | 'steward' | 'auditor' = 'secretary',
  headers: Record<string, string> = {},
) =>
  api.post(
    `conflicts/${id}/decision`,
    { version: 1, choice: { take: 'sis' }, reason: 'Confirmed by phone', ...body },
    { as, headers },
  );

interface List {
  readonly items: readonly { readonly id: string }[];
  readonly nextCursor: string | null;
  readonly count: number;
}
const list = async (query = ''): Promise<List> => (await api.get(`conflicts/pending${query}`)).body as List;
const idsOf = ({ items }: List): string[] => items.map(({ id }) => id);

describe('the list', () => {
  test('an item has all that is needed to decide', async () => {
    const id = await world.question(run, golden);
    const { status, headers, body } = await api.get('conflicts/pending', { as: 'secretary' });
    expect(status).toBe(200);
    expect(headers.get('cache-control')).toBe('no-store');
    expect(body).toMatchObject({
      count: 1,
      items: [
        {
          ...{
            id,
            type: 'value',
            status: 'pending',
            version: 1,
            entityType: 'person',
            goldenId: golden,
            group: 'email',
            runId: run,
          },
          reason: 'hr and sis say different things about the email.',
          base: 'amara@old.example',
          candidates: [
            { systems: ['hr'], value: 'amara@hr.example', empty: false },
            { systems: ['sis'], value: 'amara@sis.example', empty: false },
          ],
          links: { decision: expect.stringContaining(`/conflicts/${id}/decision`) },
        },
      ],
    });
  });

  test('pages without losing or doubling, in both directions and by due date', async () => {
    const other = await Promise.all([1, 2, 3, 4].map(() => world.golden(run)));
    const ids: string[] = [];
    for (const [index, record] of [golden, ...other].entries()) {
      ids.push(
        await world.question(run, record, index % 2 === 0 ? { dueAt: `2026-12-0${5 - index}T00:00:00.123456Z` } : {}),
      );
    }
    const walk = async (sort: string): Promise<string[]> => {
      const seen: string[] = [];
      let page = await list(`?limit=2&sort=${sort}`);
      for (;;) {
        seen.push(...idsOf(page));
        if (page.nextCursor === null) return seen;
        page = await list(`?limit=2&sort=${sort}&cursor=${page.nextCursor}`);
      }
    };
    expect(await walk('createdAt')).toEqual(ids);
    expect(await walk('-createdAt')).toEqual([...ids].reverse());
    const byDue = [ids[4], ids[2], ids[0], ids[1], ids[3]];
    expect(await walk('dueAt')).toEqual(byDue);
    expect(await walk('-dueAt')).toEqual([...byDue].reverse());
    const { headers, body } = await api.get('conflicts/pending?limit=2');
    expect(headers.get('link')).toMatch(
      /^<\/api\/secretary\/data-sync\/conflicts\/pending\?limit=2&cursor=[^>]+>; rel="next"$/,
    );
    expect(body).toMatchObject({ count: 5 });
    const { nextCursor } = body as List;
    expect(await api.get(`conflicts/pending?limit=2&type=value&cursor=${nextCursor ?? ''}`)).toMatchObject({
      status: 400,
      body: { code: 'cursor_mismatch' },
    });
    expect(await api.get('conflicts/pending?sort=version')).toMatchObject({ status: 400 });
  });

  test('filters', async () => {
    const value = await world.question(run, golden);
    const later = await world.run();
    const duplicate = await world.question(later, golden, {
      kind: 'duplicate',
      candidates: [{ value: '"77"', images: ['3'], systems: ['hr'] }],
    });
    await decide(value);
    expect(idsOf(await list())).toEqual([duplicate]);
    expect(idsOf(await list('?status=decided'))).toEqual([value]);
    expect(idsOf(await list('?status=all'))).toEqual([value, duplicate]);
    expect(idsOf(await list('?status=all&type=value'))).toEqual([value]);
    expect(idsOf(await list('?status=all&type=value,duplicate'))).toEqual([value, duplicate]);
    expect(idsOf(await list(`?status=all&run=${later}`))).toEqual([duplicate]);
    expect(idsOf(await list(`?status=all&job=${world.jobId}&entityType=person&group=email`))).toEqual([value]);
    expect(idsOf(await list('?status=all&entityType=course'))).toEqual([]);
  });

  test('who sees sensitive values masked neither reads nor decides them', async () => {
    const id = await world.question(run, golden, {
      group: 'tax_number',
      candidates: [{ value: '"T-1"', images: ['1'], systems: ['hr'] }],
    });
    expect(await api.get('conflicts/pending')).toMatchObject({
      body: { items: [{ masked: false, candidates: [{ value: 'T-1' }] }] },
    });
    for (const as of ['secretary', 'auditor'] as const) {
      const hidden = await api.get('conflicts/pending', { as });
      expect(hidden).toMatchObject({ body: { items: [{ masked: true, base: null, candidates: [{ value: null }] }] } });
      expect(JSON.stringify(hidden.body)).not.toContain('T-1');
    }
    for (const choice of [{ take: 'hr' }, { keep: true }, { value: 'T-2' }]) {
      const refused = await api.post(`conflicts/${id}/decision`, { version: 1, choice }, { as: 'secretary' });
      expect(refused).toMatchObject({ status: 422, body: { code: 'choice_not_possible', current: { masked: true } } });
      expect(JSON.stringify(refused.body)).not.toContain('T-1');
    }
    const decision = { version: 1, choice: { take: 'hr' } };
    expect(await api.post(`conflicts/${id}/decision`, decision)).toMatchObject({ status: 200 });
  });
});

describe('one decision', () => {
  test('is durable with the word that it waits, and answers with the way to its run', async () => {
    const id = await world.question(run, golden);
    const { status, body } = await decide(id);
    expect(status).toBe(200);
    const { batchId } = body as { batchId: string };
    expect(body).toMatchObject({ conflictId: id, state: 'decided', version: 1 });
    const batch = await api.owner.query(
      'select kind, job_id, parent_run_id, actor, reason, items, state from decision_batches where id = $1',
      [batchId],
    );
    expect(batch.rows).toEqual([
      {
        ...{
          kind: 'decision',
          job_id: world.jobId,
          parent_run_id: run,
          actor: 'secretary:Test desk',
          reason: 'Confirmed by phone',
          state: 'pending',
        },
        items: [{ conflictId: id, version: 1, choice: { take: 'sis' }, value: '"amara@sis.example"' }],
      },
    ]);
    expect((await api.owner.query('select institution_id, topic, subject from outbox')).rows).toEqual([
      { institution_id: api.institutionId, topic: 'review', subject: String(world.jobId) },
    ]);
    expect(await api.get(`conflicts/${id}`)).toMatchObject({
      body: {
        status: 'decided',
        decision: { choice: { take: 'sis' }, reason: 'Confirmed by phone', by: 'secretary:Test desk', batchId },
      },
    });
    expect(await api.get(`decisions/${batchId}`)).toMatchObject({
      status: 200,
      body: { state: 'pending', runId: null, parentRunId: run, itemCount: 1 },
    });
  });

  test('the relay hears of it', async () => {
    const id = await world.question(run, golden);
    const client = await api.owner.connect();
    try {
      const heard = new Promise((resolve) => client.once('notification', resolve));
      await client.query('listen concord_outbox');
      await decide(id);
      await heard;
    } finally {
      client.release(true);
    }
  });

  test.each([
    ['keep', { keep: true }, undefined],
    ['a value', { value: 'amara@new.example' }, '"amara@new.example"'],
    ['explicitly none', { value: null }, 'null'],
  ])('%s can be chosen', async (_name, choice, value) => {
    const id = await world.question(run, golden);
    expect(await decide(id, { choice })).toMatchObject({ status: 200 });
    const { rows } = await api.owner.query<{ items: { value?: string }[] }>('select items from decision_batches');
    expect(rows[0]?.items[0]?.value).toBe(value);
  });

  test.each([
    ['none', {}, 400, 'validation_failed'],
    ['two at once', { take: 'sis', keep: true }, 400, 'validation_failed'],
    ['keep: false', { keep: false }, 400, 'validation_failed'],
    ['whether they are the same, of a value', { same: true }, 422, 'choice_not_possible'],
    ['an unknown one', { drop: true }, 400, 'validation_failed'],
    ['a system that says nothing', { take: 'finance' }, 422, 'choice_not_possible'],
    ['a value of the wrong form', { value: { email: 'x' } }, 422, 'choice_not_possible'],
    ['a value with half a character', { value: 'a\ud800' }, 422, 'choice_not_possible'],
  ])('refuses as choice: %s', async (_name, choice, status, code) => {
    const id = await world.question(run, golden);
    expect(await decide(id, { choice })).toMatchObject({ status, body: { code } });
    expect(await world.count('decision_batches')).toBe(0);
  });

  test.each([{ keep: true }, { same: true }, { same: false }])('of a possible duplicate %j', async (choice) => {
    const other = await world.golden(run);
    const id = await world.question(run, golden, {
      kind: 'duplicate',
      candidates: [{ value: `"${other}"`, images: ['3'], systems: ['hr'] }],
    });
    expect(await api.get(`conflicts/${id}`)).toMatchObject({ body: { otherGoldenId: other } });
    expect(await decide(id, { choice: { take: 'hr' } })).toMatchObject({ status: 422 });
    expect(await decide(id, { choice })).toMatchObject({ status: 200 });
    const { rows } = await api.owner.query<{ kind: string }>('select kind from decision_batches');
    expect(rows).toEqual([{ kind: 'decision' }]);
  });

  test('of a key that came with somebody else only whether it is the same, and the row passes through the loop', async () => {
    const id = await world.question(run, golden, {
      kind: 'identity',
      candidates: [{ value: '{"email":"b@hr.example","tax_number":"9"}', images: ['3'], systems: ['hr'] }],
    });
    await api.owner.query(
      `update sync_conflict_resolutions set base = '{"email":"a@hr.example","tax_number":"8"}' where id = $1`,
      [id],
    );
    // What is sensitive of a whole record is masked as everywhere.
    expect(await api.get(`conflicts/${id}`, { as: 'secretary' })).toMatchObject({
      body: {
        base: { email: 'a@hr.example', tax_number: null },
        candidates: [{ value: { email: 'b@hr.example', tax_number: null } }],
      },
    });
    for (const choice of [{ keep: true }, { take: 'hr' }, { value: 'x' }])
      expect(await decide(id, { choice })).toMatchObject({ status: 422, body: { code: 'choice_not_possible' } });
    expect(await decide(id, { choice: { same: false } })).toMatchObject({ status: 200 });
    const { rows } = await api.owner.query<{ kind: string }>('select kind from decision_batches');
    expect(rows).toEqual([{ kind: 'release' }]);
  });

  test('comes with what we would choose, and with what it would write', async () => {
    const id = await world.question(run, golden);
    const suggestion = { choice: { take: 'sis' }, reason: 'higher_ranked', confidence: 0.7 };
    const impact = { targets: [{ mapping: 'finance.people', system: 'finance', records: 1 }], groups: 1, records: 1 };
    await api.owner.query('update sync_conflict_resolutions set suggestion = $2, impact = $3 where id = $1', [
      ...[id, JSON.stringify(suggestion), JSON.stringify(impact)],
    ]);
    expect(await api.get(`conflicts/${id}`)).toMatchObject({ body: { suggestion, impact } });
    const list = (await api.get('conflicts/pending')).body as { items: { id: string }[] };
    expect(list.items.find((one) => one.id === id)).toMatchObject({ suggestion, impact });
    expect(await decide(id, { choice: suggestion.choice })).toMatchObject({ status: 200 });
  });

  test('on an outdated version it is refused with the question as it is now', async () => {
    const id = await world.question(run, golden, {
      version: 2,
      candidates: [{ value: '"newer@hr.example"', images: ['1'], systems: ['hr'] }],
    });
    expect(await decide(id, { version: 1, choice: { take: 'hr' } })).toMatchObject({
      status: 409,
      body: { code: 'conflict_changed', current: { id, version: 2, candidates: [{ value: 'newer@hr.example' }] } },
    });
    expect(await decide(id, { version: 2, choice: { take: 'hr' } })).toMatchObject({ status: 200 });
  });

  test('of a closed question it is refused with what was decided', async () => {
    const id = await world.question(run, golden);
    await decide(id);
    expect(await decide(id, { choice: { take: 'hr' } })).toMatchObject({
      status: 410,
      body: { code: 'closed', current: { status: 'decided', decision: { choice: { take: 'sis' } } } },
    });
    expect(await decide(id, {}, 'steward')).toMatchObject({ status: 410 });
    await api.owner.query(
      `update sync_conflict_resolutions set state = 'withdrawn', decision = null, batch_id = null where id = $1`,
      [id],
    );
    expect(await decide(id)).toMatchObject({ status: 410, body: { detail: expect.stringContaining('withdrawn') } });
  });

  test('delivered twenty times at once it has one effect', async () => {
    const id = await world.question(run, golden);
    const replies = await Promise.all(Array.from({ length: 20 }, () => decide(id)));
    expect(replies.map(({ status }) => status)).toEqual(replies.map(() => 200));
    expect(new Set(replies.map(({ body }) => (body as { batchId: string }).batchId)).size).toBe(1);
    expect(await world.count('decision_batches')).toBe(1);
    expect(await world.count('outbox')).toBe(1);
    await api.owner.query(`update sync_conflict_resolutions set state = 'settled' where id = $1`, [id]);
    expect(await decide(id)).toMatchObject({ status: 200 });
    expect(await world.count('decision_batches')).toBe(1);
  });

  test('of two different ones at once one holds', async () => {
    const id = await world.question(run, golden);
    const replies = await Promise.all([
      decide(id, { choice: { take: 'hr' } }),
      decide(id, { choice: { take: 'sis' } }, 'steward'),
    ]);
    expect(replies.map(({ status }) => status).sort()).toEqual([200, 410]);
    expect(await world.count('decision_batches')).toBe(1);
  });

  test('with an Idempotency-Key the first reply is given again, and another body is refused', async () => {
    const id = await world.question(run, golden);
    const first = await decide(id, {}, 'secretary', { 'idempotency-key': 'k1' });
    const again = await decide(id, {}, 'secretary', { 'idempotency-key': 'k1' });
    expect(again.body).toEqual(first.body);
    expect([first.headers.get('idempotency-replayed'), again.headers.get('idempotency-replayed')]).toEqual([
      null,
      'true',
    ]);
    expect(await decide(id, { reason: 'other' }, 'secretary', { 'idempotency-key': 'k1' })).toMatchObject({
      status: 422,
      body: { code: 'idempotency_key_reused' },
    });
  });
});

describe('a batch', () => {
  const many = (decisions: readonly object[], reason = 'The domain changed') =>
    api.post('conflicts/decisions:batch', { decisions, reason }, { as: 'secretary' });

  test('gives each its result, and a batch for each run that opened some', async () => {
    const later = await world.run();
    const others = await Promise.all([1, 2, 3, 4].map(() => world.golden(run)));
    const good = await world.question(run, golden);
    const good2 = await world.question(run, others[0] ?? '');
    const otherRun = await world.question(later, others[1] ?? '');
    const stale = await world.question(run, others[2] ?? '', { version: 3 });
    const closed = await world.question(run, others[3] ?? '');
    await decide(closed, { choice: { keep: true } });
    const take = (conflictId: string): object => ({ conflictId, version: 1, choice: { take: 'hr' } });
    const { status, body } = await many([
      take(good),
      take(stale),
      take(otherRun),
      take('999999'),
      take(closed),
      take(good2),
      { ...take('nonsense'), choice: { keep: true } },
    ]);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      accepted: 3,
      rejected: 4,
      batches: [
        { parentRunId: run, jobId: String(world.jobId), decisions: 2 },
        { parentRunId: later, decisions: 1 },
      ],
      items: [
        { pointer: '/decisions/0', conflictId: good, result: 'decided' },
        { result: 'conflict_changed', current: { version: 3 } },
        { result: 'decided' },
        { result: 'not_found' },
        { result: 'closed', current: { status: 'decided' } },
        { conflictId: good2, result: 'decided' },
        { result: 'not_found' },
      ],
    });
    const { rows } = await api.owner.query<{ items: { conflictId: string }[]; reason: string }>(
      'select items, reason from decision_batches where parent_run_id = $1 order by id desc limit 1',
      [run],
    );
    expect(rows).toMatchObject([
      { reason: 'The domain changed', items: [{ conflictId: good }, { conflictId: good2 }] },
    ]);
  });

  test('a thousand at once; delivered again it is the same; more are refused', async () => {
    await api.owner.query(
      `insert into golden_records (id, institution_id, entity_type_id, values, created_run, updated_run)
       select 1000000 + n, $1, $2, '{}', $3, $3 from generate_series(1, 1000) n`,
      [api.institutionId, world.typeId, run],
    );
    const { rows } = await api.owner.query<{ id: string }>(
      `insert into sync_conflict_resolutions (institution_id, job_id, opened_run, changed_run, kind, entity_type_id, golden_id, group_name, base, candidates, input_hash)
       select $1, $2, $3, $3, 'value', $4, 1000000 + n, 'email', null, '[{"value": "\\"a@b.example\\"", "images": [], "systems": ["hr"]}]', gen_random_uuid()
       from generate_series(1, 1000) n returning id`,
      [api.institutionId, world.jobId, run, world.typeId],
    );
    const decisions = rows.map(({ id }) => ({ conflictId: id, version: 1, choice: { take: 'hr' } }));
    const first = await many(decisions);
    expect(first).toMatchObject({ status: 200, body: { accepted: 1000, rejected: 0, batches: [{ decisions: 1000 }] } });
    expect(await many(decisions)).toMatchObject({ status: 200, body: { accepted: 1000, batches: [] } });
    expect(await world.count('decision_batches')).toBe(1);
    expect(await many([...decisions, { conflictId: '1', version: 1, choice: { keep: true } }])).toMatchObject({
      status: 400,
    });
    expect(await many([])).toMatchObject({ status: 400 });
  });

  test('a question named twice is refused', async () => {
    const id = await world.question(run, golden);
    const one = { conflictId: id, version: 1, choice: { keep: true } };
    expect(await many([one, one])).toMatchObject({
      status: 400,
      body: { errors: [{ pointer: '/decisions/1/conflictId' }] },
    });
  });
});
