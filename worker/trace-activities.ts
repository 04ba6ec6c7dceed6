import { context, trace } from '@opentelemetry/api';
import type { SpanContext } from '@opentelemetry/api';
import type { Context } from '@temporalio/activity';
import { defaultPayloadConverter } from '@temporalio/common';
import type { Headers } from '@temporalio/common';
import type { ActivityInterceptors, InjectedSinks } from '@temporalio/worker';
import type { Tracing } from '../platform/start-tracing.js';
import { contextOf, inSpan, readTraceparent, startSpan } from '../platform/tracing.js';
import { traceHeader } from '../workflows/messages.js';
import { spanIdOf } from '../workflows/tracing.js';
import type { TracingSinks } from '../workflows/tracing.js';

/* Runs as traces: a workflow is a span, its activities are below it, their statements below them. A run that nobody of a trace began
   (a schedule's) is a trace of its own, whose id is the run id of its workflow. */

/** Each activity in a span. */
export const traceActivities = (activity: Context): ActivityInterceptors => ({
  inbound: {
    execute: (input, next) => {
      const { activityType, attempt, workflowExecution } = activity.info;
      const { workflowId = '', runId = '' } = workflowExecution ?? {};
      const parent = contextOf(readTraceparent(traceparentIn(input.headers)) ?? traceOfRun(runId));
      const attributes = { 'concord.attempt': attempt, 'temporal.workflow_id': workflowId, 'temporal.run_id': runId };
      return inSpan(`activity ${activityType}`, { kind: 'CONSUMER', attributes, parent }, () => next(input));
    },
  },
});

/** Each workflow as a span, when it ends. Without `tracing` it is told and forgotten. */
export const tracingSinks = (tracing: Tracing | null): InjectedSinks<TracingSinks> => ({
  tracing: {
    ended: {
      callDuringReplay: false,
      fn: (_info, end) => {
        if (tracing === null) return;
        const parent = readTraceparent(end.traceparent ?? undefined) ?? traceOfRun(end.runId);
        // Of a trace of its own it is the root: the parent only lends the id of the trace.
        const within = trace.setSpanContext(context.active(), parent);
        const span = tracing.withSpanId(spanIdOf(end.runId), () =>
          startSpan(`workflow ${end.workflowType}`, {
            kind: 'CONSUMER',
            parent: within,
            attributes: { 'temporal.workflow_id': end.workflowId, 'temporal.run_id': end.runId },
            startTime: end.began,
          }),
        );
        if (end.failure !== null) span.setAttribute('error.type', end.failure);
        span.end(end.ended);
      },
    },
  },
});

const traceOfRun = (runId: string): SpanContext => ({
  ...{ traceId: runId.replaceAll('-', ''), spanId: spanIdOf(runId) },
  ...{ traceFlags: 1, isRemote: true },
});

function traceparentIn(headers: Headers): string | undefined {
  const payload = headers[traceHeader];
  if (payload === undefined) return undefined;
  const { traceparent } = defaultPayloadConverter.fromPayload<{ readonly traceparent?: unknown }>(payload);
  return typeof traceparent === 'string' ? traceparent : undefined;
}
