import { randomBytes } from 'node:crypto';
import { context, trace } from '@opentelemetry/api';
import type { Span } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';

/* Loaded only where traces go somewhere. */

export interface Tracing {
  /** Makes one span with an id that is known beforehand, so that others could already name it as their parent. */
  withSpanId(spanId: string, start: () => Span): Span;
  /** Sends what is left, then ends. */
  stop(): Promise<void>;
}

/** Sends traces to a collector (OTLP over HTTP). Once a process. */
export function startTracing(options: { readonly url: string; readonly service: string }): Tracing {
  let wanted: string | null = null;
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': options.service, 'service.namespace': 'concord' }),
    idGenerator: {
      generateTraceId: () => randomBytes(16).toString('hex'),
      generateSpanId: () => wanted ?? randomBytes(8).toString('hex'),
    },
    spanProcessors: [new BatchSpanProcessor({ exporter: new OTLPTraceExporter({ url: `${options.url}/v1/traces` }) })],
  });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  trace.setGlobalTracerProvider(provider);
  return {
    withSpanId(spanId, start) {
      wanted = spanId;
      try {
        return start();
      } finally {
        wanted = null;
      }
    },
    async stop() {
      try {
        await provider.shutdown();
      } finally {
        trace.disable();
        context.disable();
      }
    },
  };
}
