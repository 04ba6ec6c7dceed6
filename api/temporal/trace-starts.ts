import type { WorkflowClientInterceptor } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import { currentTraceId, currentTraceparent, inSpan } from '../../platform/tracing.js';
import { traceHeader } from '../../workflows/messages.js';

/** Hands the trace of a request on to the workflow that it starts; the memo tells it in Temporal's Web UI. */
export const traceStarts: WorkflowClientInterceptor = {
  startWithDetails: async (input, next) =>
    currentTraceId() === null
      ? await next(input)
      : await inSpan(`start ${input.workflowType}`, { kind: 'PRODUCER' }, async () => {
          const traced = { traceparent: currentTraceparent() };
          return await next({
            ...input,
            headers: { ...input.headers, [traceHeader]: defaultPayloadConverter.toPayload(traced) },
            options: { ...input.options, memo: { ...input.options.memo, traceId: currentTraceId() } },
          });
        }),
};
