import { Choice, Count, Id, Links, ListOf, Moment, Nested, Numbers, Text } from '../common/fields.js';

export const healthWords = ['ok', 'attention', 'failing', 'never_run'] as const;

/** How a system is. */
export class SystemStatusView {
  @Id({ description: 'The system.', example: '2' })
  id: string;

  @Text({ max: 200, description: 'Its name.', example: 'hr' })
  name: string;

  @Text({ max: 100, description: 'The kind of connector.', example: 'csv' })
  kind: string;

  @Text({ max: 300, nullable: true, description: 'Who answers for it.', example: 'hr-office@lakeside.example' })
  owner: string | null;

  @Choice(healthWords, { description: '`failing`: the newest run could not use it.' })
  state: string;

  @Moment({ nullable: true, description: 'When a run last ended that used it.' })
  lastRunAt: string | null;

  @Text({ max: 100, nullable: true, description: 'The code of what went wrong, where something did.', example: null })
  problem: string | null;
}

/** How a job is. */
export class JobStatusView {
  @Id({ description: 'The job.', example: '3' })
  id: string;

  @Text({ max: 200, description: 'Its name.', example: 'people' })
  name: string;

  @Choice(healthWords, { description: 'Whether its newest run went well, and whether something waits.' })
  state: string;

  @Id({ nullable: true, description: 'The run that is at work.', example: null })
  activeRunId: string | null;

  @Id({ nullable: true, description: 'The newest run that is over.' })
  lastRunId: string | null;

  @Text({ max: 100, nullable: true, description: 'How it ended.', example: 'completed_with_questions' })
  lastRunState: string | null;

  @Moment({ nullable: true, description: 'When.' })
  lastRunAt: string | null;

  @Count({ description: 'Open questions.', example: 3 })
  openQuestions: number;

  @Count({ description: 'Held changes.', example: 1 })
  held: number;

  @Links()
  links: Record<string, string>;
}

/** What waits for a person. */
export class WaitingView {
  @Count({ description: 'Open questions.', example: 3 })
  open: number;

  @Numbers({ description: 'Open questions by kind.', example: { value: 3, duplicate: 0, identity: 0 } })
  byType: Record<string, number>;

  @Moment({ nullable: true, description: 'When the oldest was opened.' })
  oldest: string | null;

  @Count({ description: 'Questions whose time is over.', example: 0 })
  overdue: number;

  @Count({ description: 'Held changes.', example: 1 })
  held: number;
}

/** The quality of what was read. */
export class QualityStatusView {
  @Count({ description: 'Records that the newest run of each job set aside.', example: 12 })
  rejected: number;

  @Count({ description: 'Records that wait for another.', example: 2 })
  waiting: number;

  @Count({ description: 'Findings of the newest run of each job.', example: 5 })
  findings: number;
}

/** Something that someone should look at. */
export class AlertView {
  @Text({ max: 100, description: 'A code.', example: 'source_unreachable' })
  code: string;

  @Text({ max: 1000, description: 'In words.', example: 'hr could not be used by run 17.' })
  words: string;

  @Choice(['secretary', 'operator', 'nobody'], { description: 'Who acts.' })
  actor: string;

  @Links()
  links: Record<string, string>;
}

/** When a job runs next by itself. */
export class NextRunView {
  @Id({ description: 'The job.', example: '3' })
  jobId: string;

  @Text({ max: 200, description: 'Its name.', example: 'people' })
  jobName: string;

  @Text({ max: 300, description: 'Its rhythm in words.', example: 'every day at 02:00 (Europe/London)' })
  rhythm: string;
}

/** The state of everything, at a glance. */
export class OverviewView {
  @Moment({ description: 'When this was read.' })
  asOf: string;

  @Choice(healthWords, { description: 'The worst of all.' })
  overall: string;

  @Text({
    max: 1000,
    description: 'One sentence.',
    example: 'All 4 systems were usable when last asked; 3 questions and 1 held change wait.',
  })
  words: string;

  @ListOf(() => SystemStatusView, { max: 1000, description: 'The systems.' })
  systems: SystemStatusView[];

  @ListOf(() => JobStatusView, { max: 1000, description: 'The jobs.' })
  jobs: JobStatusView[];

  @Nested(() => WaitingView, { description: 'What waits.' })
  conflicts: WaitingView;

  @Nested(() => QualityStatusView, { description: 'The quality of what was read.' })
  quality: QualityStatusView;

  @ListOf(() => AlertView, { max: 1000, description: 'What someone should look at.' })
  alerts: AlertView[];

  @ListOf(() => NextRunView, { max: 1000, description: 'Jobs that run by themselves.' })
  next: NextRunView[];
}
