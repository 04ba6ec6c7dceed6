const dayLength = 86_400_000;

/** The days of the story, reckoned from its first (`YYYY-MM-DD`). */
export class Dates {
  constructor(readonly dayOne: string) {}

  /** So many days after day 1; before it where negative. */
  after(days: number): string {
    return new Date(Date.parse(`${this.dayOne}T00:00:00Z`) + days * dayLength).toISOString().slice(0, 10);
  }

  /** The year of day 1, so many years on. */
  year(offset: number): string {
    return String(Number(this.dayOne.slice(0, 4)) + offset);
  }
}
