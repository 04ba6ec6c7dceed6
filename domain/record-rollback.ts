import type { GoldenGroup, Stated } from './canonical.js';
import { firstSetBy, planGroupRollback, rebase } from './rollback.js';
import type { GoldenState } from './record-merge.js';

/** A whole row of `record_images` with its identifiers, as the change set keeps it. */
export type ImageRow = Readonly<Record<string, unknown>> & {
  readonly id: number | string;
  readonly settled_version: number;
  readonly settled: readonly number[] | null;
  readonly published_version: number;
  readonly read_run: number | string | null;
  readonly deleted_run?: number | string | null;
};

/** Everything the rollback of one golden record looks at. */
export interface RollbackInput {
  readonly goldenId: string;
  /** The run made the record. */
  readonly made: boolean;
  /** As the run found and as it left it; null: the run left no entry of it (it made it, or touched only its images). */
  readonly before: GoldenState | null;
  readonly after: GoldenState | null;
  readonly current: GoldenState;
  readonly questionSince: boolean;
  readonly joinedSince: boolean;
  /** Version that an undo wrote → the record that it set back to. */
  readonly restorations: ReadonlyMap<number, GoldenState | null>;
  readonly images: readonly RollbackImage[];
}

export interface RollbackImage {
  readonly id: string;
  /** Null: the run made the image; undefined: the run did not touch it. */
  readonly before: ImageRow | null | undefined;
  /** Its system was read with something else than what the run that is rolled back left. */
  readonly readSince: boolean;
  /** Null: it is not there any more. */
  readonly current: ImageRow | null;
  /** Another image has its key now: it cannot come back beside it. */
  readonly keyTaken: boolean;
}

export interface RollbackPlan {
  readonly goldenId: string;
  readonly kept: boolean;
  /** The record after the rollback; null: as it is. */
  readonly golden: GoldenState | null;
  /** The version that the new one sets back to. */
  readonly restores: number;
  /** Images to set back: null row: take it away. */
  readonly images: readonly { readonly id: string; readonly row: ImageRow | null }[];
}

const groupAt = (state: GoldenState | null, index: number): GoldenGroup => ({
  value: state?.values[index] ?? null,
  version: state?.versions[index] ?? 0,
  origin: state?.origins[index] ?? null,
  sticky: state?.sticky.includes(index) ?? false,
});

/** Versions of one group that undos wrote → its version in the record that each set back to. */
const restorationsAt = (
  states: readonly (readonly [number, GoldenState | null])[],
  index: number,
): Map<number, number> => new Map(states.map(([version, state]) => [version, groupAt(state, index).version]));

/** A record that a run left alone, as it found it: undos may have set back to that since, as new versions. */
const asFound = (current: GoldenState, states: readonly (readonly [number, GoldenState | null])[]): GoldenState => ({
  ...current,
  version: firstSetBy(current.version, new Map(states.map(([version, state]) => [version, state?.version ?? 0]))),
  versions: current.versions.map((version, index) => firstSetBy(version, restorationsAt(states, index))),
});

/** A record that a run made ends again: what it said is kept in its versions. */
const endedState = (current: GoldenState, version: number): GoldenState => ({
  ...current,
  version,
  status: 'ended',
  sticky: [],
});

const rebased = (row: ImageRow, before: GoldenState | null, version: number, groups: number): ImageRow => {
  const settled = Array.from({ length: groups }, (_, index) =>
    rebase(row.settled?.[index] ?? row.settled_version, groupAt(before, index), version),
  );
  const [first = 0] = settled;
  const uniform = settled.every((one) => one === first);
  return {
    ...row,
    settled_version: uniform ? first : Math.max(...settled),
    settled: uniform ? null : settled,
    published_version:
      row.published_version >= (before?.version ?? 0) && row.published_version > 0 ? version : row.published_version,
  };
};

/** An image is set back unless its system was read with something else since. What was settled against the value that stands then is
 *  settled against its version.
 *  @param comesBack the rollback sets the record back: that goes for images that the run did not touch, too */
const planImages = (
  input: RollbackInput,
  found: GoldenState | null,
  version: number,
  comesBack: boolean,
): RollbackPlan['images'] => {
  const { current } = input;
  const hasMoved = comesBack || found?.versions.some((one, index) => one !== current.versions[index]) === true;
  const now = (row: ImageRow): ImageRow => (hasMoved ? rebased(row, found, version, current.values.length) : row);
  return input.images.flatMap((image): RollbackPlan['images'][number][] => {
    if (image.readSince) return [];
    if (image.before === undefined)
      return comesBack && image.current !== null ? [{ id: image.id, row: now(image.current) }] : [];
    return [{ id: image.id, row: image.before === null ? null : now(image.before) }];
  });
};

/** What a made record was, told by what is now: groups that stand in version 1 are as they were made; any other was changed. */
const asMade = ({ mergedInto: _mergedInto, ...current }: GoldenState): GoldenState => ({
  ...current,
  status: 'active',
  versions:
    current.version === 1
      ? current.versions
      : current.values.map((value, index) => (value === null && current.versions[index] === 0 ? 0 : 1)),
});

const keptPlan = (goldenId: string): RollbackPlan => ({ goldenId, kept: true, golden: null, restores: 0, images: [] });

/** Decides the rollback of one record: reversed as a whole, or kept where any group of it was changed since. The deed and its
 *  preview ask this one function. */
export const planRecordRollback = (input: RollbackInput): RollbackPlan => {
  const { goldenId, current, made } = input;
  const before = input.before ?? (made ? null : current);
  const after = input.after ?? (made ? asMade(current) : current);
  const version = current.version + 1;
  const restored = [...input.restorations];
  // A record may not end under an image that stays.
  const staysBehind = (image: RollbackImage): boolean =>
    image.before !== undefined && image.readSince && (image.current?.deleted_run ?? null) === null;
  const joinedSince = input.joinedSince || (before === null && input.images.some(staysBehind));
  const plans = current.values.map((_, index) =>
    planGroupRollback(
      {
        before: groupAt(before, index),
        after: groupAt(after, index),
        current: groupAt(current, index),
        questionSince: input.questionSince,
        joinedSince,
        restorations: restorationsAt(restored, index),
      },
      version,
    ),
  );
  const cannotComeBack = input.images.some(
    (image) => image.keyTaken && image.before !== null && image.before !== undefined && image.current === null,
  );
  const statusMoved = after.status !== current.status || after.mergedInto !== current.mergedInto;
  if (statusMoved || cannotComeBack || plans.some(({ outcome }) => outcome === 'kept')) return keptPlan(goldenId);
  const reversed =
    before === null || before.status !== current.status || plans.some(({ outcome }) => outcome === 'reversed');
  if (!reversed) {
    const found = input.before ?? asFound(current, restored);
    return {
      goldenId,
      kept: false,
      golden: null,
      restores: 0,
      images: planImages(input, found, current.version, false),
    };
  }
  const images = planImages(input, before, version, true);
  const golden =
    before === null
      ? endedState(current, version)
      : setBack(
          before,
          current,
          plans.map(({ outcome }) => outcome === 'reversed'),
          version,
        );
  return { goldenId, kept: false, golden, restores: before?.version ?? 0, images };
};

/** What the rollback of an earlier run finds, after a plan for a later one was carried out: as the deed would read it. */
export const afterRollback = (next: RollbackInput, plan: RollbackPlan, seen: RollbackInput): RollbackInput => {
  if (plan.kept) return next;
  const rows = new Map(plan.images.map(({ id, row }) => [id, row]));
  const images = next.images.map((image) =>
    rows.has(image.id) ? { ...image, current: rows.get(image.id) ?? null } : image,
  );
  if (plan.golden === null) return { ...next, images };
  const restored = seen.before ?? (seen.made ? null : seen.current);
  return {
    ...next,
    current: plan.golden,
    restorations: new Map([...next.restorations, [plan.golden.version, restored]]),
    images,
  };
};

const setBack = (
  before: GoldenState,
  current: GoldenState,
  reversed: readonly boolean[],
  version: number,
): GoldenState => {
  const from = (index: number): GoldenState => (reversed[index] === true ? before : current);
  return {
    version,
    values: current.values.map((_, index): Stated | null => from(index).values[index] ?? null),
    versions: current.versions.map((one, index) => (reversed[index] === true ? version : one)),
    origins: current.origins.map((_, index) => from(index).origins[index] ?? null),
    sticky: current.values.flatMap((_, index) => (from(index).sticky.includes(index) ? [index] : [])),
    status: before.status,
    ...(before.mergedInto === undefined ? {} : { mergedInto: before.mergedInto }),
  };
};
