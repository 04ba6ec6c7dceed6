/** The vocabulary of a run. Frozen: these names stand in stored histories, search attributes and tables. */
export const runKinds = ['sync', 'decision', 'release', 'rollback', 'due', 'remap'] as const;
export type RunKind = (typeof runKinds)[number];

/** The steps of the loop: names of activity files, states of a run, metric labels and headings of the documentation. */
export const steps = [
  'extract',
  'diff',
  'guard',
  'standardize',
  'match',
  'merge',
  'apply',
  'publish',
  'verify',
  'rollback',
] as const;
export type Step = (typeof steps)[number];

export const endStates = [
  'completed',
  'completed_with_questions',
  'failed',
  'cancelled',
  'rolled_back',
  'skipped',
] as const;
export type EndState = (typeof endStates)[number];
export type RunState = 'opened' | Step | EndState;

/** From which state a run may go to which. A run passes the steps in order and may leave some out; a step may be entered
 *  again by a later attempt (staging lost: `extract` again before anything was applied). */
export const mayMove = (from: RunState, to: RunState): boolean => {
  if ((endStates as readonly string[]).includes(from)) return to === 'rolled_back' && from !== 'skipped';
  if ((endStates as readonly string[]).includes(to)) return true;
  if (to === 'opened') return false;
  if (from === 'opened' || to === 'rollback') return true;
  const [left, right] = [steps.indexOf(from as Step), steps.indexOf(to as Step)];
  // Entity types are matched, merged and applied one after the other; lost staging is extracted again.
  return right >= left || to === 'extract' || (to === 'match' && right < steps.indexOf('publish'));
};

/** What travels between workflow and activities: ids, never rows. */
export interface RunRef {
  readonly runId: string;
  readonly institutionId: number;
  readonly jobId: number | null;
  readonly kind: RunKind;
  /** The person whose records alone the run reads (`liveSync`); absent: whole sources. */
  readonly subjectKey?: string;
}

/** The dispositions of source rows; with them the sums of a run balance (invariant I1):
 *  extracted + missing = unchanged + new + changed + no_effect + deleted + rejected + held + waiting + filtered. */
export const dispositions = [
  'unchanged',
  'new',
  'changed',
  'no_effect',
  'deleted',
  'rejected',
  'held',
  'waiting',
  'filtered',
] as const;
export type Disposition = (typeof dispositions)[number];
export type RowCounts = Readonly<Record<Disposition | 'extracted' | 'missing', number>>;

/** Whether every row has exactly one disposition. */
export const balances = (counts: RowCounts): boolean =>
  counts.extracted + counts.missing === dispositions.reduce((sum, name) => sum + counts[name], 0);

/** Search attributes of every workflow (Temporal's own types). */
export const searchAttributes = {
  ConcordInstitution: 'Keyword',
  ConcordJob: 'Keyword',
  ConcordRunKind: 'Keyword',
  ConcordState: 'Keyword',
  ConcordQuestions: 'Int',
} as const;

/** Task queues by urgency. */
export const taskQueues = { io: 'sync-io', interactive: 'sync-interactive', rollback: 'sync-rollback' } as const;
