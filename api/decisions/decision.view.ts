import { Choice, Count, Id, Links, Moment, Text } from '../common/fields.js';

const kinds = ['decision', 'release', 'discard', 'override', 'replay'] as const;

/** A decision that is durable, and will be carried out. */
export class AcceptedView {
  @Choice(['decided'], { description: 'It is durable.' })
  state: string;

  @Choice(kinds, { description: 'What was decided.' })
  kind: string;

  @Id({ description: 'The batch by which it is carried out.', example: '9' })
  batchId: string;

  @Links()
  links: Record<string, string>;
}

/** A decision, or a batch of them, that was taken back. */
export class TakenBackView {
  @Choice(['withdrawn', 'rolling_back'], {
    description: 'It waited, and is withdrawn; or it was carried out, and a run rolls that back.',
  })
  state: string;

  @Id({ description: 'The batch.', example: '9' })
  batchId: string;

  @Count({ description: 'Decisions that were withdrawn.', example: 1 })
  decisions: number;

  @Text({ max: 500, nullable: true, description: 'The workflow that rolls back.', example: null })
  workflowId: string | null;

  @Id({ nullable: true, description: 'Its run; null where no worker has taken it up yet.', example: null })
  runId: string | null;

  @Links()
  links: Record<string, string>;
}

/** A batch of decisions, carried out by one run. */
export class BatchView {
  @Id({ description: 'The batch.', example: '9' })
  id: string;

  @Choice(kinds, { description: 'What was decided.' })
  kind: string;

  @Choice(['pending', 'applied', 'failed', 'withdrawn'], {
    description: 'Waits, is carried out, was rolled back, or was taken back before it was carried out.',
  })
  state: string;

  @Id({ nullable: true, description: 'The job whose review carries it out.', example: '3' })
  jobId: string | null;

  @Id({ nullable: true, description: 'The run that opened what was decided.' })
  parentRunId: string | null;

  @Id({ nullable: true, description: 'The run that carries it out; null until it began.', example: '18' })
  runId: string | null;

  @Text({ max: 300, description: 'Who decided.', example: 'secretary:Front office' })
  actor: string;

  @Text({ max: 1000, nullable: true, description: 'Why.', example: 'Confirmed by phone' })
  reason: string | null;

  @Count({ description: 'Decisions in it.', example: 1 })
  itemCount: number;

  @Moment({ description: 'When it was decided.' })
  createdAt: string;

  @Links()
  links: Record<string, string>;
}
