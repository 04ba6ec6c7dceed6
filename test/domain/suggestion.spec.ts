import fc from 'fast-check';
import { evidenceOf, suggestDuplicate, suggestIdentity, suggestValue, type Voice } from '../../domain/suggestion.js';

const policy = { priority: ['sis', 'hr'], authority: null };
const voice = (system: string, value: string, more: Partial<Voice> = {}): Voice => ({
  ...{ system, value: JSON.stringify(value), open: true, effectiveAt: null, ...more },
});

describe('what is suggested for a value', () => {
  it.each([
    [
      'the better spelling',
      'JOSÉ',
      [voice('sis', 'JOSE'), voice('hr', 'José')],
      { take: 'hr' },
      'differs_in_spelling_only',
    ],
    ['the spelling that stands', 'José', [voice('sis', 'jose ')], { keep: true }, 'differs_in_spelling_only'],
    [
      'what all but one say',
      'x',
      [voice('crm', 'y'), voice('sis', 'x', { open: false }), voice('lms', 'x', { open: false })],
      { keep: true },
      'all_but_one_agree',
    ],
    [
      'the newer at the source',
      'x',
      [voice('sis', 'y', { effectiveAt: '2026-01-01' }), voice('hr', 'z', { effectiveAt: '2026-02-01' })],
      { take: 'hr' },
      'newer_at_the_source',
    ],
    ['the higher ranked', 'x', [voice('hr', 'y'), voice('sis', 'z')], { take: 'sis' }, 'higher_ranked'],
  ])('%s', (_what, base, voices, choice, reason) => {
    expect(suggestValue(JSON.stringify(base), voices, policy)).toMatchObject({ choice, reason });
    expect(suggestValue(JSON.stringify(base), [...voices].reverse(), policy)).toMatchObject({ choice, reason });
  });

  it('nothing where nothing speaks for either, nor for a system that may not speak', () => {
    const voices = [voice('crm', 'y'), voice('lms', 'z')];
    expect(suggestValue('"x"', voices, policy)).toBeNull();
    expect(suggestValue('"x"', [voice('hr', 'y'), voice('sis', 'z')], { ...policy, authority: ['crm'] })).toBeNull();
  });

  it('is always a choice that can be made, whatever is said', () => {
    const systems = fc.constantFrom('sis', 'hr', 'lms', 'crm');
    const voices = fc.array(
      fc.record({
        ...{ system: systems, value: fc.constantFrom('"a"', '"A"', '"b"', 'null', '{"x":"a"}') },
        ...{ open: fc.boolean(), effectiveAt: fc.constantFrom(null, '2026-01-01', '2026-02-01') },
      }),
      { maxLength: 6 },
    );
    fc.assert(
      fc.property(voices, fc.constantFrom(null, '"a"', '"b"'), (said, base) => {
        const suggestion = suggestValue(base, said, policy);
        if (suggestion === null) return;
        expect(suggestion.confidence).toBeGreaterThan(0.5);
        const { choice } = suggestion;
        if ('take' in choice) {
          const own = new Set(
            said.filter(({ open, system }) => open && system === choice.take).map(({ value }) => value),
          );
          expect(own.size).toBe(1);
        } else expect(choice).toEqual({ keep: true });
      }),
    );
  });
});

describe('what is suggested for records that may be the same', () => {
  const fields = (name: string | null, birthDate: string | null, ...numbers: string[]) => ({
    ...{ name, birthDate, identifiers: numbers.map((value) => ({ scheme: 'number', value })) },
  });

  it.each([
    [fields('ann lee', '2004-02-28', 'n1'), { same: true }, 'name_and_birth_date_agree'],
    [fields('ann roe', '2004-02-28', 'n1'), { same: true }, 'birth_date_agrees'],
    [fields('ann lee', null, 'n1'), { same: true }, 'name_agrees'],
    [fields('ann lee', '2001-01-01', 'n1'), { same: false }, 'birth_date_differs'],
    [fields('bob roe', '2001-01-01', 'n1'), { same: false }, 'nothing_agrees'],
  ])('%j', (arriving, choice, reason) => {
    const evidence = evidenceOf([arriving], [fields('ann lee', '2004-02-28', 'n1', 'n2')]);
    expect(evidence.identifiers).toEqual(['number']);
    expect(suggestDuplicate(evidence)).toMatchObject({ choice, reason, evidence });
  });

  it('nothing where nothing is known; another identifier speaks for the same person', () => {
    expect(suggestDuplicate(evidenceOf([fields(null, null)], [fields('ann lee', null)]))).toBeNull();
    const differing = [fields('bob roe', '2001-01-01', 'n1')];
    expect(suggestIdentity(evidenceOf(differing, [fields('ann lee', '2004-02-28', 'n1')]))).toMatchObject({
      choice: { same: true },
    });
    expect(suggestIdentity(evidenceOf(differing, [fields('ann lee', '2004-02-28')]))).toMatchObject({
      choice: { same: false },
    });
  });
});
