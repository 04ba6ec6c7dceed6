const firstCapacity = 1_024;

/** Whole numbers of 32 bits, in memory that grows. */
export class GrowingNumbers {
  private numbers = new Uint32Array(firstCapacity);
  private length = 0;

  get size(): number {
    return this.length;
  }

  /** The number at a place; 0 beyond the last. */
  at(place: number): number {
    return place < this.length ? (this.numbers[place] ?? 0) : 0;
  }

  add(number: number): void {
    this.reserve(1);
    this.numbers[this.length++] = number;
  }

  addAll(numbers: Uint32Array): void {
    this.reserve(numbers.length);
    this.numbers.set(numbers, this.length);
    this.length += numbers.length;
  }

  /** What was added, where it is: it holds until something is added after `clear`. */
  look(): Uint32Array {
    return this.numbers.subarray(0, this.length);
  }

  clear(): void {
    this.length = 0;
  }

  private reserve(more: number): void {
    const needed = this.length + more;
    if (needed <= this.numbers.length) return;
    const grown = new Uint32Array(Math.max(needed, this.numbers.length * 2));
    grown.set(this.numbers);
    this.numbers = grown;
  }
}
