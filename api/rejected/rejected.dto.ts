import { Count, FreeObject, Id, ListOf, Choice, Text } from '../common/fields.js';
import { ListQuery, type ListRequest } from '../common/list-query.js';

export const rejectedKinds = ['rejected', 'waiting'] as const;
export const rejectedStates = ['open', 'replaying', 'resolved'] as const;

export interface RejectedListRequest extends ListRequest {
  readonly kind?: string;
  readonly state?: string;
  readonly mapping?: string;
  readonly reason?: string;
  readonly field?: string;
  readonly key?: string;
}

/** Which records set aside. */
export class RejectedListQuery extends ListQuery implements RejectedListRequest {
  @Choice(rejectedKinds, { optional: true, description: 'Only of this kind.' })
  kind?: string;

  @Choice(rejectedStates, { optional: true, description: 'Only in this state.' })
  state?: string;

  @Text({ optional: true, max: 200, description: 'Only of this mapping: `system.entity`.', example: 'sis.students' })
  mapping?: string;

  @Text({ optional: true, max: 300, description: 'Only for this reason.', example: 'field_count' })
  reason?: string;

  @Text({ optional: true, max: 300, description: 'Only where this column is at fault.', example: 'birth_date' })
  field?: string;

  @Text({ optional: true, max: 1000, description: 'Only with this key in the source.', example: 'S-1042' })
  key?: string;
}

export interface RejectedSearchRequest extends RejectedListRequest {
  readonly run?: string;
  readonly job?: string;
}

/** Which records set aside, of all runs. */
export class RejectedSearchQuery extends RejectedListQuery implements RejectedSearchRequest {
  @Id({ optional: true, description: 'Only of this run.' })
  run?: string;

  @Id({ optional: true, description: 'Only of this job.', example: '3' })
  job?: string;
}

export interface CorrectionRequest {
  readonly values: Readonly<Record<string, unknown>>;
  readonly reason: string;
}

/** What a row should have said. */
export class CorrectionBody implements CorrectionRequest {
  @FreeObject({
    description:
      'Column → text, or null for none. Columns that are left out stay as they were read; of a row that could not be read, all are needed.',
    example: { birth_date: '1999-04-02' },
  })
  values: Record<string, unknown>;

  @Text({
    min: 1,
    max: 1000,
    description: 'Why, for those who ask later.',
    example: 'Typing error, seen in the passport',
  })
  reason: string;
}

export interface ReplayRequest {
  readonly version: number;
  readonly reason?: string;
}

/** A replay of one record. */
export class ReplayBody implements ReplayRequest {
  @Count({ min: 1, max: 2_147_483_647, description: 'The version of the record that was seen.', example: 2 })
  version: number;

  @Text({ optional: true, max: 1000, description: 'Why, for those who ask later.', example: 'The rule was mended' })
  reason?: string;
}

export interface ReplayItemRequest {
  readonly rejectedId: string;
  readonly version: number;
}

/** One record of many. */
export class ReplayItemBody implements ReplayItemRequest {
  @Id({ description: 'The record aside.' })
  rejectedId: string;

  @Count({ min: 1, max: 2_147_483_647, description: 'The version of it that was seen.', example: 2 })
  version: number;
}

export interface ReplayManyRequest {
  readonly records: readonly ReplayItemRequest[];
  readonly reason?: string;
}

/** A replay of up to 1,000 records. */
export class ReplayManyBody implements ReplayManyRequest {
  @ListOf(() => ReplayItemBody, { min: 1, max: 1000, description: 'The records; each stands for itself.' })
  records: ReplayItemBody[];

  @Text({ optional: true, max: 1000, description: 'Why, for those who ask later.', example: 'The rule was mended' })
  reason?: string;
}
