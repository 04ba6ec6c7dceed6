import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { createApiKey, revokeApiKey, verifyApiKey } from '../../database/api-keys.js';
import type { CreatedApiKey } from '../../database/api-keys.js';
import { createHub } from '../../database/hub.js';
import type { Hub } from '../../database/hub.js';
import { createDatabase } from '../harness/database.js';
import type { TestDatabase } from '../harness/database.js';
import { ensureInstitution } from './institutions.js';

const now = new Date('2026-03-02T08:00:00Z');
const later = (minutes: number): Date => new Date(now.getTime() + minutes * 60_000);

let database: TestDatabase;
let hub: Hub;
let north: number;
let south: number;
let created: CreatedApiKey;
beforeAll(async () => {
  database = await createDatabase();
  hub = createHub({ url: database.url, role: 'concord_api', max: 2 });
  north = await ensureInstitution(hub, 'north');
  south = await ensureInstitution(hub, 'south');
});
beforeEach(async () => {
  created = await createApiKey(hub, north, { role: 'secretary', name: 'Ada', actor: 'test', expiresAt: later(60) });
});
afterAll(async () => {
  await hub.close();
  await database.drop();
});

const storedRows = (institution: number): Promise<{ id: number; secret_hash: string; last_used_at: Date | null }[]> =>
  hub.read(institution, async (client) => {
    const answer = await client.query<{ id: number; secret_hash: string; last_used_at: Date | null }>(
      'select id, secret_hash, last_used_at from api_keys order by id desc',
    );
    return answer.rows;
  });

test('a key tells whose it is', async () => {
  expect(created.key).toMatch(/^concord_[0-9a-f]{12}_[\w-]{32}$/);
  const holder = { keyId: created.id, institutionId: north, role: 'secretary', name: 'Ada', organisations: [] };
  expect(await verifyApiKey(hub, created.key, now)).toEqual(holder);
});

test('it may be bound to organisations, where its role can be', async () => {
  const made = { name: 'North desk', actor: 'test', organisations: ['north', 'south'] };
  const { key } = await createApiKey(hub, north, { role: 'secretary', ...made });
  expect(await verifyApiKey(hub, key, now)).toMatchObject({ organisations: ['north', 'south'] });
  for (const role of ['steward', 'operator', 'auditor', 'admin'] as const)
    await expect(createApiKey(hub, north, { role, ...made })).rejects.toMatchObject({ code: 'configuration_invalid' });
});

test('its secret is nowhere', async () => {
  const [row] = await storedRows(north);
  const secret = created.key.slice(-32);
  expect(row?.secret_hash).toMatch(/^[0-9a-f]{64}$/);
  expect(JSON.stringify(row)).not.toContain(secret);
  expect(await storedRows(south)).toEqual([]);
});

test('what is not quite the key is nobody', async () => {
  const wrongSecret = `${created.key.slice(0, -1)}${created.key.endsWith('A') ? 'B' : 'A'}`;
  const wrongPrefix = created.key.replace(/^concord_.{12}/, 'concord_000000000000');
  for (const key of ['', 'concord_', `${created.key} `, `x${created.key}`, wrongSecret, wrongPrefix]) {
    expect(await verifyApiKey(hub, key, now)).toBeNull();
  }
});

test('an expired key is nobody', async () => {
  expect(await verifyApiKey(hub, created.key, later(59))).not.toBeNull();
  expect(await verifyApiKey(hub, created.key, later(60))).toBeNull();
});

test('a revoked key is nobody, and only its institution revokes it', async () => {
  expect(await revokeApiKey(hub, south, created.id, now)).toBe(false);
  expect(await verifyApiKey(hub, created.key, now)).not.toBeNull();
  expect(await revokeApiKey(hub, north, created.id, now)).toBe(true);
  expect(await revokeApiKey(hub, north, created.id, now)).toBe(false);
  expect(await verifyApiKey(hub, created.key, now)).toBeNull();
});

test('its last use is noted once a minute', async () => {
  const lastUse = async (): Promise<Date | null | undefined> => (await storedRows(north))[0]?.last_used_at;
  expect(await lastUse()).toBeNull();
  await verifyApiKey(hub, created.key, now);
  await verifyApiKey(hub, created.key, later(1));
  expect(await lastUse()).toEqual(now);
  await verifyApiKey(hub, created.key, later(2));
  expect(await lastUse()).toEqual(later(2));
});
