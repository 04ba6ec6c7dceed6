import { Links, Moment, Text } from '../common/fields.js';

/** Lets its holder begin one stream of events. */
export class TicketView {
  @Text({ max: 100, description: 'The ticket: `events?ticket=…`. Good once.', example: 'ticket_k2J…' })
  ticket: string;

  @Moment({ description: 'Until when it has to be used.' })
  expiresAt: string;

  @Links()
  links: Record<string, string>;
}
