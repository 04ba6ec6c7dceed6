import { EMPTY, type GoldenGroup, type Stated, type Statement } from './canonical.js';
import { commonElements, coversAll, mergeUnion, ownElements } from './multi-valued.js';
import { maySpeak, rankOf, type GroupPolicy } from './strategy.js';

/** One image's part in a merge. `incoming`: what was read in this run; undefined: not read, or read and unchanged. */
export interface Party {
  readonly image: string;
  readonly system: string;
  /** The system also receives golden values, so that it can be told again. */
  readonly target: boolean;
  /** What we hold; null at first sight (a new image, or one that comes back after a delete). */
  readonly stored: Statement | null;
  readonly incoming?: Stated | null;
  /** The image was deleted in its system: its statement is withdrawn. Later merges may leave such a party out. */
  readonly withdrawn?: boolean;
  /** When the change took effect in the source by the source's own telling (sortable text); extraction time is not one. */
  readonly effectiveAt?: string | null;
}

export const mergeFindings = [
  'ranked_at_first_sight',
  'not_authoritative',
  'outranked',
  'differs_from_override',
] as const;
export type MergeFinding = (typeof mergeFindings)[number];

/** A value that is in question and the images that state it. */
export interface Candidate {
  readonly value: Stated;
  readonly images: readonly string[];
}

/** What a merge decided for one group. Versions are written by the caller: `settleNow` means the record version after the
 *  plan is applied. Statements that stay as they are, are not listed. */
export interface GroupPlan {
  /** The new golden value; null: unchanged. */
  readonly golden: { readonly value: Stated; readonly origin: string | null } | null;
  /** The override ends because a source now agrees. */
  readonly endsOverride: boolean;
  readonly statements: readonly PlannedStatement[];
  /** The question as it must stand after the plan: null where none is open. */
  readonly conflict: readonly Candidate[] | null;
  readonly findings: readonly { readonly finding: MergeFinding; readonly image: string; readonly system: string }[];
}

export interface PlannedStatement {
  readonly image: string;
  readonly value: Stated | null;
  readonly state: Statement['state'];
  /** `now`: settled against the version that results; `never`: to be told again; `keep`: as it was. */
  readonly settle: 'now' | 'never' | 'keep';
}

const isUnion = (policy: GroupPolicy): boolean => policy.strategy === 'set_union';

/** A party after its incoming statement is taken in. */
interface Contender {
  readonly party: Party;
  readonly value: Stated;
  /** Everything that was read, where `value` is only the system's own part of it (`set_union`). */
  readonly read: Stated | null;
  readonly changed: boolean;
  readonly firstSight: boolean;
  readonly state: Statement['state'];
  /** The golden value has not moved since this statement was settled. */
  readonly accepted: boolean;
}

interface NamedFinding {
  readonly finding: MergeFinding;
  readonly of: Contender;
}

interface Outcome {
  readonly golden: { value: Stated; origin: string | null } | null;
  readonly conflict: readonly Contender[];
  readonly findings: readonly NamedFinding[];
  readonly endsOverride?: boolean;
}

const nothing: Outcome = { golden: null, conflict: [], findings: [] };

/** A statement that differs from golden and is not asked about: named in a finding of its kind. */
const setAside = (of: Contender, otherwise: MergeFinding): NamedFinding => ({
  finding: of.firstSight ? 'ranked_at_first_sight' : otherwise,
  of,
});

const byRank =
  (policy: GroupPolicy) =>
  (left: Contender, right: Contender): number =>
    rankOf(policy, left.party.system) - rankOf(policy, right.party.system) ||
    (left.party.image < right.party.image ? -1 : left.party.image > right.party.image ? 1 : 0);

/** The best of several by a comparison, or `null` where the best ones say different things and cannot be ranked. */
const bestOf = (
  pool: readonly Contender[],
  compare: (left: Contender, right: Contender) => number,
): Contender | null => {
  const first = [...pool].sort(compare)[0];
  if (first === undefined) return null;
  const equals = pool.filter((other) => other.value !== first.value && compare(first, other) === 0);
  return equals.length > 0 ? null : first;
};

/** Only what we wrote to a target can come back from it; all that a mere source states, or what is seen first, is its own. */
const ownPart = (golden: GoldenGroup, { target, stored }: Party, read: Stated | null): Stated | null =>
  read === null ? null : ownElements(read, stored?.value ?? null, target && stored !== null ? golden.value : null);

const takeIn = (golden: GoldenGroup, policy: GroupPolicy, party: Party): Contender | null => {
  if (party.withdrawn === true) return null;
  const stored = party.stored;
  const read = party.incoming ?? null;
  // A system that comes to say nothing withdraws no golden value: nothing never takes part.
  const incoming = isUnion(policy) ? ownPart(golden, party, read) : read;
  const value = incoming ?? (party.incoming === undefined ? (stored?.value ?? null) : null);
  if (value === null) return null;
  const changed = incoming !== null && incoming !== (stored?.value ?? null);
  return {
    party,
    value,
    read,
    changed,
    firstSight: stored === null,
    state: changed ? 'live' : (stored?.state ?? 'live'),
    accepted: stored !== null && stored.settled > 0 && stored.settled >= golden.version,
  };
};

/** Golden against what newly arrives at first sight: the best ranked value. An incumbent that live statements hold is only
 *  displaced by a better rank; one that a person set stays. */
const rankFirstSight = (
  golden: GoldenGroup,
  policy: GroupPolicy,
  newcomers: readonly Contender[],
  holders: readonly Contender[],
): Outcome => {
  const differing = newcomers.filter((newcomer) => newcomer.value !== golden.value);
  if (differing.length === 0) return nothing;
  const incumbents =
    golden.value === null ? [] : [...holders, ...newcomers.filter((one) => one.value === golden.value)];
  const pool = [...incumbents, ...differing].sort(byRank(policy));
  const best = golden.value !== null && incumbents.length === 0 ? undefined : pool[0];
  const value = best?.value ?? golden.value;
  return {
    golden: best !== undefined && best.value !== golden.value ? { value: best.value, origin: best.party.image } : null,
    conflict: [],
    findings: [...differing, ...incumbents]
      .filter((one) => one.value !== value)
      .map((of) => ({ finding: 'ranked_at_first_sight' as const, of })),
  };
};

/** Whether the system that golden came from is gone and nobody says the same any more. */
const hasLostItsBase = (golden: GoldenGroup, parties: readonly Party[], speaking: readonly Contender[]): boolean => {
  if (golden.sticky || golden.value === null || golden.origin === null) return false;
  const origin = parties.find((party) => party.image === golden.origin);
  return (origin === undefined || origin.withdrawn === true) && speaking.every((one) => one.value !== golden.value);
};

const mergeThreeWay = (
  golden: GoldenGroup,
  policy: GroupPolicy,
  speaking: readonly Contender[],
  baseless: boolean,
): Outcome => {
  const newcomers = speaking.filter((one) => one.firstSight);
  const holders = speaking.filter((one) => !one.firstSight && one.state === 'live' && one.value === golden.value);
  const moved = speaking.filter(
    (one) => !one.firstSight && (one.changed || one.state === 'open') && one.value !== golden.value,
  );
  const values = new Set(moved.map((one) => one.value));
  const agreed = values.size === 1 && moved.some((one) => one.accepted || golden.value === null || baseless);
  if (values.size > 0 && (!agreed || policy.strategy === 'manual')) {
    const ranked = newcomers.filter((one) => one.value !== golden.value);
    return { golden: null, conflict: moved, findings: ranked.map((one) => setAside(one, 'outranked')) };
  }
  if (values.size === 0) return rankFirstSight(golden, policy, newcomers, holders);
  const winner = [...moved].sort(byRank(policy))[0];
  if (winner === undefined) return nothing;
  return {
    golden: { value: winner.value, origin: winner.party.image },
    conflict: [],
    findings: newcomers.filter((one) => one.value !== winner.value).map((one) => setAside(one, 'outranked')),
  };
};

/** What ranks: what systems say themselves; not our own writes, nor what was overruled. */
const rankable = (speaking: readonly Contender[]): Contender[] =>
  speaking.filter((one) => one.state === 'live' || one.state === 'open');

/** A statement that was known when a person set golden, and has not changed since: it ranks, but does not displace that. */
const isStale = (golden: GoldenGroup, one: Contender): boolean =>
  golden.origin === null && golden.value !== null && one.state === 'live' && !one.changed && !one.accepted;

const mergeRanked = (
  golden: GoldenGroup,
  policy: GroupPolicy,
  speaking: readonly Contender[],
  baseless: boolean,
  compare: (left: Contender, right: Contender) => number,
): Outcome => {
  const pool = rankable(speaking);
  if (pool.length === 0) return nothing;
  const best = bestOf(pool, compare);
  if (best === null) return mergeThreeWay(golden, policy, speaking, baseless);
  const stays = best.value === golden.value || isStale(golden, best);
  const value = stays ? golden.value : best.value;
  return {
    golden: stays ? null : { value: best.value, origin: best.party.image },
    conflict: [],
    findings: pool
      .filter((one) => (one.changed || one.state === 'open') && one.value !== value)
      .map((one) => setAside(one, 'outranked')),
  };
};

const compareRank =
  (policy: GroupPolicy) =>
  (left: Contender, right: Contender): number =>
    rankOf(policy, left.party.system) - rankOf(policy, right.party.system);

const mergeMostRecent = (
  golden: GoldenGroup,
  policy: GroupPolicy,
  speaking: readonly Contender[],
  baseless: boolean,
): Outcome => {
  const pool = rankable(speaking);
  if (pool.some((one) => (one.party.effectiveAt ?? null) === null)) {
    return policy.fallback === 'source_priority'
      ? mergeRanked(golden, policy, speaking, baseless, compareRank(policy))
      : mergeThreeWay(golden, policy, speaking, baseless);
  }
  const newestFirst = (left: Contender, right: Contender): number => {
    const [a, b] = [left.party.effectiveAt ?? '', right.party.effectiveAt ?? ''];
    return a < b ? 1 : a > b ? -1 : policy.fallback === 'source_priority' ? compareRank(policy)(left, right) : 0;
  };
  return mergeRanked(golden, policy, speaking, baseless, newestFirst);
};

const mergeFillEmpty = (golden: GoldenGroup, policy: GroupPolicy, speaking: readonly Contender[]): Outcome => {
  const arriving = speaking.filter((one) => one.changed && one.value !== golden.value);
  if (golden.value !== null && golden.value !== EMPTY) {
    return { ...nothing, findings: arriving.map((one) => setAside(one, 'outranked')) };
  }
  const filling = arriving.filter((one) => one.value !== EMPTY);
  const best = [...(filling.length > 0 ? filling : arriving)].sort(byRank(policy))[0];
  if (best === undefined) return nothing;
  return {
    golden: { value: best.value, origin: best.party.image },
    conflict: [],
    findings: arriving.filter((one) => one.value !== best.value).map((one) => setAside(one, 'outranked')),
  };
};

/** A target that knew golden leaves out elements that stay golden: its removal is set aside and it is told again. */
const dropsOthers = (one: Contender, before: Stated | null, after: Stated): boolean =>
  one.party.target && one.accepted && one.read !== null && !coversAll(one.read, commonElements(before, after));

const mergeSetUnion = (golden: GoldenGroup, speaking: readonly Contender[]): Outcome => {
  const own = speaking.filter((one) => one.state !== 'overruled');
  if (own.length === 0 && golden.origin === null) return nothing;
  const value = mergeUnion(own.map((one) => one.value));
  const findings = speaking
    .filter((one) => dropsOthers(one, golden.value, value))
    .map((one) => setAside(one, 'outranked'));
  if (value === golden.value) return { ...nothing, findings };
  return { ...nothing, findings, golden: { value, origin: own[0]?.party.image ?? null } };
};

/** An override stands: what differs is a finding; it ends when a system that may speak comes to agree. */
const mergeAgainstOverride = (golden: GoldenGroup, speaking: readonly Contender[]): Outcome => ({
  ...nothing,
  endsOverride: speaking.some((one) => one.changed && one.value === golden.value),
  findings: speaking
    .filter((one) => one.changed && one.value !== golden.value)
    .map((of) => ({ finding: 'differs_from_override' as const, of })),
});

const byStrategy = (
  golden: GoldenGroup,
  policy: GroupPolicy,
  speaking: readonly Contender[],
  baseless: boolean,
): Outcome => {
  switch (policy.strategy) {
    case 'source_priority':
      return mergeRanked(golden, policy, speaking, baseless, compareRank(policy));
    case 'most_recent':
      return mergeMostRecent(golden, policy, speaking, baseless);
    case 'fill_empty_only':
      return mergeFillEmpty(golden, policy, speaking);
    case 'set_union':
      return mergeSetUnion(golden, speaking);
    case 'three_way':
    case 'sticky_human':
    case 'manual':
      return mergeThreeWay(golden, policy, speaking, baseless);
  }
};

/** The statement that golden rested on is withdrawn: the group takes the best that remains, else it is empty. */
const bestRemaining = (policy: GroupPolicy, speaking: readonly Contender[]): NonNullable<Outcome['golden']> => {
  const order: readonly Statement['state'][] = ['live', 'open', 'echo', 'overruled'];
  const fills = (one: Contender): number => (policy.strategy === 'fill_empty_only' && one.value === EMPTY ? 1 : 0);
  const best = [...speaking].sort(
    (left, right) =>
      fills(left) - fills(right) ||
      order.indexOf(left.state) - order.indexOf(right.state) ||
      byRank(policy)(left, right),
  )[0];
  return { value: best?.value ?? EMPTY, origin: best?.party.image ?? null };
};

/** What the statement was set aside for, if it was. */
const namedIn = (outcome: Outcome, contender: Contender): MergeFinding | undefined =>
  outcome.findings.find(({ of }) => of === contender)?.finding;

const isOverruled = (named: MergeFinding | undefined): boolean =>
  named === 'not_authoritative' || named === 'differs_from_override';

/** A system's own elements are its statement whatever the others add; it is told again where it does not hold the union. */
const planElements = (
  contender: Contender,
  golden: Stated | null,
  outcome: Outcome,
  policy: GroupPolicy,
): PlannedStatement | null => {
  const { party, value, read, changed } = contender;
  if (read === null && outcome.golden === null && party.stored?.state !== 'open') return null;
  const differs = read !== null && golden !== null && mergeUnion([read]) !== golden;
  const tellAgain = differs && party.target && policy.reassertion === 'reassert';
  const state = changed && isOverruled(namedIn(outcome, contender)) ? 'overruled' : contender.state;
  return { image: party.image, value, state: state === 'open' ? 'live' : state, settle: tellAgain ? 'never' : 'now' };
};

const planStatement = (
  contender: Contender,
  golden: Stated | null,
  outcome: Outcome,
  policy: GroupPolicy,
): PlannedStatement | null => {
  const { party, value, changed } = contender;
  const stored = party.stored;
  if (outcome.conflict.includes(contender)) {
    if (!changed && stored?.state === 'open') return null;
    return { image: party.image, value, state: 'open', settle: 'keep' };
  }
  if (isUnion(policy)) return planElements(contender, golden, outcome, policy);
  if (value === golden) {
    const moved = changed || outcome.golden !== null || stored?.state === 'open';
    const state = contender.state === 'echo' ? 'echo' : 'live';
    return moved ? { image: party.image, value, state, settle: 'now' } : null;
  }
  if (!changed && stored?.state !== 'open') return null;
  const named = namedIn(outcome, contender);
  const tellAgain =
    party.target && policy.reassertion === 'reassert' && named !== undefined && named !== 'ranked_at_first_sight';
  return {
    image: party.image,
    value,
    state: isOverruled(named) ? 'overruled' : 'live',
    settle: tellAgain ? 'never' : 'now',
  };
};

const candidatesOf = (conflict: readonly Contender[]): Candidate[] => {
  const images = new Map<Stated, string[]>();
  for (const { value, party } of conflict) images.set(value, [...(images.get(value) ?? []), party.image]);
  return [...images]
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([value, of]) => ({ value, images: of.sort() }));
};

/** Images that come to say nothing, or are gone, hold no statement any more. */
const emptied = (parties: readonly Party[]): PlannedStatement[] =>
  parties
    .filter(
      ({ stored, incoming, withdrawn }) =>
        (stored?.value ?? null) !== null && (withdrawn === true || incoming === null),
    )
    .map(({ image }) => ({ image, value: null, state: 'live', settle: 'now' }));

/** What the strategy makes of the statements; where it leaves golden as it is, whose base is gone, the best that remains. */
const decide = (
  golden: GoldenGroup,
  policy: GroupPolicy,
  parties: readonly Party[],
  speaking: readonly Contender[],
): Outcome => {
  if (golden.sticky) return mergeAgainstOverride(golden, speaking);
  const baseless = !isUnion(policy) && hasLostItsBase(golden, parties, speaking);
  const decided = byStrategy(golden, policy, speaking, baseless);
  if (!baseless || decided.golden !== null || decided.conflict.length > 0) return decided;
  return { ...decided, golden: bestRemaining(policy, speaking) };
};

/** Nothing moves where all who speak say what they said and golden says the same: so it is in most groups of most records. */
const stands = (golden: GoldenGroup, policy: GroupPolicy, parties: readonly Party[]): boolean =>
  parties.length > 0 &&
  !golden.sticky &&
  golden.value !== null &&
  !isUnion(policy) &&
  parties.every(
    ({ stored, incoming, withdrawn, system }) =>
      stored?.state === 'live' &&
      stored.value === golden.value &&
      (incoming === undefined || incoming === stored.value) &&
      withdrawn !== true &&
      maySpeak(policy, system),
  );

const asItWas: GroupPlan = { golden: null, endsOverride: false, statements: [], conflict: null, findings: [] };

/**
 * Decides one attribute group of one record: golden = strategy(statements, settlements). Pure; the result does not depend on
 * the order of `parties`; merging what is already merged plans nothing.
 * Method: three-way merge with a settled version per statement in place of a clock (DESIGN §5).
 */
export const planGroup = (golden: GoldenGroup, policy: GroupPolicy, parties: readonly Party[]): GroupPlan => {
  if (stands(golden, policy, parties)) return asItWas;
  const contenders = parties
    .map((party) => takeIn(golden, policy, party))
    .filter((one): one is Contender => one !== null)
    .sort(byRank(policy));
  const speaking = contenders.filter((one) => maySpeak(policy, one.party.system));
  const silenced = contenders.filter((one) => !maySpeak(policy, one.party.system) && one.changed);
  const outcome = decide(golden, policy, parties, speaking);
  const value = outcome.golden?.value ?? golden.value;
  const unheard = silenced.map((of) => ({ finding: 'not_authoritative' as const, of }));
  const findings = [...outcome.findings, ...unheard].filter(({ of }) => isUnion(policy) || of.value !== value);
  const complete = { ...outcome, findings };
  return {
    golden: outcome.golden,
    endsOverride: outcome.endsOverride ?? false,
    statements: [
      ...contenders
        .map((one) => planStatement(one, value, complete, policy))
        .filter((one): one is PlannedStatement => one !== null),
      ...emptied(parties),
    ],
    conflict: outcome.conflict.length > 0 ? candidatesOf(outcome.conflict) : null,
    findings: findings.map(({ finding, of }) => ({ finding, image: of.party.image, system: of.party.system })),
  };
};
