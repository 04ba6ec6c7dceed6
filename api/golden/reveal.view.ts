import { Id, Links, ListOf, Moment, Text, Texts } from '../common/fields.js';
import { SaidView } from './story.view.js';

/** A value, shown once. */
export class RevealedGroupView extends SaidView {
  @Text({ max: 200, description: 'The attribute group.', example: 'birth_date' })
  name: string;
}

/** An identifier, shown once. */
export class RevealedIdentifierView {
  @Text({ max: 100, description: 'The scheme.', example: 'national_id' })
  scheme: string;

  @Text({ max: 1000, description: 'The identifier.', example: '756-1' })
  value: string;

  @Text({ max: 200, description: 'The system that says so.', example: 'sis' })
  system: string;
}

/** What was asked to be shown. It is shown this once; that it was is kept. */
export class RevealedView {
  @Id({ description: 'The disclosure that was recorded.', example: '4' })
  disclosureId: string;

  @ListOf(() => RevealedGroupView, { max: 100, description: 'The values.' })
  groups: RevealedGroupView[];

  @ListOf(() => RevealedIdentifierView, { max: 1000, description: 'The identifiers.' })
  identifiers: RevealedIdentifierView[];

  @Links()
  links: Record<string, string>;
}

/** That somebody was shown masked values, and why. */
export class DisclosureView {
  @Id({ description: 'The disclosure.', example: '4' })
  id: string;

  @Id({ description: 'The record.', example: '5012' })
  goldenId: string;

  @Texts({ max: 100, maxEach: 200, description: 'The attribute groups that were shown.', example: ['birth_date'] })
  groups: string[];

  @Texts({ max: 100, maxEach: 100, description: 'The identifier schemes that were shown.', example: ['national_id'] })
  identifiers: string[];

  @Text({ max: 300, description: 'To whom.', example: 'secretary:Front office' })
  actor: string;

  @Text({ max: 1000, description: 'Why, in their words.', example: 'She asks for a certificate' })
  reason: string;

  @Moment({ description: 'When.' })
  at: string;

  @Links()
  links: Record<string, string>;
}

/** A page of disclosures. */
export class DisclosurePage {
  @ListOf(() => DisclosureView, { max: 200, description: 'Newest first.' })
  items: DisclosureView[];

  @Text({ max: 2000, nullable: true, description: 'For the next page; null: there is none.', example: null })
  nextCursor: string | null;
}
