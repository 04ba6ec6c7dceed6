import fc from 'fast-check';
import { compareDecimals } from '../../domain/decimals.js';
import { compilePattern, patternProblem } from '../../domain/patterns.js';
import { SyncError } from '../../domain/errors.js';
import type { RuleCheck } from '../../domain/rule-definition.js';
import { compileRules, ruleProblems } from '../../domain/rules.js';
import type { StepContext } from '../../domain/standardizer-options.js';

const context: StepContext = {
  codeTables: new Map([['status', { name: 'status', entries: [{ concept: 'active', codes: { sis: ['A'] } }] }]]),
  system: 'sis',
  codeTable: null,
};

const broken = (check: RuleCheck, value: string | null): boolean => {
  const { rowRules } = compileRules([{ name: 'rule', field: 'b', severity: 'warn', ...check }], ['a', 'b'], context);
  return rowRules[0]?.broken([null, value]) !== null;
};

describe('rules', () => {
  it.each<[RuleCheck, string | null, boolean]>([
    [{ check: 'required' }, null, true],
    [{ check: 'required' }, ' ', true],
    [{ check: 'required' }, '0', false],
    [{ check: 'type', type: 'integer' }, '12', false],
    [{ check: 'type', type: 'integer' }, '12.5', true],
    [{ check: 'type', type: 'decimal' }, '12.5', false],
    [{ check: 'type', type: 'date' }, '2023-02-29', true],
    [{ check: 'type', type: 'date', formats: ['DD.MM.YYYY'] }, '29.02.2024', false],
    [{ check: 'type', type: 'boolean' }, 'maybe', true],
    [{ check: 'type', type: 'email' }, 'a@example.org', false],
    [{ check: 'type', type: 'email' }, 'a@', true],
    [{ check: 'range', min: '0', max: '100' }, '100.0', false],
    [{ check: 'range', min: '0', max: '100' }, '100.01', true],
    [{ check: 'range', min: '0' }, '9', false],
    [{ check: 'range', min: '10' }, '9', true],
    [{ check: 'range', min: '0' }, 'many', true],
    [{ check: 'range', min: '1900-01-01' }, '1899-12-31', true],
    [{ check: 'range', min: '1900-01-01', max: '2030-01-01' }, '2024-02-29', false],
    [{ check: 'length', min: 2, max: 3 }, 'abc', false],
    [{ check: 'length', min: 2, max: 3 }, 'abcd', true],
    [{ check: 'length', max: 1 }, '\u{1f600}', false],
    [{ check: 'length', min: 2 }, '\u{1f600}', true],
    [{ check: 'pattern', pattern: 'S\\d{3}' }, 'S123', false],
    [{ check: 'pattern', pattern: 'S\\d{3}' }, 'xS123', true],
    [{ check: 'in_set', values: ['a', 'b'] }, 'b', false],
    [{ check: 'in_set', values: ['a', 'b'] }, 'c', true],
    [{ check: 'in_set', codeTable: 'status' }, 'A', false],
    [{ check: 'in_set', codeTable: 'status' }, 'active', true],
    [{ check: 'range', min: '0' }, null, false],
    [{ check: 'in_set', values: ['a'] }, '', false],
  ])('%j on %j: broken %s', (check, value, expected) => {
    expect(broken(check, value)).toBe(expected);
  });

  it('hands rules over many rows to the caller', () => {
    const { rowRules, setRules } = compileRules(
      [
        { name: 'one', field: 'a', severity: 'reject', check: 'unique' },
        { name: 'two', field: 'b', severity: 'warn', check: 'reference_exists', mapping: 'sis.schools' },
      ],
      ['a', 'b'],
      context,
    );
    expect(rowRules).toEqual([]);
    expect(setRules).toEqual([
      { name: 'one', field: 'a', column: 0, severity: 'reject', check: 'unique', mapping: null },
      { name: 'two', field: 'b', column: 1, severity: 'warn', check: 'reference_exists', mapping: 'sis.schools' },
    ]);
  });

  it.each<[RuleCheck, string]>([
    [{ check: 'range' }, 'range needs min or max'],
    [{ check: 'range', min: 'low' }, 'neither a number nor a date'],
    [{ check: 'range', min: '2020-01-01', max: '5' }, 'neither a number nor a date'],
    [{ check: 'length' }, 'length needs min or max'],
    [{ check: 'in_set', codeTable: 'nope' }, 'there is no code table nope'],
    [{ check: 'in_set' }, 'in_set needs values'],
    [{ check: 'pattern', pattern: '(a+)+' }, 'repeated part'],
    [{ check: 'pattern', pattern: '(' }, 'pattern of rule'],
  ])('says what is wrong with %j', (check, expected) => {
    const problems = ruleProblems({ name: 'rule', field: 'a', severity: 'warn', ...check }, ['a'], context);
    expect(problems.join()).toContain(expected);
  });

  it('refuses a column that is not there', () => {
    expect(() =>
      compileRules([{ name: 'r', field: 'z', severity: 'warn', check: 'required' }], ['a'], context),
    ).toThrow(SyncError);
  });
});

describe('patterns', () => {
  it.each([
    '(a+)+$',
    '(a*)*',
    '([a-z]+)*x',
    '(a|a)*',
    '(a|ab)*c',
    '(\\d|\\w)+',
    '(?:x+x+)+y',
    '(.*a){20}',
    '\\d+\\d+x',
    '.*.*=',
    '(?=a)b',
    '(?<!a)b',
    '(a)\\1',
    '((ab)*)*',
    'a*(a)*b',
    '(a*|b)(a*|b)c',
    'a*(b)?a*c',
    'a*(b|a*)c',
    '(a?b?)*c',
    'a'.repeat(501),
    '[',
  ])('%s is refused', (pattern) => {
    expect(patternProblem(pattern)).not.toBeNull();
  });

  it.each([
    'S\\d{6}',
    '[^@\\s]+@[^@\\s]+',
    '\\d{3}-\\d{2}-\\d{4}',
    '(?:\\d{4}){3}',
    '(foo|bar)+',
    '[A-Z]{2}\\d*',
    '(\\+\\d{1,3})?\\d{4,12}',
    '\\p{L}+(?: \\p{L}+){0,3}',
    '(?:red|green|blue)',
    '\\d+\\.\\d+',
    '[A-Z]+( [A-Z]+)*',
    '[a-z]+(-[a-z]+)*=\\d+',
  ])('%s is accepted', (pattern) => {
    expect(patternProblem(pattern)).toBeNull();
  });

  it('does not match texts beyond the bound', () => {
    expect(compilePattern('a*')('a'.repeat(1_001))).toBe(false);
  });

  it('what is accepted answers at once, whatever the text', () => {
    const atoms = fc.constantFrom('a', 'b', '.', '\\d', '[ab]', '(?:a|b)', '(a|ab)', '(?:a+)', '(b*)');
    const signs = fc.constantFrom('', '*', '+', '?', '{2}', '{1,30}');
    const patterns = fc
      .array(fc.tuple(atoms, signs), { minLength: 1, maxLength: 6 })
      .map((parts) => parts.flat().join(''));
    const texts = fc.constantFrom('a'.repeat(300), 'ab'.repeat(150), 'b'.repeat(299) + '!', 'a'.repeat(299) + '!');
    fc.assert(
      fc.property(patterns, texts, (pattern, text) => {
        fc.pre(patternProblem(pattern) === null);
        const begun = performance.now();
        compilePattern(pattern)(text);
        expect(performance.now() - begun).toBeLessThan(1_000);
      }),
    );
  });
});

describe('decimals', () => {
  it('compare as numbers do, exactly', () => {
    const whole = fc.bigInt({ min: -(10n ** 25n), max: 10n ** 25n });
    fc.assert(
      fc.property(whole, whole, (left, right) => {
        expect(Math.sign(compareDecimals(String(left), String(right)))).toBe(left < right ? -1 : left > right ? 1 : 0);
      }),
    );
    expect(compareDecimals('1.25', '1.3')).toBeLessThan(0);
    expect(compareDecimals('-1.25', '-1.3')).toBeGreaterThan(0);
    expect(compareDecimals('1', '1.1')).toBeLessThan(0);
  });
});
