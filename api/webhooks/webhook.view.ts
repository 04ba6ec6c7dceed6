import { Choice, Count } from '../common/fields.js';

/** What became of a message. */
export class WebhookView {
  @Choice(['woken', 'repeated'], { description: 'Its jobs are woken; or it came before, and nothing is done again.' })
  state: string;

  @Count({ description: 'Jobs that read the system.', example: 1 })
  jobs: number;
}
