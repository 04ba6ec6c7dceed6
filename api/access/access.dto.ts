import { memberRoles } from '../../domain/access.js';
import { Choice, FutureMoment, Text, Texts } from '../common/fields.js';
import { ListQuery } from '../common/list-query.js';

/** Which keys. */
export class KeyListQuery extends ListQuery {
  @Choice(['active', 'expired', 'revoked', 'all'], {
    optional: true,
    description: 'Of which state (active where it is absent).',
  })
  state?: 'active' | 'expired' | 'revoked' | 'all';

  @Choice(memberRoles, { optional: true, description: 'Of which role.', example: 'operator' })
  role?: string;
}

/** A key to make. */
export class CreateKeyBody {
  @Text({
    min: 1,
    max: 100,
    // eslint-disable-next-line no-control-regex -- a name is one line of an audit
    pattern: /^[^@\u0000-\u001f]*$/,
    description:
      'Whose or what it is: it stands beside all that is done with it. Without @, which names of people have.',
    example: 'Registry import',
  })
  name: string;

  @Choice(memberRoles, { description: 'Its role.', example: 'operator' })
  role: (typeof memberRoles)[number];

  @Texts({
    optional: true,
    max: 100,
    maxEach: 200,
    description:
      'The codes of organisations: a secretary who is bound to some is shown the people who belong to them or to those below.',
    example: ['N'],
  })
  organisations?: string[];

  @FutureMoment({ optional: true, description: 'When it ends by itself.', example: '2027-11-20T00:00:00Z' })
  expiresAt?: string;
}

/** How a key is rotated. */
export class RotateKeyBody {
  @FutureMoment({
    optional: true,
    description: 'Until when the former key still opens, so that programs can change over; absent: it ends at once.',
    example: '2026-11-21T07:10:00Z',
  })
  formerUntil?: string;

  @FutureMoment({ optional: true, description: 'When the new key ends by itself.', example: '2027-11-20T00:00:00Z' })
  expiresAt?: string;
}

/** To become something else that one may be. */
export class SwitchBody {
  @Text({ min: 1, max: 100, description: 'The code of the institution.', example: 'lakeside' })
  institution: string;

  @Choice(memberRoles, { description: 'The role.', example: 'auditor' })
  role: string;
}
