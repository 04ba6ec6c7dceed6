/* Lets fault tests end the process in the middle of a named activity, as `kill -9` would. Off unless CONCORD_FAULTS is 1. */

const moments = ['before', 'mid', 'after'] as const;
type Moment = (typeof moments)[number];

/** Places at which the process may be told to end. */
export interface CrashPoints {
  /** Ends the process if it was told to end here. */
  reach(activity: string, moment: Moment): void;
}

const none: CrashPoints = { reach: () => undefined };

type Environment = Readonly<Record<string, string | undefined>>;

/** `CONCORD_CRASH_AT=<activity>:<before|mid|after>[:<n>]`: at the n-th time, by default the first. These are switches of tests
 *  and no configuration: they are read here, and nowhere else. */
// eslint-disable-next-line no-restricted-syntax
export function readCrashPoints(environment: Environment = process.env, end: () => void = killOurselves): CrashPoints {
  if (environment['CONCORD_FAULTS'] !== '1') return none;
  const [activity, moment, times = '1'] = (environment['CONCORD_CRASH_AT'] ?? '').split(':');
  if (activity === undefined || !moments.some((known) => known === moment)) return none;
  let left = Number(times);
  return {
    reach(reached, at) {
      if (reached !== activity || at !== moment) return;
      left -= 1;
      if (left === 0) end();
    },
  };
}

/* No handler runs and nothing is flushed. */
function killOurselves(): void {
  process.kill(process.pid, 'SIGKILL');
}
