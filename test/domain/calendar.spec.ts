import fc from 'fast-check';
import { addDays, isDate, toDate } from '../../domain/calendar.js';

const days = fc.integer({ min: 0, max: 3_600_000 }).map((count) => addDays('0001-01-01', count));

describe('calendar', () => {
  it.each([
    [2024, 2, 29, '2024-02-29'],
    [2023, 2, 29, null],
    [1900, 2, 29, null],
    [2000, 2, 29, '2000-02-29'],
    [2024, 4, 31, null],
    [2024, 13, 1, null],
    [0, 1, 1, null],
  ])('knows which days there are: %d-%d-%d', (year, month, day, expected) => {
    expect(toDate(year, month, day)).toBe(expected);
  });

  it('agrees with the platform on the day after any day', () => {
    fc.assert(
      fc.property(days, fc.integer({ min: -1_000, max: 1_000 }), (date, count) => {
        const expected = new Date(`${date}T00:00:00Z`);
        expected.setUTCDate(expected.getUTCDate() + count);
        const year = expected.getUTCFullYear();
        fc.pre(year >= 1 && year <= 9999);
        expect(addDays(date, count)).toBe(expected.toISOString().slice(0, 10));
      }),
    );
  });

  it('stays at the ends of the calendar, which mean always and for ever', () => {
    expect(addDays('9999-12-31', 1)).toBe('9999-12-31');
    expect(addDays('0001-01-01', -1)).toBe('0001-01-01');
  });

  it('refuses what is no date', () => {
    expect(isDate('2024-2-9')).toBe(false);
    expect(isDate('2023-02-29')).toBe(false);
    expect(() => addDays('2023-02-29', 1)).toThrow(RangeError);
  });
});
