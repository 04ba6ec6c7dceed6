import { Flag, Links, ListOf, Nested, Text } from '../common/fields.js';

/** An institution, as its host knows it. */
export class HostedInstitutionView {
  @Text({ max: 200, description: 'Its code.', example: 'lakeside' })
  code: string;

  @Text({ max: 300, description: 'Its name.', example: 'Lakeside University' })
  name: string;

  @Text({ max: 100, description: 'Its time zone.', example: 'Europe/Zurich' })
  timeZone: string;

  @Flag({ description: 'Whether keys were ever made for it.', example: true })
  hasKeys: boolean;
}

/** A page of institutions. */
export class HostedInstitutionPage {
  @ListOf(() => HostedInstitutionView, { max: 200, description: 'In the order in which they were made.' })
  items: HostedInstitutionView[];

  @Text({ max: 2000, nullable: true, description: 'For the next page; null: there is none.', example: null })
  nextCursor: string | null;
}

const example = 'concord_0f3a9c1b2d4e_c2VjcmV0IHNlY3JldCBzZWNyZXQgc2Vj';

/** The first keys of an institution, the only time they are shown. */
export class FirstKeysView {
  @Text({ max: 100, description: 'Decides questions, starts runs.', example })
  secretary: string;

  @Text({ max: 100, description: 'Configures, releases, rolls back.', example })
  steward: string;

  @Text({ max: 100, description: 'Starts and watches runs, sees no records.', example })
  operator: string;

  @Text({ max: 100, description: 'Makes and revokes keys, sees no records.', example })
  admin: string;
}

/** An institution that was made. */
export class NewInstitutionView {
  @Text({ max: 200, description: 'Its code.', example: 'lakeside' })
  code: string;

  @Nested(() => FirstKeysView, { description: 'Its first keys: kept nowhere, and never shown again.' })
  firstKeys: FirstKeysView;

  @Links()
  links: Record<string, string>;
}

/** A key of the role admin, the only time it is shown. */
export class AdminKeyView {
  @Text({ max: 100, description: 'The whole key. It is not stored and never shown again.', example })
  key: string;
}
