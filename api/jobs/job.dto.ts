import type { JobDefinition, LimitDefinition } from '../../domain/job-definition.js';
import { Choice, Count, Day, Flag, FlagParameter, FreeObject, ListOf, Text, Texts } from '../common/fields.js';
import { ListingQuery } from '../common/listing.js';

/** A limit of the guard: what is over it is held. */
export class LimitBody implements LimitDefinition {
  @Text({
    optional: true,
    min: 1,
    max: 200,
    description: 'Only for this entity type (default: each).',
    example: 'person',
  })
  entityType?: string;

  @Choice(['insert', 'update', 'delete'], { description: 'What is limited.', example: 'delete' })
  operation: LimitDefinition['operation'];

  @Count({ optional: true, description: 'At most so many.', example: 100 })
  absolute?: number;

  @Count({
    optional: true,
    max: 100,
    description: 'At most this share of the records that are there, in percent.',
    example: 10,
  })
  percent?: number;
}

/** A job: which sources it reads and which targets it publishes to. */
export class JobBody implements JobDefinition {
  @Text({ min: 1, max: 200, description: 'Its name.', example: 'people' })
  name: string;

  @Texts({ max: 200, maxEach: 200, description: 'Names of mappings it reads.', example: ['sis.students', 'hr.staff'] })
  sources: string[];

  @Texts({ max: 200, maxEach: 200, description: 'Names of mappings it publishes to.', example: ['finance.people'] })
  targets: string[];

  @ListOf(() => LimitBody, { optional: true, max: 200, description: 'Changes over a limit are held.' })
  limits?: LimitBody[];

  @Count({ optional: true, min: 1, max: 64, description: 'Partitions read at once, per source.', example: 4 })
  partitions?: number;

  @Choice(['full', 'watermark'], { optional: true, description: 'Read all, or what changed since.' })
  reading?: NonNullable<JobDefinition['reading']>;

  @Choice(['roll_back', 'hold'], { optional: true, description: 'What a run does that fails after it began to write.' })
  onFailure?: NonNullable<JobDefinition['onFailure']>;

  @FreeObject({
    optional: true,
    description: 'When it runs by itself: {calendar: {hour, minute, daysOfWeek} or everyMinutes, timeZone, …}.',
    example: { calendar: { hour: 2, minute: 0 }, timeZone: 'Europe/London' },
  })
  schedule?: NonNullable<JobDefinition['schedule']>;

  @FreeObject({
    optional: true,
    description: 'When a question is due: {dueDays, remindDays}.',
    example: { dueDays: 5 },
  })
  review?: NonNullable<JobDefinition['review']>;
}

export interface CreateJobRequest extends JobDefinition {
  readonly start?: boolean;
  readonly dryRun?: boolean;
  readonly asOf?: string;
}

/** A new job. */
export class CreateJobBody extends JobBody implements CreateJobRequest {
  @Flag({ optional: true, description: 'Start a run at once; needs an Idempotency-Key.', example: false })
  start?: boolean;

  @Flag({ optional: true, description: 'Only say whether it would do; nothing is stored.', example: false })
  dryRun?: boolean;

  @Day({ optional: true, description: 'With `start`: project targets as of this date.' })
  asOf?: string;
}

/** Why a job is paused. */
export class PauseBody {
  @Text({
    min: 1,
    max: 1000,
    description: 'The reason, for whoever looks at it.',
    example: 'The registry is being moved.',
  })
  reason: string;
}

/** Parameters of the list of jobs. */
export class JobQuery extends ListingQuery {
  @FlagParameter({ description: 'Only those that are paused, or that are not.' })
  paused?: string;

  @FlagParameter({ description: 'Only those that run by themselves, or that do not.' })
  scheduled?: string;
}
