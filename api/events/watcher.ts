import type { EventRow } from './event.queries.js';
import { isWatched, toMessage, type EventFilter } from './event-message.js';

/** Where messages are written: the part of a response that we need. */
export interface Sink {
  /** False: wait for `drained` before more is written. */
  write(text: string): boolean;
  /** Calls back once, when more can be written. */
  drained(then: () => void): void;
  end(): void;
}

export type ReadMore = (after: number) => Promise<readonly EventRow[]>;

/** One who watches. Behind, it reads for itself at the pace of its connection; level, it takes what others read. */
export class Watcher {
  private busy = false;
  private behind = false;
  private ended = false;

  constructor(
    private readonly sink: Sink,
    private readonly filter: EventFilter,
    private cursor: number,
    private readonly readMore: ReadMore,
  ) {}

  /** Events that follow `from` without a gap. */
  offer(from: number, events: readonly EventRow[]): void {
    if (this.ended) return;
    if (this.busy || this.cursor < from) {
      this.behind = true;
      this.catchUp();
      return;
    }
    this.send(events);
  }

  /** Reads what it has not seen yet. */
  catchUp(): void {
    if (this.busy || this.ended) return;
    this.busy = true;
    this.behind = false;
    this.readMore(this.cursor).then(
      (events) => {
        this.busy = false;
        this.send(events);
        // A full page is followed by another; so is what came meanwhile.
        if (events.length > 0 || this.behind) this.catchUp();
      },
      () => {
        // The database does not answer: the client comes back with what it saw last.
        this.end();
      },
    );
  }

  say(text: string): void {
    if (!this.ended && !this.busy) this.sink.write(text);
  }

  end(): void {
    if (this.ended) return;
    this.ended = true;
    this.sink.end();
  }

  private send(events: readonly EventRow[]): void {
    const fresh = events.filter(({ position }) => position > this.cursor);
    const last = fresh.at(-1);
    if (last === undefined || this.ended) return;
    this.cursor = last.position;
    const text = fresh.filter((event) => isWatched(this.filter, event)).map(toMessage);
    if (text.length === 0 || this.sink.write(text.join(''))) return;
    this.busy = true;
    this.sink.drained(() => {
      this.busy = false;
      this.catchUp();
    });
  }
}
