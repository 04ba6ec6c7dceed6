/** What one look at one thing found. */
export interface Observation {
  readonly part: 'machine' | 'environment' | 'database' | 'temporal' | 'api';
  /** What was looked at, in few words. */
  readonly check: string;
  readonly state: 'ok' | 'warning' | 'wrong';
  /** What was found. Never a password, never a key. */
  readonly found: string;
  /** What to do; null where all is well. */
  readonly remedy: string | null;
}

/** Observations of one part, as they are made. */
export class Checkup {
  readonly observations: Observation[] = [];

  constructor(private readonly part: Observation['part']) {}

  ok(check: string, found: string): void {
    this.add(check, 'ok', found, null);
  }

  warning(check: string, found: string, remedy: string): void {
    this.add(check, 'warning', found, remedy);
  }

  wrong(check: string, found: string, remedy: string): void {
    this.add(check, 'wrong', found, remedy);
  }

  /** Well where `good`, else wrong. */
  expect(check: string, good: boolean, found: string, remedy: string): void {
    if (good) this.ok(check, found);
    else this.wrong(check, found, remedy);
  }

  private add(check: string, state: Observation['state'], found: string, remedy: string | null): void {
    this.observations.push({ part: this.part, check, state, found, remedy });
  }
}

/** Clocks that differ by more than this let due dates, expiries and logs disagree. */
const skewWarningSeconds = 5;
const skewWrongSeconds = 60;

/** How far another clock is from ours. */
export function checkClock(checkup: Checkup, of: string, theirs: Date, ours: Date, uncertaintySeconds: number): void {
  const seconds = Math.abs(theirs.getTime() - ours.getTime()) / 1000;
  const found = `${seconds.toFixed(1)} s from this machine's`;
  const remedy = 'Let every machine take its time from the same source (NTP).';
  if (seconds <= skewWarningSeconds + uncertaintySeconds) checkup.ok(`clock of ${of}`, found);
  else if (seconds <= skewWrongSeconds) checkup.warning(`clock of ${of}`, found, remedy);
  else checkup.wrong(`clock of ${of}`, found, remedy);
}
