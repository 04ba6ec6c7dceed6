import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ApiHarness, type Reply } from './api-harness.js';

let api: ApiHarness;
beforeAll(async () => {
  api = await ApiHarness.open();
});
afterAll(async () => {
  await api.close();
});

const asHost = { as: 'host' } as const;
const academy = { code: 'academy', name: 'The Academy', timeZone: 'Europe/Zurich' };
const withKey = (key: string): { as: 'nobody'; headers: Record<string, string> } => ({
  as: 'nobody',
  headers: { authorization: `Bearer ${key}` },
});
const firstKeysOf = ({ body }: Reply): Readonly<Record<string, string>> =>
  (body as { firstKeys: Readonly<Record<string, string>> }).firstKeys;

describe('institutions that the host makes', () => {
  test('begin empty, with a key of each role that is shown once', async () => {
    const made = await api.post('institutions', { ...academy, recipientClasses: ['directory'] }, asHost);
    expect(made).toMatchObject({ status: 201, body: { code: 'academy' } });
    const keys = firstKeysOf(made);
    expect(Object.keys(keys).sort()).toEqual(['admin', 'operator', 'secretary', 'steward']);
    for (const [role, key] of Object.entries(keys))
      expect(await api.get('me', withKey(key))).toMatchObject({
        body: { role, actor: `${role}:first key`, institution: academy },
      });
    const stewards = withKey(keys['steward'] ?? '');
    expect(await api.get('institution', stewards)).toMatchObject({
      body: { definition: { ...academy, recipientClasses: ['directory'] }, version: 1, changedBy: 'host' },
    });
    expect(await api.get('systems', stewards)).toMatchObject({ status: 200, body: { items: [] } });
    const { rows } = await api.owner.query('select k::text as row from concord.api_keys k');
    for (const key of Object.values(keys)) expect(JSON.stringify(rows)).not.toContain(key.slice(-32));
  });

  test('are listed, with nothing of what is theirs', async () => {
    const first = await api.get('institutions?limit=2', asHost);
    expect(first).toMatchObject({ body: { items: [{ code: 'lakeside' }, { code: 'elsewhere' }] } });
    const { nextCursor } = first.body as { nextCursor: string };
    expect(await api.get(`institutions?limit=2&cursor=${nextCursor}`, asHost)).toMatchObject({
      body: { items: [{ ...academy, hasKeys: true }], nextCursor: null },
    });
  });

  test('are not made twice: a code that has keys is taken, also for two who ask at once', async () => {
    expect(await api.post('institutions', academy, asHost)).toMatchObject({
      ...{ status: 409, body: { code: 'name_taken', errors: [{ pointer: '/code' }] } },
    });
    const twice = { ...academy, code: 'twice' };
    const replies = await Promise.all([1, 2, 3].map(() => api.post('institutions', twice, asHost)));
    expect(replies.map(({ status }) => status).sort()).toEqual([201, 409, 409]);
  });

  test('are judged: what is wrong is named, and nothing is made', async () => {
    const wrong = await api.post('institutions', { ...academy, code: 'nowhere', timeZone: 'Mars/Olympus' }, asHost);
    expect(wrong).toMatchObject({ status: 422, body: { errors: [{ pointer: '/timeZone' }] } });
    expect(await api.post('institutions', { ...academy, visibility: {} }, asHost)).toMatchObject({ status: 400 });
    const { body } = await api.get('institutions', asHost);
    expect(JSON.stringify(body)).not.toContain('nowhere');
  });

  test('whose keys are lost get a key of the role admin, which makes the others', async () => {
    const made = await api.post('institutions/academy/admin-keys', undefined, asHost);
    expect(made.status).toBe(201);
    const { key } = made.body as { key: string };
    expect(await api.post('keys', { name: 'Desk', role: 'steward' }, withKey(key))).toMatchObject({ status: 201 });
    expect(await api.post('institutions/nowhere/admin-keys', undefined, asHost)).toMatchObject({ status: 404 });
  });

  test('are closed to the host, as the platform is to whoever knows only a part of its key', async () => {
    for (const path of ['institution', 'golden-records?type=person', 'runs', 'status/overview', 'me'])
      expect([path, (await api.get(path, asHost)).status]).toEqual([path, 403]);
    const key = api.token('host');
    for (const wrong of [key.slice(0, -1), `${key}x`, key.toUpperCase()])
      expect(await api.get('institutions', withKey(wrong))).toMatchObject({ status: 401 });
  });
});

test('where no key of a host is configured, nobody is one', async () => {
  const closed = await ApiHarness.open({ hostKey: null });
  try {
    expect(await closed.get('institutions', asHost)).toMatchObject({ status: 401 });
    expect(await closed.get('institutions', withKey(''))).toMatchObject({ status: 401 });
  } finally {
    await closed.close();
  }
});
