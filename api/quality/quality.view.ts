import { Choice, Count, ListOf, Nested, Text } from '../common/fields.js';

const severities = ['reject', 'blank_and_warn', 'warn'] as const;

/** The records in figures. */
export class QualitySummaryView {
  @Count({ description: 'Records that were checked.', example: 120 })
  records: number;

  @Count({ description: 'Without any remark.', example: 110 })
  accepted: number;

  @Count({ description: 'Taken, with a value blanked or a warning.', example: 7 })
  warned: number;

  @Count({ description: 'Set aside.', example: 3 })
  rejected: number;

  @Count({ description: 'Not of this mapping, by its filter.', example: 0 })
  filtered: number;
}

/** How often a rule is broken. */
export class RuleResultView {
  @Text({ max: 300, description: 'The rule; or why a value could not be read.', example: 'email_is_an_email' })
  rule: string;

  @Text({ max: 300, nullable: true, description: 'The column.', example: 'email' })
  field: string | null;

  @Choice(severities, { description: 'What happens to a record that breaks it.' })
  severity: string;

  @Count({ description: 'Records that break it.', example: 3 })
  failed: number;
}

/** What is wrong with a record. */
export class RecordProblemView {
  @Text({ max: 300, description: 'JSON Pointer into the request; for CSV into its rows.', example: '/records/3/email' })
  pointer: string;

  @Text({ max: 300, description: 'The rule; or why a value could not be read.', example: 'email_is_an_email' })
  rule: string;

  @Text({ max: 300, nullable: true, description: 'The column.', example: 'email' })
  field: string | null;

  @Choice(severities, { description: 'What happens to the record.' })
  severity: string;

  @Text({ max: 2000, description: 'What is wrong, without the value.', example: 'expected an e-mail address' })
  detail: string;

  @Text({ max: 2000, description: 'What to do.', example: 'Mend email in the source, or it is taken as blank.' })
  suggestion: string;
}

/** A record that is not without remark. */
export class RecordResultView {
  @Text({ max: 100, description: 'Its line in the CSV, or its number from 1.', example: '4' })
  row: string;

  @Text({ max: 1000, nullable: true, description: 'Its key, where it has one.', example: 'E-77' })
  key: string | null;

  @Choice(['rejected', 'warned'], { description: 'What becomes of it.' })
  outcome: string;

  @ListOf(() => RecordProblemView, { max: 1000, description: 'What is wrong with it.' })
  problems: RecordProblemView[];
}

/** What the rules of a mapping say of records. Nothing was stored. */
export class QualityReportView {
  @Nested(() => QualitySummaryView, { description: 'In figures.' })
  summary: QualitySummaryView;

  @ListOf(() => RuleResultView, { max: 2000, description: 'Every rule, also those that nothing breaks.' })
  byRule: RuleResultView[];

  @ListOf(() => RecordResultView, { max: 5000, description: 'Every record with a remark.' })
  records: RecordResultView[];
}
