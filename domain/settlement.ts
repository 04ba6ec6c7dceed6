import type { GoldenGroup, Stated, Statement } from './canonical.js';
import type { PlannedStatement } from './merge.js';
import { mergeUnion } from './multi-valued.js';
import { maySpeak, rankOf, type GroupPolicy } from './strategy.js';

/** An image's statement as a settlement sees it. */
export interface SettledParty {
  readonly image: string;
  readonly target: boolean;
  readonly stored: Statement;
}

/** What a settlement does to one group: the golden value it sets (the version rises even where the value stays, so that
 *  every later change is measured against what the person saw) and the statements it settles. */
export interface SettlementPlan {
  readonly golden: { readonly value: Stated; readonly origin: string | null; readonly sticky: boolean };
  readonly statements: readonly PlannedStatement[];
}

const settle = (party: SettledParty, value: Stated, overrule: boolean): PlannedStatement | null => {
  const { image, stored } = party;
  if (stored.value === null) return null;
  if (stored.value === value) {
    return { image, value, state: stored.state === 'echo' ? 'echo' : 'live', settle: 'now' };
  }
  return overrule ? { image, value: stored.value, state: 'overruled', settle: 'now' } : null;
};

const present = (plans: readonly (PlannedStatement | null)[]): PlannedStatement[] =>
  plans.filter((plan): plan is PlannedStatement => plan !== null);

/** A decision of an open question: the golden value is set; the parties that said otherwise are overruled until their system
 *  changes the value. Statements outside the question stay unsettled. */
export const planDecision = (
  parties: readonly SettledParty[],
  value: Stated,
  options: { readonly sticky: boolean },
): SettlementPlan => {
  const winners = parties.filter(({ stored }) => stored.value === value && stored.state === 'open');
  return {
    golden: { value, origin: winners.map(({ image }) => image).sort()[0] ?? null, sticky: options.sticky },
    statements: present(parties.map((party) => settle(party, value, party.stored.state === 'open'))),
  };
};

/** A person's override: it stands against imports until a source agrees; whoever said otherwise is overruled. */
export const planOverride = (parties: readonly SettledParty[], value: Stated): SettlementPlan => ({
  golden: { value, origin: null, sticky: true },
  statements: present(parties.map((party) => settle(party, value, true))),
});

/** An override ends: the group takes what the best ranked of the systems that may speak says itself; what stands stays where
 *  none says anything. What we wrote to a target is no word of its own. */
export const planLift = (
  parties: readonly (SettledParty & { readonly system: string })[],
  standing: Stated,
  policy: GroupPolicy,
): SettlementPlan => {
  const speaking = parties
    .filter(({ system, stored }) => stored.value !== null && stored.state !== 'echo' && maySpeak(policy, system))
    .sort(
      (left, right) =>
        rankOf(policy, left.system) - rankOf(policy, right.system) || (left.image < right.image ? -1 : 1),
    );
  const said = speaking.flatMap(({ stored }) => (stored.value === null ? [] : [stored.value]));
  const best = policy.strategy === 'set_union' && said.length > 0 ? mergeUnion(said) : said[0];
  return {
    golden: { value: best ?? standing, origin: speaking[0]?.image ?? null, sticky: false },
    // Whoever says otherwise is outranked, no longer overruled; a target is told again.
    statements: speaking.map(({ image, target, stored }) => ({
      ...{ image, value: stored.value, state: 'live' as const },
      settle: target && stored.value !== best ? ('never' as const) : ('now' as const),
    })),
  };
};

/** An input that was rolled back came again and a person discards it: it is known and overruled; a target is told again. */
export const planDiscard = (image: string, value: Stated, target: boolean): PlannedStatement => ({
  image,
  value,
  state: 'overruled',
  settle: target ? 'never' : 'now',
});

/** The statement that a plan leaves behind, given the record version after the plan. */
export const applyStatement = (before: Statement | null, plan: PlannedStatement, version: number): Statement => ({
  value: plan.value,
  state: plan.state,
  settled: plan.settle === 'now' ? version : plan.settle === 'never' ? 0 : (before?.settled ?? 0),
});

/** The golden group after a plan that sets it. */
export const applyGolden = (
  plan: { readonly value: Stated; readonly origin: string | null },
  version: number,
  sticky: boolean,
): GoldenGroup => ({ value: plan.value, origin: plan.origin, version, sticky });
