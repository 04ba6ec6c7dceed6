import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ApiHarness, base } from './api-harness.js';
import { World } from './builders.js';

let api: ApiHarness;
let world: World;
beforeAll(async () => {
  api = await ApiHarness.open({
    rates: { read: 12, write: 4, work: 6, signIn: 4 },
    processes: 2,
    trustedProxies: ['127.0.0.0/8'],
  });
  world = await World.build(api);
});
afterAll(async () => {
  await api.close();
});

test('requests of a caller are counted by class, and refused over the limit of this process', async () => {
  const seen: (string | null)[][] = [];
  for (let count = 0; count < 7; count += 1) {
    const { status, headers, body } = await api.get('jobs', { as: 'operator' });
    seen.push([
      String(status),
      headers.get('ratelimit')?.split(';t=')[0] ?? null,
      headers.get('x-ratelimit-remaining'),
    ]);
    expect(headers.get('ratelimit-policy')).toBe('"read";q=6;w=60');
    expect(headers.get('x-ratelimit-limit')).toBe('6');
    expect(Number(headers.get('x-ratelimit-reset'))).toBeGreaterThan(0);
    if (status !== 429) continue;
    const seconds = Number(headers.get('retry-after'));
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThanOrEqual(60);
    expect(body).toMatchObject({ code: 'rate_limited', type: `${base}/problems/rate_limited`, status: 429 });
  }
  expect(seen).toEqual([
    ...[5, 4, 3, 2, 1, 0].map((left) => ['200', `"read";r=${left}`, String(left)]),
    ['429', '"read";r=0', '0'],
  ]);
  // Nobody else is told to wait, and neither is the same caller for something else.
  expect(await api.get('jobs', { as: 'auditor' })).toMatchObject({ status: 200 });
  const work = await api.post(`jobs/${world.jobId}/runs`, {}, { as: 'operator', headers: { 'idempotency-key': 'a' } });
  expect(work.status).toBe(202);
  expect(work.headers.get('ratelimit-policy')).toBe('"work";q=3;w=60');
});

test('what a role does not admit is counted too', async () => {
  const statuses: number[] = [];
  for (let count = 0; count < 3; count += 1)
    statuses.push((await api.post('conflicts/1/decision', {}, { as: 'admin' })).status);
  expect(statuses).toEqual([403, 403, 429]);
});

test('guesses are counted by address, as a trusted proxy tells it, and keep no valid key out', async () => {
  const guess = (from: string): Promise<{ readonly status: number }> =>
    api.get('me', {
      as: 'nobody',
      headers: {
        authorization: 'Bearer concord_000000000000_00000000000000000000000000000000',
        'x-forwarded-for': from,
      },
    });
  expect((await guess('198.51.100.7')).status).toBe(401);
  expect((await guess('198.51.100.7')).status).toBe(401);
  expect((await guess('198.51.100.7')).status).toBe(429);
  expect((await guess('198.51.100.8')).status).toBe(401);
  const valid = await api.get('me', { as: 'steward', headers: { 'x-forwarded-for': '198.51.100.7' } });
  expect(valid.status).toBe(200);
  const signIn = await api.get('sign-in', { as: 'nobody', headers: { 'x-forwarded-for': '198.51.100.7' } });
  expect(signIn.status).toBe(429);
});

test('health is not counted', async () => {
  for (let count = 0; count < 10; count += 1)
    expect(await api.get('/healthz', { as: 'nobody' })).toMatchObject({ status: 200 });
});
