import { describe, expect, test } from '@jest/globals';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { SyncError } from '../../domain/errors.js';
import { toFailure } from '../../worker/activity-errors.js';

const failureOf = (error: unknown, attempt = 1): ApplicationFailure => {
  const failure = toFailure(error, 'apply', attempt, false);
  if (!(failure instanceof ApplicationFailure)) throw new Error('no ApplicationFailure');
  return failure;
};

describe('an error of an activity becomes a failure that', () => {
  test('carries our code, and says whether to try again', () => {
    expect(failureOf(new SyncError('staging_lost', 'gone'))).toMatchObject({
      type: 'staging_lost',
      nonRetryable: true,
    });
    expect(failureOf(new SyncError('source_unreachable', 'down'))).toMatchObject({
      ...{ type: 'source_unreachable', message: 'down', nonRetryable: false },
    });
  });

  test('gives a system up that does not answer, sooner than other errors', () => {
    const down = new SyncError('target_unreachable', 'down');
    expect([3, 4].map((attempt) => failureOf(down, attempt).nonRetryable)).toEqual([false, true]);
  });

  test('holds no message that is not ours: it may quote a row', () => {
    const database = Object.assign(new Error('invalid input syntax for type date: "Amara, 1999"'), { code: '22007' });
    database.name = 'DatabaseError';
    for (const error of [database, new SyncError('internal', 'ours', { cause: database })]) {
      const failure = failureOf(error);
      const everything = [failure.message, failure.cause?.message, failure.cause?.stack, failure.cause?.cause].join(
        ' ',
      );
      expect(everything).not.toContain('Amara');
    }
    expect(failureOf(database)).toMatchObject({ type: 'internal', nonRetryable: true });
    expect(failureOf(database).message).toContain('DatabaseError 22007');
    expect(failureOf(new SyncError('internal', 'ours', { cause: database })).cause?.message).toBe('ours');
  });

  test('is tried again where it is unknown, and not where it is a defect', () => {
    expect(failureOf(new Error('who knows')).nonRetryable).toBe(false);
    expect(failureOf(new TypeError('x is not a function')).nonRetryable).toBe(true);
  });
});

test('whatever a cancelled activity throws is its cancellation', () => {
  expect(toFailure(new Error('canceling statement'), 'apply', 1, true)).toBeInstanceOf(CancelledFailure);
});
