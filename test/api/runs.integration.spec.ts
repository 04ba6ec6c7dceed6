import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { ApiHarness, type Reply } from './api-harness.js';
import { World } from './builders.js';
import { directActivities } from '../merge/database-world.js';

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
  api.started.length = 0;
  api.beforeStart = async () => undefined;
});

const start = (key: string, body: object = {}, as: 'secretary' | 'operator' = 'secretary'): Promise<Reply> =>
  api.post(`jobs/${world.jobId}/runs`, body, { as, headers: { 'idempotency-key': key } });

describe('starting a run', () => {
  test('begins one workflow, whose id follows from institution, job and key', async () => {
    const { status, headers, body } = await start('monday');
    const [only] = api.started;
    expect(status).toBe(202);
    expect(only).toEqual({
      ...{
        type: 'syncRun',
        taskQueue: 'sync-io',
        workflowId: expect.stringMatching(new RegExp(`^sync-run/${world.jobId}/[0-9a-f]{32}$`)),
      },
      args: [
        {
          institutionId: api.institutionId,
          jobId: world.jobId,
          actor: 'secretary:Test desk',
          timeZone: 'Europe/London',
          asOf: '2026-11-20',
        },
      ],
    });
    expect(body).toMatchObject({ jobId: String(world.jobId), workflowId: only?.workflowId, runId: null });
    expect(headers.get('location')).toBe(
      `/api/secretary/data-sync/runs?workflowId=${encodeURIComponent(only?.workflowId ?? '')}`,
    );
    await start('tuesday', { asOf: '2026-12-01' });
    expect(api.started.map(({ args }) => (args[0] as { asOf: string }).asOf)).toEqual(['2026-11-20', '2026-12-01']);
    expect(new Set(api.started.map(({ workflowId }) => workflowId)).size).toBe(2);
  });

  test('the same key again gives the first reply and starts nothing', async () => {
    const first = await start('k');
    const again = await start('k');
    expect(again.body).toEqual(first.body);
    expect(again.headers.get('location')).toBe(first.headers.get('location'));
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expect(api.started).toHaveLength(1);
    expect(await start('k', { asOf: '2026-12-01' })).toMatchObject({
      status: 422,
      body: { code: 'idempotency_key_reused' },
    });
    expect(await start('k', {}, 'operator')).toMatchObject({ status: 422 });
  });

  test('even where our table of keys is lost the same workflow is meant', async () => {
    await start('lost');
    const [before] = api.started;
    await api.owner.query('delete from idempotency_keys');
    await world.run({ state: 'extract', finished: false, workflowId: before?.workflowId ?? '' });
    expect(await start('lost')).toMatchObject({ status: 202, body: { runId: expect.any(String) } });
    expect(api.started).toHaveLength(1);
  });

  test('while the first is at work the second is told to wait', async () => {
    let release = (): void => undefined;
    const arrived = new Promise<void>((tell) => {
      api.beforeStart = () => {
        tell();
        return new Promise((resolve) => {
          release = resolve;
        });
      };
    });
    const first = start('flight');
    await arrived;
    expect(await start('flight')).toMatchObject({ status: 409, body: { code: 'idempotency_in_flight' } });
    release();
    expect(await first).toMatchObject({ status: 202 });
    expect(await start('flight')).toMatchObject({ status: 202 });
    expect(api.started).toHaveLength(1);
  });

  test('twenty at once with one key are one', async () => {
    const replies = await Promise.all(Array.from({ length: 20 }, () => start('crowd')));
    expect(replies.every(({ status }) => status === 202 || status === 409)).toBe(true);
    expect(api.started).toHaveLength(1);
  });

  test('after a failure the same key may be tried again; after a day it is forgotten; one that was given up is taken over', async () => {
    api.beforeStart = async () => {
      throw Object.assign(new Error('no connection'), { code: 14 });
    };
    expect(await start('failed')).toMatchObject({ status: 503, body: { code: 'unavailable' } });
    api.beforeStart = async () => undefined;
    expect(await start('failed')).toMatchObject({ status: 202 });
    await api.owner.query(`update idempotency_keys set created_at = now() - interval '25 hours'`);
    expect(await start('failed', { asOf: '2026-12-01' })).toMatchObject({ status: 202 });
    await api.owner.query(
      `update idempotency_keys set status = null, reply = null, created_at = now() - interval '2 minutes'`,
    );
    expect(await start('failed', { asOf: '2026-12-01' })).toMatchObject({ status: 202 });
  });

  test('a job at work refuses another run and names it', async () => {
    const active = await world.run({ state: 'merge', finished: false });
    expect(await start('busy')).toMatchObject({ status: 409, body: { code: 'job_occupied', runId: active } });
    expect(api.started).toEqual([]);
  });

  test('needs a key; asOf is a day; nothing else is known', async () => {
    expect(await api.post(`jobs/${world.jobId}/runs`, {})).toMatchObject({
      status: 400,
      body: { code: 'idempotency_key_required' },
    });
    expect(
      await api.post(`jobs/${world.jobId}/runs`, {}, { headers: { 'idempotency-key': 'x'.repeat(256) } }),
    ).toMatchObject({ status: 400 });
    expect(await start('d', { asOf: '2026-02-30' })).toMatchObject({ status: 400 });
    expect(await start('d', { force: true })).toMatchObject({ status: 400 });
    expect(
      await api.post(`jobs/${world.jobId}/runs`, undefined, { headers: { 'idempotency-key': 'bare' } }),
    ).toMatchObject({ status: 202 });
    expect(await api.post('jobs/999/runs', {}, { headers: { 'idempotency-key': 'z' } })).toMatchObject({ status: 404 });
  });
});

describe('a dry run', () => {
  test('begins beside a run of the job, paused as it may be, once for each key', async () => {
    await world.run({ state: 'merge', finished: false });
    const first = await start('what-if', { dryRun: true }, 'operator');
    const [only] = api.started;
    expect(only).toEqual({
      ...{ type: 'dryRun', taskQueue: 'sync-io' },
      workflowId: expect.stringMatching(new RegExp(`^dry-run/${world.jobId}/[0-9a-f]{32}$`)),
      args: [
        {
          ...{ institutionId: api.institutionId, jobId: world.jobId, actor: 'operator:Test desk' },
          ...{ timeZone: 'Europe/London', asOf: '2026-11-20' },
        },
      ],
    });
    expect((await start('what-if', { dryRun: true }, 'operator')).body).toEqual(first.body);
    expect(api.started).toHaveLength(1);
    expect(await start('what-if', {}, 'operator')).toMatchObject({
      status: 422,
      body: { code: 'idempotency_key_reused' },
    });
    expect(await start('w', { dryRun: 'yes' })).toMatchObject({ status: 400 });
  });

  const plan = {
    records: [{ entityType: 'person', insert: 1, update: 2, delete: 0 }],
    targets: [{ mapping: 'finance.people', insert: 1, update: 2, delete: 0, differs: 0, withheld: 0 }],
    questions: [{ kind: 'value', entityType: 'person', opened: 1, changed: 0, closed: 0 }],
    held: [{ cause: 'limit', operation: 'delete', mapping: null, rows: 9, reason: '9 of 10 are gone' }],
    rejected: [{ kind: 'rejected', mapping: 'hr.staff', reason: 'family_is_there', field: 'family', rows: 1 }],
    findings: [{ kind: 'outranked', count: 3 }],
    leftOut: [{ name: 'finance.people', code: 'target_unreachable' }],
  };

  test('tells its plan and that it changed nothing; nothing of it can be taken back', async () => {
    const run = await world.run({ kind: 'dry_run', counts: { rows: {}, summary: {}, plan } });
    const { body } = await api.get(`runs/${run}`);
    expect(body).toMatchObject({
      ...{ kind: 'dry_run', state: 'completed', plan, counts: { rows: {}, summary: {} } },
      words: { happened: 'The dry run is done.', means: expect.stringContaining('changed nothing') },
    });
    expect(body).not.toMatchObject({ counts: { plan: expect.anything() } });
    expect(body).not.toMatchObject({ links: { rollbackPreview: expect.anything() } });
    expect(await api.post(`runs/${run}/rollback/preview`)).toMatchObject({
      status: 409,
      body: { code: 'state_forbids' },
    });
    const real = await world.run({ counts: { rows: {}, summary: {} } });
    expect((await api.get(`runs/${real}`)).body).toMatchObject({ plan: null });
  });

  test('shows samples of what would change, each role what it may see', async () => {
    const run = await world.run({ kind: 'dry_run', counts: { plan } });
    const golden = await world.golden(run);
    const before = { version: 1, status: 'active', values: [null, '"old@example"', '"T-1"', null] };
    const after = { version: 2, status: 'active', values: [null, '"new@example"', '"T-2"', null] };
    await api.owner.query(
      `insert into run_samples (run_id, kind, mapping_id, row_id, institution_id, entity_type_id, golden_id, operation, outcome, before, after)
       values ($1, 'golden', 0, $2, $3, $4, $2, 'update', 'intended', $5, $6),
         ($1, 'golden', 0, 900000001, $3, $4, null, 'insert', 'intended', null, $6),
         ($1, 'target', $7, $2, $3, $4, $2, 'update', 'intended', '{"key": "k", "row": ["k", "Old"]}', '{"key": "k", "row": ["k", "New"]}')`,
      [run, golden, api.institutionId, world.typeId, before, after, world.mappingIds['finance.people']],
    );
    const shown = await api.get(`runs/${run}/changes`, { as: 'steward' });
    expect(shown.body).toMatchObject({
      items: [
        {
          ...{ kind: 'golden', operation: 'update', outcome: 'intended', entityType: 'person' },
          fields: [
            { name: 'email', before: 'old@example', after: 'new@example' },
            { name: 'tax_number', before: 'T-1', after: 'T-2' },
          ],
          links: { goldenRecord: expect.stringContaining(`golden-records/${golden}`) },
        },
        { kind: 'golden', operation: 'insert', links: {} },
        {
          ...{ kind: 'target', operation: 'update', mapping: 'finance.people', sourceKey: 'k' },
          fields: [{ name: 'family', before: 'Old', after: 'New' }],
        },
      ],
    });
    const bySecretary = await api.get(`runs/${run}/changes?kind=golden&limit=1`, { as: 'secretary' });
    expect(bySecretary.body).toMatchObject({
      items: [{ fields: [{ name: 'email' }, { name: 'tax_number', masked: true, before: null, after: null }] }],
    });
    expect(await api.get(`runs/${run}/changes`, { as: 'operator' })).toMatchObject({ status: 403 });
    expect(await api.get(`runs/${run}/changes`, { as: 'stranger' })).toMatchObject({ status: 404 });
  });
});

describe('looking at runs', () => {
  const rows = {
    extracted: 10,
    missing: 0,
    unchanged: 7,
    new: 1,
    changed: 1,
    no_effect: 0,
    deleted: 0,
    rejected: 1,
    held: 0,
    waiting: 0,
    filtered: 0,
  };
  const counts = { rows, summary: { goldenWrites: 2, targetWrites: 3 } };

  test('a run says what happened, what it means and who acts next; its sums are shown', async () => {
    const run = await world.run({ state: 'completed_with_questions', counts });
    await world.question(run, await world.golden(run));
    await world.rejected(run, 2);
    const { body, headers } = await api.get(`runs/${run}`, { as: 'operator' });
    expect(headers.get('cache-control')).toBe('private, max-age=1');
    expect(body).toMatchObject({
      ...{
        id: run,
        kind: 'sync',
        state: 'completed_with_questions',
        openQuestions: 1,
        rejected: 2,
        counts,
        asOf: '2026-11-20',
        jobName: 'people',
      },
      balance: { balances: true, rowsIn: 10, rowsAccounted: 10 },
      words: {
        happened: 'The synchronization is done. 2 records were set aside, with reasons.',
        means: 'Everything that raises no question is published.',
        next: '1 question waits for the secretary.',
      },
    });
    const torn = await world.run({ counts: { rows: { ...rows, extracted: 11 } } });
    expect(await api.get(`runs/${torn}`)).toMatchObject({ body: { balance: { balances: false } } });
  });

  test('one that went on without a system says so, why, and who acts', async () => {
    const unusable = [{ name: 'hr.staff', code: 'source_unreachable', detail: 'listing the incoming folder: ENOENT' }];
    const run = await world.run({ counts: { unusable } });
    expect((await api.get(`runs/${run}`)).body).toMatchObject({
      state: 'completed',
      words: {
        happened:
          'The synchronization is done. It went on without hr.staff (source_unreachable: listing the incoming folder: ENOENT).',
        means: 'The other systems are as far as they can be without.',
        next: 'The operator acts. The next run tries again.',
      },
    });
    const none = await world.run({ state: 'failed', error: 'source_unreachable', counts: { unusable } });
    expect((await api.get(`runs/${none}`)).body).toMatchObject({
      words: { happened: expect.stringContaining('It could not use hr.staff (source_unreachable: listing') },
    });
  });

  test('one whose rows are held by an earlier question says that this waits, until it is decided', async () => {
    const earlier = await world.run();
    const held = await world.held(earlier);
    const run = await world.run();
    expect((await api.get(`runs/${run}`)).body).toMatchObject({
      ...{ held: 0, heldBefore: 1 },
      words: {
        means: 'Everything that raises no question is published.',
        next: '1 held change of an earlier run waits for the secretary.',
      },
    });
    expect((await api.get(`runs/${earlier}`)).body).toMatchObject({ held: 1, heldBefore: 0 });
    await api.owner.query(`update held_changes set state = 'discarded' where id = $1`, [held]);
    expect((await api.get(`runs/${run}`)).body).toMatchObject({ heldBefore: 0, words: { next: 'Nobody has to act.' } });
  });

  test('a failed one names its error and who acts', async () => {
    const run = await world.run({ state: 'failed', error: 'source_schema_changed' });
    expect(await api.get(`runs/${run}`)).toMatchObject({
      body: {
        error: { code: 'source_schema_changed' },
        words: { means: 'It changed nothing.', next: 'The secretary acts.' },
        balance: null,
      },
    });
  });

  test('lists newest first, with filters and pages', async () => {
    const parent = await world.run();
    const child = await world.run({ kind: 'decision', parent });
    const failed = await world.run({ state: 'failed', error: 'internal' });
    const ids = async (query: string): Promise<string[]> =>
      ((await api.get(`runs${query}`)).body as { items: { id: string }[] }).items.map(({ id }) => id);
    expect(await ids('?limit=2')).toEqual([failed, child]);
    expect(await ids(`?parent=${parent}`)).toEqual([child]);
    expect((await ids('?state=failed'))[0]).toBe(failed);
    expect((await ids(`?kind=decision&job=${world.jobId}`))[0]).toBe(child);
    const { body } = await api.get('runs?limit=2');
    const cursor = (body as { nextCursor: string }).nextCursor;
    expect((await ids(`?limit=2&cursor=${cursor}`))[0]).toBe(parent);
    expect(await api.get(`runs?limit=2&kind=sync&cursor=${cursor}`)).toMatchObject({
      status: 400,
      body: { code: 'cursor_mismatch' },
    });
  });

  test('findings', async () => {
    const run = await world.run();
    await world.finding(run, 'outranked');
    await world.finding(run, 'source_unreachable', 'sis');
    expect(await api.get(`runs/${run}/findings?kind=outranked`)).toMatchObject({
      body: { items: [{ kind: 'outranked', system: 'hr', detail: 'in words' }] },
    });
    expect(((await api.get(`runs/${run}/findings`)).body as { items: object[] }).items).toHaveLength(2);
  });
});

describe('taking a run back', () => {
  const preview = {
    hash: 'h1',
    runs: [{ runId: '5', kind: 'decision' }],
    reversed: 3,
    keptCount: 1,
    kept: [{ goldenId: '9', reason: 'restricted' as const, target: 'finance.people' }],
    targets: [{ mapping: 'finance.people', rows: 2 }],
    questionsReopened: 1,
    questionsWithdrawn: 2,
  };
  const rollBack = (run: string, key: string, previewHash = 'h1'): Promise<Reply> =>
    api.post(
      `runs/${run}/rollback`,
      { previewHash, reason: 'The HR file was of last month' },
      { headers: { 'idempotency-key': key } },
    );

  test('the preview lists what would be done', async () => {
    const run = await world.run();
    const goldenId = await world.golden(run);
    const kept = [{ goldenId, reason: 'restricted' as const, target: 'finance.people' }];
    api.previews.set(run, { ...preview, kept });
    expect(await api.post(`runs/${run}/rollback/preview`, undefined, { as: 'secretary' })).toMatchObject({
      status: 200,
      body: {
        previewHash: 'h1',
        runs: preview.runs,
        reversed: 3,
        keptCount: 1,
        kept: [
          {
            ...{ goldenId, group: '', target: 'finance.people' },
            reason: 'restricted: the row may not be sent there any more',
          },
        ],
        targets: preview.targets,
        questionsReopened: 1,
        questionsWithdrawn: 2,
      },
    });
  });

  test('a rollback begins once, bound to the preview', async () => {
    const run = await world.run();
    api.previews.set(run, preview);
    expect(await rollBack(run, 'r0', 'old')).toMatchObject({
      status: 409,
      body: { code: 'preview_outdated', preview: { previewHash: 'h1' } },
    });
    const first = await rollBack(run, 'r1');
    expect(first).toMatchObject({ status: 202, body: { jobId: String(world.jobId) } });
    expect(api.started).toEqual([
      {
        ...{
          type: 'rollbackRun',
          taskQueue: 'sync-rollback',
          workflowId: expect.stringMatching(new RegExp(`^rollback-run/${run}/[0-9a-f]{32}$`)),
        },
        args: [
          {
            ...{
              institutionId: api.institutionId,
              jobId: world.jobId,
              actor: 'steward:Test desk',
              timeZone: 'Europe/London',
            },
            ...{ asOf: '2026-11-20', rollbackOf: run, previewHash: 'h1' },
          },
        ],
      },
    ]);
    expect((await rollBack(run, 'r1')).body).toEqual(first.body);
    expect(api.started).toHaveLength(1);
  });

  test('who took a run back and why stands on the rollback and on the run, and never travels through Temporal', async () => {
    const run = await world.run();
    api.previews.set(run, preview);
    await rollBack(run, 'why');
    const [started] = api.started;
    expect(JSON.stringify(started)).not.toContain('HR file');
    const opened = await directActivities(api.hub).openRun({
      ...{ institutionId: api.institutionId, jobId: world.jobId, kind: 'rollback', actor: 'steward:Test desk' },
      ...{ asOf: '2026-11-20', rollbackOf: run, workflowId: started?.workflowId ?? '' },
    });
    const rollback = 'opened' in opened ? opened.opened.runId : '';
    await api.owner.query('update sync_runs set rolled_back_by = $2, finished_at = now() where id = $1', [
      run,
      rollback,
    ]);
    const reason = 'The HR file was of last month';
    expect(await api.get(`runs/${rollback}`, { as: 'auditor' })).toMatchObject({
      body: { kind: 'rollback', actor: 'steward:Test desk', reason, rollback: null },
    });
    expect(await api.get(`runs/${run}`)).toMatchObject({
      body: { reason: null, rollback: { runId: rollback, actor: 'steward:Test desk', reason } },
    });
    expect(await api.get(`runs/${run}`, { as: 'operator' })).toMatchObject({
      body: { rollback: { runId: rollback, reason: null } },
    });
    expect(await world.count('run_requests where workflow_id = $1', started?.workflowId)).toBe(0);
  });

  test('only a run that is over, was not skipped and stands can be taken back', async () => {
    const active = await world.run({ state: 'merge', finished: false });
    const skipped = await world.run({ state: 'skipped' });
    const back = await world.run({ state: 'rolled_back' });
    for (const run of [active, skipped, back]) {
      api.previews.set(run, preview);
      expect(await api.post(`runs/${run}/rollback/preview`)).toMatchObject({
        status: 409,
        body: { code: 'state_forbids' },
      });
      expect(await rollBack(run, `s${run}`)).toMatchObject({ status: 409, body: { code: 'state_forbids' } });
    }
    expect(api.started).toEqual([]);
    expect(
      await api.post(`runs/${active}/rollback`, { previewHash: 'h1' }, { headers: { 'idempotency-key': 'q' } }),
    ).toMatchObject({ status: 400 });
    expect(await api.post(`runs/${active}/rollback`, { previewHash: 'h1', reason: 'x' })).toMatchObject({
      status: 400,
      body: { code: 'idempotency_key_required' },
    });
  });
});
