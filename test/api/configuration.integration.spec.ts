import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { applyConfiguration, loadConfiguration } from '../../database/configuration-store.js';
import type { MappingDefinition } from '../../domain/mapping-definition.js';
import { ApiHarness, type Reply } from './api-harness.js';
import { configuration, staffMapping, World } from './builders.js';

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
  await api.owner.query('delete from outbox');
  api.started.length = 0;
});

const job = (name: string, more: object = {}): object => ({
  name,
  sources: ['hr.staff'],
  targets: ['finance.people'],
  ...more,
});
const create = (body: object, key?: string): Promise<Reply> =>
  api.post('jobs/create', body, key === undefined ? {} : { headers: { 'idempotency-key': key } });

describe('creating a job', () => {
  test('stores the definition', async () => {
    const definition = job('staff', { limits: [{ operation: 'delete', percent: 0.5 }], review: { dueDays: 5 } });
    const { status, headers, body } = await create(definition);
    expect(status).toBe(201);
    const { jobId } = body as { jobId: string };
    expect(body).toMatchObject({ job: { version: 1, definition }, workflowId: null, runId: null });
    expect(headers.get('location')).toBe(`/api/secretary/data-sync/jobs/${jobId}`);
    expect(headers.get('etag')).toBe('"1"');
    expect(await api.get(`jobs/${jobId}`, { as: 'operator' })).toMatchObject({ status: 200, body: { definition } });
    expect(await api.get(`jobs/${jobId}`, { headers: { 'if-none-match': '"1"' } })).toMatchObject({
      status: 304,
      body: undefined,
    });
    const loaded = await loadConfiguration(api.hub, api.institutionId);
    expect(loaded.jobs.find(({ id }) => String(id) === jobId)?.definition).toEqual(definition);
    expect(await world.count(`synchronization_jobs where id = $1 and updated_by = 'steward:Test desk'`, jobId)).toBe(1);
    expect(await world.count('outbox')).toBe(0);
  });

  test('a schedule leaves word for the workers', async () => {
    expect(
      await create(job('nightly', { schedule: { calendar: { hour: 2, minute: 0 }, timeZone: 'Europe/London' } })),
    ).toMatchObject({ status: 201 });
    expect((await api.owner.query('select topic, subject from outbox')).rows).toEqual([
      { topic: 'schedules', subject: String(api.institutionId) },
    ]);
    expect((await api.get('status/overview')).body).toMatchObject({
      next: [{ jobName: 'nightly', rhythm: 'every day at 02:00 (Europe/London)' }],
    });
  });

  test('with start a run begins too, once a key, even where the first attempt failed half way', async () => {
    expect(await create(job('started', { start: true }))).toMatchObject({
      status: 400,
      body: { code: 'idempotency_key_required' },
    });
    api.beforeStart = async () => {
      throw Object.assign(new Error('no connection'), { code: 14 });
    };
    expect(await create(job('started', { start: true }), 's1')).toMatchObject({ status: 503 });
    api.beforeStart = async () => undefined;
    const first = await create(job('started', { start: true, asOf: '2026-12-01' }), 's2');
    expect(first).toMatchObject({ status: 202, body: { workflowId: api.started[0]?.workflowId } });
    expect(api.started).toMatchObject([{ type: 'syncRun', args: [{ asOf: '2026-12-01' }] }]);
    expect((await create(job('started', { start: true, asOf: '2026-12-01' }), 's2')).body).toEqual(first.body);
    expect(api.started).toHaveLength(1);
    expect(await world.count(`synchronization_jobs where name = 'started'`)).toBe(1);
  });

  test('a taken name is refused', async () => {
    expect(await create(job('people'))).toMatchObject({
      status: 409,
      body: { code: 'name_taken', errors: [{ pointer: '/name' }], jobId: String(world.jobId) },
    });
  });

  test('what would not do is refused with each reason, and nothing is stored', async () => {
    const reply = await create(
      job('wrong', { sources: ['hr.nobody', 'finance.people'], schedule: { timeZone: 'Mars/Olympus' } }),
    );
    expect(reply).toMatchObject({ status: 422, body: { code: 'configuration_invalid' } });
    expect((reply.body as { errors: { pointer: string }[] }).errors.map(({ pointer }) => pointer)).toEqual(
      expect.arrayContaining(['/schedule/timeZone']),
    );
    expect(await create(job('wrong', { sources: ['hr.nobody', 'finance.people'] }))).toMatchObject({
      body: { errors: [{ pointer: '/sources/0' }, { pointer: '/sources/1' }] },
    });
    expect(await world.count(`synchronization_jobs where name = 'wrong'`)).toBe(0);
  });

  test('a dry run only says', async () => {
    expect(await create(job('dry', { dryRun: true, start: true }))).toMatchObject({
      status: 200,
      body: { valid: true, problems: [] },
    });
    expect(await create(job('people', { dryRun: true, sources: ['x'] }))).toMatchObject({
      status: 200,
      body: { valid: false, problems: [{ pointer: '/sources/0' }, { pointer: '/name', code: 'name_taken' }] },
    });
    expect(await world.count(`synchronization_jobs where name = 'dry'`)).toBe(0);
  });

  test('jobs are listed', async () => {
    const { body } = await api.get('jobs?limit=1', { as: 'secretary' });
    expect(body).toMatchObject({
      items: [{ id: String(world.jobId), definition: { name: 'people' } }],
      nextCursor: expect.any(String),
    });
  });
});

describe('changing a mapping', () => {
  let id = '';
  beforeAll(async () => {
    id = String(world.mappingIds['hr.staff']);
    const run = await world.run();
    await world.image(run, await world.golden(run), {
      raw: ['E-77', 'Amara', 'Okafor', ' Amara@lakeside.example ', '2026-12-01'],
    });
  });
  const source = staffMapping.source;
  const withTrimOff: MappingDefinition = {
    ...staffMapping,
    source: {
      ...(source ?? { columns: [], key: [], records: [] }),
      records: [
        {
          entityType: 'person',
          groups: { email: { from: 'email', steps: [{ use: 'trim' }, { use: 'case', to: 'lower' }] } },
        },
      ],
      rules: [{ name: 'family_is_there', field: 'family', severity: 'warn', check: 'required' }],
    },
  };
  const put = (body: object, headers: Record<string, string>, query = ''): Promise<Reply> =>
    api.put(`mappings/${id}${query}`, body, { headers });

  test('it is found by id and by name, with its rules and ETag', async () => {
    const { headers, body } = await api.get(`mappings/${id}`, { as: 'admin' });
    expect(headers.get('etag')).toBe('"1"');
    expect(body).toMatchObject({ id, name: 'hr.staff', version: 1, definition: staffMapping });
    expect((await api.get('mappings/hr.staff')).body).toEqual(body);
    expect(await api.get(`mappings/${id}`, { headers: { 'if-none-match': 'W/"7", "1"' } })).toMatchObject({
      status: 304,
    });
    expect(await api.get('mappings/hr.nobody')).toMatchObject({ status: 404 });
    expect((await api.get('mappings')).body).toMatchObject({ items: [{ name: expect.any(String) }, {}, {}] });
  });

  test('without If-Match it is refused; a dry run reports and stores nothing', async () => {
    expect(await put(withTrimOff, {})).toMatchObject({
      status: 428,
      body: { code: 'precondition_required', currentEtag: '"1"' },
    });
    const { status, body } = await put(withTrimOff, { 'if-match': '"1"' }, '?dryRun=true');
    expect(status).toBe(200);
    expect(body).toMatchObject({
      ...{ valid: true, changed: true, stored: false, problems: [], affectedRows: 1 },
      samples: [
        {
          sourceKey: 'E-77',
          before: { records: [{ values: { email: 'Amara@lakeside.example', name: { given: 'Amara' } } }] },
          after: { records: [{ values: { email: 'amara@lakeside.example' } }] },
          changed: true,
        },
      ],
      mapping: { version: 1 },
    });
    expect((await api.get(`mappings/${id}`)).headers.get('etag')).toBe('"1"');
  });

  test('what would not do is refused with pointers into the body; a dry run tells the same', async () => {
    const wrong = { ...withTrimOff, source: { ...withTrimOff.source, key: ['nowhere'], colour: 'red' } };
    const refused = await put(wrong, { 'if-match': '"1"' });
    expect(refused).toMatchObject({ status: 422, body: { code: 'configuration_invalid' } });
    const pointers = (refused.body as { errors: { pointer: string }[] }).errors.map(({ pointer }) => pointer);
    expect(pointers).toContain('/source/colour');
    expect(await put(wrong, { 'if-match': '"1"' }, '?dryRun=true')).toMatchObject({
      status: 200,
      body: { valid: false, stored: false },
    });
    const { source: _source, ...without } = withTrimOff;
    expect(await put({ ...without, target: configuration.mappings[2]?.target }, { 'if-match': '"1"' })).toMatchObject({
      status: 422,
      body: {
        errors: expect.arrayContaining([expect.objectContaining({ detail: expect.stringContaining('jobs people') })]),
      },
    });
    expect(await put({ ...withTrimOff, entity: 'people', name: 'hr.people' }, { 'if-match': '"1"' })).toMatchObject({
      status: 400,
      body: {
        errors: [
          { pointer: '/name', code: 'fixed' },
          { pointer: '/entity', code: 'fixed' },
        ],
      },
    });
  });

  test('it is stored with its rules as a new version; the same again is none', async () => {
    const { status, headers, body } = await put(withTrimOff, { 'if-match': '"1"' });
    expect(status).toBe(200);
    expect(headers.get('etag')).toBe('"2"');
    expect(body).toMatchObject({
      stored: true,
      mapping: { version: 2, definition: withTrimOff, changedBy: 'steward:Test desk' },
    });
    expect(await put(withTrimOff, { 'if-match': '"2"' })).toMatchObject({
      status: 200,
      body: { changed: false, stored: false, mapping: { version: 2 } },
    });
    const { rows } = await api.owner.query(
      'select name, definition, archived, version from data_quality_rules where mapping_id = $1 order by name',
      [id],
    );
    expect(rows).toMatchObject([
      { name: 'email_is_an_email', archived: true },
      { name: 'email_is_unique', archived: true },
      { name: 'family_is_there', archived: false, version: 2, definition: { severity: 'warn' } },
    ]);
    // What a file applies afterwards starts from what was stored here.
    const difference = await applyConfiguration(
      api.hub,
      { ...configuration, mappings: [withTrimOff, ...configuration.mappings.slice(1)] },
      'file',
    );
    expect(difference.mappings).toEqual({ created: [], changed: [], archived: [] });
    expect(difference.rules).toEqual({ created: [], changed: [], archived: [] });
  });

  test('a change that comes too late is refused with what changed meanwhile; of two at once one holds', async () => {
    expect(await put(staffMapping, { 'if-match': '"1"' })).toMatchObject({
      status: 412,
      body: {
        ...{
          code: 'precondition_failed',
          currentEtag: '"2"',
          changedBy: 'steward:Test desk',
          changedAt: expect.any(String),
        },
        diff: expect.arrayContaining([expect.objectContaining({ pointer: '/source/rules' })]),
      },
    });
    const variant = (label: string): object => ({
      ...staffMapping,
      source: { ...source, rules: [{ name: label, field: 'family', severity: 'warn', check: 'required' }] },
    });
    const replies = await Promise.all([
      put(variant('a'), { 'if-match': '"2"' }),
      put(variant('b'), { 'if-match': '"2"' }),
    ]);
    expect(replies.map(({ status }) => status).sort()).toEqual([200, 412]);
    expect((await api.get(`mappings/${id}`)).headers.get('etag')).toBe('"3"');
  });

  test('rows that were read before a change of the reading alone are samples still', async () => {
    const { body } = await api.get(`mappings/${id}`);
    const { definition, version } = body as { definition: MappingDefinition; version: number };
    await api.owner.query('update record_images set mapping_version = $2 where mapping_id = $1', [id, version]);
    const reread = { ...definition, source: { ...definition.source, completeByDefault: true } };
    expect(await put(reread, { 'if-match': `"${version}"` })).toMatchObject({ status: 200, body: { stored: true } });
    expect(await put(withTrimOff, { 'if-match': `"${version + 1}"` }, '?dryRun=true')).toMatchObject({
      status: 200,
      body: { changed: true, samples: [{ sourceKey: 'E-77' }] },
    });
  });
});
