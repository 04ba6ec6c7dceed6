import { AnyJson, Choice, Count, Day, Flag, Id, Links, ListOf, Moment, Nested, Text } from '../common/fields.js';

const says = ['value', 'empty', 'nothing'] as const;

/** What a group said, or says. */
export class SaidView {
  @Choice(says, { description: 'A value, explicitly none, or nothing.' })
  says: string;

  @AnyJson({ description: 'The value; null: none, or masked.', example: 'amara@lakeside.example' })
  value: unknown;
}

/** A group that a version changed. */
export class GroupChangeView {
  @Text({ max: 200, description: 'The attribute group.', example: 'email' })
  group: string;

  @Flag({ description: 'Your role may not see the values.', example: false })
  masked: boolean;

  @Nested(() => SaidView, { description: 'Before.' })
  before: SaidView;

  @Nested(() => SaidView, { description: 'Since.' })
  after: SaidView;

  @Text({ max: 200, nullable: true, description: 'The system it came from; null: a person.', example: 'hr' })
  system: string | null;

  @Text({ max: 1000, nullable: true, description: 'The key of the record there.', example: 'E-77' })
  sourceKey: string | null;

  @Flag({ description: 'From then on it stands against imports.', example: false })
  sticky: boolean;
}

/** A version of a record. */
export class GoldenVersionView {
  @Count({ min: 1, description: 'The version.', example: 3 })
  version: number;

  @Moment({ description: 'Since when it was known.' })
  knownAt: string;

  @Id({ description: 'The run that made it.' })
  runId: string;

  @Text({ max: 100, description: 'The kind of that run.', example: 'decision' })
  kind: string;

  @Text({ max: 300, description: 'Who had it done.', example: 'secretary:Front office' })
  actor: string;

  @Choice(['active', 'ended', 'merged'], { description: 'The state of the record since.' })
  status: string;

  @ListOf(() => GroupChangeView, { max: 1000, description: 'What it changed.' })
  changes: GroupChangeView[];

  @Text({
    max: 2000,
    description: 'All of this in words, without values.',
    example: 'The email changed, decided by the secretary (Front office).',
  })
  words: string;

  @Links()
  links: Record<string, string>;
}

/** Versions of a record. */
export class GoldenVersionPage {
  @ListOf(() => GoldenVersionView, { max: 200, description: 'Newest first.' })
  items: GoldenVersionView[];

  @Text({ max: 2000, nullable: true, description: 'For the next page; null: there is none.', example: null })
  nextCursor: string | null;
}

/** The value of a group as it was known and holds. */
export class HeldGroupView extends SaidView {
  @Text({ max: 200, description: 'The attribute group.', example: 'email' })
  name: string;

  @Flag({ description: 'Your role may not see the value.', example: false })
  masked: boolean;
}

/** A record at two times. */
export class AsOfView {
  @Id({ description: 'The record.', example: '5012' })
  id: string;

  @Text({ max: 200, description: 'The entity type.', example: 'person' })
  type: string;

  @Moment({ description: 'As it was known at this moment.' })
  knownAt: string;

  @Day({ description: 'What of it holds on this day.' })
  validOn: string;

  @Count({ min: 1, description: 'The version that was known.', example: 3 })
  version: number;

  @Choice(['active', 'ended', 'merged'], { description: 'Its state then.' })
  status: string;

  @Flag({ description: 'The record itself holds on that day.', example: true })
  holds: boolean;

  @ListOf(() => HeldGroupView, {
    max: 1000,
    description: 'Its values; of those that hold for a time, the ones of that day.',
  })
  groups: HeldGroupView[];

  @Links()
  links: Record<string, string>;
}

/** What a system says of a group. */
export class StatementView extends SaidView {
  @Text({ max: 200, description: 'The system.', example: 'sis' })
  system: string;

  @Text({ max: 200, description: 'The mapping.', example: 'sis.students' })
  mapping: string;

  @Count({ min: 1, description: 'The version of the mapping by which it was read.', example: 2 })
  mappingVersion: number;

  @Text({ max: 1000, description: 'The key of the record there.', example: 'S-1042' })
  sourceKey: string;

  @Choice(['live', 'echo', 'overruled', 'open'], {
    description:
      'The system says so itself; we wrote it there; it was decided otherwise; or a person is asked about it.',
  })
  state: string;

  @Flag({ description: 'It says the same as the golden record.', example: true })
  agrees: boolean;
}

/** Where the value of a group comes from. */
export class GroupProvenanceView extends SaidView {
  @Text({ max: 200, description: 'The attribute group.', example: 'email' })
  name: string;

  @Flag({ description: 'Your role may not see the values.', example: false })
  masked: boolean;

  @Text({
    max: 200,
    nullable: true,
    description: 'The system it comes from; null: a person, or nothing yet.',
    example: 'hr',
  })
  system: string | null;

  @Text({ max: 1000, nullable: true, description: 'The key of the record there.', example: 'E-77' })
  sourceKey: string | null;

  @Text({ max: 200, nullable: true, description: 'The mapping it was read by.', example: 'hr.staff' })
  mapping: string | null;

  @Count({ min: 1, nullable: true, description: 'The version of that mapping.', example: 2 })
  mappingVersion: number | null;

  @Id({ nullable: true, description: 'The run that set it.' })
  runId: string | null;

  @Moment({ nullable: true, description: 'Since when it is known.' })
  knownAt: string | null;

  @Text({ max: 100, description: 'The strategy by which systems are weighed.', example: 'three_way' })
  strategy: string;

  @Text({
    max: 2000,
    description: 'All of this in words, without values.',
    example: 'From hr (record E-77), since version 3, by run 17 on 20 November 2026.',
  })
  words: string;

  @ListOf(() => StatementView, { max: 1000, description: 'What the systems say of it.' })
  statements: StatementView[];
}

/** Where the values of a record come from. */
export class ProvenanceView {
  @Id({ description: 'The record.', example: '5012' })
  id: string;

  @Count({ min: 1, description: 'Its version.', example: 3 })
  version: number;

  @ListOf(() => GroupProvenanceView, { max: 1000, description: 'In the order of the entity type.' })
  groups: GroupProvenanceView[];

  @Links()
  links: Record<string, string>;
}

export const targetStates = ['told', 'pending', 'withheld', 'refused', 'differs', 'absent'] as const;

/** Whether a record has reached a target. */
export class TargetStateView {
  @Text({ max: 200, description: 'The system.', example: 'finance' })
  system: string;

  @Text({ max: 200, description: 'The target, `system.entity`.', example: 'finance.people' })
  mapping: string;

  @Choice(targetStates, {
    description:
      '`told`: it holds what we hold to be true. `pending`: it is to be told. `withheld`: a restriction keeps it from there. `refused`: the target refused it. `differs`: it was edited there and left alone. `absent`: nothing of it belongs there.',
  })
  state: string;

  @Moment({ nullable: true, description: 'Since when; null: never.' })
  since: string | null;

  @Count({ nullable: true, description: 'The highest version that the target was told.', example: 3 })
  version: number | null;

  @Text({ max: 1000, nullable: true, description: 'The key of the row there.', example: 'E-77' })
  key: string | null;

  @Day({ nullable: true, description: 'When it changes though nothing is changed.', example: null })
  due: string | null;

  @Id({ nullable: true, description: 'The run that spoke to the target last.' })
  runId: string | null;

  @Text({ max: 1000, description: 'All of this in words.', example: 'finance was told version 3 by run 17.' })
  words: string;
}

/** Whether a record has reached its targets. */
export class TargetStatesView {
  @ListOf(() => TargetStateView, { max: 1000, description: 'The targets that take records of this type.' })
  items: TargetStateView[];

  @Links()
  links: Record<string, string>;
}
