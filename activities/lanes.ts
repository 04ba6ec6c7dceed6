/** Does the work of each item, so many at once, in their order. The first that fails ends it: what is at hand is waited for, no
 *  more is begun, and its error is thrown. */
export const inLanes = async <T>(
  items: Iterable<T>,
  lanes: number,
  work: (item: T) => Promise<void>,
): Promise<void> => {
  const left = items[Symbol.iterator]();
  let failed = false;
  const lane = async (): Promise<void> => {
    for (let next = left.next(); next.done !== true && !failed; next = left.next()) {
      try {
        await work(next.value);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const ended = await Promise.allSettled(Array.from({ length: lanes }, lane));
  const failure = ended.find((one) => one.status === 'rejected');
  if (failure !== undefined) throw failure.reason;
};

/** Work done beside its caller, one piece after the other: `next` waits for the piece before, begins its own and returns. */
export class InTurn {
  private current: Promise<unknown> = Promise.resolve();

  /** @throws what the piece before threw; nothing is begun then */
  async next(work: () => Promise<unknown>): Promise<void> {
    await this.current;
    this.current = work();
    // It is told by whoever comes next: until then nobody listens.
    this.current.catch(() => undefined);
  }

  /** Waits for the last piece. @throws what it threw */
  async done(): Promise<void> {
    await this.current;
  }

  /** As `done`, whatever became of it. */
  async settled(): Promise<void> {
    await Promise.allSettled([this.current]);
  }
}

/** Two of a kind: one is filled while what the other was filled with is worked at. Work is done in turn. */
export class FilledInTurn<T> {
  private readonly turn = new InTurn();

  /** @param work what is done with each, before it is filled again; the last one is told apart */
  constructor(
    public filling: T,
    private other: T,
    private readonly work: (filled: T, isLast: boolean) => Promise<void>,
  ) {}

  /** @throws what the work before threw */
  async next(): Promise<void> {
    const filled = this.filling;
    await this.turn.next(() => this.work(filled, false));
    [this.filling, this.other] = [this.other, filled];
  }

  /** What was filled last, be it empty: nothing follows. @throws what any work threw */
  async end(): Promise<void> {
    await this.turn.next(() => this.work(this.filling, true));
    await this.turn.done();
  }

  /** Waits for what is at work, whatever becomes of it. */
  settled(): Promise<void> {
    return this.turn.settled();
  }
}

/** Begins to make each item while the one before it is worked at. Whoever leaves early waits for the one that is being made. */
export async function* oneAhead<T>(items: AsyncIterable<T>): AsyncGenerator<T, void, undefined> {
  const source = items[Symbol.asyncIterator]();
  const make = (): Promise<IteratorResult<T>> => {
    const made = source.next();
    // It is told by whoever comes for it: until then nobody listens.
    made.catch(() => undefined);
    return made;
  };
  let coming = make();
  try {
    for (;;) {
      const made = await coming;
      if (made.done === true) return;
      coming = make();
      yield made.value;
    }
  } finally {
    await Promise.allSettled([coming]);
    await source.return?.();
  }
}
