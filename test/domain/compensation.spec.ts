import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { compileCompensation } from '../../domain/compensation.js';
import type { Compensation } from '../../domain/mapping-definition.js';

const columns = ['no', 'amount', 'text', 'reverses'];
const compensation: Compensation = {
  key: { column: 'no', suffix: '-R' },
  negate: ['amount'],
  set: { text: 'reversal' },
  original: 'reverses',
};

describe('the entry that takes another one back', () => {
  const opposite = compileCompensation(compensation, columns);

  it.each([
    ['12.50', '-12.50'],
    ['-12.50', '12.50'],
    ['+3', '-3'],
    ['0.00', '0.00'],
    ['-0', '0'],
    [null, null],
  ])('has %s the other way round: %s', (amount, other) => {
    expect(opposite(['P1', amount, 'paid', null], '57')).toEqual({ row: ['P1-R57', other, 'reversal', 'P1'] });
  });

  it('is none where there is no number to turn', () => {
    expect(opposite(['P1', 'CHF 5', 'paid', null], '57')).toEqual({ impossible: 'amount holds no plain number' });
  });

  it('of the opposite is the amount again, under a key of its own', () => {
    const cents = fc.integer({ min: -999_999, max: 999_999 }).filter((amount) => amount !== 0);
    fc.assert(
      fc.property(cents, (amount) => {
        const text = (amount / 100).toFixed(2);
        const once = opposite(['P1', text, 'paid', null], '57');
        const twice = 'row' in once ? opposite(once.row, '58') : once;
        expect(twice).toEqual({ row: ['P1-R57-R58', text, 'reversal', 'P1-R57'] });
      }),
    );
  });
});
