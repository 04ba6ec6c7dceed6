import { runKinds } from '../../domain/run.js';
import { Choice, Day, Id, Text } from '../common/fields.js';
import { ListQuery, type ListRequest } from '../common/list-query.js';
import { runStates } from './run.view.js';

export interface StartRunRequest {
  readonly asOf?: string;
}

/** How to start a run. */
export class StartRunBody implements StartRunRequest {
  @Day({ optional: true, description: 'Project targets as of this date (default: today, where the institution is).' })
  asOf?: string;
}

export interface RunListRequest extends ListRequest {
  readonly job?: string;
  readonly kind?: string;
  readonly state?: string;
  readonly workflowId?: string;
  readonly parent?: string;
}

/** Which runs. */
export class RunListQuery extends ListQuery implements RunListRequest {
  @Id({ optional: true, description: 'Only of this job.', example: '3' })
  job?: string;

  @Choice(runKinds, { optional: true, description: 'Only of this kind.' })
  kind?: string;

  @Choice(runStates, { optional: true, description: 'Only in this state.', example: 'completed' })
  state?: string;

  @Text({
    optional: true,
    max: 500,
    description: 'Only the run of this workflow.',
    example: 'sync-run/3/9f86d081884c7d65',
  })
  workflowId?: string;

  @Id({ optional: true, description: 'Only runs that belong to this one.' })
  parent?: string;
}

export interface FindingListRequest extends ListRequest {
  readonly kind?: string;
}

/** Which findings. */
export class FindingListQuery extends ListQuery implements FindingListRequest {
  @Text({ optional: true, max: 100, description: 'Only of this kind.', example: 'outranked' })
  kind?: string;
}

export interface RollbackRequest {
  readonly previewHash: string;
  readonly reason: string;
}

/** A rollback, bound to the preview that was seen. */
export class RollbackBody implements RollbackRequest {
  @Text({
    min: 1,
    max: 100,
    description: 'previewHash of the preview.',
    example: 'b7c1f0aa-58a2-4d05-93f9-a27ae41e8f0a',
  })
  previewHash: string;

  @Text({ min: 1, max: 1000, description: 'Why, for those who ask later.', example: 'The HR file was of last month' })
  reason: string;
}
