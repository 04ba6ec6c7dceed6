import { Count, Flag, Id, Links, ListOf, Nested, Text } from '../common/fields.js';
import { ProblemPartView } from '../common/problem.view.js';
import { JobBody } from './job.dto.js';

/** A job. */
export class JobView {
  @Id({ description: 'The job.', example: '3' })
  id: string;

  @Count({ min: 1, description: 'Rises with every change.', example: 1 })
  version: number;

  @Nested(() => JobBody, { description: 'Its definition.' })
  definition: JobBody;

  @Links()
  links: Record<string, string>;
}

/** Jobs. */
export class JobPage {
  @ListOf(() => JobView, { max: 200, description: 'In the order of their ids.' })
  items: JobView[];

  @Text({ max: 2000, nullable: true, description: 'For the next page; null: there is none.', example: null })
  nextCursor: string | null;
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
