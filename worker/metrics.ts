import type { Context } from '@temporalio/activity';
import type { ActivityInterceptors } from '@temporalio/worker';
import { collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Hub } from '../database/hub.js';
import type { Log } from '../platform/log.js';
import { exposition, readMeasures } from './read-models.js';

/** What a worker measures: itself, and what the tables tell. */
export interface WorkerMetrics {
  /** The text that Prometheus reads. */
  read(): Promise<string>;
  /** Measures every activity. */
  readonly surround: (context: Context) => ActivityInterceptors;
}

export interface WorkerMetricsOptions {
  readonly hub: Hub;
  readonly log: Log;
  /** False from the moment that the process was asked to end. */
  readonly accepting: () => boolean;
  /** Where Temporal's own metrics of this process are read, null: nowhere. */
  readonly temporalMetricsUrl: string | null;
}

/* Read at most so often, however many ask. */
const keptMilliseconds = 10_000;

/* From bookkeeping to a chunk of a large table. */
const buckets = [0.01, 0.05, 0.25, 1, 5, 15, 60, 300, 900];

/** Names stay: dashboards and alerts rely on them (docs/operating). */
export function createWorkerMetrics(options: WorkerMetricsOptions): WorkerMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const activities = new Histogram({
    name: 'concord_activity_duration_seconds',
    help: 'Attempts of activities that ended, how, and how long they took.',
    labelNames: ['activity', 'outcome'],
    ...{ buckets, registers: [registry] },
  });
  new Gauge({
    name: 'concord_accepting',
    help: '1 while the process takes work, 0 from the moment that it was asked to end.',
    registers: [registry],
    collect() {
      this.set(options.accepting() ? 1 : 0);
    },
  });
  const readModels = remembered(keptMilliseconds, () => readFromTables(options));
  return {
    async read() {
      const parts = await Promise.all([registry.metrics(), readModels(), readFromTemporal(options)]);
      return parts.join('');
    },
    surround: (context) => ({
      inbound: {
        async execute(input, next) {
          const end = activities.startTimer({ activity: context.info.activityType });
          try {
            const result = await next(input);
            end({ outcome: 'done' });
            return result;
          } catch (error) {
            end({ outcome: context.cancellationSignal.aborted ? 'cancelled' : 'failed' });
            throw error;
          }
        },
      },
    }),
  };
}

/* Without the database a worker still tells of itself, and that it could not read: an alert of its own. */
async function readFromTables({ hub, log }: WorkerMetricsOptions): Promise<string> {
  const gauge = (readable: 0 | 1): string =>
    `# HELP concord_read_models_readable 1 where what the tables tell could be read.\n# TYPE concord_read_models_readable gauge\nconcord_read_models_readable ${String(readable)}\n`;
  try {
    return exposition(await readMeasures(hub)) + gauge(1);
  } catch (error) {
    log.warn({ err: error }, 'metrics could not be read from the database');
    return gauge(0);
  }
}

async function readFromTemporal({ temporalMetricsUrl, log }: WorkerMetricsOptions): Promise<string> {
  if (temporalMetricsUrl === null) return '';
  try {
    const answer = await fetch(temporalMetricsUrl, { signal: AbortSignal.timeout(2_000) });
    return answer.ok ? await answer.text() : '';
  } catch (error) {
    log.warn({ err: error }, 'metrics of the Temporal SDK could not be read');
    return '';
  }
}

function remembered<T>(milliseconds: number, read: () => Promise<T>): () => Promise<T> {
  let kept: { readonly until: number; readonly value: Promise<T> } | null = null;
  return () => {
    const now = performance.now();
    if (kept === null || now > kept.until) kept = { until: now + milliseconds, value: read() };
    return kept.value;
  };
}
