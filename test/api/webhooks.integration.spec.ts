import { createHmac, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { ApiHarness, type Reply } from './api-harness.js';
import { World } from './builders.js';

let api: ApiHarness;
let world: World;
let system: number;
const secret = `whsec_${randomBytes(32).toString('base64')}`;
beforeAll(async () => {
  process.env['CONCORD_SECRET_HR_WEBHOOK'] = secret;
  api = await ApiHarness.open();
  world = await World.build(api);
  const { rows } = await api.owner.query<{ id: number }>(
    `update data_source_configurations set settings = settings || '{"webhook": {"env": "CONCORD_SECRET_HR_WEBHOOK"}}'
     where institution_id = $1 and name = 'hr' returning id`,
    [api.institutionId],
  );
  system = rows[0]?.id ?? 0;
});
afterAll(async () => {
  delete process.env['CONCORD_SECRET_HR_WEBHOOK'];
  await api.close();
});
beforeEach(async () => {
  await api.owner.query('delete from webhook_receipts; delete from outbox');
});

/* Spaces as a sender may write them: what is signed is the bytes. */
const body = '{ "type": "export.finished",  "data": {} }';

const call = (over: Readonly<Record<string, string>> = {}, text = body, to = String(system)): Promise<Reply> => {
  const { id = 'msg_1', timestamp = String(Math.floor(api.clock.now().getTime() / 1000)) } = over;
  const signature = createHmac('sha256', Buffer.from(secret.slice(6), 'base64')).update(`${id}.${timestamp}.${body}`);
  return api.post(`systems/${to}/webhook`, undefined, {
    as: 'nobody',
    text,
    headers: {
      ...{ 'content-type': 'application/json', 'webhook-id': id, 'webhook-timestamp': timestamp },
      'webhook-signature': over['signature'] ?? `v1,${signature.digest('base64')}`,
    },
  });
};
const words = (): Promise<number> => world.count(`outbox where topic = 'job'`);

describe('a webhook', () => {
  test('wakes the jobs that read its system, once', async () => {
    expect(await call()).toMatchObject({ status: 200, body: { state: 'woken', jobs: 1 } });
    const { rows } = await api.owner.query(`select topic, subject, institution_id from outbox`);
    expect(rows).toEqual([{ topic: 'job', subject: `${world.jobId} webhook:hr`, institution_id: api.institutionId }]);
    expect(await call()).toMatchObject({ status: 200, body: { state: 'repeated', jobs: 0 } });
    expect(await words()).toBe(1);
    expect(await call({ id: 'msg_2' })).toMatchObject({ body: { state: 'woken' } });
    expect(await words()).toBe(2);
  });

  test('twenty at once with one id are one', async () => {
    const replies = await Promise.all(Array.from({ length: 20 }, () => call()));
    expect(replies.filter((reply) => (reply.body as { state: string }).state === 'woken')).toHaveLength(1);
    expect(await words()).toBe(1);
  });

  test('with a wrong signature, an old one, or none is refused and does nothing', async () => {
    const old = String(Math.floor(api.clock.now().getTime() / 1000) - 301);
    for (const reply of [
      await call({ signature: `v1,${randomBytes(32).toString('base64')}` }),
      await call({ signature: '' }),
      await call({ timestamp: old }),
      await call({ timestamp: 'now' }),
      await call({}, body.replace('finished', 'begun')),
      await call({ id: '' }),
    ])
      expect(reply).toMatchObject({ status: 401, body: { code: 'unauthenticated' } });
    expect(await words()).toBe(0);
    expect(await world.count('webhook_receipts')).toBe(0);
  });

  test('of a system without one, or that is not there, is not found', async () => {
    const { rows } = await api.owner.query<{ id: number }>(
      `select id from data_source_configurations where institution_id = $1 and name = 'sis'`,
      [api.institutionId],
    );
    expect(await call({}, body, String(rows[0]?.id))).toMatchObject({ status: 404 });
    expect(await call({}, body, '999999')).toMatchObject({ status: 404 });
  });

  test('is JSON, and not large', async () => {
    expect(await call({}, '{')).toMatchObject({ status: 400 });
    expect(await call({}, JSON.stringify({ type: 'x'.repeat(70_000) }))).toMatchObject({ status: 413 });
  });
});
