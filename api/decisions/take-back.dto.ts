import { Text } from '../common/fields.js';

export interface TakeBackRequest {
  readonly reason: string;
  readonly previewHash?: string;
}

/** Why a decision is taken back. */
export class TakeBackBody implements TakeBackRequest {
  @Text({ min: 1, max: 1000, description: 'Why, for those who ask later.', example: 'The wrong one of two' })
  reason: string;

  @Text({
    optional: true,
    min: 1,
    max: 100,
    description:
      'previewHash of the preview that was seen. Needed where the decision was carried out, and taking it back touches more than itself.',
    example: 'b7c1f0aa-58a2-4d05-93f9-a27ae41e8f0a',
  })
  previewHash?: string;
}
