import fc from 'fast-check';
import {
  isCanonicalDecimal,
  isDateForm,
  isScaledDecimal,
  isTimestampForm,
  isTrimmed,
  type ByteCheck,
} from '../../domain/byte-forms.js';
import { isDate } from '../../domain/calendar.js';
import type { RuleCheck } from '../../domain/rule-definition.js';
import { compileRules } from '../../domain/rules.js';
import { compileSteps, reading } from '../../domain/standardizers.js';

const context = { codeTables: new Map(), system: '', codeTable: null };

/** Asks of a text that lies among others. */
const asked = (check: ByteCheck, text: string): boolean => {
  const [before, bytes] = [Buffer.from('7\t'), Buffer.from(text)];
  return check(Buffer.concat([before, bytes, Buffer.from('\t7')]), before.length, before.length + bytes.length);
};

const decimalText = fc
  .tuple(
    fc.constantFrom('', '', '-', '+'),
    fc.oneof(fc.nat({ max: 2_000 }).map(String), fc.maxSafeNat().map(String), fc.constantFrom('007', '')),
    fc.constantFrom('', '', '.5', '.50', '.05', '.000', '.'),
  )
  .map((parts) => parts.join(''));
const dateText = fc
  .tuple(fc.integer({ min: 1890, max: 2110 }), fc.integer({ min: 0, max: 13 }), fc.integer({ min: 0, max: 32 }))
  .map(([year, month, day]) => [String(year), ...[month, day].map((n) => String(n).padStart(2, '0'))].join('-'));
const timestampText = fc
  .tuple(
    dateText,
    fc.constantFrom(' 10:11:12', ' 00:00:00', ' 23:59:59', ' 24:00:00', ' 10:60:00', 'T10:11:12'),
    fc.constantFrom('+00', '+00', '-00', '+01', 'Z'),
  )
  .map((parts) => parts.join(''));
const text = fc.oneof(
  ...[decimalText, dateText, timestampText, fc.string({ maxLength: 5 })],
  fc.string({ unit: 'grapheme', maxLength: 4 }),
  fc.constantFrom('', ' ', 'CHF', 'EUR', 'CH', 'chf', ' CHF', '2024-02-29', '\u00a0x', 'Zürich'),
);

/** Of all that a check takes, something is true; it takes some of it. */
const holdsWhere = (check: ByteCheck, isTrue: (text: string) => boolean): void => {
  let taken = 0;
  fc.assert(
    fc.property(text, (one) => {
      if (!asked(check, one)) return;
      taken += 1;
      expect([one, isTrue(one)]).toEqual([one, true]);
    }),
    { numRuns: 5_000 },
  );
  expect(taken).toBeGreaterThan(0);
};

const readOf = (use: string): ((text: string) => unknown) => {
  const steps = compileSteps([{ use }], 'read', context);
  return (one) => steps(one, reading);
};

describe('forms of bytes', () => {
  it('a date, a decimal and a trimmed text are what reading makes of them', () => {
    const [date, decimal, trim] = ['date', 'decimal', 'trim'].map(readOf);
    holdsWhere(isDateForm, (one) => date?.(one) === one);
    holdsWhere(isCanonicalDecimal, (one) => decimal?.(one) === one);
    holdsWhere(isTrimmed, (one) => trim?.(one) === one && one !== '');
  });

  it('an instant is read as RFC 3339 with a T and a Z', () => {
    const read = readOf('timestamp');
    holdsWhere(isTimestampForm, (one) => read(one) === `${one.slice(0, 10)}T${one.slice(11, 19)}Z`);
  });

  it('a decimal with the places of the target is written as it was read', () => {
    const read = readOf('decimal');
    const write = compileSteps([{ use: 'decimal', scale: 2 }], 'write', context);
    holdsWhere(isScaledDecimal(2), (one) => write(String(read(one)), reading) === one);
  });

  it('knows every date', () => {
    fc.assert(
      fc.property(dateText, (one) => {
        expect(asked(isDateForm, one)).toBe(isDate(one));
      }),
    );
  });

  it.each<RuleCheck>([
    { check: 'required' },
    { check: 'type', type: 'decimal' },
    { check: 'type', type: 'integer' },
    { check: 'type', type: 'date' },
    { check: 'range', min: '-100', max: '1500.50' },
    { check: 'range', max: '9007199254740' },
    { check: 'range', min: '1999-12-31' },
    { check: 'range', min: '1900-01-01', max: '2024-02-29' },
    { check: 'length', min: 1, max: 4 },
    { check: 'in_set', values: ['CHF', 'EUR'] },
  ])('a rule that bytes keep is kept: %j', (check) => {
    const { rowRules } = compileRules([{ name: 'r', field: 'a', severity: 'reject', ...check }], ['a'], context);
    const [rule] = rowRules;
    if (rule?.kept == null) throw new Error('bytes tell nothing');
    holdsWhere(rule.kept, (one) => rule.broken([one]) === null);
  });
});
