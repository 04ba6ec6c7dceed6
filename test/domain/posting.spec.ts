import fc from 'fast-check';
import type { AttributeDefinition } from '../../domain/entity-type.js';
import { compileSource } from '../../domain/mapping.js';
import type { MappingDefinition, SourceMapping, TargetMapping } from '../../domain/mapping-definition.js';
import { compilePosting, type Posting } from '../../domain/posting.js';
import { compileTarget } from '../../domain/projection.js';
import { quickDate, quickDecimal, quickNumber, quickScaled, quickTimestamp } from '../../domain/quick-forms.js';
import type { Cell, RawRow } from '../../domain/rows.js';
import { compileSteps, reading } from '../../domain/standardizers.js';
import { paymentOf, purposes } from './payments.js';

const attributes: readonly AttributeDefinition[] = [
  { name: 'number', type: 'text' },
  { name: 'amount', type: 'decimal' },
  { name: 'booked_on', type: 'date' },
  { name: 'entered_at', type: 'timestamp' },
  { name: 'settled', type: 'boolean' },
  { name: 'purpose', type: 'code', codeTable: 'purposes' },
  { name: 'note', type: 'text' },
  { name: 'payer', type: 'text' },
];

const payment = paymentOf(attributes);

const columns = ['no', 'amount', 'booked', 'entered', 'settled', 'purpose', 'note', 'first', 'last'];

const sourceOf = (more: Partial<SourceMapping> = {}): MappingDefinition => ({
  name: 'bursar.payments',
  system: 'bursar',
  entity: 'payments',
  source: {
    columns,
    key: ['no'],
    records: [
      {
        entityType: 'payment',
        groups: {
          number: { from: 'no', steps: [{ use: 'trim' }] },
          amount: { from: 'amount', steps: [{ use: 'decimal' }] },
          booked_on: { from: 'booked' },
          entered_at: { from: 'entered' },
          settled: { from: 'settled' },
          purpose: { from: 'purpose' },
          note: { from: 'note', blank: 'empty' },
          payer: { fromAll: ['first', 'last'] },
        },
      },
    ],
    rules: [
      { name: 'amount_in_range', field: 'amount', check: 'range', min: '-500', max: '1000.50', severity: 'reject' },
      { name: 'booked_given', field: 'booked', check: 'required', severity: 'warn' },
      { name: 'note_short', field: 'note', check: 'length', max: 4, severity: 'blank_and_warn' },
      { name: 'booked_late', field: 'booked', check: 'range', min: '2001-01-01', severity: 'blank_and_warn' },
    ],
    ...more,
  },
});

const targetOf = (more: Partial<TargetMapping> = {}): MappingDefinition => ({
  name: 'archive.entries',
  system: 'archive',
  entity: 'entries',
  target: {
    root: 'payment',
    key: [{ column: 'number', from: 'number' }],
    columns: [
      { column: 'amount', from: 'amount', steps: [{ use: 'decimal', scale: 2 }] },
      { column: 'booked_on', from: 'booked_on', steps: [{ use: 'date', formats: ['DD.MM.YYYY'] }] },
      { column: 'entered_at', from: 'entered_at' },
      { column: 'settled', from: 'settled', steps: [{ use: 'boolean', true: ['J'], false: ['N'] }] },
      { column: 'purpose', from: 'purpose' },
      { column: 'note', firstOf: ['note', 'payer'], maxLength: 3 },
      { column: 'payer', from: 'payer', separator: ', ' },
      { column: 'origin', constant: 'bursar' },
    ],
    recipientClass: 'internal',
    ...more,
  },
});

const asOf = '2026-10-01';

const compiled = (source: MappingDefinition, target: MappingDefinition): ReturnType<typeof compilePosting> =>
  compilePosting(
    compileSource(source, [payment], [purposes]),
    [compileTarget(target, [payment], [purposes])],
    [payment],
    [purposes],
    asOf,
  );

/** What standardizing and projecting, one after the other, make of a row. */
const theLongWay = (source: MappingDefinition, target: MappingDefinition): ((row: RawRow) => Posting) => {
  const read = compileSource(source, [payment], [purposes]);
  const write = compileTarget(target, [payment], [purposes]);
  return (row) => {
    const { key, filtered, rejected, problems, records } = read.standardize(row, '7');
    const [record] = records;
    const projected = record === undefined ? null : write.project(record.values, {}, asOf, [null]);
    return {
      ...{ key, filtered, rejected, problems },
      rows: projected === null ? [] : [projected.row],
      unwritable: projected === null ? [] : [projected.problems[0] ?? null],
    };
  };
};

const odd = fc.constantFrom<Cell>(null, '', ' ', '\u0000', '\ud800', 'a\\b"c', 'é', '🎓', '\t', 'x\u001fy');
const cellOf = (...usual: fc.Arbitrary<string>[]): fc.Arbitrary<Cell> =>
  fc.oneof({ weight: 6, arbitrary: fc.oneof(...usual) }, { weight: 1, arbitrary: odd }, fc.string({ maxLength: 6 }));

const decimalText = fc
  .tuple(
    fc.constantFrom('', '-', '+', ' '),
    fc.nat({ max: 99_999 }),
    fc.constantFrom('', '.', '.0', '.50', '.123', '.000'),
  )
  .map(([sign, whole, fraction]) => `${sign}${String(whole)}${fraction}`);
const dateText = fc.oneof(
  fc
    .date({ min: new Date('1990-01-01'), max: new Date('2030-12-31'), noInvalidDate: true })
    .map((date) => date.toISOString().slice(0, 10)),
  fc.constantFrom('2024-02-29', '2023-02-29', '2020-04-31', '0000-01-01', '2020-13-01', '2020-1-01'),
);
const timestampText = fc
  .tuple(
    dateText,
    fc.constantFrom(' 10:11:12', 'T23:59:59', ' 24:00:00', ' 10:60:00', ''),
    fc.constantFrom('+00', '+02', 'Z', '.500+00', ''),
  )
  .map((parts) => parts.join(''));

const rows: fc.Arbitrary<RawRow> = fc.oneof(
  {
    weight: 20,
    arbitrary: fc.tuple(
      cellOf(fc.constantFrom('P1', ' P2', 'P 3')),
      cellOf(decimalText),
      cellOf(dateText),
      cellOf(timestampText),
      cellOf(fc.constantFrom('t', 'f', 'yes', 'maybe')),
      cellOf(fc.constantFrom('T', 'T1', 'H', 'L', 'Z')),
      cellOf(fc.constantFrom('paid', 'abc', 'much too long')),
      cellOf(fc.constantFrom('Ada', ' Ada ')),
      cellOf(fc.constantFrom('Byron')),
    ),
  },
  fc.array(cellOf(decimalText), { maxLength: 3 }),
);

const sameBothWays = (source: MappingDefinition, target: MappingDefinition): void => {
  const { post } = compiled(source, target);
  const long = theLongWay(source, target);
  fc.assert(
    fc.property(rows, (row) => {
      expect(post(row, '7')).toEqual(long(row));
    }),
    { numRuns: 2_000 },
  );
};

describe('posting', () => {
  it('straight from cells to cells gives what standardizing and projecting give', () => {
    expect(compiled(sourceOf(), targetOf()).straight).toBe(true);
    sameBothWays(sourceOf(), targetOf());
  });

  it('gives the same with a filter on the source', () => {
    const source = sourceOf({ filter: { field: 'purpose', in: ['T', 'H', 'Z'] } });
    expect(compiled(source, targetOf()).straight).toBe(true);
    sameBothWays(source, targetOf());
  });

  it('goes the long way where records are chosen by their values', () => {
    const target = targetOf({ filter: { field: 'purpose', equals: 'tuition' } });
    expect(compiled(sourceOf(), target).straight).toBe(false);
    sameBothWays(sourceOf(), target);
  });

  it('tells apart a row that another target takes', () => {
    const { post } = compilePosting(
      compileSource(sourceOf(), [payment], [purposes]),
      [targetOf(), targetOf({ filter: { field: 'purpose', equals: 'housing' } })].map((target) =>
        compileTarget(target, [payment], [purposes]),
      ),
      [payment],
      [purposes],
      asOf,
    );
    const posted = post(['P1', '5', '2024-01-02', null, 't', 'T', 'abc', 'Ada', 'Byron']);
    expect(posted.rows).toEqual([['P1', '5.00', '02.01.2024', null, 'J', '100', 'abc', 'Ada Byron', 'bursar'], null]);
  });
});

describe('quick forms', () => {
  const context = { codeTables: new Map(), system: '', codeTable: null };
  const read = (use: string): ((text: string) => unknown) => {
    const steps = compileSteps([{ use }], 'read', context);
    return (text) => steps(text, reading);
  };

  it.each([
    ['date', quickDate, dateText],
    ['decimal', quickDecimal, decimalText],
    ['timestamp', quickTimestamp, timestampText],
  ] as const)('%s: the full reading, or nothing', (use, quick, usual) => {
    const full = read(use);
    fc.assert(
      fc.property(fc.oneof(usual, fc.string()), (text) => {
        const found = quick(text);
        if (found !== null) expect(found).toBe(full(text));
      }),
      { numRuns: 2_000 },
    );
  });

  it('numbers are exact, scaled decimals as the full writing has them', () => {
    const write = compileSteps([{ use: 'decimal', scale: 3 }], 'write', context);
    fc.assert(
      fc.property(fc.oneof(decimalText, fc.string()), (text) => {
        const number = quickNumber(text);
        if (number !== null) expect(String(number)).toBe(read('decimal')(text));
        const scaled = quickScaled(text, 3);
        if (scaled !== null) expect(scaled).toBe(write(text, reading));
      }),
      { numRuns: 2_000 },
    );
  });

  it('they are quick for what databases write', () => {
    for (const date of ['2024-02-28', '2024-02-29', '2000-02-29', '2023-04-30', '2023-12-31'])
      expect(quickDate(date)).toBe(date);
    for (const date of ['2023-02-29', '1900-02-29', '2023-04-31', '2023-13-01', '2023-01-32', '2023-01-00'])
      expect(quickDate(date)).toBeNull();
    expect(quickDecimal('-1250.50')).toBe('-1250.5');
    expect(['0', '0.00', '0.50', '-0.50', '-0', '-0.00', '00.5'].map(quickDecimal)).toEqual(
      ['0', '0', '0.5', '-0.5', null, null, null], // what is no zero of its own is left to the full reading
    );
    expect(quickTimestamp('2026-01-01 00:00:05+00')).toBe('2026-01-01T00:00:05Z');
    expect(quickScaled('12.5', 2)).toBe('12.50');
    expect(quickScaled('0.5', 2)).toBe('0.50');
  });
});
