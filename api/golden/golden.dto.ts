import { AnyJson, Choice, Day, Id, Text, Texts } from '../common/fields.js';
import { ListQuery, type ListRequest } from '../common/list-query.js';

export const goldenStatuses = ['active', 'ended', 'merged'] as const;

export interface GoldenListRequest extends ListRequest {
  readonly type?: string;
  readonly status?: string;
  readonly q?: string;
  readonly identifier?: string;
  readonly key?: string;
}

/** Which records: all of a type, or those that are found by one of `q`, `identifier` and `key`. */
export class GoldenListQuery extends ListQuery implements GoldenListRequest {
  @Text({
    optional: true,
    min: 1,
    max: 200,
    description: 'Only of this entity type. `q` needs it.',
    example: 'person',
  })
  type?: string;

  @Choice(goldenStatuses, { optional: true, description: 'Only in this state (default: in any).' })
  status?: string;

  @Text({
    optional: true,
    min: 2,
    max: 200,
    description:
      'The beginnings of words of a name, in any order, without regard to case, accents and apostrophes; or a whole identifier or key of a system.',
    example: 'okafor ama',
  })
  q?: string;

  @Text({
    optional: true,
    min: 3,
    max: 1000,
    pattern: /^[^:]+:./,
    description: 'An identifier: its scheme, a colon, and its value.',
    example: 'student_number:S-1042',
  })
  identifier?: string;

  @Text({
    optional: true,
    min: 3,
    max: 1000,
    pattern: /^[^:]+:./,
    description: 'A row of a system: its name, a colon, and the key there (parts with `|` between).',
    example: 'hr:E-77',
  })
  key?: string;
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

export interface LiftRequest {
  readonly group: string;
  readonly reason: string;
}

/** An override that is to end. */
export class LiftBody implements LiftRequest {
  @Text({ min: 1, max: 200, description: 'The attribute group.', example: 'email' })
  group: string;

  @Text({ min: 1, max: 1000, description: 'Why, for those who ask later.', example: 'HR has corrected it' })
  reason: string;
}

export interface AsOfRequest {
  readonly knownAt?: string;
  readonly validOn?: string;
}

/** Two times: when we knew, and when it holds. */
export class AsOfQuery implements AsOfRequest {
  @Text({
    optional: true,
    max: 30,
    pattern: /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?Z$/,
    description: 'As it was known at this moment, RFC 3339 in UTC (default: now).',
    example: '2026-11-20T07:10:00Z',
  })
  knownAt?: string;

  @Day({ optional: true, description: 'What of it holds on this day (default: today, where the institution is).' })
  validOn?: string;
}

export interface RevealRequest {
  readonly groups: readonly string[];
  readonly identifiers?: readonly string[];
  readonly reason: string;
}

/** Which masked values are to be shown once, and why. */
export class RevealBody implements RevealRequest {
  @Texts({ max: 100, maxEach: 200, description: 'Attribute groups.', example: ['birth_date'] })
  groups: string[];

  @Texts({ optional: true, max: 100, maxEach: 100, description: 'Identifier schemes.', example: ['national_id'] })
  identifiers?: string[];

  @Text({ min: 5, max: 1000, description: 'Why: kept for the auditor.', example: 'She asks for a certificate' })
  reason: string;
}

export interface DisclosureListRequest extends ListRequest {
  readonly goldenId?: string;
}

/** Which disclosures. */
export class DisclosureListQuery extends ListQuery implements DisclosureListRequest {
  @Id({ optional: true, description: 'Only of this record.', example: '5012' })
  goldenId?: string;
}
