import fc from 'fast-check';
import { addDays } from '../../domain/calendar.js';
import { SyncError } from '../../domain/errors.js';
import type { CodeTableDefinition } from '../../domain/job-definition.js';
import type { StandardizerStep } from '../../domain/mapping-definition.js';
import type { StepContext } from '../../domain/standardizer-options.js';
import { compileStep, reading, standardizers, stepProblems, stepsFor } from '../../domain/standardizers.js';

const genders: CodeTableDefinition = {
  name: 'gender',
  entries: [
    { concept: 'female', codes: { sis: ['F', 'W'], hr: ['2'] } },
    { concept: 'male', codes: { sis: ['M'], hr: ['1'] }, validTo: '2020-12-31' },
    { concept: 'man', codes: { hr: ['1'] }, validFrom: '2021-01-01' },
  ],
};
const context: StepContext = { codeTables: new Map([['gender', genders]]), system: 'sis', codeTable: null };

const read = (step: StandardizerStep, text: string, system = 'sis'): string =>
  told(compileStep(step, 'read', { ...context, system })(text, reading));
const write = (
  step: StandardizerStep,
  text: string,
  asOf = '2024-01-01',
  own: string | null = null,
  system = 'sis',
): string => told(compileStep(step, 'write', { ...context, system })(text, { asOf, own }));
const told = (result: string | { reason: string }): string =>
  typeof result === 'string' ? result : `! ${result.reason}`;

describe('standardizers of text', () => {
  it.each<[StandardizerStep, string, string]>([
    [{ use: 'trim' }, '\u00a0 a  b \t', 'a  b'],
    [{ use: 'trim', collapse: true }, ' a \u2009 b\tc ', 'a b c'],
    [{ use: 'case', to: 'upper' }, 'straße', 'STRASSE'],
    [{ use: 'case', to: 'lower' }, 'ÀB', 'àb'],
    [{ use: 'case', to: 'title' }, "ANNA-MARIA o'NEIL", "Anna-Maria O'Neil"],
    [{ use: 'nfc' }, 'Zoe\u0308', 'Zo\u00eb'],
    [{ use: 'name' }, '\u2003van\u00a0der  Bérg ', 'van der B\u00e9rg'],
    [{ use: 'name' }, 'McDONALD', 'McDONALD'],
    [{ use: 'email' }, ' Ann.Lee@Example.ORG ', 'Ann.Lee@example.org'],
    [{ use: 'email' }, 'ann.lee.example.org', '! email_invalid'],
    [{ use: 'email' }, 'ann@host', '! email_invalid'],
    [{ use: 'email' }, 'a..b@example.org', '! email_invalid'],
    [{ use: 'email' }, 'a@b@example.org', '! email_invalid'],
    [{ use: 'email' }, '  ', ''],
    [{ use: 'phone' }, '+1 (555) 010-2030', '+15550102030'],
    [{ use: 'phone' }, '030/12-34', '0301234'],
    [{ use: 'phone', country: '+49' }, '030 1234', '+49301234'],
    [{ use: 'phone', country: '+49' }, '0041 44 12', '+414412'],
    [{ use: 'phone' }, '555 0102 ext. 7', '! phone_invalid'],
    [{ use: 'phone' }, '12', '! phone_invalid'],
    [{ use: 'digits' }, '123-45-6789', '123456789'],
    [{ use: 'replace_blank', words: ['N/A', '-'] }, ' n/a ', ''],
    [{ use: 'replace_blank', words: ['N/A', '-'] }, 'N/A!', 'N/A!'],
    [{ use: 'pad', length: 5 }, '42', '00042'],
    [{ use: 'pad', length: 5 }, '', ''],
    [{ use: 'truncate', length: 2 }, 'a\u{1f600}b', 'a\u{1f600}'],
  ])('%j reads %j', (step, text, expected) => {
    expect(read(step, text)).toBe(expected);
  });

  it('is done after once: every text standardizer is idempotent', () => {
    const steps: StandardizerStep[] = [
      { use: 'trim', collapse: true },
      { use: 'case', to: 'lower' },
      { use: 'nfc' },
      { use: 'name' },
      { use: 'email' },
      { use: 'phone' },
      { use: 'digits' },
      { use: 'pad', length: 4 },
      { use: 'truncate', length: 3 },
    ];
    fc.assert(
      fc.property(fc.constantFrom(...steps), fc.string({ unit: 'grapheme' }), (step, text) => {
        const once = read(step, text);
        fc.pre(!once.startsWith('!'));
        expect(read(step, once)).toBe(once);
      }),
    );
  });
});

describe('dates and instants', () => {
  it.each([
    [['DD.MM.YYYY'], '29.02.2024', '2024-02-29'],
    [['DD.MM.YYYY'], '29.02.2023', '! date_invalid'],
    [['DD.MM.YYYY'], '9.2.2024', '! date_invalid'],
    [['D.M.YYYY'], '9.2.2024', '2024-02-09'],
    [['MM/DD/YYYY'], '12/31/1999', '1999-12-31'],
    [['YYYYMMDD'], '20240101', '2024-01-01'],
    [['YYYY-MM-DD', 'DD.MM.YYYY'], '31.12.1999', '1999-12-31'],
    [['YYYY-MM-DD'], '2024-1-1', '! date_invalid'],
    [['YYYY-MM-DD'], '  ', ''],
  ])('reads %j %s', (formats, text, expected) => {
    expect(read({ use: 'date', formats }, text)).toBe(expected);
  });

  it('round trips any day in any declared format', () => {
    const formats = fc.constantFrom('YYYY-MM-DD', 'DD.MM.YYYY', 'MM/DD/YYYY', 'YYYYMMDD', 'D/M/YYYY');
    const dates = fc.integer({ min: 0, max: 3_650_000 }).map((days) => addDays('0001-01-01', days));
    fc.assert(
      fc.property(formats, dates, (format, date) => {
        const step = { use: 'date', formats: [format] };
        expect(read(step, write(step, date))).toBe(date);
      }),
    );
  });

  it.each([
    ['2024-03-01T00:30:00+01:00', '2024-02-29T23:30:00Z'],
    ['2024-03-01 12:00:00.1500+00', '2024-03-01T12:00:00.15Z'],
    ['2024-03-01T25:00:00Z', '! timestamp_invalid'],
    ['2024-03-01T12:00:00', '! timestamp_invalid'],
    ['2023-02-29T12:00:00Z', '! timestamp_invalid'],
  ])('reads the instant %s', (text, expected) => {
    expect(read({ use: 'timestamp' }, text)).toBe(expected);
  });

  it('takes a declared offset where the text has none', () => {
    expect(read({ use: 'timestamp', offset: '-05:00' }, '2024-03-01 20:00')).toBe('2024-03-02T01:00:00Z');
  });

  it('agrees with the platform on any instant', () => {
    fc.assert(
      fc.property(
        fc.date({ noInvalidDate: true, min: new Date('0002-01-01'), max: new Date('9998-01-01') }),
        (date) => {
          expect(Date.parse(read({ use: 'timestamp' }, date.toISOString()))).toBe(date.getTime());
        },
      ),
    );
  });
});

describe('numbers and truth values', () => {
  it.each<[StandardizerStep, string, string]>([
    [{ use: 'decimal' }, ' +007.50 ', '7.5'],
    [{ use: 'decimal' }, '-0.00', '0'],
    [{ use: 'decimal' }, '1,5', '! decimal_invalid'],
    [{ use: 'decimal' }, '1e5', '! decimal_invalid'],
    [{ use: 'decimal', point: ',', group: '.' }, '1.234.567,80', '1234567.8'],
    [{ use: 'decimal', point: ',', group: '.' }, '1.5', '! decimal_invalid'],
    [{ use: 'decimal' }, '123456789012345678901234567890.10', '123456789012345678901234567890.1'],
    [{ use: 'integer' }, '0012', '12'],
    [{ use: 'integer' }, '1.0', '! integer_invalid'],
    [{ use: 'integer', group: ' ' }, '1 200', '1200'],
    [{ use: 'boolean' }, 'Yes', 'true'],
    [{ use: 'boolean' }, 'perhaps', '! boolean_invalid'],
    [{ use: 'boolean', true: ['J'], false: ['N'] }, 'n', 'false'],
    [{ use: 'boolean', true: ['J'], false: ['N'] }, 'yes', '! boolean_invalid'],
  ])('%j reads %j', (step, text, expected) => {
    expect(read(step, text)).toBe(expected);
  });

  it('writes decimals in the form of the target, and reads them back', () => {
    const step = { use: 'decimal', point: ',', group: '.', scale: 2 };
    expect(write(step, '-1234567.8')).toBe('-1.234.567,80');
    expect(write(step, '1.234')).toBe('! decimal_too_long');
    const canonical = fc
      .tuple(fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }), fc.integer({ min: 0, max: 99 }))
      .map(([whole, cents]) => read({ use: 'decimal' }, `${whole}.${String(cents).padStart(2, '0')}`));
    fc.assert(fc.property(canonical, (number) => expect(read(step, write(step, number))).toBe(number)));
  });

  it('writes the declared words for true and false', () => {
    expect(write({ use: 'boolean', true: ['J', 'Ja'], false: ['N'] }, 'true')).toBe('J');
    expect(write({ use: 'boolean' }, 'false')).toBe('false');
    expect(write({ use: 'boolean' }, '')).toBe('');
  });
});

describe('codes', () => {
  const step = { use: 'code', table: 'gender' };

  it('reads a code of the system as its concept; an unknown one is a problem', () => {
    expect(read(step, ' W ')).toBe('female');
    expect(read(step, 'X')).toBe('! code_unknown');
    expect(read(step, '2', 'hr')).toBe('female');
  });

  it('reads a code that changed its meaning as it is meant now', () => {
    expect(read(step, '1', 'hr')).toBe('man');
  });

  it('writes the first code of the system, but keeps its own code of the same concept', () => {
    expect(write(step, 'female')).toBe('F');
    expect(write(step, 'female', '2024-01-01', 'W')).toBe('W');
    expect(write(step, 'female', '2024-01-01', 'M')).toBe('F');
  });

  it('writes only what holds on the date', () => {
    expect(write(step, 'male', '2019-06-01', null, 'hr')).toBe('1');
    expect(write(step, 'male', '2024-01-01', null, 'hr')).toBe('! concept_without_code');
    expect(write(step, 'unheard of')).toBe('! concept_without_code');
  });
});

describe('steps', () => {
  it('never say the value in a problem', () => {
    const marker = 'Zq7';
    const formed: StandardizerStep[] = [
      { use: 'date' },
      { use: 'timestamp' },
      { use: 'decimal' },
      { use: 'integer' },
      { use: 'boolean' },
      { use: 'email' },
      { use: 'phone' },
      { use: 'code', table: 'gender' },
    ];
    for (const step of formed) {
      const result = compileStep(step, 'read', context)(marker, reading);
      expect(result).toMatchObject({ reason: expect.any(String), detail: expect.not.stringContaining(marker) });
    }
  });

  it('leave a blank blank', () => {
    const options: Record<string, Record<string, unknown>> = {
      case: { to: 'upper' },
      replace_blank: { words: ['-'] },
      pad: { length: 3 },
      truncate: { length: 3 },
      code: { table: 'gender' },
    };
    for (const use of standardizers.keys()) {
      const step = { ...options[use], use };
      expect(read(step, '')).toBe('');
      expect(write(step, '')).toBe('');
    }
  });

  it.each<[StandardizerStep, string]>([
    [{ use: 'trimm' }, 'there is no standardizer trimm'],
    [{ use: 'trim', colapse: true }, 'trim has no option colapse'],
    [{ use: 'case' }, 'case needs to'],
    [{ use: 'case', to: 'middle' }, 'to of case must be one of upper, lower, title'],
    [{ use: 'date', formats: ['DD.MM.YY'] }, 'DD.MM.YY is no date format'],
    [{ use: 'decimal', point: ',', group: ',' }, 'point and group must differ'],
    [{ use: 'boolean', true: ['x'], false: ['X'] }, 'means both true and false'],
    [{ use: 'code' }, 'code needs a table'],
    [{ use: 'code', table: 'race' }, 'there is no code table race'],
    [{ use: 'code', table: 'gender', system: 'lms' }, 'has no codes of the system lms'],
    [{ use: 'phone', country: '49' }, 'country of phone'],
    [{ use: 'timestamp', offset: 'CET' }, 'offset of timestamp'],
  ])('say what is wrong with %j', (step, expected) => {
    expect(stepProblems(step, context).join()).toContain(expected);
    expect(() => compileStep(step, 'read', context)).toThrow(SyncError);
  });

  it('are completed by what the type of the attribute demands', () => {
    expect(stepsFor({ name: 'born', type: 'date' }, [{ use: 'trim' }])).toEqual([{ use: 'trim' }, { use: 'date' }]);
    expect(stepsFor({ name: 'count', type: 'decimal' }, [{ use: 'integer' }])).toEqual([{ use: 'integer' }]);
    expect(stepsFor({ name: 'kind', type: 'code' }, [])).toEqual([]);
    expect(stepsFor({ name: 'kind', type: 'code', codeTable: 'gender' }, [])).toEqual([{ use: 'code' }]);
  });
});
