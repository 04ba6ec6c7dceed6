import { AnyJson, Text } from '../common/fields.js';
import { ListQuery, type ListRequest } from '../common/list-query.js';

export interface GoldenLookupRequest extends ListRequest {
  readonly type: string;
  readonly identifier: string;
}

/** Which record. */
export class GoldenLookupQuery extends ListQuery implements GoldenLookupRequest {
  @Text({ min: 1, max: 200, description: 'The entity type.', example: 'person' })
  type: string;

  @Text({
    min: 3,
    max: 1000,
    pattern: /^[^:]+:./,
    description: 'An identifier: its scheme, a colon, and its value.',
    example: 'student_number:S-1042',
  })
  identifier: string;
}

export interface OverrideRequest {
  readonly group: string;
  readonly value: unknown;
  readonly reason: string;
}

/** A value that stands against imports until a source agrees. */
export class OverrideBody implements OverrideRequest {
  @Text({ min: 1, max: 200, description: 'The attribute group.', example: 'email' })
  group: string;

  @AnyJson({
    nullable: true,
    description:
      'As the group has it: a text, a flag, an object of its attributes, or a list of them; null: there is none.',
    example: 'amara@lakeside.example',
  })
  value: unknown;

  @Text({ min: 1, max: 1000, description: 'Why, for those who ask later.', example: 'She told us at the desk' })
  reason: string;
}
