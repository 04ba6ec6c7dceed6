import type { GoldenGroup, Stated, Statement } from './canonical.js';
import { planGroup, type GroupPlan, type Party } from './merge.js';
import {
  groupOf,
  statementsAfter,
  type GoldenState,
  type ImageState,
  type PlannedImage,
  type RecordPlan,
} from './record-merge.js';
import type { GroupPolicy } from './strategy.js';

/* A person says that two records are one: what the systems say of either is what they say of both. */

/** Which of two records goes on: one that is alive, then the one that is known longer. Ids are never used again. */
export const survivorOf = (
  left: { readonly id: string; readonly status: GoldenState['status'] },
  right: { readonly id: string; readonly status: GoldenState['status'] },
): 'left' | 'right' => {
  const alive = [left.status === 'active', right.status === 'active'];
  if (alive[0] !== alive[1]) return alive[0] === true ? 'left' : 'right';
  return BigInt(left.id) <= BigInt(right.id) ? 'left' : 'right';
};

/** How a statement of the record that joins takes part: what its system says itself is seen here for the first time (so it ranks
 *  and raises no question); what was in question stays so; what was overruled, or only echoes us, does not speak. */
const joiningParty = ({ id, system, target }: ImageState, statement: Statement | undefined): Party | null => {
  if (statement === undefined || statement.value === null) return null;
  const base = { image: id, system, target };
  if (statement.state === 'live') return { ...base, stored: null, incoming: statement.value };
  return { ...base, stored: { ...statement, settled: 0 } };
};

/** An override of the record that joins is a person's word: it stands where nobody overrode the one that goes on. */
const unitedGroup = (survivor: GoldenState, loser: GoldenState, index: number): GoldenGroup => {
  const [own, joining] = [groupOf(survivor, index), groupOf(loser, index)];
  return joining.sticky && !own.sticky ? { ...joining, version: own.version } : own;
};

interface United {
  readonly value: Stated | null;
  readonly origin: string | null;
  readonly sticky: boolean;
  readonly moved: boolean;
}

const outcomeOf = (survivor: GoldenState, loser: GoldenState, plan: GroupPlan, index: number): United => {
  const [own, start, joining] = [groupOf(survivor, index), unitedGroup(survivor, loser, index), groupOf(loser, index)];
  const sticky = start.sticky && !plan.endsOverride;
  const decided = plan.golden ?? { value: start.value, origin: start.origin };
  // A value that a person once set, and that no system says, is not lost.
  const { value, origin } = decided.value === null ? joining : decided;
  return { value, origin, sticky, moved: value !== own.value || sticky !== own.sticky };
};

/** Whoever spoke for either record was heard: a statement is settled against the union, whether it won or was outranked. What is in
 *  question stays so; what we echo of a golden value that is no more is told to its target again. */
const heardStatements = (
  image: ImageState,
  plans: readonly GroupPlan[],
  values: readonly (Stated | null)[],
  version: number,
): Statement[] => {
  const before = image.statements.map((statement, index): Statement => {
    if (statement.state === 'open') return statement;
    if (statement.state !== 'echo') return { ...statement, settled: version };
    return { ...statement, settled: statement.value === values[index] ? version : 0 };
  });
  return statementsAfter(image.id, before, plans, version);
};

const imageAfter = (
  image: ImageState,
  statements: readonly Statement[],
  plans: readonly GroupPlan[],
): PlannedImage => ({
  id: image.id,
  statements,
  deleted: false,
  untold:
    plans.some((plan) => plan.statements.some((one) => one.image === image.id && one.settle === 'never')) ||
    (image.target && statements.some(({ state, settled }) => state === 'echo' && settled === 0)),
  effect: true,
});

const wasOpen = (images: readonly ImageState[], index: number): boolean =>
  images.some(({ deleted, statements }) => !deleted && statements[index]?.state === 'open');

/**
 * Plans the union of two records: golden, statements and questions of the one that goes on. Pure; always a new version, against
 * which everything is settled.
 * @param own the images of the record that goes on
 * @param joining those of the other one
 */
export const planUnion = (
  survivor: GoldenState,
  loser: GoldenState,
  own: readonly ImageState[],
  joining: readonly ImageState[],
  policies: readonly GroupPolicy[],
): RecordPlan => {
  const version = survivor.version + 1;
  const [mine, theirs] = [own.filter(({ deleted }) => !deleted), joining.filter(({ deleted }) => !deleted)];
  const plans = policies.map((policy, index) => {
    const parties = [
      ...mine.map(({ id, system, target, statements }): Party => ({
        ...{ image: id, system, target },
        stored: statements[index] ?? { value: null, state: 'live', settled: 0 },
      })),
      ...theirs.map((image) => joiningParty(image, image.statements[index])).filter((party) => party !== null),
    ];
    return planGroup(unitedGroup(survivor, loser, index), policy, parties);
  });
  const groups = plans.map((plan, index) => outcomeOf(survivor, loser, plan, index));
  const values = groups.map(({ value }) => value);
  return {
    golden: {
      version,
      values,
      versions: groups.map(({ moved }, index) => (moved ? version : (survivor.versions[index] ?? 0))),
      origins: groups.map(({ origin }) => origin),
      sticky: groups.flatMap(({ sticky }, index) => (sticky ? [index] : [])),
      status: 'active',
    },
    changed: true,
    images: [
      ...mine.map((image) => imageAfter(image, heardStatements(image, plans, values, version), plans)),
      ...theirs.map((image) => imageAfter(image, heardStatements(image, plans, values, version), plans)),
    ],
    questions: plans.flatMap((plan, group) =>
      plan.conflict === null && !wasOpen(mine, group)
        ? []
        : [{ group, candidates: plan.conflict, base: groupOf(survivor, group).value }],
    ),
    findings: plans.flatMap((plan, group) => plan.findings.map((finding) => ({ ...finding, group }))),
  };
};
