import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { ApiHarness, type Ask, type Reply } from './api-harness.js';
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
  await api.owner
    .query(`delete from idempotency_keys; update sync_conflict_resolutions set state = 'withdrawn', decision = null where state = 'open';
    update held_changes set state = 'withdrawn' where state = 'held'`);
  api.started.length = 0;
  api.previews.clear();
  run = await world.run({ state: 'completed_with_questions' });
});

let keys = 0;
const takeBack = (path: string, body: object = { reason: 'the wrong one' }, ask: Ask = {}): Promise<Reply> =>
  api.post(`${path}/take-back`, body, {
    as: 'secretary',
    headers: { 'idempotency-key': `back-${(keys += 1)}` },
    ...ask,
  });

const decided = async (count: number): Promise<{ questions: string[]; batch: string }> => {
  const questions: string[] = [];
  for (let index = 0; index < count; index += 1) questions.push(await world.question(run, await world.golden(run)));
  const decisions = questions.map((conflictId) => ({ conflictId, version: 1, choice: { take: 'hr' } }));
  const { body } = await api.post('conflicts/decisions:batch', { decisions }, { as: 'secretary' });
  return { questions, batch: (body as { batches: { batchId: string }[] }).batches[0]?.batchId ?? '' };
};

/* As the worker leaves it. */
const carryOut = async (batch: string): Promise<string> => {
  const settle = await world.run({ kind: 'decision', parent: run });
  await api.owner.query(`update decision_batches set state = 'applied', settle_run_id = $2 where id = $1`, [
    batch,
    settle,
  ]);
  await api.owner.query(
    `update sync_conflict_resolutions set state = 'settled', settle_run_id = $2 where batch_id = $1 and state = 'decided'`,
    [batch, settle],
  );
  return settle;
};

const preview = (settle: string, facts: { kept?: boolean; runs?: string[] } = {}): void => {
  api.previews.set(settle, {
    ...{ hash: '11111111-2222-3333-4444-555555555555', reversed: 1, targets: [] },
    ...{ questionsReopened: 1, questionsWithdrawn: 0 },
    runs: [...(facts.runs ?? []), settle].map((runId) => ({ runId, kind: 'decision' })),
    keptCount: facts.kept === true ? 1 : 0,
    kept: facts.kept === true ? [{ goldenId: '1', reason: 'changed_since', target: null }] : [],
  });
};

describe('a decision that waits', () => {
  test('is withdrawn alone from its batch, and its question is open again at a new version', async () => {
    const { questions, batch } = await decided(3);
    const [first = '', second = ''] = questions;
    expect(await takeBack(`conflicts/${first}/decision`)).toMatchObject({
      status: 200,
      body: { state: 'withdrawn', batchId: batch, decisions: 1, workflowId: null },
    });
    expect(await api.get(`conflicts/${first}`)).toMatchObject({
      body: { status: 'pending', version: 2, decision: null },
    });
    expect(await api.get(`conflicts/${second}`)).toMatchObject({ body: { status: 'decided', version: 1 } });
    expect(await api.get(`decisions/${batch}`)).toMatchObject({ body: { state: 'pending', itemCount: 2 } });
    expect(await takeBack(`conflicts/${first}/decision`)).toMatchObject({
      status: 409,
      body: { code: 'state_forbids' },
    });
    // It can be decided anew, on its new version.
    expect(
      await api.post(`conflicts/${first}/decision`, { version: 2, choice: { take: 'sis' } }, { as: 'secretary' }),
    ).toMatchObject({ status: 200 });
  });

  test('the last of a batch takes the batch with it; a whole batch goes at once', async () => {
    const alone = await decided(1);
    await takeBack(`conflicts/${alone.questions[0] ?? ''}/decision`);
    expect(await api.get(`decisions/${alone.batch}`)).toMatchObject({ body: { state: 'withdrawn' } });
    const { questions, batch } = await decided(2);
    expect(await takeBack(`decisions/${batch}`)).toMatchObject({ body: { state: 'withdrawn', decisions: 2 } });
    for (const id of questions)
      expect(await api.get(`conflicts/${id}`)).toMatchObject({ body: { status: 'pending', version: 2 } });
    expect(await takeBack(`decisions/${batch}`)).toMatchObject({ status: 409 });
  });

  test('while it is being carried out it has to be waited for; after a run that failed it can be withdrawn', async () => {
    const { batch } = await decided(1);
    const settle = await world.run({ kind: 'decision', parent: run, state: 'apply', finished: false });
    await api.owner.query('update decision_batches set settle_run_id = $2 where id = $1', [batch, settle]);
    expect(await takeBack(`decisions/${batch}`)).toMatchObject({
      status: 409,
      body: { code: 'state_forbids', runId: settle },
    });
    await api.owner.query(`update sync_runs set state = 'failed', finished_at = now() where id = $1`, [settle]);
    expect(await takeBack(`decisions/${batch}`)).toMatchObject({ status: 200, body: { state: 'withdrawn' } });
  });

  test('is not withdrawn into a question that came since', async () => {
    const { questions, batch } = await decided(1);
    const { rows } = await api.owner.query<{ golden_id: string }>(
      'select golden_id from sync_conflict_resolutions where id = $1',
      [questions[0]],
    );
    const newer = await world.question(run, rows[0]?.golden_id ?? '');
    const reply = await takeBack(`decisions/${batch}`);
    expect(reply).toMatchObject({ status: 409, body: { code: 'state_forbids' } });
    expect(JSON.stringify(reply.body)).toContain(newer);
  });

  test('the same request again gives the same reply; nobody else may', async () => {
    const { batch } = await decided(1);
    const again = { as: 'secretary', headers: { 'idempotency-key': 'once' } } as const;
    const first = await takeBack(`decisions/${batch}`, undefined, again);
    expect(await takeBack(`decisions/${batch}`, undefined, again)).toMatchObject({ status: 200, body: first.body });
    expect(
      await takeBack(`decisions/${batch}`, undefined, { as: 'stranger', headers: { 'idempotency-key': 'x' } }),
    ).toMatchObject({ status: 404 });
    expect(await api.post(`decisions/${batch}/take-back`, { reason: 'x' }, { as: 'secretary' })).toMatchObject({
      body: { code: 'idempotency_key_required' },
    });
  });
});

describe('a decision that was carried out', () => {
  test('is rolled back with its run, at once where nothing else is touched', async () => {
    const { questions, batch } = await decided(1);
    const settle = await carryOut(batch);
    preview(settle);
    const reply = await takeBack(`conflicts/${questions[0] ?? ''}/decision`);
    expect(reply).toMatchObject({
      status: 202,
      body: { state: 'rolling_back', batchId: batch, workflowId: expect.stringContaining(`rollback-run/${settle}/`) },
    });
    expect(reply.headers.get('location')).toContain('/runs');
    expect(api.started).toMatchObject([{ type: 'rollbackRun', args: [{ rollbackOf: settle }] }]);
  });

  test('where more is touched, the preview comes first', async () => {
    const { batch } = await decided(1);
    const settle = await carryOut(batch);
    for (const facts of [{ kept: true }, { runs: ['77'] }]) {
      preview(settle, facts);
      expect(await takeBack(`decisions/${batch}`)).toMatchObject({
        status: 409,
        body: { code: 'preview_outdated', preview: { previewHash: '11111111-2222-3333-4444-555555555555' } },
      });
    }
    expect(api.started).toEqual([]);
    const previewHash = '11111111-2222-3333-4444-555555555555';
    expect(await takeBack(`decisions/${batch}`, { reason: 'seen', previewHash: 'other' })).toMatchObject({
      status: 409,
    });
    expect(await takeBack(`decisions/${batch}`, { reason: 'seen', previewHash })).toMatchObject({ status: 202 });
    expect(api.started).toHaveLength(1);
  });

  test('together with others goes back with them only', async () => {
    const { questions, batch } = await decided(2);
    const settle = await carryOut(batch);
    preview(settle);
    expect(await takeBack(`conflicts/${questions[0] ?? ''}/decision`)).toMatchObject({
      status: 409,
      body: { code: 'state_forbids', batchId: batch },
    });
    expect(await takeBack(`decisions/${batch}`)).toMatchObject({ status: 202 });
  });

  test('once it was rolled back there is nothing to take back', async () => {
    const { batch } = await decided(1);
    await carryOut(batch);
    await api.owner.query(`update decision_batches set state = 'failed' where id = $1`, [batch]);
    expect(await takeBack(`decisions/${batch}`)).toMatchObject({ status: 409, body: { code: 'state_forbids' } });
  });
});

describe('a held change', () => {
  const release = async (held: string): Promise<void> => {
    await api.post(`held-changes/${held}/release`, { version: 1, reason: 'x' }, { as: 'secretary' });
  };

  test('whose release waits is held again; one that was carried out is rolled back', async () => {
    const held = await world.held(run);
    await release(held);
    expect(await takeBack(`held-changes/${held}`)).toMatchObject({ status: 200, body: { state: 'withdrawn' } });
    expect(await api.get(`held-changes/${held}`)).toMatchObject({ body: { status: 'held', version: 2 } });
    expect(await takeBack(`held-changes/${held}`)).toMatchObject({ status: 409 });
    await api.post(`held-changes/${held}/discard`, { version: 2, reason: 'x' }, { as: 'secretary' });
    const { rows } = await api.owner.query<{ batch_id: string }>('select batch_id from held_changes where id = $1', [
      held,
    ]);
    const settle = await carryOut(rows[0]?.batch_id ?? '');
    preview(settle);
    expect(await takeBack(`held-changes/${held}`)).toMatchObject({ status: 202, body: { state: 'rolling_back' } });
  });

  test('is not held beside another of its kind', async () => {
    const held = await world.held(run);
    await release(held);
    await world.held(run);
    expect(await takeBack(`held-changes/${held}`)).toMatchObject({ status: 409, body: { code: 'state_forbids' } });
  });
});

describe('records on their way', () => {
  test('stand aside again where their batch is withdrawn', async () => {
    const id = await world.setAside(run, { raw: ['E-1', 'A', 'Obi', '', ''] });
    const { body } = await api.post(`rejected-records/${id}/replay`, { version: 1 });
    await takeBack(`decisions/${(body as { batchId: string }).batchId}`);
    expect(await api.get(`rejected-records/${id}`)).toMatchObject({
      body: { state: 'open', batchId: null, version: 3 },
    });
  });
});

describe('the inbox', () => {
  const list = async (query: string, ask: Ask = {}): Promise<unknown[]> =>
    ((await api.get(`conflicts/pending?run=${run}&${query}`, ask)).body as { items: { id: string }[] }).items.map(
      ({ id }) => id,
    );

  test('is filtered by status, kind, assignee, age, system, type and group', async () => {
    const [old, young] = [
      await world.question(run, await world.golden(run)),
      await world.question(run, await world.golden(run), {
        group: 'name',
        candidates: [{ value: '"x"', images: ['1'], systems: ['finance'] }],
      }),
    ];
    const duplicate = await world.question(run, await world.golden(run), { kind: 'duplicate' });
    await api.owner.query(
      `update sync_conflict_resolutions set created_at = $2::timestamptz - interval '3 days' where id = $1`,
      [old, api.clock.now()],
    );
    expect(await list('olderThan=P2D')).toEqual([old]);
    expect(await list('system=finance')).toEqual([young]);
    expect(await list('system=hr&type=duplicate')).toEqual([duplicate]);
    expect(await list('group=name&entityType=person')).toEqual([young]);
    expect(await list('type=value,duplicate&status=pending,decided')).toEqual([old, young, duplicate]);
    expect(await list('status=settled')).toEqual([]);
    for (const wrong of ['olderThan=2%20days', 'olderThan=P1M', 'type=dream', 'status=lost'])
      expect(await api.get(`conflicts/pending?${wrong}`)).toMatchObject({ status: 400 });
  });

  test('a question is assigned on the version that was seen, and found by it', async () => {
    const question = await world.question(run, await world.golden(run));
    const assign = (assignee: string | null, version = 1): Promise<Reply> =>
      api.put(
        `conflicts/${question}/assignee`,
        { assignee },
        { as: 'secretary', headers: { 'if-match': `"${version}"` } },
      );
    expect(await assign('me')).toMatchObject({ status: 200, body: { assignee: 'secretary:Test desk', version: 1 } });
    expect(await list('assignee=me', { as: 'secretary' })).toEqual([question]);
    expect(await list('assignee=me')).toEqual([]);
    expect(await list('assignee=secretary:Test%20desk')).toEqual([question]);
    expect(await list('assignee=nobody')).toEqual([]);
    expect(await assign('steward:Data office')).toMatchObject({ body: { assignee: 'steward:Data office' } });
    expect(await assign('somebody')).toMatchObject({ status: 400 });
    expect(await assign('me', 7)).toMatchObject({ status: 412, body: { diff: { current: { id: question } } } });
    expect(await api.put(`conflicts/${question}/assignee`, { assignee: null })).toMatchObject({ status: 428 });
    expect(await assign(null)).toMatchObject({ body: { assignee: null } });
    await api.post(`conflicts/${question}/decision`, { version: 1, choice: { keep: true } }, { as: 'secretary' });
    expect(await assign('me')).toMatchObject({ status: 410, body: { code: 'closed' } });
  });

  test('is counted by facet, with the filters of the list, also for those who see numbers only', async () => {
    const due = { dueAt: '2026-11-01T00:00:00Z' };
    await world.question(run, await world.golden(run), due);
    await world.question(run, await world.golden(run));
    await world.question(run, await world.golden(run), { kind: 'duplicate' });
    const { body } = await api.get(`conflicts/facets?run=${run}`, { as: 'operator' });
    expect(body).toMatchObject({ count: 3, overdue: 1 });
    const { facets } = body as { facets: { name: string; values: object[] }[] };
    expect(Object.fromEntries(facets.map(({ name, values }) => [name, values]))).toEqual({
      status: [{ value: 'pending', count: 3 }],
      type: [
        { value: 'value', count: 2 },
        { value: 'duplicate', count: 1 },
      ],
      job: [{ value: String(world.jobId), count: 3 }],
      entityType: [{ value: 'person', count: 3 }],
      group: [
        { value: 'email', count: 2 },
        { value: '', count: 1 },
      ],
      assignee: [{ value: null, count: 3 }],
      system: [
        { value: 'hr', count: 3 },
        { value: 'sis', count: 3 },
      ],
    });
    expect((await api.get(`conflicts/facets?run=${run}&type=duplicate`)).body).toMatchObject({ count: 1 });
    expect(await api.get('conflicts/facets?limit=5')).toMatchObject({ status: 400 });
  });
});
