/** What a script can tell from the exit code of `concord`. Scripts depend on them: never change one. */
export const exitCodes = {
  ok: 0,
  /** It was tried and did not work. */
  failed: 1,
  /** The command line, or what it asks for, is not right. Nothing was done. */
  usage: 2,
  /** It is done, or waits, and a person has to decide something. */
  decision: 3,
  /** The object moved on since it was looked at, or is busy. Look again. */
  stale: 4,
  /** No key, one that is not valid, or one whose role does not admit this. */
  access: 5,
  /** It is done, but without a system that could not be used; the rest is as it would be without that. */
  partial: 6,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** The codes in words, as `--help` tells them. */
export const exitCodeWords: readonly (readonly [ExitCode, string])[] = [
  [exitCodes.ok, 'done'],
  [exitCodes.failed, 'failed'],
  [exitCodes.usage, 'wrong usage; nothing was done'],
  [exitCodes.decision, 'a person has to decide'],
  [exitCodes.stale, 'changed or busy meanwhile: look again'],
  [exitCodes.access, 'no valid key, or not with its role'],
  [exitCodes.partial, 'done without a system that could not be used'],
];
