import { memberRoles, scopes } from '../../domain/access.js';
import { Choice, Id, ListOf, Moment, Nested, Text, Texts, WordsByName } from '../common/fields.js';

/** Where people may sign in. */
export class ProviderView {
  @Text({ max: 40, description: 'Its name, as addresses have it.', example: 'lakeside' })
  name: string;

  @Text({ max: 200, description: 'Its name for people.', example: 'Lakeside University' })
  title: string;

  @Text({
    max: 200,
    description: 'Where a browser goes to sign in there.',
    example: '/api/secretary/data-sync/sign-in/lakeside',
  })
  href: string;
}

/** All providers. */
export class ProvidersView {
  @ListOf(() => ProviderView, { max: 100, description: 'The providers; none: there are API keys only.' })
  providers: ProviderView[];
}

/** What somebody may be in an institution. */
export class GrantView {
  @Text({ max: 100, description: 'The code of the institution.', example: 'lakeside' })
  institution: string;

  @Choice(memberRoles, { description: 'The role.', example: 'secretary' })
  role: string;

  @Texts({
    max: 1000,
    maxEach: 200,
    description: 'The codes of the organisations that it is bound to; none: it is not bound.',
    example: ['law-school'],
  })
  organisations: string[];
}

/** The institution of the one who asks. */
export class OwnInstitutionView {
  @Text({ max: 100, description: 'Its code.', example: 'lakeside' })
  code: string;

  @Text({ max: 200, description: 'Its name.', example: 'Lakeside University' })
  name: string;

  @Text({ max: 100, description: 'Its time zone.', example: 'Europe/Zurich' })
  timeZone: string;
}

/** The session of a person. */
export class SessionView {
  @Text({ max: 40, description: 'The provider that vouched.', example: 'lakeside' })
  provider: string;

  @Text({ max: 200, description: 'The name by which the person is known there.', example: 'amara' })
  name: string;

  @ListOf(() => GrantView, { max: 100, description: 'What the person may be; `switchGrant` changes to another.' })
  grants: GrantView[];

  @Moment({ description: 'When the person signed in.' })
  signedInAt: string;

  @Moment({ description: 'When the session ends, whatever happens.', example: '2026-11-20T17:10:00.000Z' })
  expiresAt: string;
}

/** Who asks. */
export class MeView {
  @Choice(['person', 'program'], { description: 'A person with a session, or a program with a key or a token.' })
  kind: string;

  @Text({ max: 300, description: 'As it stands beside all that is done.', example: 'secretary:amara@lakeside' })
  actor: string;

  @Choice(memberRoles, { description: 'The role.', example: 'secretary' })
  role: string;

  @Nested(() => OwnInstitutionView, { description: 'The institution.' })
  institution: OwnInstitutionView;

  @Texts({
    max: 1000,
    maxEach: 200,
    description: 'The codes of the organisations that the caller is bound to; none: not bound.',
    example: ['law-school'],
  })
  organisations: string[];

  @WordsByName(scopes, {
    description: 'What the caller may do, and of which objects. What is not named, it may not.',
    example: { 'question:decide': 'affiliated', 'run:read': 'institution' },
  })
  permissions: Record<string, string>;

  @Nested(() => SessionView, { nullable: true, description: 'Of a person; null for a program.' })
  session: SessionView | null;
}

/** After signing out. */
export class SignedOutView {
  @Text({
    max: 2000,
    nullable: true,
    description: 'Where to send the browser to sign out at the provider too; null: nowhere.',
    example: 'https://login.lakeside.example/session/end?client_id=concord',
  })
  providerSignOut: string | null;
}

/** A key, without its secret. */
export class KeyView {
  @Id({ description: 'The key.', example: '7' })
  id: string;

  @Text({ max: 200, description: 'Whose or what it is.', example: 'Registry import' })
  name: string;

  @Choice(memberRoles, { description: 'Its role.', example: 'operator' })
  role: string;

  @Texts({
    max: 100,
    maxEach: 200,
    description: 'The codes of the organisations that it is bound to; none: it is not bound.',
    example: ['N'],
  })
  organisations: string[];

  @Text({ max: 12, description: 'What it begins with, after `concord_`.', example: '0f3a9c1b2d4e' })
  prefix: string;

  @Choice(['active', 'expired', 'revoked'], { description: 'Whether it opens anything.' })
  state: string;

  @Text({ max: 300, description: 'Who made it.', example: 'admin:Front office' })
  createdBy: string;

  @Moment({ description: 'When it was made.' })
  createdAt: string;

  @Moment({ nullable: true, description: 'When it ends by itself; null: never.' })
  expiresAt: string | null;

  @Moment({ nullable: true, description: 'When it was last used, to the minute; null: never.' })
  lastUsedAt: string | null;

  @Moment({ nullable: true, description: 'When it was revoked; null: it is not.' })
  revokedAt: string | null;

  @Text({ max: 300, nullable: true, description: 'Who rotated or revoked it.', example: 'admin:Front office' })
  changedBy: string | null;
}

/** A key with its secret, the only time it is shown. */
export class NewKeyView extends KeyView {
  @Text({
    max: 100,
    description: 'The whole key. It is not stored and never shown again.',
    example: 'concord_0f3a9c1b2d4e_c2VjcmV0IHNlY3JldCBzZWNyZXQgc2Vj',
  })
  key: string;
}

/** A page of keys. */
export class KeyPage {
  @ListOf(() => KeyView, { max: 200, description: 'The keys, newest first.' })
  items: KeyView[];

  @Text({ max: 2000, nullable: true, description: 'For the next page; null: there is none.', example: null })
  nextCursor: string | null;
}
