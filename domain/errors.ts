/**
 * Every error Concord raises on purpose. This table is the manual: each code says its cause and its remedy where it is
 * defined, who must act, and whether trying again can help. Codes are stored in histories and replies: never rename one.
 */
export const errorCodes = {
  /** The system did not answer, or the connection broke while reading. Remedy: none at first (it is tried again); if it lasts, check that the system is up and reachable from the worker. */
  source_unreachable: { actor: 'operator', retryable: true },
  /** The system refused the credentials. Remedy: set the secret that the configuration names. */
  source_forbidden: { actor: 'operator', retryable: false },
  /** The source answered, but without a table, file or column that the mapping reads. Remedy: review the change and mend the mapping; the other entity types of the run go on. */
  source_schema_changed: { actor: 'secretary', retryable: false },
  /** The system cannot be asked for single rows (it delivers files). Remedy: none; what it says is read with its next delivery. */
  source_reads_no_keys: { actor: 'nobody', retryable: false },
  /** A complete read of a source that had rows gave none. Remedy: ask the system's owner; nothing was changed. */
  source_empty: { actor: 'secretary', retryable: false },
  /** A file is cut off or does not hold what its manifest says (rows or sha256). Remedy: have it delivered again; nothing of the delivery was used. */
  delivery_incomplete: { actor: 'secretary', retryable: false },
  /** A file cannot be read as what it is declared to be (no header, wrong encoding, no such columns). Remedy: have it delivered again or mend its declaration. */
  delivery_unreadable: { actor: 'secretary', retryable: false },
  /** The target did not answer or broke off. Remedy: none at first (it is tried again); what was not written is published by the next run. */
  target_unreachable: { actor: 'operator', retryable: true },
  /** The target refused the credentials or the permission. Remedy: set the secret or grant the permission. */
  target_forbidden: { actor: 'operator', retryable: false },
  /** The target lacks a table or column that the mapping writes. Remedy: mend the mapping or the target. */
  target_schema_changed: { actor: 'secretary', retryable: false },
  /** A bulk insert met a key that is there already. Nothing of it was written; the caller writes row by row instead. */
  target_row_exists: { actor: 'nobody', retryable: false },
  /** The configuration is wrong. Remedy: mend what the message names; nothing of it was applied. */
  configuration_invalid: { actor: 'operator', retryable: false },
  /** The unlogged staging of a run is gone (the database was restarted after a crash). The run extracts again by itself. */
  staging_lost: { actor: 'nobody', retryable: false },
  /** Another attempt of the same step took the lease; this one must stop. Remedy: none. One that was given up is not heard any more;
   *  one that still counts lost the lease to one that was given up, and takes it back by being tried again. */
  lease_lost: { actor: 'nobody', retryable: true },
  /** The job is occupied by another run, named in the message. Remedy: wait for it or cancel it. */
  job_occupied: { actor: 'nobody', retryable: false },
  /** What was asked for does not exist, or not for this institution. */
  not_found: { actor: 'secretary', retryable: false },
  /** The object is not in a state that allows this (a run that is not over, a change that is not held). */
  state_forbids: { actor: 'secretary', retryable: false },
  /** The preview of a rollback no longer holds: data moved since. Remedy: look at the new preview. */
  preview_outdated: { actor: 'secretary', retryable: false },
  /** A defect in Concord: something that cannot be was found. Remedy: report it with the run's id. */
  internal: { actor: 'operator', retryable: false },
} as const satisfies Record<string, { actor: Actor; retryable: boolean }>;

export type Actor = 'secretary' | 'operator' | 'nobody';
export type ErrorCode = keyof typeof errorCodes;

/** The errors that a system is to blame for and somebody has to mend. */
export const systemProblems: readonly ErrorCode[] = (Object.keys(errorCodes) as ErrorCode[]).filter(
  (code) => /^(source|target|delivery)_/.test(code) && errorCodes[code].actor !== 'nobody',
);

/** An error with a code from the manual. `message` never carries personal data; `cause` keeps what was caught. */
export class SyncError extends Error {
  readonly code: ErrorCode;
  readonly actor: Actor;
  readonly retryable: boolean;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'SyncError';
    this.code = code;
    this.actor = errorCodes[code].actor;
    this.retryable = errorCodes[code].retryable;
  }
}
