import { ApiRefusal } from '../client/client.js';
import { reasonOf } from '../launch/launch-error.js';
import { exitCodes } from './exit-codes.js';
import type { ExitCode } from './exit-codes.js';
import type { Paint } from './terminal.js';

/** Why a command did not do what was asked, for people and for scripts. */
export class Failure extends Error {
  constructor(
    readonly exitCode: ExitCode,
    /** Stable word: a problem code of the API, or one of ours. */
    readonly code: string,
    message: string,
    readonly options: {
      /** What the reader can do. */
      readonly remedy?: string;
      /** Each thing that is wrong. */
      readonly parts?: readonly string[];
      /** The problem document, where there is one. */
      readonly problem?: object;
      readonly cause?: unknown;
    } = {},
  ) {
    super(message, { cause: options.cause });
    this.name = 'Failure';
  }
}

/** A command line that cannot be meant so. */
export const wrongUsage = (message: string, remedy?: string): Failure =>
  new Failure(exitCodes.usage, 'usage', message, remedy === undefined ? {} : { remedy });

/* What the caller can do, by problem code, where the detail of the problem does not say it. */
const remedies: Readonly<Record<string, string>> = {
  forbidden: 'Use a key of a role that may (`concord roles`), such as another --profile.',
  not_found: 'Look the id up in the list: `concord jobs`, `runs`, `conflicts`, `held`.',
  conflict_changed: 'Look at it again (`concord conflicts show` or `held show`), then decide on its new version.',
  closed: 'There is nothing left to decide: `concord conflicts show` tells how it was closed.',
  preview_outdated: 'Look again: `concord rollback RUN --preview`.',
  precondition_failed: 'Somebody changed it meanwhile: look again, then repeat the change.',
  job_occupied: 'Wait for the run that is at work (`concord runs`), then start again.',
  idempotency_in_flight: 'Repeat the command in a moment.',
  idempotency_key_reused: 'Give a new --idempotency-key for a new request.',
  unavailable: 'Try again; if it lasts, `concord doctor` on the server tells what is missing.',
  rate_limited: 'Wait a moment, then repeat the command.',
  internal: 'Tell the operator: the trace id finds it in the log of the API.',
};

const exitCodeOf = (status: number): ExitCode => {
  if (status === 401 || status === 403) return exitCodes.access;
  if (status === 409 || status === 410 || status === 412 || status === 428) return exitCodes.stale;
  if (status === 400 || status === 413 || status === 415 || status === 422) return exitCodes.usage;
  return exitCodes.failed;
};

/** Anything that was thrown, as a failure. A defect of ours keeps its stack. */
export function failureOf(thrown: unknown, serverUrl: string): Failure {
  if (thrown instanceof Failure) return thrown;
  if (thrown instanceof ApiRefusal) return failureOfReply(thrown, serverUrl);
  if (reasonOf(thrown).endsWith('fetch failed')) {
    return new Failure(exitCodes.failed, 'server_unreachable', `Concord does not answer at ${serverUrl}.`, {
      remedy: 'Start it (`concord up`), or name where it is: --url, CONCORD_URL or `concord login`.',
      cause: thrown,
    });
  }
  if (thrown instanceof Error && ['LaunchError', 'ConfigError'].includes(thrown.name)) {
    return new Failure(exitCodes.failed, 'environment', thrown.message, { cause: thrown });
  }
  return new Failure(exitCodes.failed, 'internal', reasonOf(thrown), { cause: thrown });
}

function failureOfReply({ status, problem, message }: ApiRefusal, serverUrl: string): Failure {
  if (problem === null)
    return new Failure(exitCodes.failed, 'not_concord', `${message}: that was no answer of Concord.`, {
      remedy: 'Check --url: it is the address of the API without a path.',
    });
  // A kept key goes with the address that it was kept with, where another platform may answer by now.
  const remedy =
    problem.code === 'unauthenticated'
      ? `Asked at ${serverUrl}: name another address (--url, CONCORD_URL) or send a key that is valid there: --key, CONCORD_API_KEY, or \`concord login\` once.`
      : remedies[problem.code];
  const parts = (problem.errors ?? []).map(({ pointer, detail }) => `${pointer}: ${detail}`);
  return new Failure(exitCodeOf(status), problem.code, problem.detail, {
    ...(remedy === undefined ? {} : { remedy }),
    ...{ parts, problem },
  });
}

/** A failure as people read it. */
export function failureLines(failure: Failure, paint: Paint): readonly string[] {
  const { remedy, parts = [], problem, cause } = failure.options;
  const traceId = problem !== undefined && 'traceId' in problem ? String(problem.traceId) : null;
  return [
    `${paint.red('Error')} ${paint.dim(`[${failure.code}]`)} ${failure.message}`,
    ...parts.map((part) => `  - ${part}`),
    ...(remedy === undefined ? [] : [`${paint.bold('What to do:')} ${remedy}`]),
    ...(traceId === null ? [] : [paint.dim(`trace ${traceId}`)]),
    // A defect of this program: nothing but its stack says where.
    ...(failure.code === 'internal' && problem === undefined && cause instanceof Error ? [cause.stack ?? ''] : []),
  ];
}

/** A failure as scripts read it. */
export function failureData(failure: Failure): object {
  const { remedy, parts, problem } = failure.options;
  const { code, message, exitCode } = failure;
  return { error: problem ?? { code, detail: message, errors: parts ?? [] }, remedy: remedy ?? null, exitCode };
}
