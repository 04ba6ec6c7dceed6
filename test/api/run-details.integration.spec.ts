import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { ApiHarness, type Ask, type Reply } from './api-harness.js';
import { World } from './builders.js';

let api: ApiHarness;
let world: World;
beforeAll(async () => {
  api = await ApiHarness.open();
  world = await World.build(api);
});
afterAll(async () => {
  await api.close();
});
beforeEach(async () => {
  await api.owner.query(
    `delete from idempotency_keys; update sync_runs set finished_at = now() where finished_at is null`,
  );
  api.cancelled.length = 0;
});

const items = ({ body }: Reply): Record<string, unknown>[] => (body as { items: Record<string, unknown>[] }).items;

describe('the list of runs', () => {
  test('is filtered by several kinds and states, by actor and role, and by time', async () => {
    const [one, two, three] = [
      await world.run({ actor: 'steward:Data office' }),
      await world.run({ kind: 'decision', actor: 'secretary:Front office', state: 'failed', error: 'internal' }),
      await world.run({ kind: 'release', actor: 'steward:Night desk', state: 'cancelled' }),
    ];
    await api.owner.query(`update sync_runs set started_at = '2026-11-01T08:00:00Z' where id = $1`, [one]);
    const ids = async (query: string): Promise<unknown[]> => items(await api.get(`runs?${query}`)).map(({ id }) => id);
    expect((await ids('kind=decision,release')).slice(0, 2)).toEqual([three, two]);
    expect((await ids('state=failed,cancelled')).slice(0, 2)).toEqual([three, two]);
    expect(await ids('actor=steward')).toEqual([three, one]);
    expect(await ids('actor=secretary:Front%20office')).toEqual([two]);
    expect(await ids('from=2026-11-01T00:00:00Z&to=2026-11-01T09:00:00%2B00:00')).toEqual([one]);
    expect((await ids('sort=startedAt&actor=steward')).slice(0, 2)).toEqual([one, three]);
    const page = await api.get('runs?sort=startedAt&actor=steward&limit=1');
    const { nextCursor } = page.body as { nextCursor: string };
    expect(await ids(`sort=startedAt&actor=steward&limit=1&cursor=${nextCursor}`)).toEqual([three]);
    for (const wrong of ['kind=dream', 'from=yesterday', 'sort=actor', 'state=completed,lost'])
      expect(await api.get(`runs?${wrong}`)).toMatchObject({ status: 400 });
  });
});

describe('the progress of a run', () => {
  test('tells step by step and part by part what is done, how many rows, and since when', async () => {
    const run = await world.run({ state: 'diff', finished: false });
    const mapping = String(world.mappingIds['hr.staff']);
    const plan = {
      mode: 'full',
      partitions: [
        { ordinal: 0, estimatedRows: 900 },
        { ordinal: 1, estimatedRows: 100 },
      ],
    };
    const chunk = (step: string, part: string, number: number, counts: object): Promise<unknown> =>
      api.owner.query(
        'insert into run_chunks (run_id, step, part, chunk, institution_id, counts) values ($1, $2, $3, $4, $5, $6)',
        [run, step, part, number, api.institutionId, JSON.stringify(counts)],
      );
    const lease = (step: string, part: string, token = 1): Promise<unknown> =>
      api.owner.query(
        'insert into run_leases (run_id, step, part, institution_id, token) values ($1, $2, $3, $4, $5)',
        [...[run, step, part, api.institutionId, token]],
      );
    await chunk('plan', mapping, 0, plan);
    await lease('extract', `${mapping}/0`, 2);
    await lease('extract', `${mapping}/1`);
    await chunk('extract', `${mapping}/0`, 0, { rows: 500, rejected: 1 });
    await chunk('extract', `${mapping}/0`, 1, { rows: 400, rejected: 0, last: true });
    await chunk('extract', `${mapping}/1`, 0, { rows: 100, rejected: 0, last: true });
    await lease('diff', '');
    const { body, headers } = await api.get(`runs/${run}/progress`, { as: 'operator' });
    expect(headers.get('cache-control')).toBe('private, max-age=1');
    const { steps } = body as { steps: Record<string, unknown>[] };
    expect(steps.map(({ step, state }) => `${String(step)} ${String(state)}`)).toEqual([
      ...['extract done', 'diff at_work', 'guard waiting', 'standardize waiting', 'match waiting'],
      ...['merge waiting', 'apply waiting', 'publish waiting', 'verify waiting'],
    ]);
    expect(steps[0]).toMatchObject({
      ...{ counts: { rows: 1000, rejected: 1 }, partsPlanned: 2, rowsEstimated: 1000 },
      startedAt: expect.any(String),
      lastAt: expect.any(String),
      parts: [
        { part: `${mapping}/0`, name: 'hr.staff', attempts: 2, chunks: 2, counts: { rows: 900, rejected: 1 } },
        { part: `${mapping}/1`, name: 'hr.staff', attempts: 1, chunks: 1 },
      ],
    });
    await api.owner.query(`update sync_runs set state = 'failed', finished_at = now() where id = $1`, [run]);
    const over = (await api.get(`runs/${run}/progress`)).body as { steps: { state: string }[]; finishedAt: string };
    expect(over.steps.map(({ state }) => state)).toEqual([
      'done',
      'done',
      ...Array.from({ length: 7 }, () => 'left_out'),
    ]);
    expect(over.finishedAt).not.toBeNull();
  });

  test('parts of types are named after them; a rollback has a step of its own', async () => {
    const run = await world.run({ state: 'rollback', kind: 'rollback', finished: false });
    await api.owner.query(
      `insert into run_leases (run_id, step, part, institution_id) values ($1, 'match', $2, $3), ($1, 'rollback', '12/golden', $3)`,
      [run, String(world.typeId), api.institutionId],
    );
    const { steps } = (await api.get(`runs/${run}/progress`)).body as {
      steps: { step: string; state: string; parts: { name: string | null }[] }[];
    };
    expect(steps.find(({ step }) => step === 'match')?.parts).toMatchObject([{ name: 'person' }]);
    expect(steps.at(-1)).toMatchObject({ step: 'rollback', state: 'at_work', parts: [{ name: null }] });
  });
});

describe('stopping a run', () => {
  const cancel = (run: string, ask: Ask = {}): Promise<Reply> =>
    api.post(`runs/${run}/cancel`, { reason: 'wrong file' }, { as: 'operator', ...ask });

  test('asks its workflow to end, says what that does, and keeps who and why', async () => {
    const run = await world.run({ state: 'extract', finished: false, workflowId: 'sync-run/stop' });
    expect(await api.get(`runs/${run}`)).toMatchObject({
      body: { cancellation: { effect: 'ends' }, cancelled: null, links: { cancel: expect.any(String) } },
    });
    const { status, body, headers } = await cancel(run);
    expect([status, body]).toMatchObject([
      202,
      { runId: run, state: 'extract', effect: 'ends', words: 'It has changed nothing yet, and ends.' },
    ]);
    expect(headers.get('location')).toBe(`/api/secretary/data-sync/runs/${run}`);
    expect(api.cancelled).toEqual(['sync-run/stop']);
    await cancel(run, { as: 'steward' });
    expect(await api.get(`runs/${run}`)).toMatchObject({
      body: { cancelled: { by: 'operator:Test desk', reason: 'wrong file', at: expect.any(String) } },
    });
  });

  test('what was written is taken back, stands where the job holds, and stands for targets', async () => {
    const begun = async (facts: { kind?: string; state?: string }): Promise<string> => {
      const run = await world.run({ finished: false, ...facts });
      await api.owner.query(`update sync_runs set apply_started = kind <> 'due' where id = $1`, [run]);
      return run;
    };
    expect(await cancel(await begun({ state: 'publish' }))).toMatchObject({ body: { effect: 'rolls_back' } });
    await api.owner.query('update sync_runs set finished_at = now() where finished_at is null');
    expect(await cancel(await begun({ kind: 'decision', state: 'merge' }))).toMatchObject({
      body: { effect: 'rolls_back', words: expect.stringContaining('The decision stands') },
    });
    expect(await cancel(await begun({ kind: 'due', state: 'publish' }))).toMatchObject({ body: { effect: 'holds' } });
    await api.owner.query(
      `update synchronization_jobs set definition = definition || '{"onFailure": "hold"}' where id = $1`,
      [world.jobId],
    );
    expect(await cancel(await begun({ state: 'apply' }))).toMatchObject({ body: { effect: 'holds' } });
    await api.owner.query(`update synchronization_jobs set definition = definition - 'onFailure' where id = $1`, [
      world.jobId,
    ]);
  });

  test('one that is over, or takes itself back, cannot be stopped', async () => {
    expect(await cancel(await world.run())).toMatchObject({ status: 409, body: { code: 'state_forbids' } });
    const back = await world.run({ kind: 'rollback', state: 'rollback', finished: false });
    expect(await cancel(back)).toMatchObject({ status: 409 });
    expect(await cancel('999999')).toMatchObject({ status: 404 });
    expect(await cancel(back, { as: 'stranger' })).toMatchObject({ status: 404 });
    expect(api.cancelled).toEqual([]);
  });
});

describe('findings', () => {
  test('are counted by kind and place', async () => {
    const run = await world.run();
    for (const [kind, system] of [
      ['outranked', 'hr'],
      ['outranked', 'hr'],
      ['outranked', 'sis'],
      ['source_empty', 'hr'],
    ])
      await world.finding(run, kind ?? '', system);
    expect((await api.get(`runs/${run}/findings/groups`)).body).toMatchObject({
      count: 4,
      items: [
        { kind: 'outranked', system: 'hr', count: 2, detail: 'in words' },
        { kind: 'outranked', system: 'sis', count: 1 },
        { kind: 'source_empty', system: 'hr', count: 1 },
      ],
    });
  });
});

describe('the change set of a run', () => {
  let run: string;
  let changed: string;
  let made: string;
  let image: string;

  beforeAll(async () => {
    const earlier = await world.run();
    run = await world.run();
    changed = await world.golden(earlier, {
      ...{ version: 2, updatedRun: run },
      values: ['{"family":"Okafor","given":"Amara"}', '"new@old.example"', '"123"', null],
    });
    await api.owner.query(
      `insert into golden_record_versions (golden_id, version, institution_id, values, status, superseded_run) values ($1, 1, $2, $3, 'active', $4)`,
      [changed, api.institutionId, ['{"family":"Okafor","given":"Amara"}', '"amara@old.example"', '"999"', null], run],
    );
    made = await world.golden(run);
    image = await world.image(earlier, changed, { raw: ['E-77', 'Amara', 'Okafor', 'new@old.example', null] });
    const entry = (facts: object): Promise<unknown> =>
      api.owner.query(
        `insert into change_set_entries (run_id, kind, mapping_id, row_id, institution_id, before_version, after_version, before, after, outcome)
         select $1, e.kind, coalesce(e.mapping_id, 0), e.row_id, $2, e.before_version, e.after_version, e.before, e.after, coalesce(e.outcome, 'written')
         from jsonb_populate_record(null::change_set_entries, $3) e`,
        [run, api.institutionId, JSON.stringify(facts)],
      );
    await entry({ kind: 'golden', row_id: changed, before_version: 1, after_version: 2 });
    const raw = (email: string): string => JSON.stringify(['E-77', 'Amara', 'Okafor', email, null]);
    await entry({
      ...{ kind: 'image', row_id: image },
      before: { raw: raw('amara@old.example'), deleted_run: null },
      after: { raw: raw('new@old.example'), deleted_run: null },
    });
    await entry({
      ...{ kind: 'target', mapping_id: world.mappingIds['finance.people'], row_id: changed, outcome: 'refused' },
      before: { key: 'E-77', row: ['E-77', 'Okafor'] },
      after: { key: 'E-77', row: ['E-77', 'Obi'] },
    });
    await entry({
      ...{ kind: 'target', mapping_id: world.mappingIds['finance.people'], row_id: made },
      after: { key: 'E-78', row: ['E-78', 'Okafor'] },
    });
  });

  test('tells what was before and after, golden records first, then images, then targets', async () => {
    const changes = items(await api.get(`runs/${run}/changes`));
    expect(changes.map(({ kind, operation, outcome }) => [kind, operation, outcome])).toEqual([
      ['golden', 'update', 'written'],
      ['golden', 'insert', 'written'],
      ['image', 'update', 'written'],
      ['target', 'update', 'refused'],
      ['target', 'insert', 'written'],
    ]);
    expect(changes[0]).toMatchObject({
      ...{ id: changed, entityType: 'person', mapping: null },
      fields: [
        { name: 'email', before: 'amara@old.example', after: 'new@old.example', masked: false },
        { name: 'tax_number', before: '999', after: '123', masked: false },
      ],
    });
    expect(changes[1]).toMatchObject({
      id: made,
      fields: [
        { name: 'name', before: null, after: { family: 'Okafor', given: 'Amara' } },
        { name: 'email', before: null, after: 'amara@old.example' },
      ],
    });
    expect(changes[2]).toMatchObject({
      ...{ id: image, goldenId: changed, mapping: 'hr.staff', system: 'hr', sourceKey: 'E-77' },
      fields: [{ name: 'email', before: 'amara@old.example', after: 'new@old.example' }],
    });
    expect(changes[3]).toMatchObject({
      ...{ mapping: 'finance.people', system: 'finance', sourceKey: 'E-77' },
      fields: [{ name: 'family', before: 'Okafor', after: 'Obi', masked: false }],
    });
  });

  test('hides what a role may not see, and says so', async () => {
    const [bySecretary] = items(await api.get(`runs/${run}/changes`, { as: 'secretary' }));
    expect(bySecretary?.['fields']).toEqual([
      { name: 'email', before: 'amara@old.example', after: 'new@old.example', masked: false },
      { name: 'tax_number', before: null, after: null, masked: true },
    ]);
    const byAuditor = await api.get(`runs/${run}/changes`, { as: 'auditor' });
    expect(JSON.stringify(byAuditor.body)).not.toMatch(/Okafor|Obi|amara@|new@|"123"/);
    expect(items(byAuditor)).toHaveLength(5);
  });

  test('is filtered by kind, system and outcome, and paged across kinds', async () => {
    const kinds = async (query: string): Promise<unknown[]> =>
      items(await api.get(`runs/${run}/changes?${query}`)).map(
        ({ kind, outcome }) => `${String(kind)} ${String(outcome)}`,
      );
    expect(await kinds('kind=image,target&outcome=written')).toEqual(['image written', 'target written']);
    expect(await kinds('system=finance')).toEqual(['target refused', 'target written']);
    expect(await kinds('system=hr')).toEqual(['image written']);
    expect(await kinds('outcome=refused')).toEqual(['target refused']);
    const seen: unknown[] = [];
    for (let query = 'limit=2'; query !== '';) {
      const page = await api.get(`runs/${run}/changes?${query}`);
      seen.push(...items(page).map(({ kind, id }) => [kind, id]));
      const { nextCursor } = page.body as { nextCursor: string | null };
      query = nextCursor === null ? '' : `limit=2&cursor=${nextCursor}`;
    }
    expect(seen).toEqual([
      ['golden', changed],
      ['golden', made],
      ['image', image],
      ['target', changed],
      ['target', made],
    ]);
    expect(await api.get(`runs/${run}/changes?kind=wish`)).toMatchObject({ status: 400 });
    expect(await api.get(`runs/${run}/changes`, { as: 'stranger' })).toMatchObject({ status: 404 });
  });

  test('rows that a target was given in bulk are told by their keys', async () => {
    const bulk = await world.run();
    const golden = await world.golden(bulk);
    await world.image(bulk, golden, { mapping: 'finance.people', key: 'E-90' });
    expect(items(await api.get(`runs/${bulk}/changes?kind=target`))).toMatchObject([
      { operation: 'insert', sourceKey: 'E-90', fields: [], mapping: 'finance.people' },
    ]);
  });
});
