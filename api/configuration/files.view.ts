import { Choice, Flag, ListOf, Text } from '../common/fields.js';
import { DifferenceView } from './configured.view.js';

const kinds = ['institution', 'system', 'code_table', 'entity_type', 'mapping', 'job'] as const;

/** Something that is wrong with what is given. */
export class ConfigurationProblemView {
  @Text({
    max: 2000,
    description: 'JSON Pointer into `configuration`; empty: about what is not in it.',
    example: '/jobs/0/sources/0',
  })
  pointer: string;

  @Text({ max: 4000, description: 'What is wrong.', example: 'there is no mapping sis.pupils' })
  reason: string;

  @Text({ max: 4000, description: 'What to do.', example: 'one of hr.staff, sis.students' })
  remedy: string;
}

/** One thing that it changes. */
export class ConfigurationChangeView {
  @Choice(kinds, { description: 'What it is.', example: 'job' })
  kind: string;

  @Text({ max: 500, description: 'Its name.', example: 'people' })
  name: string;

  @Choice(['create', 'change', 'restore', 'archive'], { description: 'What happens to it.', example: 'change' })
  action: string;

  @ListOf(() => DifferenceView, { max: 200, description: 'Of a change: where the definitions differ.' })
  differences: DifferenceView[];
}

/** Something in use that is not among what is given. */
export class LeftOutView {
  @Choice(kinds, { description: 'What it is.', example: 'system' })
  kind: string;

  @Text({ max: 500, description: 'Its name.', example: 'lms' })
  name: string;
}

/** What taking it would change. */
export class ConfigurationDiffView {
  @Text({
    max: 100,
    description: 'The state that this holds for: the ETag that applying goes by.',
    example: '9f86d081',
  })
  state: string;

  @Flag({ description: 'It could be applied.', example: true })
  valid: boolean;

  @ListOf(() => ConfigurationProblemView, { max: 10_000, description: 'All that is wrong, at once.' })
  problems: ConfigurationProblemView[];

  @ListOf(() => ConfigurationChangeView, { max: 60_000, description: 'All that it changes; nothing: it is applied.' })
  changes: ConfigurationChangeView[];

  @ListOf(() => LeftOutView, {
    max: 60_000,
    description: 'What is in use and not given. It stays unless `prune` is set.',
  })
  leftOut: LeftOutView[];
}

/** A file. */
export class ConfigurationFileView {
  @Text({ max: 300, description: 'Where it lies in the folder.', example: 'jobs/people.yaml' })
  path: string;

  @Text({ max: 5_000_000, description: 'What it holds.', example: 'name: people\nsources: [sis.students]\n' })
  text: string;
}

/** All that is configured and in use, as files. */
export class ConfigurationExportView {
  @Text({ max: 100, description: 'The state that this is of.', example: '9f86d081' })
  state: string;

  @ListOf(() => ConfigurationFileView, { max: 60_002, description: 'The files of a folder.' })
  files: ConfigurationFileView[];
}

/** A JSON Schema (2020-12). */
export class ConfigurationSchemaView {
  [keyword: string]: unknown;
}
