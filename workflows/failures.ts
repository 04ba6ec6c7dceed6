import { ApplicationFailure, TimeoutFailure } from '@temporalio/workflow';
import type { RunFailure } from '../activities/contract.js';

/** The failure that an activity or a child ended with, as our code and a sentence without personal data. */
export function failureOf(error: unknown): RunFailure {
  for (const link of chain(error)) {
    if (link instanceof ApplicationFailure) return { code: link.type ?? 'internal', detail: link.message };
    if (link instanceof TimeoutFailure)
      return { code: 'internal', detail: 'A step did not end within its budget of time and attempts.' };
  }
  return { code: 'internal', detail: 'A step ended in a way that is not foreseen.' };
}

/** Whether an activity failed with this code. */
export const failedWith = (error: unknown, code: string): boolean => failureOf(error).code === code;

/** Workflows throw nothing else: any other error would make Temporal try the same workflow task for ever. */
export const asApplicationFailure = (failure: RunFailure, ...details: unknown[]): ApplicationFailure =>
  ApplicationFailure.create({ type: failure.code, message: failure.detail, nonRetryable: true, details });

function* chain(error: unknown): Iterable<Error> {
  for (let link = error; link instanceof Error; link = link.cause) yield link;
}
