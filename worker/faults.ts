/* Lets fault tests end the process in the middle of a named activity, as `kill -9` would, or have it sleep there, as a machine does
   that is suspended. Off unless CONCORD_FAULTS is 1. */

const moments = ['before', 'mid', 'after'] as const;
type Moment = (typeof moments)[number];

/** Places at which the process may be told to end or to sleep. */
export interface CrashPoints {
  /** Ends the process if it was told to end here, or has it sleep. */
  reach(activity: string, moment: Moment): void;
}

const none: CrashPoints = { reach: () => undefined };

type Environment = Readonly<Record<string, string | undefined>>;

/** `CONCORD_CRASH_AT=<activity>:<before|mid|after>[:<n>]`: at the n-th time, by default the first; `CONCORD_SLEEP_AT` likewise.
 *  These are switches of tests and no configuration: they are read here, and nowhere else. */
export function readCrashPoints(
  // eslint-disable-next-line no-restricted-syntax
  environment: Environment = process.env,
  signal: (name: 'SIGKILL' | 'SIGSTOP') => void = signalOurselves,
): CrashPoints {
  if (environment['CONCORD_FAULTS'] !== '1') return none;
  const places = [
    placeOf(environment['CONCORD_CRASH_AT'], () => signal('SIGKILL')),
    placeOf(environment['CONCORD_SLEEP_AT'], () => signal('SIGSTOP')),
  ];
  return {
    reach(activity, moment) {
      for (const place of places) place.reach(activity, moment);
    },
  };
}

function placeOf(text: string | undefined, met: () => void): CrashPoints {
  const [activity, moment, times = '1'] = (text ?? '').split(':');
  if (activity === undefined || !moments.some((known) => known === moment)) return none;
  let left = Number(times);
  return {
    reach(reached, at) {
      if (reached !== activity || at !== moment) return;
      left -= 1;
      if (left === 0) met();
    },
  };
}

/* No handler runs and nothing is flushed. */
function signalOurselves(name: 'SIGKILL' | 'SIGSTOP'): void {
  process.kill(process.pid, name);
}
