import fc from 'fast-check';
import type { InstitutionContext, MappingRef } from '../../activities/context.js';
import { RawChunk } from '../../activities/raw-chunk.js';
import type { EntityTypeDefinition } from '../../domain/entity-type.js';
import type { MappingDefinition } from '../../domain/mapping-definition.js';
import { compileSource } from '../../domain/mapping.js';
import type { Cell } from '../../domain/rows.js';
import { decodeCopyLine, encodeCopyLine } from '../../platform/copy-text.js';

const group = (name: string, ...attributes: EntityTypeDefinition['groups'][number]['attributes'][number][]) => ({
  name,
  attributes,
  strategy: 'three_way' as const,
  priority: [],
});

const person: EntityTypeDefinition = {
  name: 'person',
  kind: 'mastered',
  subject: 'self',
  groups: [
    group('name', { name: 'name', type: 'text' }),
    group('note', { name: 'note', type: 'text' }),
    group('told "so"', { name: 'city', type: 'text' }, { name: 'a "b"', type: 'text' }),
    group('born', { name: 'born', type: 'date' }),
    group('place', { name: 'city', type: 'text' }, { name: 'paid', type: 'decimal' }),
    group('unsaid', { name: 'unsaid', type: 'text' }),
    group('owed', { name: 'owed', type: 'decimal' }),
    group('seen', { name: 'seen', type: 'timestamp' }),
    group('stay', { name: 'until', type: 'date' }, { name: 'active', type: 'boolean' }),
  ],
  identifiers: [{ scheme: 'ref', placeholders: ['none'] }],
  corroboration: { name: ['name'], birthDate: 'born' },
};

const columns = [
  'id',
  'name',
  'note',
  'city',
  'county',
  'born',
  'paid',
  'ref',
  'campus',
  'other',
  'owed',
  'seen',
  'until',
  'active',
];

const mapping = (blank: 'nothing' | 'empty', lax: boolean): MappingDefinition => ({
  name: 'sis.people',
  system: 'sis',
  entity: 'people',
  source: {
    columns,
    key: ['id'],
    scope: { campus: 'campus' },
    records: [
      {
        entityType: 'person',
        groups: {
          name: { from: 'name' },
          note: { from: 'note', blank },
          'told "so"': { city: { from: 'county' }, 'a "b"': { from: 'note', blank } },
          born: { from: 'born' },
          unsaid: { from: 'other' },
          place: { city: { from: 'city' }, paid: { from: 'paid' } },
          owed: { from: 'owed', blank },
          seen: { from: 'seen', steps: [{ use: 'timestamp' }] },
          stay: { until: { from: 'until' }, active: { from: 'active' } },
        },
        identifiers: { ref: { from: 'ref' } },
      },
    ],
    rules: lax
      ? []
      : [
          { name: 'noted', field: 'note', check: 'length', max: 3, severity: 'reject' },
          { name: 'owes', field: 'owed', check: 'range', min: '-5', max: '1000', severity: 'blank_and_warn' },
          { name: 'until_given', field: 'until', check: 'required', severity: 'warn' },
          { name: 'known', field: 'other', check: 'in_set', values: ['a', 'Zoë', 'none'], severity: 'blank_and_warn' },
        ],
  },
});

const cell = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('a', 'Zoë', 'Wiśniewska', '2001-02-03', '12.50', ' ', '😀', '', 'none') },
  fc.string({ unit: 'binary' }).map((text) => text.replaceAll('\u0000', '')),
  fc.constantFrom('"', '\\', '\\N', 'a\tb', '\n', '\u0001', 'say "x"'),
  fc.constant(null),
);
const usual: Readonly<Record<string, fc.Arbitrary<Cell>>> = {
  owed: fc.constantFrom('1', '12.50', '10', '100.00', '-20.10', '-0.5', '0', '900000', '01', '7e3', null),
  seen: fc.constantFrom('2026-01-01 00:00:01+00', '2026-02-30 00:00:01+00', '2026-01-01 00:00:01.5+00', '', null),
  until: fc.constantFrom('2024-02-29', '2023-02-29', '1.2.2003', '', null),
  active: fc.constantFrom('t', 'f', 'true', 'NO', '2', '', null),
};
const rows = fc.array(
  fc
    .tuple(...columns.map((column) => fc.oneof({ weight: 3, arbitrary: usual[column] ?? cell }, cell)))
    .map((cells): Cell[] => cells),
  { minLength: 1, maxLength: 8 },
);

/** What is staged of a chunk: the text of each statement. */
const staged = (chunk: RawChunk): string[] => chunk.texts().map((text) => text.toString('latin1'));

test.each([
  ['nothing', true, false],
  ['empty', true, true],
  ['nothing', false, true],
] as const)('stages lines of COPY text as it stages their rows (%s, %s, %s)', (blank, lax, once) => {
  const definition = mapping(blank, lax);
  const source = compileSource(definition, [person], []);
  expect(source.copied?.columns.some((copied) => copied)).toBe(true);
  const context = { entityTypeNamed: () => ({ id: 7, definition: person }) } as unknown as InstitutionContext;
  const site = {
    run: { runId: '1' },
    context,
    mapping: { id: 3, definition } as unknown as MappingRef,
    source,
    partition: 0,
    atOnce: true,
    once,
  } as unknown as ConstructorParameters<typeof RawChunk>[0];
  fc.assert(
    fc.property(rows, (table) => {
      const [byRow, byText] = [new RawChunk(site), new RawChunk(site)];
      const lines = table.map(encodeCopyLine);
      for (const line of lines) byRow.add(decodeCopyLine(line.slice(0, -1)));
      byText.addText(Buffer.from(lines.join('')));
      expect(byText.rows).toBe(byRow.rows);
      expect(staged(byText)).toEqual(staged(byRow));
    }),
    { numRuns: 600 },
  );
});
