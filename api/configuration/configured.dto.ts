import type { EntityTypeDefinition } from '../../domain/entity-type.js';
import type { CodeTableDefinition, SystemDefinition } from '../../domain/job-definition.js';
import type { RuleCheck, RuleSeverity } from '../../domain/rule-definition.js';
import { AnyJson, Choice, Count, FreeList, FreeObject, Nested, Text, Texts } from '../common/fields.js';
import { ListingQuery } from '../common/listing.js';

/* Bodies of configured things. What is inside of lists and objects is judged by the rules of configuration
   (`domain/configuration-shape.ts`), which are published as JSON Schema. */

/** A system. */
export class SystemBody implements SystemDefinition {
  @Text({ min: 1, max: 200, description: 'Its name.', example: 'hr' })
  name: string;

  @Text({ min: 1, max: 100, description: 'Its kind.', example: 'postgresql' })
  kind: string;

  @FreeObject({
    description:
      'Its settings. A secret is named by its variable, `{"env": "CONCORD_SECRET_…"}`, and never given here.',
    example: { url: { env: 'CONCORD_SECRET_HR_URL' } },
  })
  settings: Record<string, unknown>;

  @Text({ optional: true, min: 1, max: 300, description: 'Whose it is.', example: 'Human resources' })
  owner?: string;
}

const group = {
  name: 'email',
  attributes: [{ name: 'email', type: 'text' }],
  strategy: 'three_way',
  priority: ['hr', 'sis'],
};

/** An entity type. */
export class EntityTypeBody {
  @Text({ min: 1, max: 200, description: 'Its name.', example: 'person' })
  name: string;

  @Choice(['mastered', 'reconciled', 'posted'], { description: 'How its records are identified.', example: 'mastered' })
  kind: EntityTypeDefinition['kind'];

  @FreeList({
    max: 500,
    description:
      'Attribute groups in their order: name, attributes, strategy, priority, authority, sensitivity, validity. Once there are records, groups are only added after the last one.',
    example: [group],
  })
  groups: object[];

  @FreeList({ optional: true, max: 200, description: 'Identifier schemes.', example: [{ scheme: 'national_id' }] })
  identifiers?: object[];

  @FreeObject({
    optional: true,
    description: 'What has to agree before an identifier links: {name, birthDate}.',
    example: { name: ['name.given', 'name.family'] },
  })
  corroboration?: object;

  @AnyJson({ description: 'Whose data it is: `self`, `none` or {reference}.', example: 'self' })
  subject: unknown;

  @Texts({ optional: true, max: 50, maxEach: 400, description: 'Of reconciled types: the paths that identify.' })
  naturalKey?: string[];

  @FreeObject({ optional: true, description: 'Paths of the dates between which a record holds: {from, to}.' })
  validity?: object;
}

/** A code table. */
export class CodeTableBody {
  @Text({ min: 1, max: 200, description: 'Its name.', example: 'countries' })
  name: string;

  @FreeList({
    max: 50_000,
    description: 'Each concept with the codes of each system, perhaps for a period only.',
    example: [{ concept: 'CH', codes: { sis: ['756'] } }],
  })
  entries: CodeTableDefinition['entries'][number][];
}

const checks = ['required', 'type', 'range', 'length', 'pattern', 'in_set', 'unique', 'reference_exists'] as const;
const severities = ['reject', 'blank_and_warn', 'warn'] as const;

/** A rule. */
export class RuleBody {
  @Text({ min: 1, max: 200, description: 'Its name.', example: 'email_form' })
  name: string;

  @Text({ min: 1, max: 200, description: 'The column.', example: 'email' })
  field: string;

  @Choice(severities, { description: 'What happens to a row that breaks it.', example: 'blank_and_warn' })
  severity: RuleSeverity;

  @Choice(checks, { description: 'What is checked.', example: 'type' })
  check: RuleCheck['check'];

  @Choice(['integer', 'decimal', 'date', 'boolean', 'email'], { optional: true, description: 'Of `type`.' })
  type?: string;

  @Texts({ optional: true, max: 50, maxEach: 100, description: 'Of `type: date`: the formats.' })
  formats?: string[];

  @AnyJson({ optional: true, description: 'Of `range` (a text) and `length` (a number): the least.', example: '0' })
  min?: unknown;

  @AnyJson({ optional: true, description: 'Of `range` (a text) and `length` (a number): the most.', example: '100' })
  max?: unknown;

  @Text({ optional: true, min: 1, max: 1000, description: 'Of `pattern`.', example: '^[0-9]+$' })
  pattern?: string;

  @Texts({ optional: true, max: 10_000, maxEach: 500, description: 'Of `in_set`: the values.' })
  values?: string[];

  @Text({ optional: true, min: 1, max: 200, description: 'Of `in_set`: the code table.', example: 'countries' })
  codeTable?: string;

  @Text({
    optional: true,
    min: 1,
    max: 500,
    description: 'Of `reference_exists`: the mapping.',
    example: 'sis.students',
  })
  mapping?: string;
}

/** A new rule. */
export class CreateRuleBody {
  @Text({ min: 1, max: 500, description: 'The mapping whose rows it checks: its name.', example: 'hr.staff' })
  mapping: string;

  @Nested(() => RuleBody, {
    description: 'The rule.',
    example: { name: 'id_given', field: 'id', severity: 'reject', check: 'required' },
  })
  rule: RuleBody;
}

/** The version to go back to. */
export class RevertBody {
  @Count({ min: 1, max: 2_147_483_647, description: 'The version whose definition is to hold again.', example: 2 })
  version: number;
}

/** Parameters of lists that know kinds. */
export class KindQuery extends ListingQuery {
  @Text({ optional: true, min: 1, max: 100, description: 'Only of this kind.', example: 'postgresql' })
  kind?: string;
}

/** Parameters of the list of rules. */
export class RuleQuery extends ListingQuery {
  @Text({ optional: true, min: 1, max: 500, description: 'Only of this mapping: its name.', example: 'hr.staff' })
  mapping?: string;

  @Choice(severities, { optional: true, description: 'Only of this severity.' })
  severity?: string;

  @Choice(checks, { optional: true, description: 'Only of this check.' })
  check?: string;
}
