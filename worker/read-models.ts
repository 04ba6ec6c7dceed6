import type { Hub } from '../database/hub.js';

/* What is told from tables (`concord.operational_metrics()`), over all institutions. Every worker tells the same: dashboards and alerts
   take the maximum over workers, never the sum. */

interface Family {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
}

/** Names stay: dashboards and alerts rely on them (docs/operating). Each stands for `concord_<name>`. */
export const readModels = {
  jobs_started_total: { type: 'counter', help: 'Runs that were begun, by who began them.' },
  job_duration_seconds: { type: 'histogram', help: 'How long runs took that ended, and how they ended.' },
  records_total: { type: 'counter', help: 'Records by what became of them, and in which stage.' },
  quality_failures_total: { type: 'counter', help: 'Records that were set aside, by rule.' },
  rollbacks_total: { type: 'counter', help: 'Rollbacks that ended, and how.' },
  job_last_success_timestamp_seconds: { type: 'gauge', help: 'When the newest good run of a job ended.' },
  source_lag_seconds: { type: 'gauge', help: 'How old the newest reading of a source is that was used.' },
  runs_active: { type: 'gauge', help: 'Runs at work.' },
  run_oldest_active_seconds: { type: 'gauge', help: 'How long the oldest run has been at work.' },
  conflicts_pending: { type: 'gauge', help: 'Questions that wait for a person.' },
  conflicts_overdue: { type: 'gauge', help: 'Questions whose time is over.' },
  conflict_oldest_age_seconds: { type: 'gauge', help: 'How long the oldest question has waited.' },
  held_changes: { type: 'gauge', help: 'Held changes that wait for a person.' },
  target_runs_pending: { type: 'gauge', help: 'Runs whose changes a target has not been told yet.' },
  decision_batches_pending: { type: 'gauge', help: 'Decisions that are not carried out yet, in batches.' },
  decision_batch_oldest_age_seconds: { type: 'gauge', help: 'How long the oldest of them has waited.' },
  outbox_pending: { type: 'gauge', help: 'Messages to Temporal that are not handed over yet.' },
  outbox_oldest_age_seconds: { type: 'gauge', help: 'How long the oldest of them has waited.' },
  database_size_bytes: { type: 'gauge', help: 'Size of the database.' },
} as const satisfies Readonly<Record<string, Family>>;

export interface Measure {
  readonly metric: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

/** Reads them all. Cheap: counters are kept as runs end, and the rest is found by indexes of what is open. */
export async function readMeasures(hub: Hub): Promise<readonly Measure[]> {
  return await hub.system(async (client) => {
    const { rows } = await client.query<Measure>('select metric, labels, value from concord.operational_metrics()');
    return rows;
  });
}

/** The text that Prometheus reads. Pure. */
export function exposition(measures: readonly Measure[]): string {
  return Object.entries(readModels)
    .map(([name, { type, help }]) => {
      const parts = type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name];
      const lines = measures
        .filter(({ metric }) => parts.includes(metric))
        .map(({ metric, labels, value }) => `concord_${metric}${labelText(labels)} ${String(value)}`);
      return [`# HELP concord_${name} ${help}`, `# TYPE concord_${name} ${type}`, ...lines].join('\n');
    })
    .join('\n')
    .concat('\n');
}

function labelText(labels: Measure['labels']): string {
  const parts = Object.entries(labels).map(([name, value]) => `${name}="${escaped(String(value))}"`);
  return parts.length === 0 ? '' : `{${parts.join(',')}}`;
}

const escaped = (value: string): string =>
  value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
