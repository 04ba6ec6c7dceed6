import type { GoldenGroup, Statement } from './canonical.js';

/** A group before and after the run that is rolled back, and as it is now. */
export interface GroupHistory {
  readonly before: GoldenGroup;
  readonly after: GoldenGroup;
  readonly current: GoldenGroup;
  /** A question about the group was opened or changed by a later run. */
  readonly questionSince: boolean;
}

/** What a rollback does to a group: set back as a new version, kept because a later run changed it, or nothing to do. */
export type GroupRollback =
  | { readonly outcome: 'reversed'; readonly golden: GoldenGroup }
  | { readonly outcome: 'kept' }
  | { readonly outcome: 'untouched' };

const sameGroup = (left: GoldenGroup, right: GoldenGroup): boolean =>
  left.value === right.value && left.version === right.version && left.sticky === right.sticky;

/** Decides one group. `version` is the record version that the rollback writes. */
export const planGroupRollback = (history: GroupHistory, version: number): GroupRollback => {
  const { before, after, current } = history;
  if (!sameGroup(after, current) || history.questionSince) return { outcome: 'kept' };
  if (sameGroup(before, after)) return { outcome: 'untouched' };
  return { outcome: 'reversed', golden: { ...before, version } };
};

/** A version that was settled (or published) against the restored golden value counts as settled against the version that
 *  restores it: the record behaves as it did before the run. */
export const rebase = (settled: number, restored: GoldenGroup, version: number): number =>
  settled > 0 && settled >= restored.version ? version : settled;

/** The statement that a rollback leaves: as before the run, unless its system was read with something else since. */
export const planStatementRollback = (
  history: { readonly before: Statement | null; readonly after: Statement | null; readonly current: Statement | null },
  restored: GoldenGroup,
  version: number,
): { readonly outcome: 'restored'; readonly statement: Statement | null } | { readonly outcome: 'kept' } => {
  const { before, after, current } = history;
  if ((current?.value ?? null) !== (after?.value ?? null)) return { outcome: 'kept' };
  return {
    outcome: 'restored',
    statement: before === null ? null : { ...before, settled: rebase(before.settled, restored, version) },
  };
};
