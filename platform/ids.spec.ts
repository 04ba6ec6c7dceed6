import { expect, test } from '@jest/globals';
import { ManualClock } from './clock.js';
import { countedIds, randomIds } from './ids.js';

const uuidVersion7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

test('ids are UUIDs of version 7, sort by time and do not repeat', async () => {
  const first = randomIds.newId();
  await new Promise((resolve) => setTimeout(resolve, 2));
  const ids = Array.from({ length: 1_000 }, () => randomIds.newId());
  expect(new Set(ids).size).toBe(1_000);
  for (const id of ids) {
    expect(id).toMatch(uuidVersion7);
    expect(first < id).toBe(true);
  }
});

test('keys are long, safe in a header, and do not repeat', () => {
  const keys = Array.from({ length: 100 }, () => randomIds.newKey());
  expect(new Set(keys).size).toBe(100);
  for (const key of keys) expect(key).toMatch(/^[\w-]{32}$/);
});

test('counted ids are the same in every run, and well-formed', () => {
  const once = countedIds();
  const again = countedIds();
  const ids = [once.newId(), once.newId()];
  expect([again.newId(), again.newId()]).toEqual(ids);
  for (const id of ids) expect(id).toMatch(uuidVersion7);
  expect(once.newKey()).toBe(again.newKey());
});

test('a manual clock moves when told', () => {
  const clock = new ManualClock('2026-09-01T00:00:00Z');
  clock.advance(1_000);
  expect(clock.now().toISOString()).toBe('2026-09-01T00:00:01.000Z');
  clock.set('2026-09-02T00:00:00Z');
  expect(clock.now().toISOString()).toBe('2026-09-02T00:00:00.000Z');
});
