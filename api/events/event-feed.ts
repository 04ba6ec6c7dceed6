import { Inject, Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import type { Hub } from '../../database/hub.js';
import type { Listening } from '../../database/listen.js';
import type { Log } from '../../platform/log.js';
import { HEARTBEAT, HUB, LISTEN, LOG } from '../common/tokens.js';
import { readEnds, readEvents, type EventRow } from './event.queries.js';
import { gapMessage, greeting, heartbeat, type EventFilter } from './event-message.js';
import { Watcher, type Sink } from './watcher.js';

/** Opens the one connection over which a process hears of events. */
export type ListenForEvents = (heard: (institution: string | null) => void) => Listening;

const pageSize = 500;

interface InstitutionFeed {
  readonly watchers: Set<Watcher>;
  /** Up to here everything was offered to all. */
  head: number;
  reading: boolean;
  again: boolean;
}

/** Hands events to those who watch. Told of them by PostgreSQL, read once for all who are level: it never asks by itself. */
@Injectable()
export class EventFeed implements OnModuleInit, OnModuleDestroy {
  private readonly feeds = new Map<number, InstitutionFeed>();
  private listening: Listening | null = null;
  private beat: NodeJS.Timeout | undefined;

  constructor(
    @Inject(HUB) private readonly hub: Hub,
    @Inject(LISTEN) private readonly listen: ListenForEvents,
    @Inject(LOG) private readonly log: Log,
    @Inject(HEARTBEAT) private readonly heartbeatMilliseconds: number,
  ) {}

  onModuleInit(): void {
    this.listening = this.listen((institution) => {
      for (const [id, feed] of this.feeds)
        if (institution === null || institution === String(id)) void this.wake(id, feed);
    });
    this.beat = setInterval(() => {
      for (const { watchers } of this.feeds.values()) for (const watcher of watchers) watcher.say(heartbeat);
    }, this.heartbeatMilliseconds);
  }

  /** Ends every stream: those who watch come back to another process, or to this one when it is up again. */
  async onModuleDestroy(): Promise<void> {
    clearInterval(this.beat);
    for (const { watchers } of this.feeds.values()) for (const watcher of watchers) watcher.end();
    await this.listening?.stop();
  }

  /** Begins a stream with what came after `since` (null: from now on). Returns how it is left. */
  async watch(institutionId: number, filter: EventFilter, since: number | null, sink: Sink): Promise<() => void> {
    const { last, keepsSince } = await this.hub.read(institutionId, (client) => readEnds(client, since));
    const feed = this.feeds.get(institutionId) ?? { watchers: new Set(), head: last, reading: false, again: false };
    this.feeds.set(institutionId, feed);
    const gone = since !== null && !keepsSince;
    const watcher = new Watcher(sink, filter, gone || since === null ? last : since, (after) =>
      this.read(institutionId, after),
    );
    sink.write(gone ? greeting + gapMessage(last) : greeting);
    feed.watchers.add(watcher);
    watcher.catchUp();
    return () => {
      watcher.end();
      feed.watchers.delete(watcher);
      if (feed.watchers.size === 0 && this.feeds.get(institutionId) === feed) this.feeds.delete(institutionId);
    };
  }

  private async wake(institutionId: number, feed: InstitutionFeed): Promise<void> {
    feed.again = true;
    if (feed.reading) return;
    feed.reading = true;
    try {
      while (feed.again && feed.watchers.size > 0) {
        feed.again = false;
        const events = await this.read(institutionId, feed.head);
        const from = feed.head;
        feed.head = events.at(-1)?.position ?? from;
        if (events.length === pageSize) feed.again = true;
        if (events.length > 0) for (const watcher of feed.watchers) watcher.offer(from, events);
      }
    } catch (error) {
      // The next notice reads on from where this one stood; a connection that breaks gives one when it is there again.
      this.log.warn({ err: error }, 'events could not be read');
    } finally {
      feed.reading = false;
    }
  }

  private read(institutionId: number, after: number): Promise<readonly EventRow[]> {
    return this.hub.read(institutionId, (client) => readEvents(client, after, pageSize));
  }
}
