import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { context, trace } from '@opentelemetry/api';
import type { Span } from '@opentelemetry/api';
import { contextOf, failSpan, readTraceparent, startSpan } from '../../platform/tracing.js';

/* A request as a span of the trace that its caller is in (W3C Trace Context), or of one of our own. The id of the trace is the id of
   the request: in problems, in the log, and in the reply, whether traces are sent anywhere or not. */

const spans = new WeakMap<IncomingMessage, Span>();

/** Begins a request; returns the id of its trace. */
export function beginTrace(request: IncomingMessage): string {
  const { traceparent } = request.headers;
  const parent = readTraceparent(typeof traceparent === 'string' ? traceparent : undefined);
  const span = startSpan(request.method ?? 'GET', { kind: 'SERVER', parent: contextOf(parent) });
  if (!span.isRecording()) return parent?.traceId ?? randomBytes(16).toString('hex');
  spans.set(request, span);
  return span.spanContext().traceId;
}

/** Goes on within the trace of a request. */
export function withinTrace(request: IncomingMessage, goOn: () => void): void {
  const span = spans.get(request);
  if (span === undefined) goOn();
  else context.with(trace.setSpan(context.active(), span), goOn);
}

/** Ends it. `route`: the pattern, never the address, which may name a person. */
export function endTrace(request: IncomingMessage, facts: { readonly route: string; readonly status: number }): void {
  const span = spans.get(request);
  if (span === undefined) return;
  const { route, status } = facts;
  span.updateName(`${request.method ?? 'GET'} ${route}`);
  span.setAttributes({
    'http.request.method': request.method ?? 'GET',
    'http.route': route,
    'http.response.status_code': status,
  });
  if (status >= 500) failSpan(span, { code: String(status) });
  span.end();
}
