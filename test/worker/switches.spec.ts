import { expect, test } from '@jest/globals';
import { SyncError } from '../../domain/errors.js';
import { readCrashPoints } from '../../worker/faults.js';
import { resolveSecrets } from '../../worker/secrets.js';

test('a process ends at the n-th time it reaches the place that a fault test names, and only in a fault test', () => {
  const ends: string[] = [];
  const read = (environment: Record<string, string>): ReturnType<typeof readCrashPoints> =>
    readCrashPoints(environment, () => ends.push('end'));
  const off = read({ CONCORD_CRASH_AT: 'apply:before' });
  off.reach('apply', 'before');
  expect(ends).toEqual([]);
  const on = read({ CONCORD_FAULTS: '1', CONCORD_CRASH_AT: 'apply:after:2' });
  for (const moment of ['before', 'after', 'mid'] as const) on.reach('apply', moment);
  on.reach('merge', 'after');
  expect(ends).toEqual([]);
  on.reach('apply', 'after');
  expect(ends).toEqual(['end']);
});

test('secrets replace references at any depth, and one that is not set is named', () => {
  const read = (name: string): string | null => (name === 'CONCORD_SECRET_A' ? 'x' : null);
  expect(
    resolveSecrets({ url: { env: 'CONCORD_SECRET_A' }, deep: [{ key: { env: 'CONCORD_SECRET_A' } }] }, read),
  ).toEqual({
    ...{ url: 'x', deep: [{ key: 'x' }] },
  });
  expect(() => resolveSecrets({ url: { env: 'CONCORD_SECRET_B' } }, read)).toThrow(
    new SyncError('configuration_invalid', 'The secret CONCORD_SECRET_B is not set where the worker runs.'),
  );
  expect(() => resolveSecrets({ url: { env: 'PATH' } })).toThrow(SyncError);
});
