import { AnyJson, Count, Flag, FreeObject, Id, Links, ListOf, Moment, Nested, Text } from '../common/fields.js';
import { ProblemPartView } from '../common/problem.view.js';

/** A mapping. */
export class MappingView {
  @Id({ description: 'The mapping.', example: '4' })
  id: string;

  @Text({ max: 200, description: '`system.entity`.', example: 'hr.staff' })
  name: string;

  @Count({ min: 1, description: 'Rises with every change; it is the ETag.', example: 3 })
  version: number;

  @FreeObject({
    description: 'The whole definition, with its rules.',
    example: { name: 'hr.staff', system: 'hr', entity: 'staff' },
  })
  definition: object;

  @Text({ max: 300, description: 'Who changed it last.', example: 'steward:Data office' })
  changedBy: string;

  @Moment({ description: 'When.' })
  changedAt: string;

  @Links()
  links: Record<string, string>;
}

/** A mapping, in short. */
export class MappingItemView {
  @Id({ description: 'The mapping.', example: '4' })
  id: string;

  @Text({ max: 200, description: '`system.entity`.', example: 'hr.staff' })
  name: string;

  @Count({ min: 1, description: 'Rises with every change.', example: 3 })
  version: number;

  @Links()
  links: Record<string, string>;
}

/** Mappings. */
export class MappingPage {
  @ListOf(() => MappingItemView, { max: 200, description: 'In the order of their ids.' })
  items: MappingItemView[];

  @Text({ max: 2000, nullable: true, description: 'For the next page; null: there is none.', example: null })
  nextCursor: string | null;
}

/** One stored row, read by the mapping as it was and as it would be. */
export class SampleView {
  @Text({ max: 1000, description: 'The key of the row.', example: 'E-77' })
  sourceKey: string;

  @AnyJson({
    description: 'What the row said: records with their values, or why it was set aside.',
    example: { person: { email: 'Amara@lakeside.example' } },
  })
  before: unknown;

  @AnyJson({ description: 'What it says now.', example: { person: { email: 'amara@lakeside.example' } } })
  after: unknown;

  @Flag({ description: 'The two differ.', example: true })
  changed: boolean;
}

/** What a change of a mapping does. */
export class MappingReportView {
  @Flag({ description: 'It can be stored.', example: true })
  valid: boolean;

  @Flag({ description: 'It differs from what is stored.', example: true })
  changed: boolean;

  @Flag({ description: 'It was stored.', example: true })
  stored: boolean;

  @ListOf(() => ProblemPartView, { max: 1000, description: 'What is wrong.' })
  problems: ProblemPartView[];

  @ListOf(() => SampleView, { max: 10, description: 'A few stored rows before and after.' })
  samples: SampleView[];

  @Count({ description: 'Stored rows that the next run reads anew.', example: 1900 })
  affectedRows: number;

  @Nested(() => MappingView, { description: 'The mapping as it is stored now.' })
  mapping: MappingView;
}
