import { basePath, linkTo } from '../common/base-path.js';
import type { EventRow } from './event.queries.js';

export const topics = ['run', 'progress', 'inbox', 'held', 'job', 'delivery'] as const;
export type Topic = (typeof topics)[number];

/** Which events somebody watches; null: of any. */
export interface EventFilter {
  readonly topics: readonly string[];
  readonly runId: string | null;
  readonly jobId: number | null;
}

export const isWatched = (filter: EventFilter, event: EventRow): boolean =>
  filter.topics.includes(event.topic) &&
  (filter.runId === null || event.run_id === filter.runId) &&
  (filter.jobId === null || event.job_id === filter.jobId);

/** An event as a CloudEvent (1.0, JSON): ids and counts, and where to look. */
export const toCloudEvent = (event: EventRow): Readonly<Record<string, unknown>> => {
  const { runId, jobId } = { runId: event.run_id, jobId: event.job_id === null ? null : String(event.job_id) };
  return {
    specversion: '1.0',
    id: String(event.position),
    source: basePath,
    type: event.type,
    subject: subjectOf(event),
    time: event.created_at.toISOString(),
    datacontenttype: 'application/json',
    data: {
      topic: event.topic,
      ...(runId === null ? {} : { runId }),
      ...(jobId === null ? {} : { jobId }),
      ...event.data,
      links: {
        ...(runId === null ? {} : { run: linkTo(`runs/${runId}`) }),
        ...(jobId === null ? {} : { job: linkTo(`jobs/${jobId}`) }),
      },
    },
  };
};

const subjectOf = ({ run_id: runId, job_id: jobId, topic, data }: EventRow): string => {
  if (typeof data['heldChangeId'] === 'string') return `held-changes/${data['heldChangeId']}`;
  if (typeof data['deliveryId'] === 'string') return `deliveries/${data['deliveryId']}`;
  if (typeof data['uploadId'] === 'string') return `uploads/${data['uploadId']}`;
  if (topic === 'inbox') return 'conflicts';
  return runId === null ? `jobs/${jobId ?? ''}` : `runs/${runId}`;
};

/** A message of an event stream (WHATWG): JSON has no line ends, so one line of data is enough. */
export const toMessage = (event: EventRow): string =>
  `id: ${event.position}\nevent: ${event.type}\ndata: ${JSON.stringify(toCloudEvent(event))}\n\n`;

/** How long a client waits before it comes back, told first. */
export const greeting = 'retry: 3000\n\n';
/** Keeps the connection open through what stands in between. */
export const heartbeat = ': still here\n\n';

/** Said where events between what the client saw and now are kept no more: it has to look for itself. */
export const gapMessage = (last: number): string =>
  `id: ${last}\nevent: concord.stream.gap\ndata: ${JSON.stringify({
    ...{ specversion: '1.0', id: String(last), source: basePath, type: 'concord.stream.gap' },
    data: { words: 'Events between are kept no more; read again what you show.' },
  })}\n\n`;
