import { Choice, Day, Id, Links, ListOf, Moment, Text } from '../common/fields.js';

export const restrictionStates = ['standing', 'ended', 'released'] as const;

/** That a record is kept from a class of recipients. */
export class RestrictionView {
  @Id({ description: 'The restriction.', example: '12' })
  id: string;

  @Id({ description: 'The record.', example: '5012' })
  goldenId: string;

  @Text({ max: 200, description: 'Its entity type.', example: 'person' })
  entityType: string;

  @Text({ max: 200, description: 'From whom it is kept; `*`: from everybody.', example: 'directory' })
  recipientClass: string;

  @Choice(restrictionStates, { description: '`ended`: its last day is over. `released`: it holds no more.' })
  state: string;

  @Day({ nullable: true, description: 'Its first day; null: since it was placed.', example: null })
  from: string | null;

  @Day({ nullable: true, description: 'Its last day; null: until it is released.', example: null })
  to: string | null;

  @Text({ max: 300, nullable: true, description: 'By which authority.', example: 'Court order 17/2026' })
  authority: string | null;

  @Text({ max: 1000, nullable: true, description: 'Why.', example: 'She asked for it at the desk' })
  reason: string | null;

  @Text({
    max: 300,
    description: 'Who placed it: a person, or the mapping whose row carried it.',
    example: 'sis.students',
  })
  placedBy: string;

  @Moment({ description: 'When it was placed.' })
  placedAt: string;

  @Text({ max: 300, nullable: true, description: 'Who released it.', example: null })
  releasedBy: string | null;

  @Moment({ nullable: true, description: 'When it was released.' })
  releasedAt: string | null;

  @Text({ max: 1000, nullable: true, description: 'Why it was released.', example: null })
  releaseReason: string | null;

  @Links()
  links: Record<string, string>;
}

/** A page of restrictions. */
export class RestrictionPage {
  @ListOf(() => RestrictionView, { max: 200, description: 'Newest first.' })
  items: RestrictionView[];

  @Text({ max: 2000, nullable: true, description: 'For the next page; null: there is none.', example: null })
  nextCursor: string | null;
}
