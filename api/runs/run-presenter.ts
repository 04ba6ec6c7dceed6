import type { Role } from '../../domain/access.js';
import type { RunPlan } from '../../domain/run-plan.js';
import { dispositions } from '../../domain/run.js';
import { linkTo } from '../common/base-path.js';
import { effectOf } from './cancellation.js';
import type { FindingGroupRow, FindingRow, RunRow } from './run.queries.js';
import { runWords, type UnusableMapping } from './run-words.js';
import type { BalanceView, FindingGroupView, FindingView, RunItemView, RunPlanView, RunView } from './run.view.js';
import type { Plain } from '../common/plain-type.js';

export const toRunItem = (row: RunRow): Plain<RunItemView> => ({
  id: row.id,
  kind: row.kind,
  jobId: row.job_id === null ? null : String(row.job_id),
  jobName: row.job_name,
  parentRunId: row.parent_run_id,
  actor: row.actor,
  asOf: row.as_of,
  state: row.state,
  words: runWords({
    kind: row.kind,
    state: row.state,
    errorCode: row.error_code,
    applyStarted: row.apply_started,
    openQuestions: row.open_questions,
    held: row.held,
    heldBefore: row.held_before,
    rejected: row.rejected,
    rolledBackBy: row.rolled_back_by,
    unusable: unusableOf(row.counts),
  }),
  openQuestions: row.open_questions,
  held: row.held,
  heldBefore: row.held_before,
  rejected: row.rejected,
  rolledBackBy: row.rolled_back_by,
  startedAt: row.started_at.toISOString(),
  finishedAt: row.finished_at?.toISOString() ?? null,
  links: linksOf(row),
});

/** People write reasons, perhaps with names: an operator sees none. */
export const toRun = (row: RunRow, role: Role): Plain<RunView> => ({
  ...toRunItem(row),
  reason: role === 'operator' ? null : row.reason,
  rollback:
    row.rolled_back_by === null
      ? null
      : {
          runId: row.rolled_back_by,
          actor: row.rollback_actor ?? '',
          reason: role === 'operator' ? null : row.rollback_reason,
        },
  workflowId: row.workflow_id,
  counts: withoutPlan(row.counts),
  plan: planOf(row),
  balance: balanceOf(row.counts),
  error: row.error_code === null ? null : { code: row.error_code, detail: row.error_detail },
  cancellation: effectOf(row),
  cancelled:
    row.cancelled_by === null || row.cancelled_at === null
      ? null
      : { by: row.cancelled_by, at: row.cancelled_at.toISOString(), reason: row.cancel_reason ?? '' },
});

const withoutPlan = ({ plan: _, ...counts }: RunRow['counts']): Record<string, unknown> => counts;

/* Written by the worker as it is shown. */
const planOf = ({ kind, counts: { plan } }: RunRow): Plain<RunPlanView> | null =>
  kind === 'dry_run' && plan !== undefined ? (plan as RunPlan & Plain<RunPlanView>) : null;

const linksOf = (row: RunRow): Record<string, string> => {
  const self = linkTo(`runs/${row.id}`);
  return {
    self,
    rejected: `${self}/rejected`,
    rejectedGroups: `${self}/rejected/groups`,
    findings: `${self}/findings`,
    findingGroups: `${self}/findings/groups`,
    progress: `${self}/progress`,
    changes: `${self}/changes`,
    events: linkTo(`events?run=${row.id}`),
    questions: linkTo(`conflicts/pending?run=${row.id}`),
    heldChanges: linkTo(`held-changes?run=${row.id}`),
    ...(row.finished_at === null ? { cancel: `${self}/cancel` } : {}),
    ...(row.finished_at === null || row.kind === 'dry_run' ? {} : { rollbackPreview: `${self}/rollback/preview` }),
  };
};

/* Written by the worker as it is said. */
const unusableOf = ({ unusable }: RunRow['counts']): readonly UnusableMapping[] =>
  Array.isArray(unusable) ? (unusable as UnusableMapping[]) : [];

/** The sums of invariant I1, where the run has counted its rows. */
const balanceOf = ({ rows }: Readonly<Record<string, unknown>>): Plain<BalanceView> | null => {
  if (typeof rows !== 'object' || rows === null) return null;
  const counted = new Map<string, unknown>(Object.entries(rows));
  const count = (name: string): number => Number(counted.get(name) ?? 0);
  const rowsIn = count('extracted') + count('missing');
  const rowsAccounted = dispositions.reduce((sum, name) => sum + count(name), 0);
  return { balances: rowsIn === rowsAccounted, rowsIn, rowsAccounted };
};

export const toFinding = (row: FindingRow): Plain<FindingView> => ({
  id: row.id,
  kind: row.kind,
  mapping: row.mapping,
  system: row.system,
  entityType: row.entity_type,
  goldenId: row.golden_id,
  sourceKey: row.source_key,
  field: row.field,
  detail: row.detail,
});

export const toFindingGroup =
  (runId: string) =>
  (row: FindingGroupRow): Plain<FindingGroupView> => ({
    ...{ kind: row.kind, system: row.system, mapping: row.mapping, count: row.count, detail: row.detail },
    ...{ exampleId: row.example_id, exampleKey: row.example_key },
    links: { findings: linkTo(`runs/${runId}/findings?kind=${encodeURIComponent(row.kind)}`) },
  });
