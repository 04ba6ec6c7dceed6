import { CountParameter, Text } from './fields.js';

export const defaultLimit = 50;

/** A part of a list. */
export interface ListRequest {
  readonly limit?: number;
  readonly cursor?: string;
}

/** The parameters of every list. */
export class ListQuery implements ListRequest {
  @CountParameter({
    min: 1,
    max: 200,
    description: `Items of a page (${defaultLimit} where it is absent).`,
    example: 50,
  })
  limit?: number;

  @Text({ optional: true, max: 2000, description: 'nextCursor of the page before.', example: 'WyIzZjJhOWMwMSIsMTddIA' })
  cursor?: string;
}
