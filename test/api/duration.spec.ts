import { millisecondsOf } from '../../api/common/duration.js';

const hour = 3_600_000;

describe('durations', () => {
  it.each([
    ['P2D', 48 * hour],
    ['PT90M', 1.5 * hour],
    ['P1W', 7 * 24 * hour],
    ['P1DT2H3M4S', 26 * hour + 184_000],
    ['PT0S', 0],
  ])('%s', (text, milliseconds) => {
    expect(millisecondsOf(text)).toBe(milliseconds);
  });

  it.each(['', 'P', 'PT', 'P1M', 'P1Y', '2D', 'P2D ', 'P-1D', 'P1.5D', 'P1DT'])('%p is none', (text) => {
    expect(millisecondsOf(text)).toBeNull();
  });
});
