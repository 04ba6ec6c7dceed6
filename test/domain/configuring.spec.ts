import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { statisticsOf } from '../../domain/column-statistics.js';
import { changesBetween, mergeConfiguration } from '../../domain/configuration-changes.js';
import { dependentsOf } from '../../domain/configuration-dependents.js';
import { differences, isSame } from '../../domain/differences.js';
import type { Configuration } from '../../domain/job-definition.js';
import { columnsByAttribute, proposeMapping, similarity } from '../../domain/mapping-proposal.js';
import { describeSchedule, frozenOn, nextFireTimes } from '../../domain/schedule-times.js';
import { readSampleConfiguration } from '../samples/configuration.js';

describe('what changes between two configurations', () => {
  test('of a configuration and itself, or of itself merged into itself: nothing', async () => {
    const sample = await readSampleConfiguration('lakeside');
    expect(changesBetween(sample, sample)).toEqual([]);
    for (const prune of [true, false]) {
      const { document } = mergeConfiguration(sample, sample, prune);
      expect(changesBetween(sample, document as Configuration)).toEqual([]);
    }
  });

  test('what is not given stays, or goes; pointers lead back to what was given', async () => {
    const sample = await readSampleConfiguration('lakeside');
    const job = { name: 'new', sources: ['sis.students'], targets: [] };
    const kept = mergeConfiguration(sample, { jobs: [job] }, false);
    expect(changesBetween(sample, kept.document as Configuration)).toEqual([
      { kind: 'job', name: 'new', action: 'create', differences: [] },
    ]);
    const at = sample.jobs.length;
    expect(kept.origin(`/jobs/${at}/sources/0`)).toBe('/jobs/0/sources/0');
    expect(kept.origin('/jobs/0/sources/0')).toBeNull();
    expect(kept.origin('/institution/name')).toBeNull();
    const pruned = changesBetween(sample, mergeConfiguration(sample, { jobs: [job] }, true).document as Configuration);
    expect(pruned.filter(({ action }) => action === 'archive')).toHaveLength(
      sample.jobs.length +
        sample.systems.length +
        sample.mappings.length +
        sample.entityTypes.length +
        sample.codeTables.length,
    );
    const back = changesBetween(sample, kept.document as Configuration, { job: new Set(['new']) });
    expect(back).toMatchObject([{ action: 'restore' }]);
  });

  test('differences are none exactly where two documents say the same', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 3 }), fc.jsonValue({ maxDepth: 3 }), (left, right) => {
        expect(differences(left, left)).toEqual([]);
        expect(differences(left, right).length === 0).toBe(isSame(left, right));
      }),
    );
    expect(differences({ a: { b: 1, c: 2 } }, { a: { c: 3, b: 1 }, 'x/y': [] })).toEqual([
      { pointer: '/a/c', before: 2, after: 3 },
      { pointer: '/x~1y', before: null, after: [] },
    ]);
  });
});

describe('what depends on something', () => {
  test('is everything that would be wrong without it: whatever is taken out alone is refused by the judge, or has no dependents', async () => {
    const { judgeConfiguration } = await import('../../domain/configuration.js');
    const sample = await readSampleConfiguration('lakeside');
    const kinds = {
      systems: 'system',
      entityTypes: 'entity_type',
      codeTables: 'code_table',
      mappings: 'mapping',
      jobs: 'job',
    } as const;
    for (const [list, kind] of Object.entries(kinds) as [keyof typeof kinds, (typeof kinds)[keyof typeof kinds]][]) {
      for (const { name } of sample[list]) {
        const without = { ...sample, [list]: sample[list].filter((one) => one.name !== name) };
        const refused = judgeConfiguration(without).problems.length > 0;
        expect([kind, name, dependentsOf(sample, { kind, name }).length > 0]).toEqual([kind, name, refused]);
      }
    }
  });
});

describe('a schedule', () => {
  const at = (text: string): number => Date.parse(text);

  test('rises, and never fires while it is frozen', () => {
    const zones = fc.constantFrom('UTC', 'Europe/Zurich', 'America/New_York', 'Asia/Kathmandu', 'Pacific/Kiritimati');
    fc.assert(
      fc.property(
        zones,
        fc.nat(23),
        fc.nat(59),
        fc.option(fc.integer({ min: 1, max: 3000 })),
        (timeZone, hour, minute, every) => {
          const freeze = [{ from: '2026-12-20', to: '2027-01-06', reason: 'x' }];
          const schedule =
            every === null
              ? { calendar: { hour, minute }, timeZone, freeze }
              : { everyMinutes: every, timeZone, freeze };
          const times = nextFireTimes(schedule, at('2026-12-18T12:00:00Z'), 8);
          expect(times).toHaveLength(8);
          times.forEach((time, index) => expect(time).toBeGreaterThan(times[index - 1] ?? at('2026-12-18T12:00:00Z')));
          for (const { local } of describeSchedule(schedule, at('2026-12-18T12:00:00Z'), 8).next)
            expect(frozenOn(schedule, local.slice(0, 10))).toBeNull();
        },
      ),
    );
  });

  test('says what the clock does to it', () => {
    const zurich = { calendar: { hour: 2, minute: 30 }, timeZone: 'Europe/Zurich' };
    expect(describeSchedule(zurich, at('2026-03-27T12:00:00Z'))).toMatchObject({
      rhythm: 'every day at 02:30 (Europe/Zurich)',
      next: [{ local: '2026-03-28T02:30:00+01:00' }, { local: '2026-03-30T02:30:00+02:00' }, {}, {}, {}],
      notes: [expect.stringContaining('put forward on 2026-03-29: that time of day does not occur')],
    });
    const newYork = { calendar: { hour: 1, minute: 30 }, timeZone: 'America/New_York' };
    expect(describeSchedule(newYork, at('2026-10-31T12:00:00Z'), 3)).toMatchObject({
      next: [{ local: '2026-11-01T01:30:00-04:00' }, { local: '2026-11-01T01:30:00-05:00' }, {}],
      notes: [expect.stringContaining('occurs twice')],
    });
    expect(describeSchedule({ everyMinutes: 1, timeZone: 'UTC' }, at('2026-10-31T12:00:30Z'), 1)).toMatchObject({
      rhythm: 'every minute',
      next: [{ at: at('2026-10-31T12:01:00Z') }],
    });
  });

  test('that never fires ends, and so does one that is frozen for years', () => {
    const frozen = {
      everyMinutes: 1,
      timeZone: 'UTC',
      freeze: [{ from: '2026-01-01', to: '2099-12-31', reason: 'x' }],
    };
    expect(nextFireTimes(frozen, at('2026-10-31T12:00:00Z'), 5)).toEqual([]);
    expect(nextFireTimes({ timeZone: 'UTC' }, at('2026-10-31T12:00:00Z'), 5)).toEqual([]);
  });
});

describe('columns', () => {
  test('in figures tell their form and no cell', () => {
    const rows = [
      ['1', 'a@b.example', '2026-01-01', 'yes', '1.5', 'x', null],
      ['22', 'c@d.example', '31.12.2025', 'no', '2', ' ', ''],
    ];
    const found = statisticsOf(['n', 'mail', 'day', 'flag', 'amount', 'text', 'nothing'], rows);
    expect(found.map(({ form }) => form)).toEqual(['integer', 'email', 'date', 'boolean', 'decimal', 'mixed', null]);
    expect(found[5]).toEqual({ column: 'text', blank: 0.5, distinct: 1, longest: 1, form: 'mixed' });
    expect(statisticsOf(['a'], [])).toEqual([{ column: 'a', blank: 0, distinct: 0, longest: 0, form: null }]);
  });
});

describe('a proposed mapping', () => {
  test.each([
    ['date_of_birth', 'birth_date'],
    ['DOB', 'birth_date'],
    ['firstName', 'given'],
    ['Surname', 'family'],
    ['e-mail', 'email'],
    ['ZIP', 'postcode'],
    ['tel_no', 'phone_number'],
  ])('%s means %s', (left, right) => {
    expect(similarity(left, right)).toBeGreaterThanOrEqual(0.6);
  });

  test('is near itself, the same both ways, and far from what has nothing in common', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (left, right) => {
        expect(similarity(left, right)).toBeCloseTo(similarity(right, left), 10);
        expect(similarity(left, right)).toBeLessThanOrEqual(1);
      }),
    );
    expect(similarity('salary', 'family')).toBeLessThan(0.6);
    expect(similarity('campus', 'phone')).toBeLessThan(0.3);
  });

  test('matches what it knows by experience first, uses each column once, and is taken by the judge', async () => {
    const { judgeConfiguration } = await import('../../domain/configuration.js');
    const sample = await readSampleConfiguration('lakeside');
    const person = sample.entityTypes.find(({ name }) => name === 'person');
    if (person === undefined) throw new Error('no person');
    const columns = ['pers_id', 'vorname', 'nachname', 'dob', 'mobile', 'plz', 'city', 'favourite_colour'].map(
      (name) => ({
        ...{ name, type: name === 'dob' ? 'date' : 'text' },
      }),
    );
    const entity = { system: 'sis', entity: 'alumni', columns, key: ['pers_id'] };
    const { definition, matches, unmapped } = proposeMapping(
      entity,
      person,
      columnsByAttribute(sample.mappings, person),
    );
    const found = Object.fromEntries(matches.map(({ column, group, attribute }) => [column, `${group}.${attribute}`]));
    expect(found).toMatchObject({
      ...{ vorname: 'legal_name.given', nachname: 'legal_name.family', dob: 'birth_date.birth_date' },
      ...{ mobile: 'phone.phone', plz: 'address.postcode', city: 'address.city' },
    });
    expect(new Set(matches.map(({ column }) => column)).size).toBe(matches.length);
    expect(unmapped).toContain('favourite_colour');
    const judged = judgeConfiguration({ ...sample, mappings: [...sample.mappings, definition] });
    expect(judged.problems).toEqual([]);
    const again = sample.mappings.find(({ name }) => name === 'sis.students');
    const students = (again?.source?.columns ?? []).map((name) => ({ name, type: 'text' }));
    const known = proposeMapping({ ...entity, columns: students }, person, columnsByAttribute(sample.mappings, person));
    expect(known.matches.find(({ column }) => column === 'birth_date')).toMatchObject({ confidence: 0.98 });
  });

  test('takes columns that hold the key of other rows of the system for references, and says whose', async () => {
    const { judgeConfiguration } = await import('../../domain/configuration.js');
    const sample = await readSampleConfiguration('lakeside');
    const enrolment = sample.entityTypes.find(({ name }) => name === 'enrolment');
    if (enrolment === undefined) throw new Error('no enrolment');
    const columnsOf = (...names: readonly string[]): { name: string; type: string }[] =>
      names.map((name) => ({ name, type: 'text' }));
    const propose = (...names: readonly string[]): ReturnType<typeof proposeMapping> =>
      proposeMapping(
        { system: 'sis', entity: 'registrations', columns: columnsOf(...names), key: ['id'] },
        enrolment,
        {},
        sample.mappings,
      );
    const { definition, matches } = propose('id', 'student_no', 'section', 'session', 'status', 'effective_date');
    expect(matches.find(({ attribute }) => attribute === 'person')).toEqual({
      ...{ column: 'student_no', group: 'person', attribute: 'person', confidence: 1 },
      why: 'it is named as the key of sis.students',
    });
    expect(definition?.source?.records[0]?.references).toEqual({
      person: { mapping: 'sis.students', key: ['student_no'] },
    });
    expect(definition?.source?.records[0]?.groups).not.toHaveProperty('person');
    expect(judgeConfiguration({ ...sample, mappings: [...sample.mappings, definition] }).problems).toEqual([]);
    // The row's own number is not somebody else's.
    expect(propose('id', 'section').definition?.source?.records[0]).not.toHaveProperty('references');
    // Rows of another system are known by their own keys there.
    const elsewhere = { system: 'hr', entity: 'courses', columns: columnsOf('student_no', 'section'), key: [] };
    const proposed = proposeMapping(elsewhere, enrolment, {}, sample.mappings);
    expect(proposed.definition?.source?.records[0]?.references?.['person']?.mapping).not.toBe('sis.students');
  });

  test('of columns that mean nothing is none', () => {
    const type = { name: 'x', kind: 'mastered', subject: 'none', groups: [] } as const;
    expect(proposeMapping({ system: 's', entity: 'e', columns: [{ name: 'q', type: 'text' }], key: [] }, type)).toEqual(
      {
        ...{ definition: null, matches: [], unmapped: ['q'] },
      },
    );
  });
});
