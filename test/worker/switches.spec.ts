import { expect, test } from '@jest/globals';
import { SyncError } from '../../domain/errors.js';
import { readCrashPoints } from '../../worker/faults.js';
import { resolveSecrets } from '../../worker/secrets.js';

test('a process ends or sleeps at the n-th time it reaches the place that a fault test names, and only in a fault test', () => {
  const signals: string[] = [];
  const read = (environment: Record<string, string>): ReturnType<typeof readCrashPoints> =>
    readCrashPoints(environment, (name) => signals.push(name));
  const off = read({ CONCORD_CRASH_AT: 'apply:before' });
  off.reach('apply', 'before');
  expect(signals).toEqual([]);
  const on = read({ CONCORD_FAULTS: '1', CONCORD_CRASH_AT: 'apply:after:2', CONCORD_SLEEP_AT: 'merge:mid' });
  for (const moment of ['before', 'after', 'mid'] as const) on.reach('apply', moment);
  on.reach('merge', 'after');
  expect(signals).toEqual([]);
  on.reach('apply', 'after');
  on.reach('merge', 'mid');
  expect(signals).toEqual(['SIGKILL', 'SIGSTOP']);
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
