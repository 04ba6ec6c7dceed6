import { Choice, Count, Id, Text } from '../common/fields.js';
import { ListQuery, type ListRequest } from '../common/list-query.js';

export const heldStates = ['held', 'released', 'discarded', 'applied', 'withdrawn', 'all'] as const;
export const heldCauses = ['limit', 'rolled_back_input', 'identity'] as const;

export interface HeldListRequest extends ListRequest {
  readonly status?: string;
  readonly cause?: string;
  readonly job?: string;
  readonly run?: string;
}

/** Which held changes. */
export class HeldListQuery extends ListQuery implements HeldListRequest {
  @Choice(heldStates, { optional: true, description: 'Only in this state (default: held).' })
  status?: string;

  @Choice(heldCauses, { optional: true, description: 'Only those held for this cause.' })
  cause?: string;

  @Id({ optional: true, description: 'Only of this job.', example: '3' })
  job?: string;

  @Id({ optional: true, description: 'Only of this run.' })
  run?: string;
}

export interface HeldDecisionRequest {
  readonly version: number;
  readonly reason: string;
}

/** A decision on a held change, made on the version that was seen. */
export class HeldDecisionBody implements HeldDecisionRequest {
  @Count({ min: 1, max: 2_147_483_647, description: 'The version that the decision is made on.', example: 1 })
  version: number;

  @Text({
    min: 1,
    max: 1000,
    description: 'Why, for those who ask later.',
    example: 'HR confirmed the closing of the South office',
  })
  reason: string;
}
