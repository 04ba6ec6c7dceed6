import { jest } from '@jest/globals';
import fc from 'fast-check';
import { FreshRows } from '../../activities/fresh-rows.js';
import { GoldenLine } from '../../activities/golden-line.js';
import { hashOfRow } from '../../activities/projecting.js';
import type { RelationColumn } from '../../connectors/postgresql/relation.js';
import { compileSpelling } from '../../connectors/postgresql/spelling.js';
import { EMPTY, toStated, type Json } from '../../domain/canonical.js';
import type { AttributeDefinition, EntityTypeDefinition, GroupDefinition } from '../../domain/entity-type.js';
import type { TargetMapping } from '../../domain/mapping-definition.js';
import { compileTarget } from '../../domain/projection.js';
import { keyOf, type Cell } from '../../domain/rows.js';
import { spelledRow } from '../../domain/spelling.js';
import { BinaryRows } from '../../platform/copy-binary.js';
import { encodeCopyLine } from '../../platform/copy-text.js';
import { createSetDigest, digitsOf } from '../../platform/hash.js';

const group = (
  name: string,
  attributes: readonly AttributeDefinition[],
  more: Partial<GroupDefinition> = {},
): GroupDefinition => ({ name, attributes, strategy: 'three_way', priority: [], ...more });
const lone = (name: string, type: AttributeDefinition['type']): GroupDefinition => group(name, [{ name, type }]);

const person: EntityTypeDefinition = {
  name: 'person',
  kind: 'mastered',
  subject: 'self',
  groups: [
    lone('number', 'text'),
    lone('name', 'text'),
    lone('born', 'date'),
    lone('paid', 'decimal'),
    lone('active', 'boolean'),
    lone('seen', 'timestamp'),
    group('sex', [{ name: 'sex', type: 'code', codeTable: 'sex' }]),
    group('place "so"', [
      { name: 'city', type: 'text' },
      { name: 'b', type: 'text' },
      { name: 'Ort ä', type: 'text' },
      { name: 'main', type: 'boolean' },
    ]),
    group('period', [
      { name: 'from', type: 'date' },
      { name: 'to', type: 'date' },
    ]),
    group(
      'phones',
      [
        { name: 'kind', type: 'text' },
        { name: 'value', type: 'text' },
      ],
      { multiValued: true },
    ),
    group(
      'job',
      [
        { name: 'title', type: 'text' },
        { name: 'since', type: 'date' },
        { name: 'until', type: 'date' },
      ],
      { validity: { from: 'since', to: 'until' } },
    ),
  ],
};

const copied: TargetMapping['columns'] = [
  { column: 'name', from: 'name', maxLength: 8 },
  { column: 'born', from: 'born' },
  { column: 'active', from: 'active' },
  { column: 'seen', from: 'seen', createOnly: true },
  { column: 'city', from: 'place "so".city' },
  { column: 'town', from: 'place "so".city', maxLength: 8 },
  { column: 'b', from: 'place "so".b' },
  { column: 'ort', from: 'place "so".Ort ä' },
  { column: 'main', from: 'place "so".main' },
  { column: 'owed', from: 'paid' },
];
const written: TargetMapping['columns'] = [
  { column: 'paid', from: 'paid', steps: [{ use: 'decimal', scale: 2 }] },
  { column: 'sex', from: 'sex' },
  { column: 'first', firstOf: ['born', 'place "so".city'] },
  { column: 'always', constant: 'x' },
  { column: 'phone', from: 'phones[kind=home].value' },
  { column: 'phones', from: 'phones.value', separator: ';' },
];
const timed: TargetMapping['columns'] = [{ column: 'job', from: 'job.title' }];

const types: Readonly<Record<string, string>> = {
  number: 'character varying(9)',
  born: 'date',
  active: 'boolean',
  main: 'boolean',
  seen: 'timestamp with time zone',
  paid: 'numeric(8,2)',
  owed: 'numeric(8,2)',
};

const targetOf = (more: Pick<TargetMapping, 'columns'> & Partial<TargetMapping>, root = person) =>
  compileTarget(
    {
      name: 'hall.people',
      system: 'hall',
      entity: 'people',
      target: {
        root: 'person',
        key: [{ column: 'number', from: 'number' }],
        recipientClass: 'internal',
        ...more,
      },
    },
    [root],
    [{ name: 'sex', entries: [{ concept: 'female', codes: { hall: ['F'] } }] }],
  );

const texts = fc.oneof(
  { weight: 40, arbitrary: fc.constantFrom('a', 'Zoë', 'Wiśniewska', '😀', 'Łódź', 'true', 'null', '12.5', ' ') },
  { weight: 1, arbitrary: fc.string({ unit: 'binary' }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('', '"', '\\', '\\N', 'a\tb', '\n', '\u0001', '\ud800', '\u001f', '{"city":"x"}'),
  },
);
const dates = fc.constantFrom('2001-02-03', '2026-11-26', '2026-11-27', '1999-12-31', 'soon');
/** What should not stand there, but may: of an earlier kind of the group. */
const odd: fc.Arbitrary<Json> = fc.constantFrom<Json[]>(
  7,
  [],
  {},
  ['a'],
  { city: ['x'] },
  { city: { a: 'b' } },
  '',
  false,
);
const textObject = fc.record(
  { city: texts, b: texts, 'Ort ä': fc.oneof(texts, fc.constant(null)), main: fc.boolean(), extra: texts },
  { requiredKeys: [] },
);
const byGroup: readonly fc.Arbitrary<Json>[] = [
  fc.oneof(fc.constantFrom('1', '12', 'é7'), texts),
  texts,
  dates,
  fc.constantFrom('1.5', '-3', '0', '100', '2.50', '7', '8', '9', '12.345'),
  fc.boolean(),
  fc.constantFrom('2026-01-01T00:00:01Z', '2026-01-01T00:00:01.5Z', 'never'),
  fc.constantFrom('female', 'male'),
  textObject,
  fc.record({ from: dates, to: dates }, { requiredKeys: [] }),
  fc.array(fc.record({ kind: fc.constantFrom('home', 'work'), value: texts }), { maxLength: 3 }),
  fc.record({ title: texts, since: dates, until: dates }, { requiredKeys: [] }),
];
const stated = (value: fc.Arbitrary<Json>): fc.Arbitrary<string | null> =>
  fc.oneof(
    { weight: 60, arbitrary: value.map(toStated) },
    { weight: 1, arbitrary: odd.map(toStated) },
    { weight: 1, arbitrary: fc.constant(EMPTY) },
    { weight: 1, arbitrary: fc.constant(null) },
  );
const records = fc.array(
  fc.record({
    values: fc.tuple(...byGroup.map(stated)).chain((values): fc.Arbitrary<readonly (string | null)[]> =>
      // Types of records gain and lose groups.
      fc.oneof<fc.WeightedArbitrary<readonly (string | null)[]>[]>(
        { weight: 9, arbitrary: fc.constant(values) },
        { weight: 1, arbitrary: fc.nat(values.length - 1).map((more) => values.slice(0, more + 1)) },
        { weight: 1, arbitrary: fc.constant([...values, '"more"']) },
      ),
    ),
    subject: fc.constantFrom('12', '4294967296', '9223372036854775807', null),
  }),
  { minLength: 1, maxLength: 8 },
);

const asOf = '2026-11-26';

/** Half a pair of surrogates has no UTF-8. */
const asSent = (text: string): string => Buffer.from(text).toString('utf8');

/** What `FreshRows` makes of records, in the simplest words. */
const expectedOf = (
  target: ReturnType<typeof targetOf>,
  spelling: ReturnType<typeof compileSpelling>,
  table: readonly { readonly values: readonly (string | null)[]; readonly subject: string | null }[],
) => {
  const made = { text: '', told: [] as Cell[][], noted: [] as object[] };
  for (const [index, { values, subject }] of table.entries()) {
    const goldenId = String(index + 1);
    const { row, nextDue, problems } = target.project(values, {}, asOf, [null]);
    if (nextDue !== null || problems.length > 0) made.noted.push({ change: null, nextDue, problems, goldenId });
    if (row === null) continue;
    const key = keyOf(target.keyColumns.map((name) => row[target.columns.indexOf(name)] ?? null));
    made.text += encodeCopyLine(row);
    made.told.push([
      goldenId,
      key === null ? null : asSent(key),
      hashOfRow(spelledRow(spelling, row) ?? row),
      hashOfRow(row),
      '3',
      subject,
    ]);
  }
  return made;
};

/** What `FreshRows` told, read by PostgreSQL's documentation of binary COPY. */
const toldOf = (bytes: Buffer): Cell[][] => {
  const rows: Cell[][] = [];
  for (let at = 0; at < bytes.length;) {
    expect(bytes.readInt16BE(at)).toBe(6);
    at += 2;
    const fields: (Buffer | null)[] = [];
    for (let field = 0; field < 6; field += 1) {
      const length = bytes.readInt32BE(at);
      at += 4;
      fields.push(length < 0 ? null : bytes.subarray(at, at + length));
      at += Math.max(0, length);
    }
    const [golden, key, standing, told, version, subject] = fields;
    const uuid = (field: Buffer | null | undefined): Cell =>
      (field?.toString('hex') ?? '').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
    rows.push([
      String(golden?.readBigInt64BE()),
      key?.toString('utf8') ?? null,
      ...[uuid(standing), uuid(told)],
      String(version?.readInt32BE()),
      subject?.readBigInt64BE().toString() ?? null,
    ]);
  }
  return rows;
};

const digestOf = (told: readonly (readonly Cell[])[]): string => {
  const digest = createSetDigest();
  for (const [, , standing] of told) digest.add(digitsOf(standing ?? ''));
  return digest.hex();
};

const withPeriod = { ...person, validity: { from: 'period.from', to: 'period.to' } };

test.each([
  ['all copied', targetOf({ columns: copied }), types],
  [
    'two keys',
    targetOf({
      columns: copied,
      key: [
        { column: 'b', from: 'place "so".b' },
        { column: 'number', from: 'number' },
      ],
    }),
    types,
  ],
  ['some written', targetOf({ columns: [...written, ...copied] }), types],
  [
    'a key that is written',
    targetOf({
      columns: [...copied, { column: 'paid', from: 'paid', steps: [{ use: 'decimal', scale: 2 }] }],
      key: [{ column: 'paid' }, { column: 'city' }],
    }),
    types,
  ],
  ['some for a time', targetOf({ columns: [...copied, ...timed] }), types],
  ['a filter', targetOf({ columns: copied, filter: { field: 'active', equals: 'true' } }), types],
  ['a period', targetOf({ columns: copied, leadDays: 1 }, withPeriod), types],
  [
    'everything at once',
    targetOf({ columns: [...timed, ...copied, ...written], filter: { field: 'sex', is: 'present' } }, withPeriod),
    types,
  ],
  ['types that do not tell', targetOf({ columns: copied }), { ...types, city: 'jsonb' }],
] as const)('copies cells as they are projected and written one by one (%s)', (_, target, columnTypes) => {
  expect(target.copied).not.toBeNull();
  const spelling = compileSpelling(
    target.columns.map((name) => ({ type: (columnTypes as typeof types)[name] ?? 'text' }) as RelationColumn),
  );
  const line = new GoldenLine(person.groups.length);
  let [lines, slow] = [0, 0];
  fc.assert(
    fc.property(records, (table) => {
      const bytes = new BinaryRows();
      const rows = new FreshRows(target, spelling, asOf, { bytes, endRow: () => null });
      const addLine = jest.spyOn(rows, 'addLine');
      const text = Buffer.from(
        table
          .map(({ values, subject }, index) =>
            encodeCopyLine([String(index + 1), '3', subject, values.map((value) => value ?? '\u001e').join('\u001f')]),
          )
          .join(''),
      );
      for (let at = 0; at < text.length;) {
        at = line.read(text, at);
        expect(rows.add(line)).toBeNull();
      }
      lines += table.length;
      slow += addLine.mock.calls.length;
      const expected = expectedOf(target, spelling, table);
      expect(rows.text.take().toString('utf8')).toBe(asSent(expected.text));
      expect(toldOf(bytes.take())).toEqual(expected.told);
      expect(rows.digest.hex()).toBe(digestOf(expected.told));
      expect(rows.noted).toEqual(expected.noted);
    }),
    { numRuns: 400 },
  );
  // Both ways were gone.
  expect(slow).toBeGreaterThan(0);
  expect(slow).toBeLessThan(lines * 0.8);
});
