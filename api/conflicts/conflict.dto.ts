import { IntersectionType } from '@nestjs/swagger';
import { IsDefined, ValidateBy } from 'class-validator';
import { AnyJson, Choice, Choices, Count, Flag, Id, ListOf, Nested, Text } from '../common/fields.js';
import { ListQuery, type ListRequest } from '../common/list-query.js';
import { millisecondsOf } from '../common/duration.js';
import type { DecisionChoice } from './choice.js';

export const conflictKinds = ['value', 'duplicate', 'identity'] as const;
export const conflictStates = ['pending', 'decided', 'settled', 'withdrawn', 'agreed', 'all'] as const;
export const conflictSorts = ['createdAt', '-createdAt', 'dueAt', '-dueAt'] as const;

export interface ConflictListRequest extends ListRequest {
  readonly status?: string;
  readonly type?: string;
  readonly job?: string;
  readonly run?: string;
  readonly entityType?: string;
  readonly group?: string;
  readonly assignee?: string;
  readonly olderThan?: string;
  readonly system?: string;
  readonly sort?: string;
}

function isDuration(): PropertyDecorator {
  return ValidateBy({
    name: 'isDuration',
    validator: {
      validate: (value: unknown) => typeof value === 'string' && millisecondsOf(value) !== null,
      defaultMessage: () => '$property must be a duration like P2D or PT12H',
    },
  });
}

/** Which questions. */
export class ConflictFacetsQuery implements Omit<ConflictListRequest, 'sort'> {
  @Choices(conflictStates, { description: 'Only in these states (default: pending).' })
  status?: string;

  @Choices(conflictKinds, { description: 'Only of these kinds.', example: 'value,duplicate' })
  type?: string;

  @Id({ optional: true, description: 'Only of this job.', example: '3' })
  job?: string;

  @Id({ optional: true, description: 'Only those that this run opened.' })
  run?: string;

  @Text({ optional: true, max: 200, description: 'Only about records of this type.', example: 'person' })
  entityType?: string;

  @Text({ optional: true, max: 200, description: 'Only about this attribute group.', example: 'address' })
  group?: string;

  @Text({
    optional: true,
    max: 300,
    description: 'Only those that this actor is to decide; `me`: you; `nobody`: those for whom nobody is named.',
    example: 'me',
  })
  assignee?: string;

  @isDuration()
  @Text({
    optional: true,
    max: 40,
    description: 'Only those that wait for longer (ISO 8601: weeks, days, hours, minutes, seconds).',
    example: 'P2D',
  })
  olderThan?: string;

  @Text({ optional: true, max: 200, description: 'Only those in which this system takes part.', example: 'hr' })
  system?: string;
}

/** Which questions, in which order. */
export class ConflictListQuery extends IntersectionType(ListQuery, ConflictFacetsQuery) implements ConflictListRequest {
  @Choice(conflictSorts, {
    optional: true,
    description: 'The order; a minus sign: the other way round (default: createdAt).',
  })
  sort?: string;
}

/** What is chosen: exactly one of the four. */
export class ChoiceBody {
  @Text({ optional: true, min: 1, max: 200, description: 'Take what this system says.', example: 'sis' })
  take?: string;

  @Flag({ optional: true, description: 'Keep the value that stands (for a possible duplicate: these are two).' })
  keep?: boolean;

  @Flag({
    optional: true,
    description:
      'Of a possible duplicate: whether the two are the same; then they become one record. Of an identity in doubt: whether the key is still the same person’s; else it is of a new record.',
  })
  same?: boolean;

  @AnyJson({
    optional: true,
    nullable: true,
    description: 'Take this value, as the attribute group has it; null: there is none.',
    example: '+44 20 7946 0018',
  })
  value?: unknown;
}

export interface DecisionRequest {
  readonly version: number;
  readonly choice: ChoiceBody;
  readonly reason?: string;
}

const oneChoice = (): PropertyDecorator =>
  ValidateBy({
    name: 'oneChoice',
    validator: {
      validate: (choice: unknown) => readChoice(choice) !== null,
      defaultMessage: () => 'choice must be one of {take: system}, {keep: true}, {value: …} and {same: true or false}',
    },
  });

/** The choice that a body makes; null where it makes none or several. */
export function readChoice(choice: unknown): DecisionChoice | null {
  if (typeof choice !== 'object' || choice === null) return null;
  const { take, keep, value, same } = choice as ChoiceBody;
  const made: (DecisionChoice | null)[] = [
    ...(take === undefined ? [] : [{ take }]),
    ...(keep === undefined ? [] : [keep ? ({ keep: true } as const) : null]),
    ...(value === undefined ? [] : [{ value }]),
    ...(same === undefined ? [] : [{ same }]),
  ];
  return made.length === 1 ? (made[0] ?? null) : null;
}

/** A decision of one question, made on the version that was seen. */
export class DecisionBody implements DecisionRequest {
  @Count({ min: 1, max: 2_147_483_647, description: 'The version that the decision is made on.', example: 1 })
  version: number;

  @oneChoice()
  @IsDefined({ message: 'choice is missing' })
  @Nested(() => ChoiceBody, { description: 'What is chosen.', example: { take: 'sis' } })
  choice: ChoiceBody;

  @Text({ optional: true, max: 1000, description: 'Why, for those who ask later.', example: 'Confirmed by phone' })
  reason?: string;
}

export interface BatchItemRequest extends DecisionRequest {
  readonly conflictId: string;
}

/** One decision of many. */
export class BatchItemBody extends DecisionBody implements BatchItemRequest {
  @Id({ description: 'The question.' })
  conflictId: string;
}

export interface BatchRequest {
  readonly decisions: readonly BatchItemRequest[];
  readonly reason?: string;
}

/** Up to 1,000 decisions. */
export class BatchBody implements BatchRequest {
  @ListOf(() => BatchItemBody, { min: 1, max: 1000, description: 'The decisions; each stands for itself.' })
  decisions: BatchItemBody[];

  @Text({
    optional: true,
    max: 1000,
    description: 'Why, where a decision gives no reason of its own.',
    example: 'The e-mail domain changed',
  })
  reason?: string;
}

export interface AssigneeRequest {
  readonly assignee: string | null;
}

/** Who is to decide a question. */
export class AssigneeBody implements AssigneeRequest {
  @Text({
    nullable: true,
    min: 1,
    max: 300,
    pattern: /^(me|(secretary|steward):.+)$/,
    description: 'An actor who may decide; `me`: you; null: nobody is named.',
    example: 'secretary:Front office',
  })
  assignee: string | null;
}
