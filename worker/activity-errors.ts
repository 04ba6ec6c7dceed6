import type { Context } from '@temporalio/activity';
import { CompleteAsyncError } from '@temporalio/activity';
import { ApplicationFailure, CancelledFailure, TemporalFailure } from '@temporalio/common';
import type { ActivityInboundCallsInterceptor, ActivityInterceptors } from '@temporalio/worker';
import { SyncError } from '../domain/errors.js';
import type { ErrorCode } from '../domain/errors.js';
import type { Log } from '../platform/log.js';
import type { CrashPoints } from './faults.js';

/* Where a system that does not answer is given up earlier than the budget of its activity allows: a source then drops out of
   the run, a target is told by the next one. Attempts, by code. */
const patience: Partial<Record<ErrorCode, number>> = { source_unreachable: 6, target_unreachable: 4 };

/* The most between two signs of life, and how many there are within the time after which they are missed. */
const [mostBeatMs, beatsInTime] = [5_000, 4];

/** What surrounds every activity: its errors become failures that a workflow understands and that hold no personal data, and the
 *  log names the run. */
export function surroundActivities(log: Log, crashPoints: CrashPoints): (context: Context) => ActivityInterceptors {
  return (context) => {
    const { activityType, attempt, heartbeatTimeoutMs } = context.info;
    const beatMs = Math.min(mostBeatMs, (heartbeatTimeoutMs ?? Number.POSITIVE_INFINITY) / beatsInTime);
    const inbound: ActivityInboundCallsInterceptor = {
      async execute(input, next) {
        const line = { ...runOf(input.args), activity: activityType, attempt };
        crashPoints.reach(activityType, 'before');
        // Beside long statements, which cannot say that they are alive.
        const beat = context.info.isLocal ? undefined : setInterval(() => context.heartbeat(), beatMs);
        try {
          const result = await next(input);
          crashPoints.reach(activityType, 'after');
          log.debug(line, 'step done');
          return result;
        } catch (error) {
          const failure = toFailure(error, activityType, attempt, context.cancellationSignal.aborted);
          if (failure instanceof ApplicationFailure)
            log.warn({ ...line, code: failure.type, err: error }, 'step failed');
          else if (failure instanceof CancelledFailure) log.info(line, 'step cancelled');
          throw failure;
        } finally {
          clearInterval(beat);
        }
      },
    };
    return { inbound };
  };
}

/** An error as Temporal is told of it: `type` is our code. What is not ours loses its message, which may quote a row; the log
 *  has it where it cannot. */
export function toFailure(error: unknown, activity: string, attempt: number, cancelled: boolean): Error {
  if (error instanceof TemporalFailure || error instanceof CompleteAsyncError) return error;
  if (cancelled) return new CancelledFailure('The step was cancelled.');
  const options = { cause: withoutMessage(error) };
  if (error instanceof SyncError) {
    const nonRetryable = !error.retryable || attempt >= (patience[error.code] ?? Number.POSITIVE_INFINITY);
    return ApplicationFailure.create({ ...options, type: error.code, message: error.message, nonRetryable });
  }
  return ApplicationFailure.create({
    ...options,
    type: 'internal',
    message: `${activity} met an error that is not foreseen (${nameOf(error)}); the worker's log tells more.`,
    nonRetryable: isDefect(error),
  });
}

/* Errors of the language, and statements that PostgreSQL will refuse each time: classes 22 (data), 42 (names and syntax) and the
   constraint checks of class 23 but for unique violations, which a race can bring about. */
function isDefect(error: unknown): boolean {
  if (error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError) return true;
  const code = codeOf(error);
  return /^(22|42)...$|^23(502|503|514|P01)$/.test(code);
}

/* The chain of causes by name and code, as far as it is not ours; our own messages hold no personal data. */
function withoutMessage(error: unknown): Error | undefined {
  if (!(error instanceof Error)) return undefined;
  const deeper = withoutMessage(error.cause);
  const bare = new Error(error instanceof SyncError ? error.message : nameOf(error), deeper && { cause: deeper });
  bare.name = error.name;
  bare.stack = [bare.message, ...(error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line))].join('\n');
  return bare;
}

function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  return [error.name, codeOf(error)].filter((part) => part !== '').join(' ');
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

function runOf(args: readonly unknown[]): { readonly runId?: string } {
  const [first] = args;
  if (typeof first !== 'object' || first === null || !('runId' in first)) return {};
  return typeof first.runId === 'string' ? { runId: first.runId } : {};
}
