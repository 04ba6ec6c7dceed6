/** A source of numbers that are the same for the same seed on every machine. */
export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = seed >>> 0;
  }

  /** A whole number from 0 to `limit`, without it. */
  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  /** A whole number from `first` to `last`, both included. */
  between(first: number, last: number): number {
    return first + this.below(last - first + 1);
  }

  /** True in so many of a hundred cases. */
  chance(percent: number): boolean {
    return this.next() * 100 < percent;
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new RangeError('there is nothing to pick from');
    return item;
  }

  digits(count: number): string {
    return Array.from({ length: count }, () => String(this.below(10))).join('');
  }

  /* mulberry32, by Tommy Ettinger (public domain). */
  private next(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let mixed = this.state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }
}

/** Things of which each is taken once: so that nobody has two peculiarities and their counts are exact. */
export class Pool<T> {
  private readonly left: T[];

  constructor(
    items: readonly T[],
    private readonly random: Random,
  ) {
    this.left = [...items];
  }

  take(count: number, fits: (item: T) => boolean = () => true): T[] {
    const taken: T[] = [];
    for (let attempts = 0; taken.length < count; attempts += 1) {
      if (attempts > 100_000) throw new RangeError('the pool does not hold so many');
      const index = this.random.below(this.left.length);
      const item = this.left[index];
      if (item === undefined || !fits(item)) continue;
      this.left.splice(index, 1);
      taken.push(item);
    }
    return taken;
  }

  rest(): readonly T[] {
    return this.left;
  }
}
