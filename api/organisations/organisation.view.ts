import { Count, Flag, Id, Links, ListOf, Text } from '../common/fields.js';
import { ListQuery, type ListRequest } from '../common/list-query.js';

export interface OrganisationListRequest extends ListRequest {
  readonly below?: string;
}

/** Which organisations. */
export class OrganisationListQuery extends ListQuery implements OrganisationListRequest {
  @Text({
    optional: true,
    min: 1,
    max: 200,
    description: 'Only the one of this code and those below it.',
    example: 'N',
  })
  below?: string;
}

/** An organisation of the institution. */
export class OrganisationView {
  @Text({ max: 1000, description: 'Its code; keys are bound to organisations by it.', example: 'N' })
  code: string;

  @Text({ max: 1000, nullable: true, description: 'Its name.', example: 'North campus' })
  name: string | null;

  @Text({ max: 1000, nullable: true, description: 'The code of the one above.', example: 'LU' })
  parent: string | null;

  @Count({ description: 'How many are above it in this list.', example: 1 })
  depth: number;

  @Flag({ description: 'You see the people of it.', example: true })
  yours: boolean;

  @Id({ description: 'Its golden record.', example: '31' })
  goldenId: string;

  @Links()
  links: Record<string, string>;
}

/** A page of organisations. */
export class OrganisationPage {
  @ListOf(() => OrganisationView, {
    max: 200,
    description: 'In the order of the tree: each is followed by those below it.',
  })
  items: OrganisationView[];

  @Text({ max: 2000, nullable: true, description: 'For the next page; null: there is none.', example: null })
  nextCursor: string | null;
}
