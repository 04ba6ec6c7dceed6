import { AnyJson, Choice, Count, Flag, FreeObject, Id, Links, ListOf, Moment, Nested, Text } from '../common/fields.js';
import { CodeTableBody, EntityTypeBody, RuleBody, SystemBody } from './configured.dto.js';

/** What everything configured shows. */
export class ConfiguredView {
  @Id({ description: 'Its id.', example: '4' })
  id: string;

  @Text({ max: 500, description: 'Its name.', example: 'hr' })
  name: string;

  @Count({ min: 1, description: 'Rises with every change; it is the ETag.', example: 3 })
  version: number;

  @Flag({ description: 'It is out of use.', example: false })
  archived: boolean;

  @Text({ max: 300, description: 'Who changed it last.', example: 'steward:Data office' })
  changedBy: string;

  @Moment({ description: 'When.' })
  changedAt: string;

  @Links()
  links: Record<string, string>;
}

/** A page of a list of configured things. */
export class ConfiguredPage {
  @Text({ max: 2000, nullable: true, description: 'For the next page; null: there is none.', example: null })
  nextCursor: string | null;

  @Count({ optional: true, description: 'How many there are on all pages.', example: 3 })
  count?: number;
}

/** A system. A secret is shown by the name of its variable, never by its value. */
export class SystemView extends ConfiguredView {
  @Nested(() => SystemBody, { description: 'Its definition.' })
  definition: SystemBody;
}

/** Systems. */
export class SystemPage extends ConfiguredPage {
  @ListOf(() => SystemView, { max: 200, description: 'In the order asked for.' })
  items: SystemView[];
}

/** An entity type. */
export class EntityTypeView extends ConfiguredView {
  @Nested(() => EntityTypeBody, { description: 'Its definition.' })
  definition: EntityTypeBody;
}

/** Entity types. */
export class EntityTypePage extends ConfiguredPage {
  @ListOf(() => EntityTypeView, { max: 200, description: 'In the order asked for.' })
  items: EntityTypeView[];
}

/** A code table. */
export class CodeTableView extends ConfiguredView {
  @Nested(() => CodeTableBody, { description: 'Its definition.' })
  definition: CodeTableBody;
}

/** Code tables. */
export class CodeTablePage extends ConfiguredPage {
  @ListOf(() => CodeTableView, { max: 200, description: 'In the order asked for.' })
  items: CodeTableView[];
}

/** A rule of a mapping. */
export class RuleView extends ConfiguredView {
  @Id({ description: 'The mapping.', example: '4' })
  mappingId: string;

  @Text({ max: 500, description: 'Its name.', example: 'hr.staff' })
  mapping: string;

  @Nested(() => RuleBody, { description: 'Its definition.' })
  definition: RuleBody;
}

/** Rules. */
export class RulePage extends ConfiguredPage {
  @ListOf(() => RuleView, { max: 200, description: 'In the order asked for.' })
  items: RuleView[];
}

/** One difference. */
export class DifferenceView {
  @Text({ max: 2000, description: 'JSON Pointer into the definition.', example: '/settings/schema' })
  pointer: string;

  @AnyJson({ description: 'The value before; null: there was none.', example: 'public' })
  before: unknown;

  @AnyJson({ description: 'The value after; null: there is none.', example: 'hr' })
  after: unknown;
}

const actions = ['created', 'changed', 'archived', 'restored', 'reverted'] as const;

/** One version of something configured. */
export class VersionItemView {
  @Count({ min: 1, description: 'The version.', example: 3 })
  version: number;

  @Choice(actions, { description: 'How it came about.', example: 'changed' })
  action: string;

  @Text({ max: 300, description: 'Who.', example: 'steward:Data office' })
  changedBy: string;

  @Moment({ description: 'When.' })
  changedAt: string;

  @ListOf(() => DifferenceView, { max: 200, description: 'Against the version before.' })
  differences: DifferenceView[];

  @Links()
  links: Record<string, string>;
}

/** Its history. */
export class VersionPage {
  @ListOf(() => VersionItemView, { max: 200, description: 'Newest first.' })
  items: VersionItemView[];

  @Text({ max: 2000, nullable: true, description: 'For the next page; null: there is none.', example: null })
  nextCursor: string | null;
}

/** Something configured as it was at a version. */
export class VersionView extends VersionItemView {
  @FreeObject({ description: 'The whole definition as it was.', example: { name: 'hr' } })
  definition: object;
}

const kinds = ['institution', 'system', 'entity_type', 'mapping', 'rule', 'code_table', 'job'] as const;

/** Something that refers to it. */
export class DependentView {
  @Choice(kinds, { description: 'What it is.', example: 'mapping' })
  kind: string;

  @Text({ max: 500, description: 'Its name.', example: 'hr.staff' })
  name: string;

  @Text({ max: 500, description: 'What for.', example: 'maps an entity of it' })
  how: string;
}

/** What depends on it: it cannot be archived while there is anything. */
export class DependentsView {
  @ListOf(() => DependentView, { max: 10_000, description: 'Everything in use that names it.' })
  items: DependentView[];
}
