import { describe, expect, test } from '@jest/globals';
import { SyncError } from '../../domain/errors.js';
import { jobSchedule, specOf } from '../../worker/schedules.js';

describe('a schedule', () => {
  test('runs at a time of day, on some days, in a time zone, with jitter', () => {
    const calendar = { hour: 5, minute: 30, daysOfWeek: ['mon', 'Friday'] };
    expect(specOf({ timeZone: 'America/Chicago', calendar, jitterSeconds: 90 })).toEqual({
      ...{ timezone: 'America/Chicago', jitter: '90 s' },
      calendars: [{ hour: 5, minute: 30, dayOfWeek: ['MONDAY', 'FRIDAY'] }],
    });
    expect(specOf({ timeZone: 'UTC', everyMinutes: 15 })).toEqual({
      ...{ timezone: 'UTC', intervals: [{ every: '15 minutes' }] },
    });
  });

  test('leaves out the days of a freeze window, also over the end of a year', () => {
    const freeze = [{ from: '2026-12-20', to: '2027-01-03', reason: 'registration' }];
    const every = { hour: '*', minute: '*', second: '*', comment: 'registration' };
    expect(specOf({ timeZone: 'UTC', everyMinutes: 60, freeze }).skip).toEqual([
      { year: 2026, month: 'DECEMBER', dayOfMonth: { start: 20, end: 31 }, ...every },
      { year: 2027, month: 'JANUARY', dayOfMonth: { start: 1, end: 3 }, ...every },
    ]);
  });

  test('is refused where it names no day or no date', () => {
    const calendar = { hour: 5, minute: 0, daysOfWeek: ['someday'] };
    expect(() => specOf({ timeZone: 'UTC', calendar })).toThrow(SyncError);
    const freeze = [{ from: 'soon', to: '2027-01-03', reason: '' }];
    expect(() => specOf({ timeZone: 'UTC', freeze })).toThrow(SyncError);
  });

  test('starts runs with fixed arguments, whose ids Temporal completes with the nominal time', () => {
    const schedule = { timeZone: 'Europe/Paris', everyMinutes: 60, catchUpHours: 6 };
    const definition = { name: 'nightly', sources: [], targets: [], onFailure: 'hold' as const, schedule };
    const of = { institutionId: 1, job: { id: 3, definition }, schedule, timeZone: 'Europe/Paris' };
    expect(jobSchedule(of, { scope: '' })).toMatchObject({
      policies: { overlap: 'SKIP', catchupWindow: '6 hours' },
      action: {
        ...{ workflowType: 'syncRun', workflowId: 'sync-run/3/scheduled', taskQueue: 'sync-io' },
        args: [{ institutionId: 1, jobId: 3, asOf: null, timeZone: 'Europe/Paris', onFailure: 'hold' }],
      },
    });
  });
});
