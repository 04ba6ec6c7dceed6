import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { ApiHarness, type Reply } from './api-harness.js';

let api: ApiHarness;
beforeAll(async () => {
  api = await ApiHarness.open();
});
afterAll(async () => {
  await api.close();
});
beforeEach(() => {
  api.clock.set('2026-11-20T07:10:00Z');
});

interface Key {
  readonly id: string;
  readonly key: string;
  readonly state: string;
}

const asAdmin = { as: 'admin' } as const;
const make = async (body: object = {}): Promise<Key> => {
  const reply = await api.post('keys', { name: 'Registry import', role: 'operator', ...body }, asAdmin);
  expect(reply.status).toBe(201);
  expect(reply.headers.get('location')).toContain(`/keys/${(reply.body as Key).id}`);
  return reply.body as Key;
};
const use = ({ key }: Key): Promise<Reply> =>
  api.get('me', { as: 'nobody', headers: { authorization: `Bearer ${key}` } });
const change = (key: Key, what: 'rotate' | 'revoke', ifMatch: string | null, body?: object): Promise<Reply> =>
  api.post(`keys/${key.id}/${what}`, body, { ...asAdmin, headers: ifMatch === null ? {} : { 'if-match': ifMatch } });

describe('API keys', () => {
  test('are shown once, and only their hash is stored', async () => {
    const key = await make({ expiresAt: '2027-11-20T00:00:00+01:00' });
    expect(key).toMatchObject({
      ...{ key: expect.stringMatching(/^concord_[0-9a-f]{12}_[\w-]{32}$/), state: 'active' },
      ...{ createdBy: 'admin:Test desk', expiresAt: '2027-11-19T23:00:00.000Z', lastUsedAt: null },
    });
    expect(await use(key)).toMatchObject({ status: 200, body: { actor: 'operator:Registry import' } });
    const { body, headers } = await api.get(`keys/${key.id}`, { as: 'auditor' });
    expect(body).toMatchObject({ id: key.id, lastUsedAt: '2026-11-20T07:10:00.000Z' });
    expect(headers.get('etag')).toBe('"1"');
    const secret = key.key.slice(-32);
    const { rows } = await api.owner.query('select k::text as row from concord.api_keys k');
    expect(JSON.stringify([body, rows])).not.toContain(secret);
    expect(await api.get(`keys/${key.id}`, { ...asAdmin, headers: { 'if-none-match': '"1"' } })).toMatchObject({
      status: 304,
    });
  });

  test('are listed page by page, by state and role, never those of another institution', async () => {
    const made = [await make({ role: 'auditor' }), await make({ role: 'auditor' }), await make({ role: 'auditor' })];
    await change(made[0] as Key, 'revoke', '"1"');
    const ids: string[] = [];
    let cursor: string | null = null;
    do {
      const path = `keys?state=all&role=auditor&limit=2${cursor === null ? '' : `&cursor=${cursor}`}`;
      const { body } = await api.get(path, asAdmin);
      const page = body as { items: Key[]; nextCursor: string | null };
      ids.push(...page.items.map(({ id }) => id));
      cursor = page.nextCursor;
    } while (cursor !== null);
    expect(ids.slice(0, 3)).toEqual(made.map(({ id }) => id).reverse());
    const revoked = (await api.get('keys?state=revoked&role=auditor', asAdmin)).body as { items: Key[] };
    expect(revoked.items.map(({ id }) => id)).toEqual([made[0]?.id]);
    const stranger = (await api.post('keys', { name: 'x', role: 'admin' }, { as: 'stranger' })).status;
    expect(stranger).toBe(403);
    const { rows } = await api.owner.query<{ id: string }>(
      'select id::text as id from concord.api_keys where institution_id = $1',
      [api.otherInstitutionId],
    );
    for (const { id } of rows) expect(await api.get(`keys/${id}`, asAdmin)).toMatchObject({ status: 404 });
    expect(ids).not.toEqual(expect.arrayContaining(rows.map(({ id }) => id)));
  });

  test('are rotated: the former opens until it may no more, and the new one has all that it had', async () => {
    const former = await make();
    const until = { formerUntil: '2026-11-20T08:10:00Z' };
    expect(await change(former, 'rotate', null, until)).toMatchObject({ status: 428 });
    const reply = await change(former, 'rotate', '"1"', until);
    expect(reply.status).toBe(201);
    const next = reply.body as Key;
    expect(next).toMatchObject({ name: 'Registry import', role: 'operator', expiresAt: null, state: 'active' });
    expect(next.id).not.toBe(former.id);
    expect(await change(former, 'rotate', '"1"', until)).toMatchObject({
      status: 412,
      body: { changedBy: 'admin:Test desk', currentEtag: '"2"' },
    });
    expect([(await use(former)).status, (await use(next)).status]).toEqual([200, 200]);
    api.clock.advance(3_600_000);
    expect([(await use(former)).status, (await use(next)).status]).toEqual([401, 200]);
    expect(await change(former, 'rotate', '"2"', {})).toMatchObject({ status: 409, body: { code: 'state_forbids' } });
    const last = (await change(next, 'rotate', '"1"', {})).body as Key;
    expect([(await use(next)).status, (await use(last)).status]).toEqual([401, 200]);
  });

  test('are revoked for good, and again', async () => {
    const key = await make();
    expect(await change(key, 'revoke', null)).toMatchObject({ status: 428 });
    expect(await change(key, 'revoke', '"7"')).toMatchObject({ status: 412 });
    expect(await use(key)).toMatchObject({ status: 200 });
    expect(await change(key, 'revoke', '"1"')).toMatchObject({
      status: 200,
      body: { state: 'revoked', changedBy: 'admin:Test desk', revokedAt: '2026-11-20T07:10:00.000Z' },
    });
    expect(await use(key)).toMatchObject({ status: 401 });
    expect(await change(key, 'revoke', '"1"')).toMatchObject({ status: 200, body: { state: 'revoked' } });
  });

  test('end when it was said', async () => {
    const key = await make({ expiresAt: '2026-11-20T07:11:00Z' });
    expect(await use(key)).toMatchObject({ status: 200 });
    api.clock.advance(60_000);
    expect(await use(key)).toMatchObject({ status: 401 });
    expect(await api.get(`keys/${key.id}`, asAdmin)).toMatchObject({ body: { state: 'expired' } });
  });

  test.each([
    [{ name: '' }, '/name'],
    [{ name: 'amara@lakeside' }, '/name'],
    [{ name: 'two\nlines' }, '/name'],
    [{ role: 'owner' }, '/role'],
    [{ expiresAt: '2026-11-20T07:09:00Z' }, '/expiresAt'],
    [{ expiresAt: '2099-01-01T00:00:00Z' }, '/expiresAt'],
    [{ expiresAt: 'tomorrow' }, '/expiresAt'],
    [{ expiresAt: '2026-13-40T00:00:00Z' }, '/expiresAt'],
  ])('are not made of %j', async (wrong, pointer) => {
    const reply = await api.post('keys', { name: 'x', role: 'operator', ...wrong }, asAdmin);
    expect(reply).toMatchObject({ status: 400, body: { errors: [{ pointer }] } });
  });
});
