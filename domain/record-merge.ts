import type { GoldenGroup, Stated, Statement, StatementState } from './canonical.js';
import { planGroup, type Candidate, type GroupPlan, type MergeFinding, type Party } from './merge.js';
import { applyStatement } from './settlement.js';
import type { GroupPolicy } from './strategy.js';

/** A golden record as stored: lists run in the order of the entity type's groups. */
export interface GoldenState {
  readonly version: number;
  readonly values: readonly (Stated | null)[];
  readonly versions: readonly number[];
  readonly origins: readonly (string | null)[];
  /** Positions of groups that a person set. */
  readonly sticky: readonly number[];
  readonly status: 'active' | 'ended' | 'merged';
  /** Of a merged record: the one that it became part of. */
  readonly mergedInto?: string;
}

/** An image as stored; `statements` of a deleted one do not count. */
export interface ImageState {
  readonly id: string;
  readonly system: string;
  readonly target: boolean;
  readonly deleted: boolean;
  readonly statements: readonly Statement[];
  /** When what it says took effect by the source's own telling (sortable text). */
  readonly effectiveAt?: string | null;
}

/** What was read of an image in this run; `values` null: the record is gone from its system. */
export interface IncomingState {
  readonly id: string;
  readonly system: string;
  readonly target: boolean;
  readonly values: readonly (Stated | null)[] | null;
  readonly effectiveAt: string | null;
}

export interface PlannedImage {
  readonly id: string;
  readonly statements: readonly Statement[];
  readonly deleted: boolean;
  /** Something is to be told to this system again though golden did not move. */
  readonly untold: boolean;
  /** What it says changed, or it is new or gone. */
  readonly effect: boolean;
}

export interface PlannedQuestion {
  readonly group: number;
  /** Null: an open question about the group closes, for the parties agree or are gone. */
  readonly candidates: readonly Candidate[] | null;
  readonly base: Stated | null;
}

export interface RecordPlan {
  /** The golden record after the plan; `changed` false: as it was. */
  readonly golden: GoldenState;
  readonly changed: boolean;
  readonly images: readonly PlannedImage[];
  readonly questions: readonly PlannedQuestion[];
  readonly findings: readonly {
    readonly finding: MergeFinding;
    readonly image: string;
    readonly system: string;
    readonly group: number;
  }[];
}

const silent: Statement = { value: null, state: 'live', settled: 0 };

export const groupOf = (golden: GoldenState | null, index: number): GoldenGroup => {
  // A record that ended begins anew when it comes back: nothing that was said before counts.
  if (golden === null || golden.status !== 'active') {
    return { value: null, version: golden?.version ?? 0, origin: null, sticky: false };
  }
  return {
    value: golden.values[index] ?? null,
    version: golden.versions[index] ?? 0,
    origin: golden.origins[index] ?? null,
    sticky: golden.sticky.includes(index),
  };
};

/** The parties to each group: known images first, then those that are new. */
const partiesOf = (
  images: readonly ImageState[],
  incoming: readonly IncomingState[],
): ((index: number) => readonly Party[]) => {
  const read = new Map(incoming.map((one) => [one.id, one]));
  const known = images
    .map((image) => ({ image, now: read.get(image.id) }))
    .filter(({ image, now }) => now !== undefined || !image.deleted);
  const ids = new Set(images.map(({ id }) => id));
  const arrived = incoming.filter(({ id }) => !ids.has(id));
  return (index) => [
    ...known.map(({ image, now }) =>
      partyOf(image, image.deleted ? null : (image.statements[index] ?? silent), now, index),
    ),
    ...arrived.map((one) => partyOf(one, null, one, index)),
  ];
};

const partyOf = (
  { id, system, target }: Pick<ImageState, 'id' | 'system' | 'target'>,
  stored: Statement | null,
  incoming: IncomingState | undefined,
  index: number,
): Party => {
  // Written out: there are millions of them, and copying the members of one to another takes ten times as long.
  if (incoming === undefined) return { image: id, system, target, stored };
  if (incoming.values === null) return { image: id, system, target, stored, withdrawn: true };
  const { values, effectiveAt } = incoming;
  return { image: id, system, target, stored, incoming: values[index] ?? null, effectiveAt };
};

/** The statements of an image after the group plans. One seen for the first time is settled in every group, also where it says
 *  nothing: what it comes to say later is a change. */
export const statementsAfter = (
  id: string,
  before: readonly Statement[] | null,
  plans: readonly GroupPlan[],
  version: number,
): Statement[] =>
  plans.map((plan, index) => {
    const stored = before?.[index] ?? null;
    const planned = plan.statements.find(({ image }) => image === id);
    if (planned !== undefined) return applyStatement(stored, planned, version);
    return stored ?? { ...silent, settled: version };
  });

const sameStatement = (left: Statement | undefined, right: Statement | undefined): boolean =>
  left?.value === right?.value && left?.state === right?.state && left?.settled === right?.settled;

/** Whether a row of a system that we write to, seen for the first time (or again), is to be told something: what golden says and it does
 *  not, unless it is asked about, or left by policy. */
const lacksGolden = (
  id: string,
  statements: readonly Statement[],
  plans: readonly GroupPlan[],
  next: GoldenState,
): boolean =>
  statements.some(({ value, state }, index) => {
    const golden = next.values[index] ?? null;
    const isLeft = plans[index]?.findings.some(
      ({ image, finding }) => image === id && finding !== 'ranked_at_first_sight',
    );
    return golden !== null && value !== golden && state !== 'open' && isLeft !== true;
  });

const planImage = (
  id: string,
  image: ImageState | undefined,
  incoming: IncomingState | undefined,
  plans: readonly GroupPlan[],
  next: GoldenState,
): PlannedImage | null => {
  const before = image === undefined || image.deleted ? null : image.statements;
  if (incoming?.values === null) return { id, statements: [], deleted: true, untold: false, effect: true };
  if (incoming === undefined && before === null) return null;
  const statements = statementsAfter(id, before, plans, next.version);
  const effect = before === null || statements.some((one, index) => one.value !== (before[index]?.value ?? null));
  const told = before !== null || incoming?.target !== true || !lacksGolden(id, statements, plans, next);
  const untold =
    !told || plans.some((plan) => plan.statements.some((one) => one.image === id && one.settle === 'never'));
  const touched = before === null || statements.some((one, index) => !sameStatement(one, before[index]));
  return incoming !== undefined || touched ? { id, statements, deleted: false, untold, effect } : null;
};

const wasOpen = (images: readonly ImageState[], index: number): boolean =>
  images.some((image) => !image.deleted && image.statements[index]?.state === 'open');

const questionsOf = (
  golden: GoldenState | null,
  images: readonly ImageState[],
  plans: readonly GroupPlan[],
): PlannedQuestion[] =>
  plans.flatMap((plan, group) =>
    plan.conflict === null && !wasOpen(images, group)
      ? []
      : [{ group, candidates: plan.conflict, base: groupOf(golden, group).value }],
  );

const nextGolden = (
  golden: GoldenState | null,
  plans: readonly GroupPlan[],
  version: number,
  ends: boolean,
): GoldenState => {
  const groups = plans.map((_, index) => groupOf(golden, index));
  const sticky = groups.flatMap((group, index) => (group.sticky && plans[index]?.endsOverride !== true ? [index] : []));
  if (ends && golden !== null) return { ...golden, version, status: 'ended', sticky: [] };
  return {
    version,
    values: plans.map((plan, index) => plan.golden?.value ?? groups[index]?.value ?? null),
    versions: plans.map((plan, index) => (plan.golden === null ? (groups[index]?.version ?? 0) : version)),
    origins: plans.map((plan, index) => (plan.golden === null ? (groups[index]?.origin ?? null) : plan.golden.origin)),
    sticky,
    status: 'active',
  };
};

/** A golden record ends when no live image of a source remains, unless a person set something in it. */
const isAlive = (
  golden: GoldenState | null,
  images: readonly ImageState[],
  incoming: readonly IncomingState[],
): boolean => {
  const gone = new Set(incoming.filter(({ values }) => values === null).map(({ id }) => id));
  const live = images.some((image) => !image.deleted && !gone.has(image.id));
  return live || incoming.some(({ values }) => values !== null) || (golden?.sticky ?? []).length > 0;
};

/**
 * Plans one record: every attribute group by its policy. Pure; does not depend on the order of images or systems.
 * @param images source images (those of pure targets take no part)
 */
export const planRecord = (
  golden: GoldenState | null,
  images: readonly ImageState[],
  incoming: readonly IncomingState[],
  policies: readonly GroupPolicy[],
): RecordPlan => {
  const partiesTo = partiesOf(images, incoming);
  const plans = policies.map((policy, index) => planGroup(groupOf(golden, index), policy, partiesTo(index)));
  const ends = golden !== null && golden.status === 'active' && !isAlive(golden, images, incoming);
  const changed =
    golden === null ||
    ends ||
    golden.status !== 'active' ||
    plans.some((plan) => plan.golden !== null || plan.endsOverride);
  const version = golden === null ? 1 : changed ? golden.version + 1 : golden.version;
  const next = nextGolden(golden, plans, version, ends);
  const ids = [...new Set([...images.map(({ id }) => id), ...incoming.map(({ id }) => id)])];
  const planned = ids.map((id) =>
    planImage(
      id,
      images.find((image) => image.id === id),
      incoming.find((one) => one.id === id),
      plans,
      next,
    ),
  );
  const questions = ends
    ? plans.flatMap((_, group) => (wasOpen(images, group) ? [{ group, candidates: null, base: null }] : []))
    : questionsOf(golden, images, plans);
  return {
    golden: next,
    changed,
    images: planned.filter((image): image is PlannedImage => image !== null),
    questions,
    findings: plans.flatMap((plan, group) => plan.findings.map((finding) => ({ ...finding, group }))),
  };
};

const letters: Readonly<Record<StatementState, string>> = { live: 'l', echo: 'e', overruled: 'v', open: 'o' };
const states: Readonly<Record<string, StatementState>> = { l: 'live', e: 'echo', v: 'overruled', o: 'open' };

/** How the statements of an image are stored: nulls stand for the common case. */
export interface StoredStatements {
  readonly statements: readonly (Stated | null)[];
  readonly states: string | null;
  readonly settledVersion: number;
  readonly settled: readonly number[] | null;
}

export const packStatements = (statements: readonly Statement[]): StoredStatements => {
  const packed = statements.map(({ state }) => letters[state]).join('');
  const settled = statements.map((one) => one.settled);
  const [first = 0] = settled;
  const uniform = settled.every((one) => one === first);
  return {
    statements: statements.map(({ value }) => value),
    states: /^l*$/.test(packed) ? null : packed,
    settledVersion: uniform ? first : Math.max(...settled),
    settled: uniform ? null : settled,
  };
};

export const unpackStatements = (stored: StoredStatements): Statement[] =>
  stored.statements.map((value, index) => ({
    value,
    state: states[stored.states?.[index] ?? 'l'] ?? 'live',
    settled: stored.settled?.[index] ?? stored.settledVersion,
  }));
