import { Count, Flag, Id, Links, ListOf, Moment, Nested, Text, Texts } from '../common/fields.js';
import { ProblemPartView } from '../common/problem.view.js';
import { ConfiguredPage, ConfiguredView } from '../configuration/configured.view.js';
import { JobBody } from './job.dto.js';

/** Why a job does not run for now. */
export class PauseView {
  @Text({ max: 1000, description: 'The reason.', example: 'The registry is being moved.' })
  reason: string;

  @Text({ max: 300, description: 'Who paused it.', example: 'operator:Night desk' })
  by: string;

  @Moment({ description: 'Since when.' })
  since: string;
}

/** A time at which a schedule fires. */
export class FireTimeView {
  @Moment({ description: 'When.' })
  at: string;

  @Text({ max: 40, description: 'The same on the clock of the schedule.', example: '2026-11-21T02:00:00+01:00' })
  local: string;
}

/** A schedule in words. */
export class ScheduleView {
  @Text({ max: 500, description: 'Its rhythm.', example: 'every day at 02:00 (Europe/London)' })
  rhythm: string;

  @Text({ max: 100, description: 'The time zone that it goes by.', example: 'Europe/London' })
  timeZone: string;

  @ListOf(() => FireTimeView, { max: 5, description: 'The next five times, freeze windows left out.' })
  next: FireTimeView[];

  @Count({ description: 'A run begins up to so many seconds later.', example: 0 })
  jitterSeconds: number;

  @Texts({ max: 100, maxEach: 1000, description: 'What is unusual until then: changes of the clock, freeze windows.' })
  notes: string[];
}

/** A job. */
export class JobView extends ConfiguredView {
  @Nested(() => JobBody, { description: 'Its definition.' })
  definition: JobBody;

  @Nested(() => PauseView, { nullable: true, description: 'Why it does not run for now; null: it does.' })
  paused: PauseView | null;

  @Nested(() => ScheduleView, { nullable: true, description: 'When it runs by itself; null: it does not.' })
  schedule: ScheduleView | null;
}

/** Jobs. */
export class JobPage extends ConfiguredPage {
  @ListOf(() => JobView, { max: 200, description: 'In the order asked for.' })
  items: JobView[];
}

/** A job that was created, and perhaps started. */
export class CreatedJobView {
  @Id({ description: 'The job.', example: '3' })
  jobId: string;

  @Nested(() => JobView, { description: 'The job.' })
  job: JobView;

  @Text({ max: 500, nullable: true, description: 'The workflow, where a run was started.', example: null })
  workflowId: string | null;

  @Id({ nullable: true, description: 'The run, where one was started and a worker has taken it up.', example: null })
  runId: string | null;

  @Links()
  links: Record<string, string>;
}

/** Whether it would do. */
export class JobReportView {
  @Flag({ description: 'It could be created.', example: true })
  valid: boolean;

  @ListOf(() => ProblemPartView, { max: 1000, description: 'What is wrong.' })
  problems: ProblemPartView[];
}
