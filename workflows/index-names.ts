import { stepsOf } from './activity-options.js';
import { asApplicationFailure, failureOf } from './failures.js';
import type { IndexNamesInput } from './messages.js';

/** Keeps the words by which records are found up with what a run wrote. Beside the runs, which do not wait for it. */
export async function indexNames(input: IndexNamesInput): Promise<number> {
  try {
    return await stepsOf(input.pace).work.indexNames(input.institutionId, input.runId);
  } catch (error) {
    throw asApplicationFailure(failureOf(error));
  }
}
