import { Id, Text } from '../common/fields.js';
import { topics } from './event-message.js';

export interface EventsRequest {
  readonly topics?: string;
  readonly run?: string;
  readonly job?: string;
  readonly lastEventId?: string;
  readonly ticket?: string;
}

const topicList = new RegExp(`^(${topics.join('|')})(,(${topics.join('|')}))*$`);

/** Which events. */
export class EventsQuery implements EventsRequest {
  @Text({
    optional: true,
    max: 100,
    pattern: topicList,
    description: `Only of these topics, with commas between (default: all): ${topics.join(', ')}.`,
    example: 'run,progress',
  })
  topics?: string;

  @Id({ optional: true, description: 'Only of this run.' })
  run?: string;

  @Id({ optional: true, description: 'Only of this job.', example: '3' })
  job?: string;

  @Text({
    optional: true,
    max: 18,
    pattern: /^\d{1,16}$/,
    description: 'Where to go on, for clients that cannot send the header Last-Event-ID.',
    example: '1042',
  })
  lastEventId?: string;

  @Text({
    optional: true,
    max: 100,
    description: 'A ticket in place of the header Authorization.',
    example: 'ticket_k2J…',
  })
  ticket?: string;
}
