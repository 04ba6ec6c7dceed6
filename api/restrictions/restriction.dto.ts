import { Choice, Day, Id, Text } from '../common/fields.js';
import { ListQuery, type ListRequest } from '../common/list-query.js';
import { restrictionStates } from './restriction.view.js';

export interface RestrictionListRequest extends ListRequest {
  readonly goldenId?: string;
  readonly recipientClass?: string;
  readonly state?: string;
}

/** Which restrictions. */
export class RestrictionListQuery extends ListQuery implements RestrictionListRequest {
  @Id({ optional: true, description: 'Only of this record.', example: '5012' })
  goldenId?: string;

  @Text({ optional: true, min: 1, max: 200, description: 'Only against this class.', example: 'directory' })
  recipientClass?: string;

  @Choice(restrictionStates, { optional: true, description: 'Only in this state (default: in any).' })
  state?: string;
}

export interface PlaceRequest {
  readonly goldenId: string;
  readonly recipientClass: string;
  readonly from?: string;
  readonly to?: string;
  readonly authority: string;
  readonly reason: string;
}

/** A record that is to be kept from a class of recipients. */
export class PlaceBody implements PlaceRequest {
  @Id({ description: 'The record.', example: '5012' })
  goldenId: string;

  @Text({
    min: 1,
    max: 200,
    description: 'From whom: a class that the institution declares, or `*` for everybody.',
    example: 'directory',
  })
  recipientClass: string;

  @Day({ optional: true, description: 'Its first day (default: at once).' })
  from?: string;

  @Day({ optional: true, description: 'Its last day (default: until it is released).' })
  to?: string;

  @Text({ min: 1, max: 300, description: 'By which authority.', example: 'Request of the person' })
  authority: string;

  @Text({ min: 1, max: 1000, description: 'Why, for those who ask later.', example: 'She asked for it at the desk' })
  reason: string;
}

export interface ReleaseRequest {
  readonly reason: string;
}

/** A restriction that is to hold no more. */
export class ReleaseBody implements ReleaseRequest {
  @Text({ min: 1, max: 1000, description: 'Why, for those who ask later.', example: 'She withdrew her request' })
  reason: string;
}
