import fc from 'fast-check';
import { addSpelled, howSpelled } from '../../activities/spelled-bytes.js';
import type { RelationColumn } from '../../connectors/postgresql/relation.js';
import { compileSpelling } from '../../connectors/postgresql/spelling.js';
import { GrowingBytes } from '../../platform/growing-bytes.js';

const columnOf = (type: string) => {
  const column = compileSpelling([{ type } as RelationColumn])?.[0];
  if (column === null || column === undefined) throw new Error(`${type} is printed as it is given`);
  return column;
};

/** How a cell is printed by its bytes; null: they do not tell. */
const printed = (type: string, text: string): string | null => {
  const { form } = columnOf(type);
  const cell = Buffer.from(`"${text}"`);
  const [from, to] = [1, cell.length - 1];
  if (form === null) return null;
  const how = howSpelled(form, cell, from, to);
  if (how !== 'other') return how === 'same' ? text : null;
  const json = new GrowingBytes();
  addSpelled(json, form, cell, from, to);
  return JSON.parse(json.take().toString('utf8')) as string;
};

const types = [
  'bigint',
  'boolean',
  'date',
  'numeric',
  'numeric(8,0)',
  'numeric(8,2)',
  'numeric(20,15)',
  'numeric(30,20)',
  'timestamp with time zone',
];
const digits = fc.array(fc.constantFrom('0', '1', '9'), { maxLength: 18 }).map((all) => all.join(''));
const decimals = fc
  .tuple(fc.constantFrom('', '-'), digits, fc.constantFrom('', '.'), digits)
  .map((all) => all.join(''));
const pair = fc.constantFrom('00', '01', '02', '12', '23', '24', '29', '30', '31', '59', '60', 'x1');
const dates = fc.tuple(fc.constantFrom('2024', '2026', '0001', '99'), pair, pair).map((all) => all.join('-'));
const instants = fc
  .tuple(dates, fc.constantFrom('T', ' '), fc.array(pair, { maxLength: 4 }), fc.constantFrom('Z', '+00', '.5Z', ''))
  .map(([date, separator, time, end]) => date + separator + time.join(':') + end);
const words = fc.constantFrom('true', 'false', 't', 'f', 'trua', 'null', '', ' ', 'é');

test('bytes are printed as the same text is, where they tell', () => {
  fc.assert(
    fc.property(fc.constantFrom(...types), fc.oneof(decimals, dates, instants, words), (type, text) => {
      const bytes = printed(type, text);
      if (bytes !== null) expect(bytes).toBe(columnOf(type).spell(text));
    }),
    { numRuns: 5_000 },
  );
});

test.each([
  ['bigint', '12', '12'],
  ['boolean', 'true', 't'],
  ['boolean', 'false', 'f'],
  ['date', '2026-10-01', '2026-10-01'],
  ['numeric(8,2)', '1.5', '1.50'],
  ['numeric(8,2)', '-7', '-7.00'],
  ['numeric(8,2)', '2.50', '2.50'],
  ['timestamp with time zone', '2026-01-01T00:00:01Z', '2026-01-01 00:00:01+00'],
])('what standardizing gives %s is told by its bytes: %s', (type, text, expected) => {
  expect(printed(type, text)).toBe(expected);
});

test.each([
  ['bigint', '1.5'],
  ['numeric(8,2)', '1.505'],
  ['numeric(8,2)', '1.0'],
  ['numeric(30,20)', '1.5'],
  ['date', 'soon'],
  ['timestamp with time zone', '2026-01-01T00:00:01.5Z'],
])('other cells are looked at as texts (%s: %s)', (type, text) => {
  expect(printed(type, text)).toBeNull();
});
