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
  ],
  identifiers: [{ scheme: 'ref', placeholders: ['none'] }],
  corroboration: { name: ['name'], birthDate: 'born' },
};

const columns = ['id', 'name', 'note', 'city', 'county', 'born', 'paid', 'ref', 'campus', 'other'];

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
        },
        identifiers: { ref: { from: 'ref' } },
      },
    ],
    rules: lax ? [] : [{ name: 'noted', field: 'note', check: 'length', max: 3, severity: 'reject' }],
  },
});

const cell = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('a', 'Zoë', 'Wiśniewska', '2001-02-03', '12.50', ' ', '😀', '', 'none') },
  fc.string({ unit: 'binary' }).map((text) => text.replaceAll('\u0000', '')),
  fc.constantFrom('"', '\\', '\\N', 'a\tb', '\n', '\u0001', 'say "x"'),
  fc.constant(null),
);
const rows = fc.array(
  fc.tuple(...columns.map(() => cell)).map((cells): Cell[] => cells),
  { minLength: 1, maxLength: 8 },
);

/** What is staged of a chunk: the text of each statement. */
const staged = (chunk: RawChunk): string[] => chunk.texts().map((text) => text.toString('utf8'));

test.each([
  ['nothing', true],
  ['empty', true],
  ['nothing', false],
] as const)('stages lines of COPY text as it stages their rows (%s, %s)', (blank, lax) => {
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
    { numRuns: 300 },
  );
});
