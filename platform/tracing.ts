import { context, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import type { Attributes, Context, Span, SpanContext } from '@opentelemetry/api';

/* Traces (OpenTelemetry). Without a provider, which `startTracing` installs, all of this does nothing and costs next to nothing.
   Spans hold ids, codes and names of ours: no rows, no texts of errors. */

/** The trace that somebody is in, as W3C Trace Context writes it; null where it is none. */
export function readTraceparent(text: string | undefined): SpanContext | null {
  const [, traceId = '', spanId = '', flags = ''] =
    /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/.exec(text ?? '') ?? [];
  if (traceId === '' || /^0+$/.test(traceId) || /^0+$/.test(spanId)) return null;
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & 1, isRemote: true };
}

export const writeTraceparent = ({ traceId, spanId, traceFlags }: SpanContext): string =>
  `00-${traceId}-${spanId}-${(traceFlags & 1).toString(16).padStart(2, '0')}`;

/** A context whose spans continue that trace. */
export const contextOf = (parent: SpanContext | null): Context =>
  parent === null ? context.active() : trace.setSpanContext(context.active(), parent);

/** Where we are in a trace, null where nothing is traced. */
export function currentTraceparent(): string | null {
  const span = trace.getActiveSpan();
  return span?.isRecording() === true ? writeTraceparent(span.spanContext()) : null;
}

/** The id of the trace that we are in, null where nothing is traced. */
export function currentTraceId(): string | null {
  const span = trace.getActiveSpan();
  return span?.isRecording() === true ? span.spanContext().traceId : null;
}

export interface SpanFacts {
  readonly kind?: keyof typeof SpanKind;
  readonly attributes?: Attributes;
  /** Default: the span that is active. */
  readonly parent?: Context;
  /** Milliseconds since 1970; default: now. */
  readonly startTime?: number;
}

/** A span that is not ended yet. */
export const startSpan = (name: string, { kind = 'INTERNAL', attributes = {}, parent, startTime }: SpanFacts): Span =>
  trace
    .getTracer('concord')
    .startSpan(
      name,
      { kind: SpanKind[kind], attributes, ...(startTime === undefined ? {} : { startTime }) },
      parent ?? context.active(),
    );

/** Does work in a span of its own, active meanwhile. What is thrown is told by its code or name, never by its text. */
export async function inSpan<T>(name: string, facts: SpanFacts, work: () => Promise<T>): Promise<T> {
  const span = startSpan(name, facts);
  try {
    return await context.with(trace.setSpan(facts.parent ?? context.active(), span), work);
  } catch (error) {
    failSpan(span, error);
    throw error;
  } finally {
    span.end();
  }
}

/** Marks a span as failed. */
export function failSpan(span: Span, error: unknown): void {
  span.setAttribute('error.type', nameOf(error));
  span.setStatus({ code: SpanStatusCode.ERROR });
}

const nameOf = (error: unknown): string => {
  if (typeof error !== 'object' || error === null) return 'unknown';
  if ('code' in error && typeof error.code === 'string') return error.code;
  if ('type' in error && typeof error.type === 'string') return error.type;
  return error instanceof Error ? error.name : 'unknown';
};
