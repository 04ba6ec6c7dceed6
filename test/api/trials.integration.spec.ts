import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ApiHarness } from './api-harness.js';
import { staffMapping, World } from './builders.js';

let api: ApiHarness;
let world: World;
beforeAll(async () => {
  api = await ApiHarness.open();
  world = await World.build(api);
});
afterAll(async () => {
  await api.close();
});

describe('a dry run over given rows', () => {
  const rows = [
    { id: 'E-1', given: 'Amara', family: 'Okafor', email: ' Amara@x.example ', start: '2026-12-01' },
    { id: 'E-2', given: 'Jonas', family: null, email: 'nonsense', start: '2026-12-01' },
    { id: 'E-3', given: 'Mei', family: 'Lin', email: 'nonsense', start: 'soon' },
  ];

  test('tells values and problems by record and field; nothing is stored, and no worker is asked', async () => {
    const { source } = staffMapping;
    const after = {
      ...staffMapping,
      source: {
        ...source,
        records: [
          {
            entityType: 'person',
            groups: { email: { from: 'email', steps: [{ use: 'trim' }, { use: 'case', to: 'lower' }] } },
          },
        ],
      },
    };
    const started = api.started.length;
    const reply = await api.post('mappings/hr.staff/dry-run', { definition: after, rows });
    expect(reply).toMatchObject({
      status: 200,
      body: {
        ...{ id: null, state: 'answered', failure: null },
        answer: {
          counts: { rows: 3, read: 2, rejected: 1, changed: 2 },
          byField: expect.arrayContaining([{ field: 'email', reason: 'email_is_an_email', count: 1 }]),
          rows: [
            {
              sourceKey: 'E-1',
              before: { records: [{ values: { email: 'Amara@x.example' } }] },
              after: { outcome: 'read', records: [{ values: { email: 'amara@x.example' } }] },
            },
            { after: { outcome: 'rejected', problems: [{ field: 'family', reason: 'family_is_there' }] } },
            { after: { outcome: 'read', problems: [{ field: 'email' }] } },
          ],
        },
      },
    });
    expect(api.started).toHaveLength(started);
    expect(await world.count('inquiries')).toBe(0);
    expect((await api.get('mappings/hr.staff')).body).toMatchObject({ version: 1 });
  });

  test('of a mapping that is not there yet, by its name', async () => {
    const fresh = { ...staffMapping, name: 'hr.leavers', entity: 'leavers' };
    expect(await api.post('mappings/hr.leavers/dry-run', { definition: fresh, rows })).toMatchObject({
      status: 200,
      body: { answer: { rows: [{ before: null, changed: false }, {}, {}] } },
    });
    expect(await api.post('mappings/hr.nobody/dry-run', { rows })).toMatchObject({ status: 404 });
    expect(await api.post('mappings/hr.staff/dry-run', { definition: fresh, rows })).toMatchObject({ status: 409 });
    expect(await api.post('mappings/finance.people/dry-run', { rows })).toMatchObject({ status: 409 });
    expect(await api.post('mappings/hr.staff/dry-run', { rows: [{ id: { odd: true } }] })).toMatchObject({
      status: 400,
    });
  });
});

describe('a question to a system', () => {
  test('is left to a worker: until it answers there is a place to look; kept for an hour, for who asked', async () => {
    const asked = await api.post('systems/hr/test', undefined, { as: 'operator' });
    expect(asked).toMatchObject({
      status: 202,
      body: { state: 'asked', kind: 'connection_test', subject: 'hr', answer: null },
    });
    const { id } = asked.body as { id: string };
    expect(asked.headers.get('location')).toBe(`/api/secretary/data-sync/inquiries/${id}`);
    expect(api.started.at(-1)).toMatchObject({
      ...{ type: 'inquiry', workflowId: `inquiry/${id}`, taskQueue: 'sync-interactive' },
      args: [{ institutionId: api.institutionId, inquiryId: id }],
    });
    const look = (as: 'operator' | 'steward' | 'stranger'): ReturnType<ApiHarness['get']> =>
      api.get(`inquiries/${id}`, { as });
    expect(await look('operator')).toMatchObject({ status: 200, body: { state: 'asked' } });
    expect(await look('steward')).toMatchObject({ status: 404 });
    expect(await look('stranger')).toMatchObject({ status: 404 });
    await api.owner.query(`update inquiries set asked_at = now() - interval '6 minutes'`);
    expect(await look('operator')).toMatchObject({
      body: { state: 'failed', failure: { detail: 'No worker answered.' } },
    });
    await api.owner.query(`update inquiries set asked_at = now() - interval '61 minutes'`);
    expect(await look('operator')).toMatchObject({ status: 404 });
    await api.post('systems/hr/test', undefined, { as: 'operator' });
    expect(await world.count('inquiries')).toBe(1);
  });

  test('of a system that is not there, or out of use, is not asked', async () => {
    expect(await api.post('systems/nobody/test')).toMatchObject({ status: 404 });
    expect(await api.get('inquiries/77')).toMatchObject({ status: 404 });
    expect(await api.post('systems/hr/discover', { entities: [] })).toMatchObject({ status: 400 });
    expect(await api.post('mappings/propose', { inquiryId: '77', entity: 'x', entityType: 'person' })).toMatchObject({
      status: 404,
    });
  });
});
