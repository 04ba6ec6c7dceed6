import { collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** What the API measures of itself. */
export interface ApiMetrics {
  /** The text that Prometheus reads. */
  read(): Promise<string>;
  /** A request that was answered. `route`: the pattern, never the address, which may name a person. */
  answered(request: {
    readonly method: string;
    readonly route: string;
    readonly status: number;
    readonly seconds: number;
  }): void;
}

export interface ApiMetricsOptions {
  /** False from the moment that the process was asked to end. */
  readonly accepting: () => boolean;
}

/** Durations up to what a person waits for. */
const buckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Names stay: dashboards and alerts rely on them (docs/operating). */
export function createApiMetrics(options: ApiMetricsOptions): ApiMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const requests = new Histogram({
    name: 'concord_http_request_duration_seconds',
    help: 'Requests that were answered, by route, and how long it took.',
    labelNames: ['method', 'route', 'status'],
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
  return {
    read: () => registry.metrics(),
    answered: ({ method, route, status, seconds }) => {
      requests.observe({ method, route, status: String(status) }, seconds);
    },
  };
}
