import type { GoldenGroup, Statement } from './canonical.js';
import type { Candidate } from './merge.js';

/** A group before and after the run that is rolled back, and as it is now. */
export interface GroupHistory {
  readonly before: GoldenGroup;
  readonly after: GoldenGroup;
  readonly current: GoldenGroup;
  /** A question about the group was opened, changed or closed by a later run that was not itself undone, or the one that
   *  would open again cannot (`hasPartyChanged`). */
  readonly questionSince: boolean;
  /** The run brought the record about, and other images have joined it since, or say something else: it may not end under them. */
  readonly joinedSince?: boolean;
  /** Versions that rollbacks wrote, each with the version that it set back to. So what was changed and changed back by an
   *  undo is not changed since. */
  readonly restorations?: ReadonlyMap<number, number>;
}

/** What a rollback does to a group: set back as a new version, kept because a later run changed it, or nothing to do. */
export type GroupRollback =
  | { readonly outcome: 'reversed'; readonly golden: GoldenGroup }
  | { readonly outcome: 'kept' }
  | { readonly outcome: 'untouched' };

/** The version that first set what a version holds: rollbacks are followed back. */
export const firstSetBy = (version: number, restorations: ReadonlyMap<number, number> | undefined): number => {
  const restored = restorations?.get(version);
  return restored === undefined || restored >= version ? version : firstSetBy(restored, restorations);
};

const sameGroup = (left: GoldenGroup, right: GoldenGroup, restorations?: ReadonlyMap<number, number>): boolean =>
  left.value === right.value &&
  left.sticky === right.sticky &&
  firstSetBy(left.version, restorations) === firstSetBy(right.version, restorations);

/** Decides one group. `version` is the record version that the rollback writes. */
export const planGroupRollback = (history: GroupHistory, version: number): GroupRollback => {
  const { before, after, current, restorations } = history;
  const changedSince = history.questionSince || history.joinedSince === true;
  if (changedSince || !sameGroup(after, current, restorations)) return { outcome: 'kept' };
  if (sameGroup(before, after)) return { outcome: 'untouched' };
  return { outcome: 'reversed', golden: { ...before, version } };
};

/** A version that was settled (or published) against the restored golden value counts as settled against the version that
 *  restores it: the record behaves as it did before the run. */
export const rebase = (settled: number, restored: GoldenGroup, version: number): number =>
  settled > 0 && settled >= restored.version ? Math.max(settled, version) : settled;

/** The statement that a rollback leaves: as before the run, unless its system was read with something else since. */
export const planStatementRollback = (
  { before, readSince }: { readonly before: Statement | null; readonly readSince: boolean },
  restored: GoldenGroup,
  version: number,
): { readonly outcome: 'restored'; readonly statement: Statement | null } | { readonly outcome: 'kept' } =>
  readSince
    ? { outcome: 'kept' }
    : {
        outcome: 'restored',
        statement: before === null ? null : { ...before, settled: rebase(before.settled, restored, version) },
      };

/** Whether an image that was party to a question says something else since: the question cannot open again as it stood. */
export const hasPartyChanged = (
  candidates: readonly Candidate[],
  after: ReadonlyMap<string, Statement>,
  current: ReadonlyMap<string, Statement>,
): boolean => {
  const saidIn = (statements: ReadonlyMap<string, Statement>, image: string): Statement['value'] =>
    statements.get(image)?.value ?? null;
  return candidates.flatMap(({ images }) => images).some((image) => saidIn(after, image) !== saidIn(current, image));
};
