import { AnyJson, Count, Flag, FreeObject, ListOf, Nested, Text } from '../common/fields.js';
import { ConfiguredPage, ConfiguredView } from '../configuration/configured.view.js';
import { ProblemPartView } from '../common/problem.view.js';

/** A mapping. */
export class MappingView extends ConfiguredView {
  @FreeObject({
    description: 'The whole definition, with its rules.',
    example: { name: 'hr.staff', system: 'hr', entity: 'staff' },
  })
  definition: object;
}

/** A mapping, in short. */
export class MappingItemView extends ConfiguredView {
  @Text({ max: 200, description: 'The system.', example: 'hr' })
  system: string;

  @Text({ max: 200, description: 'The table or file.', example: 'staff' })
  entity: string;

  @Flag({ description: 'Its rows are read.', example: true })
  reads: boolean;

  @Flag({ description: 'Its rows are written.', example: false })
  writes: boolean;
}

/** Mappings. */
export class MappingPage extends ConfiguredPage {
  @ListOf(() => MappingItemView, { max: 200, description: 'In the order asked for.' })
  items: MappingItemView[];
}

/** One stored row, read by the mapping as it was and as it would be. */
export class SampleView {
  @Text({ max: 1000, description: 'The key of the row.', example: 'E-77' })
  sourceKey: string;

  @AnyJson({
    description:
      'What the row says by the mapping as it stands, as a trial tells it: `outcome`, `records` and `problems`.',
    example: {
      outcome: 'read',
      records: [{ entityType: 'person', subKey: '', values: { email: 'Amara@lakeside.example' } }],
      problems: [],
    },
  })
  before: unknown;

  @AnyJson({
    description: 'What it would say.',
    example: {
      outcome: 'read',
      records: [{ entityType: 'person', subKey: '', values: { email: 'amara@lakeside.example' } }],
      problems: [],
    },
  })
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
