const firstCapacity = 128 * 1024;

/** From here on the native copy is worth the call. */
export const longText = 48;

/** A UTF-16 unit becomes three bytes at most. */
export const bytesOfUnit = 3;

/** Bytes that are added to, in memory that grows and is used again. */
export class GrowingBytes {
  protected length = 0;

  /** @param bytes memory to begin with */
  constructor(protected bytes: Buffer = Buffer.allocUnsafeSlow(firstCapacity)) {}

  /** Bytes that wait to be taken. */
  get size(): number {
    return this.length;
  }

  addBytes(source: Buffer, from: number, to: number): void {
    this.reserve(to - from);
    if (to - from >= longText) {
      this.length += source.copy(this.bytes, this.length, from, to);
      return;
    }
    const { bytes } = this;
    let at = this.length;
    for (let index = from; index < to; index += 1) bytes[at++] = source[index] ?? 0;
    this.length = at;
  }

  /** What another one has at a place. */
  addFrom(other: GrowingBytes, from: number, to: number): void {
    this.addBytes(other.bytes, from, to);
  }

  addByte(byte: number): void {
    this.reserve(1);
    this.bytes[this.length++] = byte;
  }

  /** What was added, which leaves it empty for more. */
  take(): Buffer {
    const taken = Buffer.from(this.bytes.subarray(0, this.length));
    this.length = 0;
    return taken;
  }

  /** What was added, where it is: it holds until something is added after `clear`. */
  look(): Buffer {
    return this.bytes.subarray(0, this.length);
  }

  clear(): void {
    this.length = 0;
  }

  /** Takes back what was added since its size was this. */
  cut(size: number): void {
    this.length = size;
  }

  /** What was added, where it is, for whoever keeps it: more goes into other memory. */
  swap(memory: Buffer): Buffer {
    const taken = this.look();
    this.bytes = memory;
    this.length = 0;
    return taken;
  }

  protected reserve(more: number): void {
    if (this.length + more <= this.bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, this.length + more));
    this.bytes.copy(grown, 0, 0, this.length);
    this.bytes = grown;
  }
}
