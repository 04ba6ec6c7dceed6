import { copiedColumn } from '../../domain/copied-columns.js';
import type { EntityTypeDefinition, GroupDefinition } from '../../domain/entity-type.js';
import type { TargetColumn } from '../../domain/mapping-definition.js';

const group = (
  name: string,
  attributes: GroupDefinition['attributes'],
  more: Partial<GroupDefinition> = {},
): GroupDefinition => ({ name, attributes, strategy: 'three_way', priority: [], ...more });

const affiliation: EntityTypeDefinition = {
  name: 'affiliation',
  kind: 'mastered',
  subject: 'none',
  groups: [
    group('person', [{ name: 'person', type: 'reference', references: 'person' }]),
    group('title', [{ name: 'text', type: 'text' }]),
    group('status', [{ name: 'status', type: 'code', codeTable: 'status' }]),
    group('rank', [{ name: 'rank', type: 'code' }]),
    group('place', [
      { name: 'city', type: 'text' },
      { name: 'main', type: 'boolean' },
    ]),
    group('phones', [{ name: 'phone', type: 'text' }], { multiValued: true }),
    group(
      'role',
      [
        { name: 'name', type: 'text' },
        { name: 'from', type: 'date' },
        { name: 'to', type: 'date' },
      ],
      { validity: { from: 'from', to: 'to' } },
    ),
  ],
};

describe('a column is copied', () => {
  it.each<[string, Partial<TargetColumn>, object]>([
    ['a lone attribute', { from: 'title' }, { group: 1, member: null, maxLength: null }],
    ['a lone attribute with a limit', { from: 'title', maxLength: 9 }, { group: 1, member: null, maxLength: 9 }],
    ['a reference as such', { from: 'person' }, { group: 0, member: null, maxLength: null }],
    ['a code without a table', { from: 'rank', createOnly: true }, { group: 3, member: null, maxLength: null }],
    ['one of several attributes', { from: 'place.main' }, { group: 4, member: 'main', maxLength: null }],
  ])('where it says %s', (_, column, copied) => {
    expect(copiedColumn({ column: 'c', ...column }, affiliation)).toEqual(copied);
  });

  it.each<[string, Partial<TargetColumn>]>([
    ['a key that others fill', {}],
    ['a constant', { constant: 'x' }],
    ['the first of several', { firstOf: ['title', 'rank'] }],
    ['what steps make of it', { from: 'title', steps: [{ use: 'upper' }] }],
    ['elements, joined', { from: 'phones', separator: ',' }],
    ['the first of elements', { from: 'phones' }],
    ['a concept of a code table', { from: 'status' }],
    ['what holds for a time', { from: 'role.name' }],
    ['another record', { from: 'person.name' }],
    ['a group as a whole', { from: 'place' }],
  ])('but not where it says %s', (_, column) => {
    expect(copiedColumn({ column: 'c', ...column }, affiliation)).toBeNull();
  });
});
