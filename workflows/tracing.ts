import { defaultPayloadConverter, proxySinks, workflowInfo } from '@temporalio/workflow';
import type { Headers, Sinks, WorkflowInterceptors } from '@temporalio/workflow';
import { traceHeader } from './messages.js';

/* Hands the trace of whoever began a workflow on to its activities and children, in the header that Temporal's SDKs use. Nothing here
   takes part in what a workflow does: headers and sinks are no commands, and a history replays with or without them. */

/** A workflow that ended, told once, as the span that it is. */
export interface WorkflowEnd {
  readonly workflowType: string;
  readonly workflowId: string;
  readonly runId: string;
  /** The trace of whoever began it, null where nobody told. */
  readonly traceparent: string | null;
  /** Milliseconds since 1970. */
  readonly began: number;
  readonly ended: number;
  /** null: it went well. */
  readonly failure: string | null;
}

export interface TracingSinks extends Sinks {
  tracing: { ended(end: WorkflowEnd): void };
}

/** The id of the span that a workflow is: known beforehand, so that its activities can name it. */
export const spanIdOf = (runId: string): string => runId.replaceAll('-', '').slice(0, 16);

export const interceptors = (): WorkflowInterceptors => {
  let traceparent: string | null = null;
  /* What comes from here is a part of this workflow. */
  const onward = (headers: Headers): Headers => {
    if (traceparent === null) return headers;
    const [version = '', traceId = '', , flags = ''] = traceparent.split('-');
    const ours = { traceparent: [version, traceId, spanIdOf(workflowInfo().runId), flags].join('-') };
    return { ...headers, [traceHeader]: defaultPayloadConverter.toPayload(ours) };
  };
  return {
    inbound: [
      {
        async execute(input, next) {
          traceparent = traceparentIn(input.headers);
          let failure: string | null = null;
          try {
            return await next(input);
          } catch (error) {
            failure = error instanceof Error ? error.name : 'unknown';
            throw error;
          } finally {
            tell(traceparent, failure);
          }
        },
      },
    ],
    outbound: [
      {
        scheduleActivity: (input, next) => next({ ...input, headers: onward(input.headers) }),
        scheduleLocalActivity: (input, next) => next({ ...input, headers: onward(input.headers) }),
        startChildWorkflowExecution: (input, next) => next({ ...input, headers: onward(input.headers) }),
        continueAsNew: (input, next) => next({ ...input, headers: onward(input.headers) }),
      },
    ],
  };
};

function tell(traceparent: string | null, failure: string | null): void {
  const { workflowType, workflowId, runId, startTime } = workflowInfo();
  const times = { began: startTime.getTime(), ended: Date.now() };
  proxySinks<TracingSinks>().tracing.ended({ workflowType, workflowId, runId, traceparent, ...times, failure });
}

function traceparentIn(headers: Headers): string | null {
  const payload = headers[traceHeader];
  if (payload === undefined) return null;
  const carried = defaultPayloadConverter.fromPayload<{ readonly traceparent?: unknown }>(payload);
  return typeof carried.traceparent === 'string' ? carried.traceparent : null;
}
