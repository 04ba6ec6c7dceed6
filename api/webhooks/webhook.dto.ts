import { FreeObject, Text } from '../common/fields.js';

/** What a system says when it has something new. Nothing of it is read: the jobs look for themselves. */
export class WebhookBody {
  @Text({ max: 200, description: 'What happened there.', example: 'export.finished' })
  type: string;

  @Text({ optional: true, max: 50, description: 'When.', example: '2026-11-20T07:10:00Z' })
  timestamp?: string;

  @FreeObject({ optional: true, description: 'Anything.', example: { file: 'staff.csv' } })
  data?: Record<string, unknown>;
}
