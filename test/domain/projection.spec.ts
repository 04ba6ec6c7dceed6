import fc from 'fast-check';
import { EMPTY } from '../../domain/canonical.js';
import type { EntityTypeDefinition, GroupDefinition } from '../../domain/entity-type.js';
import type { CodeTableDefinition } from '../../domain/job-definition.js';
import type { MappingDefinition, TargetMapping } from '../../domain/mapping-definition.js';
import { compileTarget } from '../../domain/projection.js';
import { compileStanding, standingOn } from '../../domain/validity.js';

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
const organisation: EntityTypeDefinition = {
  name: 'organisation',
  kind: 'mastered',
  subject: 'none',
  groups: [group('title', [{ name: 'title', type: 'text' }])],
};
const person: EntityTypeDefinition = {
  name: 'person',
  kind: 'mastered',
  subject: 'self',
  groups: [
    group('legal_name', [{ name: 'full', type: 'text' }]),
    group(
      'preferred_name',
      [
        { name: 'full', type: 'text' },
        { name: 'until', type: 'date' },
        { name: 'since', type: 'date' },
      ],
      { validity: { from: 'since', to: 'until' } },
    ),
    group('birth_date', [{ name: 'birth_date', type: 'date' }]),
    group('gender', [{ name: 'gender', type: 'code', codeTable: 'gender' }]),
    group(
      'phones',
      [
        { name: 'kind', type: 'text' },
        { name: 'value', type: 'text' },
      ],
      { multiValued: true },
    ),
  ],
};
const affiliation: EntityTypeDefinition = {
  name: 'affiliation',
  kind: 'reconciled',
  subject: { reference: 'person' },
  groups: [
    group('person', [{ name: 'person', type: 'reference', references: 'person' }]),
    group('role', [
      { name: 'kind', type: 'text' },
      { name: 'organisation', type: 'reference', references: 'organisation' },
    ]),
    group('period', [
      { name: 'from', type: 'date' },
      { name: 'to', type: 'date' },
    ]),
  ],
  validity: { from: 'period.from', to: 'period.to' },
};
const types = [person, affiliation, organisation];
const genders: CodeTableDefinition = {
  name: 'gender',
  entries: [{ concept: 'female', codes: { finance: ['2', 'F'] } }],
};

const target: TargetMapping = {
  root: 'affiliation',
  filter: { field: 'role.kind', equals: 'staff' },
  key: [{ column: 'account', identifier: 'employee', of: 'person' }],
  columns: [
    { column: 'name', firstOf: ['person.preferred_name.full', 'person.legal_name'], maxLength: 12 },
    { column: 'born', from: 'person.birth_date', steps: [{ use: 'date', formats: ['DD.MM.YYYY'] }] },
    { column: 'sex', from: 'person.gender' },
    { column: 'phone', from: 'person.phones[kind=work].value' },
    { column: 'all_phones', from: 'person.phones.value', separator: ' / ' },
    { column: 'unit', from: 'role.organisation.title', createOnly: true },
    { column: 'origin', constant: 'concord' },
  ],
  recipientClass: 'statutory',
  leadDays: 2,
  lagDays: 3,
};
const mapping: MappingDefinition = { name: 'finance.accounts', system: 'finance', entity: 'accounts', target };
const compiled = compileTarget(mapping, types, [genders]);

const root = (from: string | null, to: string | null, kind = 'staff'): (string | null)[] => [
  '"7"',
  `{"kind":"${kind}","organisation":"3"}`,
  `{${[from === null ? '' : `"from":"${from}"`, to === null ? '' : `"to":"${to}"`].filter((text) => text !== '').join(',')}}`,
];
const referenced = {
  person: [
    '"Ann Lee"',
    null,
    '"2004-02-29"',
    '"female"',
    '[{"kind":"home","value":"1"},{"kind":"work","value":"2"}]',
  ] as (string | null)[],
  'role.organisation': ['"Library"'],
};

describe('a projection', () => {
  it('names what it reads', () => {
    expect(compiled.columns).toEqual(['account', 'name', 'born', 'sex', 'phone', 'all_phones', 'unit', 'origin']);
    expect(compiled).toMatchObject({
      keyColumns: ['account'],
      createOnlyColumns: ['unit'],
      root: 'affiliation',
      rootGroups: [0, 1, 2],
    });
    expect(compiled.references).toEqual([
      { path: 'person', parent: '', group: 0, attribute: null, entityType: 'person', groups: [1, 0, 2, 3, 4] },
      {
        path: 'role.organisation',
        parent: '',
        group: 1,
        attribute: 'organisation',
        entityType: 'organisation',
        groups: [0],
      },
    ]);
  });

  it('writes a row in the forms of the target', () => {
    expect(compiled.project(root(null, null), referenced, '2024-05-01', ['E1'])).toEqual({
      row: ['E1', 'Ann Lee', '29.02.2004', '2', '2', '1 / 2', 'Library', 'concord'],
      nextDue: null,
      problems: [],
    });
  });

  it('keeps the own code of the same concept', () => {
    const current = ['E1', null, null, 'F', null, null, null, null];
    expect(compiled.project(root(null, null), referenced, '2024-05-01', ['E1'], current).row?.[3]).toBe('F');
  });

  it('shows the preferred name while it holds, and says when that ends', () => {
    const withPreferred = {
      ...referenced,
      person: referenced.person.with(1, '{"full":"Annie","since":"2024-05-01","until":"2024-05-31"}'),
    };
    const nameOn = (date: string): unknown[] => {
      const { row, nextDue } = compiled.project(root(null, null), withPreferred, date, ['E1']);
      return [row?.[1], nextDue];
    };
    expect(nameOn('2024-04-30')).toEqual(['Ann Lee', '2024-05-01']);
    expect(nameOn('2024-05-31')).toEqual(['Annie', '2024-06-01']);
    expect(nameOn('2024-06-01')).toEqual(['Ann Lee', null]);
  });

  it('stands from its lead to its lag, and says when that changes', () => {
    const standing = (asOf: string): unknown[] => {
      const { row, nextDue } = compiled.project(root('2024-05-10', '2024-05-20'), referenced, asOf, ['E1']);
      return [row !== null, nextDue];
    };
    expect(standing('2024-05-07')).toEqual([false, '2024-05-08']);
    expect(standing('2024-05-08')).toEqual([true, '2024-05-24']);
    expect(standing('2024-05-23')).toEqual([true, '2024-05-24']);
    expect(standing('2024-05-24')).toEqual([false, null]);
  });

  it('leaves out what its filter leaves out', () => {
    expect(compiled.project(root(null, null, 'student'), referenced, '2024-05-01', ['E1'])).toMatchObject({
      row: null,
      problems: [],
    });
  });

  it.each<[string, () => unknown, string]>([
    [
      'too long a value',
      () =>
        compiled.project(
          root(null, null),
          { ...referenced, person: ['"Ann Margaret Lee"', null, null, null, null] },
          '2024-05-01',
          ['E1'],
        ),
      'value_too_long',
    ],
    ['no key', () => compiled.project(root(null, null), referenced, '2024-05-01', [null]), 'key_missing'],
    [
      'a code the target has not',
      () =>
        compiled.project(
          root(null, null),
          { ...referenced, person: [null, null, null, '"other"', null] },
          '2024-05-01',
          ['E1'],
        ),
      'concept_without_code',
    ],
    [
      'a record that is not there',
      () => compiled.project(root(null, null), { ...referenced, person: null }, '2024-05-01', ['E1']),
      'reference_missing',
    ],
    [
      'dates that are none',
      () => compiled.project(root('soon', null), referenced, '2024-05-01', ['E1']),
      'validity_unreadable',
    ],
  ])('is not written, and says so: %s', (_, project, reason) => {
    expect(project()).toMatchObject({ row: null, problems: [{ reason }] });
  });

  it('leaves cells blank where the root refers to nothing', () => {
    const values = ['"7"', '{"kind":"staff"}', null];
    expect(compiled.project(values, { person: referenced.person }, '2024-05-01', ['E1']).row?.[6]).toBeNull();
  });

  it.each<[string, Partial<TargetMapping>, string]>([
    ['an unknown path', { columns: [{ column: 'a', from: 'ghost' }] }, 'ghost'],
    ['a path beyond a text', { columns: [{ column: 'a', from: 'person.legal_name.more' }] }, 'no reference'],
    ['a whole group', { columns: [{ column: 'a', from: 'person.phones' }] }, 'several attributes'],
    ['two origins', { columns: [{ column: 'a', from: 'role.kind', constant: 'x' }] }, 'more than one'],
    ['no origin', { columns: [{ column: 'a' }] }, 'no origin'],
    [
      'a column twice',
      {
        columns: [
          { column: 'a', constant: '1' },
          { column: 'a', constant: '2' },
        ],
      },
      'twice',
    ],
    ['no key', { key: [] }, 'no key'],
    ['an unknown root', { root: 'ghost' }, 'ghost'],
  ])('refuses %s', (_, change, words) => {
    expect(() => compileTarget({ ...mapping, target: { ...target, ...change } }, types, [genders])).toThrow(words);
  });
});

describe('what is read back from a target', () => {
  const both: MappingDefinition = {
    name: 'finance.people',
    system: 'finance',
    entity: 'people',
    source: {
      columns: ['sex', 'id', 'name', 'born', 'note'],
      key: ['id'],
      records: [
        {
          entityType: 'person',
          groups: {
            legal_name: { from: 'name', blank: 'empty' },
            birth_date: { from: 'born', steps: [{ use: 'date', formats: ['DD.MM.YYYY'] }], blank: 'empty' },
            gender: { from: 'sex', blank: 'empty' },
          },
        },
      ],
    },
    target: {
      root: 'person',
      key: [{ column: 'id', source: true }],
      columns: [
        { column: 'name', from: 'legal_name' },
        { column: 'born', from: 'birth_date', steps: [{ use: 'date', formats: ['DD.MM.YYYY'] }] },
        { column: 'sex', from: 'gender' },
      ],
      recipientClass: 'statutory',
    },
  };
  const twoWay = compileTarget(both, types, [genders]);

  it('is what was written: in(out(golden)) = golden for what both parts say', () => {
    const names = fc
      .string({ unit: 'grapheme', minLength: 1 })
      .filter((text) => text.trim() !== '' && !text.includes('\u0000'));
    const values = fc.record({
      name: fc.option(names, { nil: null }),
      born: fc.constantFrom(EMPTY, '"2004-02-29"', '"1999-12-31"'),
      sex: fc.constantFrom(EMPTY, '"female"'),
    });
    fc.assert(
      fc.property(values, ({ name, born, sex }) => {
        const golden = [JSON.stringify(name), null, born, sex, null];
        const { row } = twoWay.project(golden, {}, '2024-01-01', ['P1']);
        const record = twoWay.statedFromTarget(row ?? []);
        expect(record?.values).toEqual(golden);
        const again = twoWay.project(record?.values ?? [], {}, '2024-01-01', ['P1']);
        expect(again.row).toEqual(row);
      }),
    );
  });

  it('keeps the columns that are not written', () => {
    expect(twoWay.toSourceRow(['P1', 'Ann', null, '2'], ['F', 'P1', 'Old', null, 'note'])).toEqual([
      '2',
      'P1',
      'Ann',
      null,
      'note',
    ]);
  });

  it('is nothing where the mapping reads nothing', () => {
    expect(compiled.statedFromTarget(['E1'])).toBeNull();
    expect(compiled.toSourceRow(['E1'])).toBeNull();
  });
});

describe('validity', () => {
  it.each<[string | null, string | null, string, boolean, string | null]>([
    [null, null, '2024-01-01', true, null],
    ['2024-01-02', null, '2024-01-01', false, '2024-01-02'],
    ['2024-01-01', '2024-01-01', '2024-01-01', true, '2024-01-02'],
    [null, '2023-12-31', '2024-01-01', false, null],
    [null, '9999-12-31', '2024-01-01', true, null],
    ['2024-03-01', '2024-02-01', '2024-01-01', false, null],
  ])('from %s to %s on %s', (from, to, asOf, holds, nextChange) => {
    expect(standingOn(from, to, asOf)).toEqual({ holds, nextChange });
  });

  it('of records', () => {
    const standing = compileStanding(affiliation);
    expect(standing(root('2024-01-01', '2024-02-01'), '2024-02-02').holds).toBe(false);
    expect(standing(root('soon', null), '2024-02-02').holds).toBe(false);
    expect(compileStanding(person)([], '2024-02-02').holds).toBe(true);
  });
});
