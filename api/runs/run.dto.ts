import { runKinds } from '../../domain/run.js';
import { Choice, Choices, Day, Id, MomentParameter, Text } from '../common/fields.js';
import { ListQuery, type ListRequest } from '../common/list-query.js';
import { changeKinds, changeOutcomes, runStates } from './run.view.js';

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
  readonly actor?: string;
  readonly from?: string;
  readonly to?: string;
  readonly sort?: string;
}

export const runSorts = ['-startedAt', 'startedAt'] as const;

/** Which runs. */
export class RunListQuery extends ListQuery implements RunListRequest {
  @Id({ optional: true, description: 'Only of this job.', example: '3' })
  job?: string;

  @Choices(runKinds, { description: 'Only of these kinds.' })
  kind?: string;

  @Choices(runStates, { description: 'Only in these states.', example: 'completed' })
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

  @Text({
    optional: true,
    max: 300,
    description: 'Only those that this actor started, or a role: what stands before the colon.',
    example: 'steward:Data office',
  })
  actor?: string;

  @MomentParameter({ description: 'Only those that were opened at this moment or later.' })
  from?: string;

  @MomentParameter({ description: 'Only those that were opened before this moment.' })
  to?: string;

  @Choice(runSorts, { optional: true, description: 'The order: newest first (default), or oldest first.' })
  sort?: string;
}

export interface FindingListRequest extends ListRequest {
  readonly kind?: string;
}

/** Why a run is stopped. */
export interface CancelRequest {
  readonly reason: string;
}

/** Why a run is stopped. */
export class CancelBody implements CancelRequest {
  @Text({ min: 1, max: 1000, description: 'Why, for those who ask later.', example: 'HR sent the file of last month' })
  reason: string;
}

export interface ChangeListRequest extends ListRequest {
  readonly kind?: string;
  readonly system?: string;
  readonly outcome?: string;
}

/** Which changes. */
export class ChangeListQuery extends ListQuery implements ChangeListRequest {
  @Choices(changeKinds, {
    description: 'Only changes of golden records, of what systems said (image), or of rows in targets.',
  })
  kind?: string;

  @Text({
    optional: true,
    max: 200,
    description: 'Only what this system said, or was told. Golden records belong to none.',
    example: 'finance',
  })
  system?: string;

  @Choices(changeOutcomes, { description: 'Only with these outcomes.', example: 'refused' })
  outcome?: string;
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
