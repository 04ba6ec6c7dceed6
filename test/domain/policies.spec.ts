import fc from 'fast-check';
import { compilePolicies } from '../../domain/authority.js';
import type { EntityTypeDefinition } from '../../domain/entity-type.js';
import { judge, type ChangeTotal } from '../../domain/guard.js';
import { isAnotherPerson, judgeHit } from '../../domain/identity.js';
import { maySend, type HeldRestriction } from '../../domain/restrictions.js';

describe('authority', () => {
  const affiliation: EntityTypeDefinition = {
    name: 'affiliation',
    kind: 'reconciled',
    subject: 'none',
    groups: [
      { name: 'kind', attributes: [{ name: 'kind', type: 'text' }], strategy: 'three_way', priority: ['sis', 'hr'] },
      {
        name: 'email',
        attributes: [{ name: 'email', type: 'text' }],
        strategy: 'source_priority',
        fallback: 'conflict',
        priority: ['sis'],
        reassertion: 'leave',
        authority: [
          {
            population: { field: 'kind', equals: 'staff' },
            from: '2024-01-01',
            to: '2024-12-31',
            systems: ['hr', 'sis'],
          },
          { population: { field: 'kind', in: ['staff'] }, systems: ['hr'] },
        ],
      },
    ],
  };
  const policies = compilePolicies(affiliation);

  it.each([
    ['staff', '2024-12-31', ['hr', 'sis'], ['hr', 'sis']],
    ['staff', '2025-01-01', ['hr'], ['hr']],
    ['student', '2024-06-01', null, ['sis']],
  ])('of %s on %s', (kind, asOf, authority, priority) => {
    expect(policies([`"${kind}"`, null], asOf)).toEqual([
      {
        strategy: 'three_way',
        fallback: 'source_priority',
        priority: ['sis', 'hr'],
        authority: null,
        reassertion: 'reassert',
      },
      { strategy: 'source_priority', fallback: 'conflict', priority, authority, reassertion: 'leave' },
    ]);
  });
});

describe('guard', () => {
  const missing: ChangeTotal = {
    entityType: 'person',
    mapping: 'hr.employees',
    operation: 'delete',
    count: 212,
    base: 1900,
  };

  it('holds the part that is over a limit, and says so in numbers', () => {
    const held = judge(
      [missing, { ...missing, operation: 'insert', count: 5 }, { ...missing, scope: 'South', count: 3, base: 400 }],
      [{ operation: 'delete', percent: 10 }],
    );
    expect(held).toEqual([
      {
        total: missing,
        limit: { operation: 'delete', percent: 10 },
        kind: 'percent',
        reason: '212 removed records of person from hr.employees, 11.2% of 1900: over the limit of 10%',
      },
    ]);
  });

  it('knows absolute limits, limits of one type, and first loads', () => {
    const limits = [
      { operation: 'insert', entityType: 'person', absolute: 10 },
      { operation: 'insert', percent: 1 },
    ] as const;
    const insert = { operation: 'insert', count: 11, base: 0 } as const;
    expect(judge([{ ...insert, entityType: 'person' }], limits)[0]?.reason).toBe(
      '11 new records of person: over the limit of 10',
    );
    expect(judge([{ ...insert, entityType: 'course' }], limits)).toEqual([]);
    expect(judge([{ ...insert, entityType: 'person', count: 10 }], limits)).toEqual([]);
  });

  it('holds nothing that is within every limit, and never half a part', () => {
    const totals = fc.record({ count: fc.nat(1000), base: fc.nat(1000), percent: fc.integer({ min: 0, max: 100 }) });
    fc.assert(
      fc.property(totals, ({ count, base, percent }) => {
        const held = judge([{ entityType: 'x', operation: 'update', count, base }], [{ operation: 'update', percent }]);
        expect(held).toHaveLength(base > 0 && count / base > percent / 100 + 1e-12 ? 1 : 0);
      }),
    );
  });
});

describe('restrictions', () => {
  const classes = new Set(['directory', 'statutory']);
  const hold: HeldRestriction = {
    subject: 'record',
    recipientClass: 'directory',
    from: '2024-01-01',
    to: '2024-01-31',
  };
  const directory = { class: 'directory', date: '2024-01-15' };

  it.each<[string, readonly HeldRestriction[] | null, typeof directory, string | null]>([
    ['none', [], directory, null],
    ['one that holds', [hold], directory, 'restricted'],
    ['one that holds on its first day', [hold], { ...directory, date: '2024-01-01' }, 'restricted'],
    ['one that holds on its last day', [hold], { ...directory, date: '2024-01-31' }, 'restricted'],
    ['one that is over', [hold], { ...directory, date: '2024-02-01' }, null],
    ['one of another class', [hold], { class: 'statutory', date: '2024-01-15' }, null],
    [
      'one of every class',
      [{ ...hold, recipientClass: '*' }],
      { class: 'statutory', date: '2024-01-15' },
      'restricted',
    ],
    ['an open one', [{ ...hold, from: null, to: null, subject: 'relationship' }], directory, 'restricted'],
    [
      'one of a class nobody knows',
      [{ ...hold, recipientClass: 'dir' }],
      { ...directory, date: '2030-01-01' },
      'unreadable',
    ],
    ['one whose dates are none', [{ ...hold, to: 'soon' }], directory, 'unreadable'],
    ['what could not be read', null, directory, 'unreadable'],
    ['a date that is none', [], { ...directory, date: 'today' }, 'unreadable'],
    ['a recipient nobody knows', [], { class: 'partner', date: '2024-01-15' }, 'class_unknown'],
  ])('%s', (_, restrictions, recipient, because) => {
    expect(maySend(restrictions, recipient, classes)).toEqual(
      because === null ? { allowed: true } : { allowed: false, because },
    );
  });
});

describe('identity', () => {
  const ann = { name: 'ann lee', birthDate: '2004-02-29' };

  it.each([
    [ann, ann, 'link', 'link'],
    [ann, { name: 'ann roe', birthDate: '2004-02-29' }, 'link', 'different'],
    [ann, { name: 'ann lee', birthDate: '2001-01-01' }, 'link', 'different'],
    [ann, { name: 'bob roe', birthDate: '2001-01-01' }, 'question', 'different'],
    [ann, { name: null, birthDate: '2004-02-29' }, 'link', 'question'],
    [ann, { name: null, birthDate: '2001-01-01' }, 'question', 'different'],
    [ann, { name: null, birthDate: null }, 'question', 'different'],
    [ann, { name: 'bob roe', birthDate: null }, 'question', 'different'],
  ])('%j and %j: %s by an identifier, %s by an address', (left, right, own, shared) => {
    expect(judgeHit({}, left, right)).toBe(own);
    expect(judgeHit({}, right, left)).toBe(own);
    expect(judgeHit({ shared: true }, left, right)).toBe(shared);
  });

  it('asks where a known key arrives with another name and another birth date', () => {
    expect(isAnotherPerson(ann, { name: 'bob roe', birthDate: '2001-01-01' })).toBe(true);
    expect(isAnotherPerson(ann, { name: 'ann roe', birthDate: '2004-02-29' })).toBe(false);
    expect(isAnotherPerson(ann, { name: 'bob roe', birthDate: null })).toBe(false);
  });
});
