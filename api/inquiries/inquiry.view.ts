import { AnyJson, Choice, Id, Links, Moment, Nested, Text } from '../common/fields.js';

/** Why a system did not answer as it should. */
export class InquiryFailureView {
  @Text({ max: 100, description: 'Stable word for the cause.', example: 'source_forbidden' })
  code: string;

  @Text({ max: 4000, description: 'What happened, without secrets.', example: 'The system refused the credentials.' })
  detail: string;

  @Text({ max: 1000, description: 'What to do.', example: 'Set the secret that the settings name.' })
  remedy: string;
}

/** What was asked of a system, and its answer. Kept for an hour, and shown to who asked. */
export class InquiryView {
  @Id({ nullable: true, description: 'The inquiry; null: it was answered without asking the system.', example: '7' })
  id: string | null;

  @Choice(['connection_test', 'discovery', 'mapping_trial'], { description: 'What was asked.' })
  kind: string;

  @Text({ max: 500, description: 'The system, or the mapping.', example: 'hr' })
  subject: string;

  @Choice(['asked', 'answered', 'failed'], { description: '`asked`: look again in a moment.', example: 'answered' })
  state: string;

  @Moment({ description: 'When.' })
  askedAt: string;

  @Moment({ nullable: true, description: 'When it was answered.' })
  answeredAt: string | null;

  @AnyJson({
    description:
      'The answer, by kind. `connection_test`: {product, version, milliseconds, capabilities}. `discovery`: {entities, more}, each with columns, types, key and figures without samples. `mapping_trial`: {rows, counts, byField}, values shown as your role sees them.',
    example: { product: 'PostgreSQL', version: '18.4', milliseconds: 12, capabilities: ['snapshots', 'rows'] },
  })
  answer: unknown;

  @Nested(() => InquiryFailureView, { nullable: true, description: 'Why there is no answer.' })
  failure: InquiryFailureView | null;

  @Links()
  links: Record<string, string>;
}
