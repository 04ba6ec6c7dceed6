import fc from 'fast-check';
import { EMPTY, toStated, type GoldenGroup, type Stated, type Statement } from '../../domain/canonical.js';
import { planGroup, type GroupPlan, type Party } from '../../domain/merge.js';
import { applyGolden, applyStatement } from '../../domain/settlement.js';
import { strategies, type GroupPolicy } from '../../domain/strategy.js';

const runs = { numRuns: Number(process.env['CONCORD_LAW_RUNS'] ?? 500) };
const names = ['sis', 'hr', 'fin', 'lms'] as const;

const policyOf = (part: Partial<GroupPolicy>): GroupPolicy => ({
  strategy: 'three_way',
  fallback: 'source_priority',
  priority: names,
  authority: null,
  reassertion: 'reassert',
  ...part,
});

const text = fc.constantFrom<Stated>('"A"', '"B"', '"C"', EMPTY);
const list = fc.subarray(['A', 'B', 'C', 'D']).map((items) => (items.length === 0 ? EMPTY : toStated(items)));

const statement = (value: fc.Arbitrary<Stated>): fc.Arbitrary<Statement> =>
  fc.record({
    value: fc.option(value, { freq: 9 }),
    state: fc.constantFrom('live' as const, 'live' as const, 'echo' as const, 'overruled' as const, 'open' as const),
    settled: fc.nat(3),
  });

/** A person's override overrules all that differs when it is set, and whatever differs later. */
const underOverride = (golden: GoldenGroup, party: Party): Party => {
  const { stored } = party;
  const differs = golden.sticky && stored !== null && stored.value !== golden.value;
  return differs ? { ...party, stored: { ...stored, state: 'overruled' } } : party;
};

/** Any stores a merge can meet, also such as no history leads to: its laws do not rest on how they came about. */
const situation = (
  strategy: GroupPolicy['strategy'],
): fc.Arbitrary<{ golden: GoldenGroup; policy: GroupPolicy; parties: Party[] }> => {
  const value = strategy === 'set_union' ? list : text;
  const party = (image: string): fc.Arbitrary<Party> =>
    fc.record(
      {
        image: fc.constant(image),
        system: fc.constant(image),
        target: fc.boolean(),
        stored: fc.option(statement(value), { freq: 4 }),
        incoming: fc.option(value, { freq: 9 }),
        withdrawn: fc.oneof({ weight: 7, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
        effectiveAt: fc.constantFrom('2024-01-01', '2024-02-01', '2024-03-01', null),
      },
      { requiredKeys: ['image', 'system', 'target', 'stored'] },
    );
  return fc
    .record({
      // What is sticky was set by a person.
      golden: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.boolean()).chain(([version, sticky]) =>
        fc.record({
          value: sticky ? value : fc.option(value),
          version: fc.constant(version),
          origin: sticky ? fc.constant(null) : fc.option(fc.constantFrom(...names)),
          sticky: fc.constant(sticky),
        }),
      ),
      policy: fc.record({
        strategy: fc.constant(strategy),
        fallback: fc.constantFrom('source_priority' as const, 'conflict' as const),
        priority: fc.shuffledSubarray([...names]),
        authority: fc.option(fc.subarray([...names], { minLength: 1 })),
        reassertion: fc.constantFrom('reassert' as const, 'leave' as const),
      }),
      parties: fc.tuple(...names.map(party)).chain((all) => fc.shuffledSubarray(all, { minLength: 1 })),
    })
    .map(({ golden, policy, parties }) => ({
      golden,
      policy,
      parties: parties.map((one) => underOverride(golden, one)),
    }));
};

const sorted = (plan: GroupPlan): unknown => ({
  ...plan,
  statements: [...plan.statements].sort((left, right) => (left.image < right.image ? -1 : 1)),
  findings: [...plan.findings].sort((left, right) => (left.image < right.image ? -1 : 1)),
});

/** The stores after a plan: nothing is read any more. */
const applied = (
  golden: GoldenGroup,
  parties: readonly Party[],
  plan: GroupPlan,
): { golden: GoldenGroup; parties: Party[] } => {
  const version = golden.version + (plan.golden === null ? 0 : 1);
  const after = plan.golden === null ? golden : applyGolden(plan.golden, version, false);
  const left = parties.filter(({ withdrawn }) => withdrawn !== true);
  return {
    golden: plan.endsOverride ? { ...after, sticky: false } : after,
    parties: left.map(({ image, system, target, stored, effectiveAt }) => {
      const planned = plan.statements.find((one) => one.image === image);
      const now = planned === undefined ? stored : applyStatement(stored, planned, version);
      return { image, system, target, stored: now, ...(effectiveAt === undefined ? {} : { effectiveAt }) };
    }),
  };
};

describe.each(strategies)('a merge by %s', (strategy) => {
  it('does not depend on the order of the parties', () => {
    const law = fc.property(situation(strategy), ({ golden, policy, parties }) => {
      const plan = sorted(planGroup(golden, policy, parties));
      expect(sorted(planGroup(golden, policy, [...parties].reverse()))).toEqual(plan);
      expect(sorted(planGroup(golden, policy, [...parties.slice(1), ...parties.slice(0, 1)]))).toEqual(plan);
    });
    fc.assert(law, runs);
  });

  it('plans nothing when it is repeated', () => {
    const law = fc.property(situation(strategy), ({ golden, policy, parties }) => {
      const first = planGroup(golden, policy, parties);
      const once = applied(golden, parties, first);
      const again = planGroup(once.golden, policy, once.parties);
      expect({ golden: again.golden, statements: again.statements, findings: again.findings }).toEqual({
        golden: null,
        statements: [],
        findings: [],
      });
      expect(again.conflict).toEqual(first.conflict);
    });
    fc.assert(law, runs);
  });
});

describe('most_recent', () => {
  const golden: GoldenGroup = { value: '"A"', version: 2, origin: 'sis', sticky: false };
  const known = (image: string, value: Stated, effectiveAt: string | null): Party => ({
    image,
    system: image,
    target: false,
    stored: { value, state: 'live', settled: 2 },
    effectiveAt,
  });
  const policy = policyOf({ strategy: 'most_recent', priority: ['sis', 'hr'] });

  it('takes the change that took effect last, whoever made it', () => {
    const plan = planGroup(golden, policy, [
      { ...known('sis', '"A"', '2024-02-01'), incoming: '"B"' },
      { ...known('hr', '"A"', '2024-03-01'), incoming: '"C"' },
    ]);
    expect(plan).toMatchObject({
      golden: { value: '"C"', origin: 'hr' },
      conflict: null,
      findings: [{ finding: 'outranked', image: 'sis' }],
    });
  });

  it('sets a change aside that took effect before what is held', () => {
    const plan = planGroup(golden, policy, [
      known('sis', '"A"', '2024-02-01'),
      { ...known('hr', '"A"', '2024-01-01'), incoming: '"C"' },
    ]);
    expect(plan).toMatchObject({ golden: null, findings: [{ finding: 'outranked', image: 'hr' }] });
  });

  it('ranks by system where times are equal or missing, if that is the fallback', () => {
    for (const time of ['2024-02-01', null]) {
      const plan = planGroup(golden, policy, [
        { ...known('sis', '"A"', time), incoming: '"B"' },
        { ...known('hr', '"A"', time), incoming: '"C"' },
      ]);
      expect(plan).toMatchObject({ golden: { value: '"B"' }, conflict: null });
    }
  });

  it('asks where times are equal or missing, if that is the fallback', () => {
    for (const time of ['2024-02-01', null]) {
      const plan = planGroup(golden, { ...policy, fallback: 'conflict' }, [
        { ...known('sis', '"A"', time), incoming: '"B"' },
        { ...known('hr', '"A"', time), incoming: '"C"' },
      ]);
      expect(plan).toMatchObject({
        golden: null,
        conflict: [
          { value: '"B"', images: ['sis'] },
          { value: '"C"', images: ['hr'] },
        ],
      });
    }
  });
});

describe('what a person set, under a strategy that ranks', () => {
  it('is not displaced by a statement that was known then', () => {
    const golden: GoldenGroup = { value: '"M"', version: 3, origin: null, sticky: false };
    const parties: Party[] = [
      { image: 'sis', system: 'sis', target: false, stored: { value: '"A"', state: 'live', settled: 2 } },
      {
        image: 'hr',
        system: 'hr',
        target: false,
        stored: { value: '"B"', state: 'overruled', settled: 3 },
        incoming: '"M"',
      },
    ];
    expect(planGroup(golden, policyOf({ strategy: 'source_priority' }), parties).golden).toBeNull();
  });
});
