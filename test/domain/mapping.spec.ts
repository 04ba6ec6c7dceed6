import fc from 'fast-check';
import { fromStated, toStated } from '../../domain/canonical.js';
import { quoted, withReference } from '../../domain/canonical-text.js';
import type { EntityTypeDefinition, GroupDefinition } from '../../domain/entity-type.js';
import type { CodeTableDefinition } from '../../domain/job-definition.js';
import { compileSource, deriveRecord, reorderRow, type StandardizedRow } from '../../domain/mapping.js';
import type { MappingDefinition, SourceMapping } from '../../domain/mapping-definition.js';
import { nameKey } from '../../domain/name-key.js';
import { keySeparator } from '../../domain/rows.js';

const group = (
  name: string,
  attributes: GroupDefinition['attributes'],
  more: Partial<GroupDefinition> = {},
): GroupDefinition => ({
  name,
  attributes,
  strategy: 'three_way',
  priority: [],
  ...more,
});
const lone = (name: string, type: GroupDefinition['attributes'][number]['type'] = 'text', more = {}): GroupDefinition =>
  group(name, [{ name, type, ...more }]);

const person: EntityTypeDefinition = {
  name: 'person',
  kind: 'mastered',
  subject: 'self',
  groups: [
    group('legal_name', [
      { name: 'given', type: 'text' },
      { name: 'family', type: 'text' },
    ]),
    lone('birth_date', 'date'),
    lone('active', 'boolean'),
    lone('gender', 'code', { codeTable: 'gender' }),
    group(
      'phones',
      [
        { name: 'kind', type: 'text' },
        { name: 'value', type: 'text' },
      ],
      { multiValued: true },
    ),
    group('tags', [{ name: 'tag', type: 'text' }], { multiValued: true }),
  ],
  identifiers: [{ scheme: 'ssn', placeholders: ['000000000', 'Unknown'] }],
  corroboration: { name: ['legal_name.given', 'legal_name.family'], birthDate: 'birth_date' },
};
const guardianship: EntityTypeDefinition = {
  name: 'guardianship',
  kind: 'reconciled',
  subject: { reference: 'parties.student' },
  groups: [
    group('parties', [
      { name: 'student', type: 'reference', references: 'person' },
      { name: 'guardian', type: 'reference', references: 'person' },
      { name: 'relation', type: 'text' },
    ]),
    lone('adviser', 'reference', { references: 'person' }),
  ],
  naturalKey: ['parties.student', 'parties.guardian'],
};
const genders: CodeTableDefinition = { name: 'gender', entries: [{ concept: 'female', codes: { sis: ['F'] } }] };

const columns = [
  'id',
  'given',
  'family',
  'born',
  'active',
  'sex',
  'home',
  'mobile',
  'tags',
  'ssn',
  'g_given',
  'g_family',
  'adviser',
  'hold',
  'campus',
];

const source: SourceMapping = {
  columns,
  key: ['id'],
  filter: { not: { field: 'id', equals: 'TOTAL' } },
  scope: { campus: 'campus' },
  records: [
    {
      entityType: 'person',
      groups: {
        legal_name: {
          given: { from: 'given', steps: [{ use: 'name' }] },
          family: { from: 'family', steps: [{ use: 'name' }] },
        },
        birth_date: { from: 'born', steps: [{ use: 'date', formats: ['DD.MM.YYYY'] }], blank: 'empty' },
        active: { from: 'active', steps: [{ use: 'boolean', true: ['J'], false: ['N'] }] },
        gender: { from: 'sex' },
        phones: [
          { kind: { constant: 'home' }, value: { from: 'home', steps: [{ use: 'phone' }] } },
          { kind: { constant: 'mobile' }, value: { from: 'mobile', steps: [{ use: 'phone' }], blank: 'empty' } },
        ],
        tags: { from: 'tags', separator: ';' },
      },
      identifiers: { ssn: { from: 'ssn', steps: [{ use: 'replace_blank', words: ['-'] }] } },
      restrictions: [{ recipientClass: 'directory', when: { not: { field: 'hold', equals: 'N' } } }],
    },
    {
      entityType: 'person',
      subKey: 'guardian',
      when: { field: 'g_family', is: 'present' },
      groups: { legal_name: { given: { from: 'g_given' }, family: { from: 'g_family' } } },
    },
    {
      entityType: 'guardianship',
      subKey: 'link',
      when: { field: 'g_family', is: 'present' },
      groups: { parties: { relation: { constant: 'guardian' } } },
      references: {
        'parties.student': {},
        'parties.guardian': { subKey: 'guardian' },
        adviser: { mapping: 'hr.staff', key: ['adviser'], blank: 'empty' },
      },
    },
  ],
  rules: [
    { name: 'family_required', field: 'family', severity: 'reject', check: 'required' },
    { name: 'home_length', field: 'home', severity: 'blank_and_warn', check: 'length', max: 12 },
    { name: 'given_length', field: 'given', severity: 'warn', check: 'length', min: 2 },
    { name: 'id_unique', field: 'id', severity: 'reject', check: 'unique' },
  ],
};
const mapping: MappingDefinition = { name: 'sis.students', system: 'sis', entity: 'students', source };
const compiled = compileSource(mapping, [person, guardianship], [genders]);

const usual: Record<string, string | null> = {
  id: 'S1',
  given: ' Zoe\u0308 ',
  family: 'van  Dyk',
  born: '29.02.2004',
  active: 'J',
  sex: 'F',
  home: '555 0101',
  mobile: '555 0102',
  tags: 'b; a;;b',
  ssn: ' 12-34 ',
  hold: 'N',
  campus: ' North ',
};
const rowOf = (changes: Record<string, string | null> = {}): (string | null)[] => {
  const cells = { ...usual, ...changes };
  return columns.map((column) => cells[column] ?? null);
};
const standardize = (changes: Record<string, string | null> = {}): StandardizedRow =>
  compiled.standardize(rowOf(changes), '7');
const main = (changes: Record<string, string | null> = {}): (string | null)[] | undefined =>
  standardize(changes).records[0]?.values;

describe('a source row', () => {
  it('becomes canonical values, in the order of the groups', () => {
    const row = standardize();
    expect(row).toMatchObject({ key: 'S1', scope: { campus: 'North' }, filtered: false, rejected: null, problems: [] });
    expect(row.records).toHaveLength(1);
    expect(row.records[0]).toEqual({
      entityType: 'person',
      subKey: '',
      values: [
        '{"family":"van Dyk","given":"Zoë"}',
        '"2004-02-29"',
        'true',
        '"female"',
        '[{"kind":"home","value":"5550101"},{"kind":"mobile","value":"5550102"}]',
        '["a","b"]',
      ],
      identifiers: [{ scheme: 'ssn', value: '12-34' }],
      references: [],
      effectiveAt: null,
      corroboration: { name: 'dyk van zoe', birthDate: '2004-02-29' },
    });
  });

  it('becomes several records with references between them', () => {
    const { records } = standardize({ g_family: 'Lee', adviser: 'E9' });
    expect(records.map(({ entityType, subKey }) => [entityType, subKey])).toEqual([
      ['person', ''],
      ['person', 'guardian'],
      ['guardianship', 'link'],
    ]);
    expect(records[2]?.values).toEqual(['{"relation":"guardian"}', null]);
    expect(records[2]?.references).toEqual([
      { group: 0, attribute: 'student', mapping: 'sis.students', key: 'S1', subKey: '' },
      { group: 0, attribute: 'guardian', mapping: 'sis.students', key: 'S1', subKey: 'guardian' },
      { group: 1, attribute: null, mapping: 'hr.staff', key: 'E9', subKey: '' },
    ]);
  });

  it('says nothing for a blank, or explicitly empty where that is declared', () => {
    expect(main({ born: '', active: ' ', sex: null, home: '', mobile: '', tags: ';' })).toEqual([
      expect.any(String),
      'null',
      null,
      null,
      'null',
      null,
    ]);
    expect(standardize({ g_family: 'Lee' }).records[2]?.values[1]).toBe('null');
  });

  it('says nothing about a group one of whose values cannot be read, and notes why without the value', () => {
    const row = standardize({ born: '31.02.2004', mobile: 'call me', sex: 'Q' });
    expect(row.rejected).toBeNull();
    expect(row.records[0]?.values.slice(1, 5)).toEqual([null, 'true', null, null]);
    expect(row.problems).toEqual([
      { row: '7', key: 'S1', field: 'born', reason: 'date_invalid', detail: 'the calendar has no such day' },
      { row: '7', key: 'S1', field: 'sex', reason: 'code_unknown', detail: 'no such code in table gender' },
      { row: '7', key: 'S1', field: 'mobile', reason: 'phone_invalid', detail: expect.any(String) },
    ]);
  });

  it('applies the severities of rules', () => {
    const warned = standardize({ given: 'Z', home: '1234567890123' });
    expect(warned.problems.map(({ reason }) => reason)).toEqual(['home_length', 'given_length']);
    expect(warned.records[0]?.values[0]).toBe('{"family":"van Dyk","given":"Z"}');
    expect(warned.records[0]?.values[4]).toBeNull();
    const rejected = standardize({ family: ' ' });
    expect(rejected.rejected).toMatchObject({ field: 'family', reason: 'family_required', key: 'S1', row: '7' });
    expect(rejected.records).toEqual([]);
    expect(compiled.setRules).toHaveLength(1);
  });

  it('places its restriction even where it is rejected or not ours', () => {
    const placed = [{ entityType: 'person', subKey: '', recipientClass: 'directory' }];
    expect(standardize({ hold: 'Y' }).restrictions).toEqual(placed);
    expect(standardize({ hold: null }).restrictions).toEqual(placed);
    expect(standardize({ hold: 'Y', family: '' }).restrictions).toEqual(placed);
    expect(standardize({ hold: 'Y', id: 'TOTAL' })).toMatchObject({
      filtered: true,
      records: [],
      restrictions: placed,
    });
    expect(standardize().restrictions).toEqual([]);
  });

  it.each([
    [{ id: null }, 'key_missing'],
    [{ id: '' }, 'key_missing'],
    [{ id: `a${keySeparator}b` }, 'key_invalid'],
    [{ id: 'a\u0000' }, 'key_invalid'],
  ])('is rejected for its key: %j', (changes, reason) => {
    expect(standardize(changes).rejected?.reason).toBe(reason);
  });

  it('is rejected where it has another number of fields', () => {
    expect(compiled.standardize(['S1']).rejected?.reason).toBe('field_count');
  });

  it('leaves out identifiers that mean nothing', () => {
    for (const ssn of ['000000000', 'UNKNOWN ', '-', '', null])
      expect(standardize({ ssn }).records[0]?.identifiers).toEqual([]);
  });

  it('does not state what the database cannot store', () => {
    const row = standardize({ family: 'a\u0000b' });
    expect(row.records[0]?.values[0]).toBeNull();
    expect(row.problems[0]).toMatchObject({ field: 'family', reason: 'character_invalid' });
    expect(quoted('\ud800')).toBeNull();
  });

  it('of a reconciled type needs its natural key', () => {
    const linked: SourceMapping = {
      columns: ['a', 'b'],
      key: ['a'],
      records: [
        {
          entityType: 'guardianship',
          groups: {},
          references: { 'parties.student': {}, 'parties.guardian': { mapping: 'x.y', key: ['b'] } },
        },
      ],
    };
    const { standardize: read } = compileSource({ ...mapping, source: linked }, [person, guardianship], []);
    expect(read(['1', '2']).records[0]?.values).toEqual([null, null]);
    expect(read(['1', '']).rejected?.reason).toBe('natural_key_missing');
  });
});

describe('standardizing', () => {
  const cell = fc.option(fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom(...Object.values(usual))), {
    nil: null,
  });
  const rows = fc.tuple(...columns.map(() => cell));

  it('never throws, gives canonical text, and the same again', () => {
    fc.assert(
      fc.property(rows, (row) => {
        const result = compiled.standardize(row);
        for (const { values } of result.records) {
          for (const value of values) if (value !== null) expect(toStated(fromStated(value))).toBe(value);
        }
        expect(compiled.standardize(row)).toEqual(result);
        expect(deriveRecord(compiled, row, 'person', '')).toEqual(result.records[0] ?? null);
      }),
    );
  });

  it('keeps the texts of what is not trimmed, byte for byte', () => {
    const plain = compileSource(
      {
        ...mapping,
        source: {
          columns: ['k', 'v'],
          key: ['k'],
          records: [{ entityType: 'person', groups: { tags: { from: 'v' } } }],
        },
      },
      [{ name: 'person', kind: 'mastered', subject: 'self', groups: [lone('tags')] }],
      [],
    );
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (text) => {
        const value = plain.standardize(['1', text]).records[0]?.values[0] ?? null;
        fc.pre(value !== null);
        expect(fromStated(value)).toBe(text);
      }),
    );
  });
});

describe('helpers of mappings', () => {
  it('set references once they are resolved', () => {
    expect(withReference(null, null, '12')).toBe('"12"');
    expect(withReference(null, 'student', '12')).toBe('{"student":"12"}');
    expect(withReference('null', 'student', '12')).toBe('{"student":"12"}');
    expect(withReference('{"relation":"x"}', 'guardian', '12')).toBe('{"guardian":"12","relation":"x"}');
  });

  it.each([
    [
      ['Zoë', "O'Neill"],
      ['ONEILL', 'zoe'],
    ],
    [['Jane', 'Doe-Roe'], ['DOE ROE, JANE']],
    [['Łukasz', 'Großmann'], ['lukasz grossmann']],
  ])('compare names whatever their order and spelling: %j and %j', (left, right) => {
    expect(nameKey(left)).toBe(nameKey(right));
  });

  it('find no name in nothing', () => {
    expect(nameKey(['', ' - '])).toBeNull();
  });

  it('bring stored rows into the order of other columns', () => {
    expect(reorderRow(['a', 'b'], ['b', 'c', 'a'])(['1', '2'])).toEqual(['2', null, '1']);
  });

  it.each<[string, Partial<SourceMapping>, string]>([
    ['a column that is not listed', { key: ['nope'] }, 'nope'],
    ['an unknown entity type', { records: [{ entityType: 'ghost', groups: {} }] }, 'ghost'],
    ['an unknown group', { records: [{ entityType: 'person', groups: { ghost: { from: 'id' } } }] }, 'ghost'],
    [
      'an unknown scheme',
      { records: [{ entityType: 'person', groups: {}, identifiers: { x: { from: 'id' } } }] },
      'scheme x',
    ],
    [
      'one field for several attributes',
      { records: [{ entityType: 'person', groups: { legal_name: { from: 'id' } } }] },
      'several',
    ],
    [
      'a list for one value',
      { records: [{ entityType: 'person', groups: { birth_date: [{ from: 'id' }] } }] },
      'one value',
    ],
    [
      'a constant that is no date',
      { records: [{ entityType: 'person', groups: { birth_date: { constant: 'x' } } }] },
      'date',
    ],
  ])('refuse %s', (_, change, words) => {
    const compileIt = (): unknown =>
      compileSource({ ...mapping, source: { ...source, ...change } }, [person, guardianship], [genders]);
    expect(compileIt).toThrow(words);
  });
});
