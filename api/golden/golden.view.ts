import { AnyJson, Choice, Count, Day, Flag, Id, Links, ListOf, Moment, Text } from '../common/fields.js';

/** Since when a value holds. */
export class SinceView {
  @Count({ min: 1, description: 'The version of the record that set it.', example: 3 })
  version: number;

  @Id({ nullable: true, description: 'The run that made this version.' })
  runId: string | null;

  @Moment({ nullable: true, description: 'When that run was opened.' })
  at: string | null;
}

/** The value of an attribute group, and where it comes from. */
export class GoldenGroupView {
  @Text({ max: 200, description: 'The attribute group.', example: 'email' })
  name: string;

  @AnyJson({
    description:
      'A text, a flag, an object of attributes, or a list of them. null: nothing was said, it is explicitly empty, or it is masked.',
    example: 'amara@lakeside.example',
  })
  value: unknown;

  @Choice(['value', 'empty', 'nothing'], { description: 'A value, explicitly none, or nothing was ever said.' })
  says: string;

  @Flag({ description: 'Your role may not see the value.', example: false })
  masked: boolean;

  @Flag({ description: 'A person set it; it stands against imports until a source agrees.', example: false })
  sticky: boolean;

  @Text({
    max: 200,
    nullable: true,
    description: 'The system it comes from; null: a person, or nothing yet.',
    example: 'hr',
  })
  system: string | null;

  @Text({ max: 1000, nullable: true, description: 'The key of the record there.', example: 'E-77' })
  sourceKey: string | null;

  @Text({ max: 300, nullable: true, description: 'The person who decided it, where one did.', example: null })
  decidedBy: string | null;

  @ListOf(() => SinceView, { max: 1, description: 'Since when; empty where nothing was said.' })
  since: SinceView[];

  @Text({
    max: 2000,
    description: 'All of this in words.',
    example: 'From hr (record E-77), since version 3, by run 17 on 20 November 2026.',
  })
  words: string;
}

/** A record of a system that is held to be this one. */
export class SourceRecordView {
  @Text({ max: 200, description: 'The system.', example: 'hr' })
  system: string;

  @Text({ max: 200, description: 'The mapping: `system.entity`.', example: 'hr.staff' })
  mapping: string;

  @Text({ max: 1000, description: 'Its key there.', example: 'E-77' })
  sourceKey: string;

  @Flag({ description: 'It was deleted there.', example: false })
  deleted: boolean;
}

/** An identifier by which the record is known. */
export class IdentifierView {
  @Text({ max: 100, description: 'The scheme.', example: 'student_number' })
  scheme: string;

  @Text({ max: 1000, nullable: true, description: 'The identifier; null: it is masked.', example: 'S-1042' })
  value: string | null;

  @Flag({ description: 'Your role may not see it.', example: false })
  masked: boolean;

  @Text({ max: 200, description: 'The system that says so.', example: 'sis' })
  system: string;
}

/** An open question about the record. */
export class OpenQuestionView {
  @Id({ description: 'The question.' })
  id: string;

  @Text({
    max: 200,
    description: 'The attribute group; empty for a question about the whole record.',
    example: 'address',
  })
  group: string;

  @Links()
  links: Record<string, string>;
}

/** A golden record: what we hold to be true, and why. */
export class GoldenRecordView {
  @Id({ description: 'The record. Never used again for another.', example: '5012' })
  id: string;

  @Text({ max: 200, description: 'The entity type.', example: 'person' })
  type: string;

  @Count({ min: 1, description: 'Rises with every change.', example: 3 })
  version: number;

  @Choice(['active', 'ended', 'merged'], {
    description: '`ended`: no system has it any more. `merged`: it went into `mergedInto`.',
  })
  status: string;

  @Id({ nullable: true, description: 'The record it was merged into.', example: null })
  mergedInto: string | null;

  @Day({ nullable: true, description: 'From when it holds.', example: null })
  validFrom: string | null;

  @Day({ nullable: true, description: 'Until when it holds.', example: null })
  validTo: string | null;

  @ListOf(() => GoldenGroupView, { max: 1000, description: 'Its values, in the order of the entity type.' })
  groups: GoldenGroupView[];

  @ListOf(() => SourceRecordView, { max: 1000, description: 'The records of systems that are this one.' })
  sources: SourceRecordView[];

  @ListOf(() => IdentifierView, { max: 1000, description: 'What it is known by.' })
  identifiers: IdentifierView[];

  @ListOf(() => OpenQuestionView, { max: 1000, description: 'What waits for a decision.' })
  questions: OpenQuestionView[];

  @Links()
  links: Record<string, string>;
}

/** A record that was found. */
export class GoldenRecordItemView {
  @Id({ description: 'The record.', example: '5012' })
  id: string;

  @Text({ max: 200, description: 'The entity type.', example: 'person' })
  type: string;

  @Choice(['active', 'ended', 'merged'], { description: 'Whether it stands.' })
  status: string;

  @Text({
    max: 1000,
    nullable: true,
    description: 'Its name; null: it has none, or your role may not see it.',
    example: 'Amara Okafor',
  })
  label: string | null;

  @Links()
  links: Record<string, string>;
}

/** Records that were found. */
export class GoldenRecordPage {
  @ListOf(() => GoldenRecordItemView, {
    max: 200,
    description: 'In the order of their ids; by name, in the order of the word that was found.',
  })
  items: GoldenRecordItemView[];

  @Text({ max: 2000, nullable: true, description: 'For the next page; null: there is none.', example: null })
  nextCursor: string | null;
}
