import { Controller, Inject, Query, Res } from '@nestjs/common';
import type { ServerResponse } from 'node:http';
import type { Hub } from '../../database/hub.js';
import type { Clock } from '../../platform/clock.js';
import { basePath, linkTo } from '../common/base-path.js';
import { CurrentCaller, CurrentRequest, type Caller } from '../common/caller.js';
import { Endpoint } from '../common/endpoint.js';
import { headerOf, type HttpRequest } from '../common/http.js';
import { idOf, smallIdOf } from '../common/ids.js';
import type { Plain } from '../common/plain-type.js';
import { Problem } from '../common/problem.js';
import { CLOCK, HUB } from '../common/tokens.js';
import { EventsQuery, type EventsRequest } from './event.dto.js';
import { EventFeed } from './event-feed.js';
import { topics, type EventFilter } from './event-message.js';
import { TicketView } from './event.view.js';
import { issueTicket } from './tickets.js';
import type { Sink } from './watcher.js';

const tag = 'Events';

/** What we need of a reply that we write ourselves. */
interface RawReply {
  hijack(): unknown;
  readonly raw: ServerResponse;
}

/** A stream ends after so long, and its client comes back: whoever may no longer see it is let in no more. */
const longestMilliseconds = 15 * 60_000;

/** What happens, as it happens. */
@Controller(`${basePath.slice(1)}/events`)
export class EventsController {
  constructor(
    private readonly feed: EventFeed,
    @Inject(HUB) private readonly hub: Hub,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  @Endpoint({
    method: 'get',
    path: '',
    operationId: 'watchEvents',
    summary: 'Watch what happens',
    description:
      'Server-sent events (WHATWG): progress and state of runs, counts of the inbox, held changes, jobs, deliveries. Each is a CloudEvent with ids and counts, and no personal data. With `Last-Event-ID` (the header, or the parameter `lastEventId`) it goes on where it was left; events are kept for a day, and one `concord.stream.gap` says where some are gone. It ends now and then: come back.',
    tag,
    may: 'event:read',
    ticket: true,
    readsQuery: true,
    cacheControl: 'no-cache, no-transform',
    problems: ['not_found'],
    replies: [
      {
        status: 200,
        description: 'The stream, until one side ends it.',
        mediaType: 'text/event-stream',
        example:
          'id: 1042\nevent: concord.job.progressed\ndata: {"specversion":"1.0","id":"1042","source":"/api/secretary/data-sync","type":"concord.job.progressed","subject":"runs/17","data":{"topic":"progress","runId":"17","step":"extract"}}\n\n',
      },
    ],
  })
  async watch(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
    @Query() query: EventsQuery,
    @Res() reply: RawReply,
  ): Promise<void> {
    const filter = toFilter(query);
    const since = sinceOf(request, query);
    // From here on the response is ours.
    reply.hijack();
    const response = reply.raw;
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
      'x-content-type-options': 'nosniff',
      'trace-id': request.id,
      connection: 'keep-alive',
    });
    let leave = (): void => undefined;
    const timer = setTimeout(() => leave(), longestMilliseconds);
    response.once('close', () => {
      clearTimeout(timer);
      leave();
    });
    try {
      leave = await this.feed.watch(caller.institutionId, filter, since, sinkOf(response));
      if (response.destroyed) leave();
    } catch {
      // Too late for a problem document: the client comes back.
      response.end();
    }
  }

  @Endpoint({
    method: 'post',
    path: 'tickets',
    operationId: 'issueEventTicket',
    summary: 'Get a ticket for a stream of events',
    description: 'For clients that cannot send the header Authorization (EventSource). Good once, within a minute.',
    tag,
    may: 'event:read',
    replies: [{ status: 201, type: TicketView, description: 'The ticket.' }],
  })
  async ticket(@CurrentCaller() caller: Caller): Promise<Plain<TicketView>> {
    const { ticket, expiresAt } = await this.hub.transaction(caller.institutionId, (client) =>
      issueTicket(client, caller, this.clock.now()),
    );
    return { ticket, expiresAt: expiresAt.toISOString(), links: { events: linkTo(`events?ticket=${ticket}`) } };
  }
}

const toFilter = (query: EventsRequest): EventFilter => ({
  topics: query.topics?.split(',') ?? topics,
  runId: query.run === undefined ? null : idOf(query.run, 'run'),
  jobId: query.job === undefined ? null : smallIdOf(query.job, 'job'),
});

const sinceOf = (request: HttpRequest, query: EventsRequest): number | null => {
  const text = headerOf(request, 'last-event-id') ?? query.lastEventId ?? '';
  if (text === '') return null;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new Problem('validation_failed', 'Last-Event-ID is none of ours.', {
    errors: [{ pointer: 'Last-Event-ID', code: 'invalid', detail: 'the id of an event of this stream' }],
  });
};

const sinkOf = (response: ServerResponse): Sink => ({
  write: (text) => response.write(text),
  drained: (then) => void response.once('drain', then),
  end: () => void response.end(),
});
