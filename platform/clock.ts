/** Tells the time. Given to whatever needs it, so that a test can say what time it is. */
export interface Clock {
  now(): Date;
}

/** The machine's own. */
export const systemClock: Clock = { now: () => new Date() };

/** Stands still until it is moved. For tests and for reruns of a past date. */
export class ManualClock implements Clock {
  private milliseconds: number;

  constructor(start: Date | string) {
    this.milliseconds = new Date(start).getTime();
  }

  now(): Date {
    return new Date(this.milliseconds);
  }

  advance(milliseconds: number): void {
    this.milliseconds += milliseconds;
  }

  set(time: Date | string): void {
    this.milliseconds = new Date(time).getTime();
  }
}
