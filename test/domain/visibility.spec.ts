import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { boundRoles, roles } from '../../domain/access.js';
import { judgeConfiguration } from '../../domain/configuration.js';
import type { EntityTypeDefinition } from '../../domain/entity-type.js';
import { columnSensitivities, dots, rowInSight } from '../../domain/masks.js';
import type { MappingDefinition } from '../../domain/mapping-definition.js';
import { nameKey } from '../../domain/name-key.js';
import { compileSearch, searchWords, spellingsOf, wordsOf } from '../../domain/search.js';
import { planLift } from '../../domain/settlement.js';
import type { GroupPolicy } from '../../domain/strategy.js';

/* Who sees what, by what records are found, and what remains when an override ends. */

const text = (name: string, sensitivity?: 'open' | 'sensitive'): EntityTypeDefinition['groups'][number] => ({
  name,
  attributes: [{ name, type: 'text' }],
  strategy: 'three_way',
  priority: ['sis'],
  ...(sensitivity === undefined ? {} : { sensitivity }),
});
const person: EntityTypeDefinition = {
  name: 'person',
  kind: 'mastered',
  subject: 'self',
  groups: [
    {
      ...text('name'),
      attributes: [
        { name: 'given', type: 'text' },
        { name: 'family', type: 'text' },
      ],
    },
    text('campus', 'open'),
    text('birth_place', 'sensitive'),
  ],
  identifiers: [{ scheme: 'national_id', sensitivity: 'sensitive' }, { scheme: 'number' }],
  corroboration: { name: ['name.given', 'name.family'] },
};
const organisation: EntityTypeDefinition = {
  ...{ name: 'organisation', kind: 'mastered', subject: 'none' },
  groups: [text('code'), text('parent')],
};
const affiliation: EntityTypeDefinition = {
  ...{ name: 'affiliation', kind: 'reconciled', subject: { reference: 'person' }, naturalKey: ['person', 'campus'] },
  groups: [
    { ...text('person'), attributes: [{ name: 'person', type: 'reference', references: 'person' }] },
    { ...text('organisation'), attributes: [{ name: 'organisation', type: 'reference', references: 'organisation' }] },
    text('campus'),
  ],
};
const mapping: MappingDefinition = {
  name: 'sis.people',
  system: 'sis',
  entity: 'people',
  source: {
    columns: ['id', 'given', 'family', 'campus', 'place', 'nid', 'note'],
    key: ['id'],
    records: [
      {
        entityType: 'person',
        groups: {
          name: { given: { from: 'given' }, family: { fromAll: ['family', 'place'] } },
          campus: { from: 'campus' },
          birth_place: { from: 'place' },
        },
        identifiers: { national_id: { from: 'nid' }, number: { from: 'id' } },
      },
    ],
  },
};

const visibility = {
  organisation: 'organisation',
  code: 'code',
  parent: 'parent',
  through: ['affiliation.organisation'],
};
const judged = (over: object, types: readonly EntityTypeDefinition[] = [person, organisation, affiliation]): string[] =>
  judgeConfiguration({
    institution: {
      ...{ code: 'x', name: 'X', timeZone: 'UTC', recipientClasses: ['desk'] },
      visibility: { ...visibility, ...over },
    },
    systems: [{ name: 'sis', kind: 'csv', settings: {} }],
    entityTypes: types,
  }).problems.map(({ path, reason }) => `${path}: ${reason}`);

describe('visibility', () => {
  test('names a type of organisations, its codes, and references that lead there from records about a person', () => {
    expect(judged({ readers: { secretary: 'desk' } })).toEqual([]);
    expect(judged({ organisation: 'school' })).toEqual([
      '/institution/visibility/organisation: there is no entity type school',
    ]);
    expect(judged({ organisation: 'person' })[0]).toContain("person is somebody's data");
    expect(judged({ code: 'key' })).toEqual(['/institution/visibility/code: organisation has no group key']);
    expect(judged({ through: ['affiliation.person', 'affiliation', 'person.campus'] })).toHaveLength(3);
    expect(judged({ readers: { rector: 'desk', secretary: 'press' } })).toHaveLength(2);
  });

  test('only roles that answer for a part of the institution are bound', () => {
    expect(boundRoles).toEqual(['secretary']);
    expect(roles.length).toBeGreaterThan(boundRoles.length);
  });
});

describe('rows in sight', () => {
  test('a column is as sensitive as the most sensitive value that is made of it', () => {
    expect(Object.fromEntries(columnSensitivities(mapping, [person]))).toEqual({
      ...{ id: 'personal', given: 'personal', family: 'personal', campus: 'open', place: 'sensitive' },
      ...{ nid: 'sensitive', note: 'personal' },
    });
  });

  test('a role sees no cell that is masked for it, and no row that is not one of the mapping', () => {
    const row = ['1', 'Ada', 'Lin', 'N', 'Bern', 'id-1', null];
    expect(rowInSight('steward', mapping, [person], row)).toEqual(row);
    expect(rowInSight('secretary', mapping, [person], row)).toEqual(['1', 'Ada', 'Lin', 'N', dots, dots, null]);
    expect(rowInSight('auditor', mapping, [person], row)).toBeNull();
    expect(rowInSight('secretary', mapping, [person], row.slice(1))).toBeNull();
    expect(rowInSight('secretary', undefined, [person], row)).toBeNull();
  });
});

describe('search', () => {
  test('words are without case, accents, apostrophes and order', () => {
    expect(searchWords(["O'Brien, Zoë", 'zoe  ÅNGSTRÖM'])).toEqual(['obrien', 'zoe', 'angstrom']);
    expect(wordsOf(compileSearch(person), ['{"family":"Lin","given":"Mei"}', null, null])).toEqual(['mei', 'lin']);
    expect(searchWords(['x'.repeat(300)])[0]).toHaveLength(100);
  });

  test('are the words of the key by which names are compared', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' })), (parts) => {
        const key = nameKey(parts);
        const words = key === null ? [] : [...new Set(key.split(' '))];
        expect([...searchWords(parts)].sort()).toEqual(
          [...new Set(words.map((word) => Array.from(word).slice(0, 100).join('')))].sort(),
        );
      }),
    );
  });

  test('identifiers are looked for as typed, without white space, in either case', () => {
    expect(spellingsOf(' ab 12 ')).toEqual(['ab 12', 'AB 12', 'ab12', 'AB12']);
    expect(spellingsOf('  ')).toEqual([]);
  });
});

describe('lifting an override', () => {
  const policy: GroupPolicy = {
    ...{ strategy: 'three_way', fallback: 'source_priority', priority: ['hr', 'sis'], authority: null },
    reassertion: 'reassert',
  };
  const party = (system: string, value: string | null, state: 'live' | 'echo' | 'overruled', target = false) => ({
    ...{ image: system, system, target },
    stored: { value, state, settled: 3 },
  });

  test('the best ranked of what systems say themselves stands; a target that says otherwise is told again', () => {
    const parties = [
      party('sis', '"s"', 'overruled', true),
      party('hr', '"h"', 'overruled'),
      party('web', '"o"', 'echo', true),
    ];
    expect(planLift(parties, '"o"', policy)).toEqual({
      golden: { value: '"h"', origin: 'hr', sticky: false },
      statements: [
        { image: 'hr', value: '"h"', state: 'live', settle: 'now' },
        { image: 'sis', value: '"s"', state: 'live', settle: 'never' },
      ],
    });
    const only = { ...policy, authority: ['sis'] };
    expect(planLift(parties, '"o"', only).golden).toEqual({ value: '"s"', origin: 'sis', sticky: false });
  });

  test('where nobody says anything themselves, what stands stays', () => {
    const parties = [party('web', '"o"', 'echo', true), party('sis', null, 'live')];
    expect(planLift(parties, '"o"', policy)).toEqual({
      golden: { value: '"o"', origin: null, sticky: false },
      statements: [],
    });
  });

  test('of a union all elements stand', () => {
    const parties = [party('sis', '["a"]', 'overruled'), party('hr', '["b"]', 'overruled')];
    expect(planLift(parties, '["c"]', { ...policy, strategy: 'set_union' }).golden.value).toBe('["a","b"]');
  });
});
