import { endStates, runKinds, steps } from '../../domain/run.js';
import { Choice, Count, Day, FreeObject, Id, Links, ListOf, Moment, Nested, Text, Flag } from '../common/fields.js';
import type { RunWords } from './run-words.js';

export const runStates = ['opened', ...steps, ...endStates] as const;

/** A run in words. */
export class RunWordsView implements RunWords {
  @Text({
    max: 500,
    description: 'What happened.',
    example: 'The synchronization is done. 12 records were set aside, with reasons.',
  })
  happened: string;

  @Text({
    max: 500,
    description: 'What it means for the data.',
    example: 'Everything that raises no question is published.',
  })
  means: string;

  @Text({ max: 500, description: 'Who acts next.', example: '3 questions wait for the secretary.' })
  next: string;
}

/** Why a run failed. */
export class RunErrorView {
  @Text({ max: 100, description: 'A code of the manual.', example: 'source_unreachable' })
  code: string;

  @Text({ max: 4000, nullable: true, description: 'What happened this time.', example: 'hr did not answer' })
  detail: string | null;
}

/** Whether every source row has exactly one disposition. */
export class BalanceView {
  @Flag({ description: 'Rows in are rows accounted for.' })
  balances: boolean;

  @Count({ description: 'Rows extracted and rows missing.', example: 5102 })
  rowsIn: number;

  @Count({ description: 'Rows with a disposition.', example: 5102 })
  rowsAccounted: number;
}

/** A run, in short. */
export class RunItemView {
  @Id({ description: 'The run.' })
  id: string;

  @Choice(runKinds, { description: 'What kind of run it is.' })
  kind: string;

  @Id({ nullable: true, description: 'The job; null for runs over all jobs.', example: '3' })
  jobId: string | null;

  @Text({ max: 200, nullable: true, description: 'Its name.', example: 'people' })
  jobName: string | null;

  @Id({ nullable: true, description: 'The run it belongs to: of a decision, the run that opened the question.' })
  parentRunId: string | null;

  @Text({
    max: 300,
    description: 'Who started it: the role and the name of the key, or `schedule`.',
    example: 'steward:Data office',
  })
  actor: string;

  @Day({ description: 'Targets are projected as of this date.' })
  asOf: string;

  @Choice(runStates, { description: 'The step it is in, or how it ended.', example: 'completed_with_questions' })
  state: string;

  @Nested(() => RunWordsView, { description: 'The state in words.' })
  words: RunWordsView;

  @Count({ description: 'Questions that it opened and that are still open.', example: 3 })
  openQuestions: number;

  @Count({ description: 'Held changes of it that are still held.', example: 1 })
  held: number;

  @Count({ description: 'Records that it set aside.', example: 12 })
  rejected: number;

  @Id({ nullable: true, description: 'The rollback that took it back.', example: null })
  rolledBackBy: string | null;

  @Moment({ description: 'When it was opened.' })
  startedAt: string;

  @Moment({ nullable: true, description: 'When it ended; null while it is at work.' })
  finishedAt: string | null;

  @Links()
  links: Record<string, string>;
}

/** The rollback that took a run back. */
export class RunRollbackView {
  @Id({ description: 'The rollback.', example: '19' })
  runId: string;

  @Text({ max: 300, description: 'Who asked for it.', example: 'steward:Data office' })
  actor: string;

  @Text({ max: 1000, nullable: true, description: 'Why.', example: 'The HR file was of last month' })
  reason: string | null;
}

/** A run with its counts. */
export class RunView extends RunItemView {
  @Text({
    max: 1000,
    nullable: true,
    description: 'Why a person asked for it (a rollback, decisions); null where nobody said. Operators do not see it.',
    example: 'The HR file was of last month',
  })
  reason: string | null;

  @Nested(() => RunRollbackView, { nullable: true, description: 'Who took it back, and why; null where it stands.' })
  rollback: RunRollbackView | null;

  @Text({ max: 500, description: 'Its workflow in Temporal.', example: 'sync-run/3/9f86d081884c7d65' })
  workflowId: string;

  @FreeObject({
    description:
      'What it counted: `rows` by disposition, with `extracted` and `missing`, and a `summary` of questions, held, rejected, goldenWrites and targetWrites. Empty until it ends.',
    example: {
      rows: { extracted: 5102, unchanged: 4980, changed: 122 },
      summary: { goldenWrites: 122, targetWrites: 244 },
    },
  })
  counts: Record<string, unknown>;

  @Nested(() => BalanceView, {
    nullable: true,
    description: 'Null until it ends.',
  })
  balance: BalanceView | null;

  @Nested(() => RunErrorView, { nullable: true, description: 'Null where nothing failed.' })
  error: RunErrorView | null;
}

/** A page of runs. */
export class RunPage {
  @ListOf(() => RunItemView, { max: 200, description: 'Newest first.' })
  items: RunItemView[];

  @Text({ max: 2000, nullable: true, description: 'For the next page; null: there is none.', example: null })
  nextCursor: string | null;
}

/** What was begun. */
export class StartedRunView {
  @Id({ nullable: true, description: 'The job.', example: '3' })
  jobId: string | null;

  @Text({ max: 500, description: 'The workflow in Temporal.', example: 'sync-run/3/9f86d081884c7d65' })
  workflowId: string;

  @Id({ nullable: true, description: 'The run; null where no worker has taken it up yet: then follow `links.self`.' })
  runId: string | null;

  @Links()
  links: Record<string, string>;
}

/** A record that was set aside. */
export class RejectedView {
  @Id({ description: 'The record aside.' })
  id: string;

  @Text({ max: 200, description: 'Where it came from: `system.entity`.', example: 'sis.students' })
  mapping: string;

  @Choice(['rejected', 'waiting'], { description: '`waiting`: for a record it refers to; it rejoins every run.' })
  kind: string;

  @Text({
    max: 1000,
    nullable: true,
    description: 'Its key in the source, where one could be read.',
    example: 'S-1042',
  })
  sourceKey: string | null;

  @Text({ max: 100, description: 'Its line or ordinal number in the source.', example: '318' })
  position: string;

  @Text({ max: 300, nullable: true, description: 'The column at fault.', example: 'birth_date' })
  field: string | null;

  @Text({ max: 300, description: 'The rule, or why it could not be read.', example: 'birth_date_is_a_date' })
  reason: string;

  @Text({ max: 2000, description: 'The reason in words.', example: 'expected a date like 31.12.2001' })
  detail: string;

  @Text({
    max: 2_000_000,
    nullable: true,
    description: 'The row as read. Null where your role may not see it.',
    example: null,
  })
  raw: string | null;

  @Choice(['open', 'resolved'], { description: 'Whether it is still aside.' })
  state: string;
}

/** A page of records set aside. */
export class RejectedPage {
  @ListOf(() => RejectedView, { max: 200, description: 'In the order they were met.' })
  items: RejectedView[];

  @Text({ max: 2000, nullable: true, description: 'For the next page; null: there is none.', example: null })
  nextCursor: string | null;
}

/** Something that a person should know of, though nothing waits for them. */
export class FindingView {
  @Id({ description: 'The finding.' })
  id: string;

  @Text({ max: 100, description: 'What kind of finding it is.', example: 'not_authoritative' })
  kind: string;

  @Text({ max: 200, nullable: true, description: 'The mapping: `system.entity`.', example: 'hr.staff' })
  mapping: string | null;

  @Text({ max: 200, nullable: true, description: 'The system.', example: 'hr' })
  system: string | null;

  @Text({ max: 200, nullable: true, description: 'The entity type.', example: 'person' })
  entityType: string | null;

  @Id({ nullable: true, description: 'The golden record.', example: '5012' })
  goldenId: string | null;

  @Text({ max: 1000, nullable: true, description: 'The key in the source.', example: 'E-77' })
  sourceKey: string | null;

  @Text({ max: 300, nullable: true, description: 'The field or attribute group.', example: 'phone' })
  field: string | null;

  @Text({ max: 4000, description: 'In words.', example: 'hr may not speak for the phone of a student' })
  detail: string;
}

/** A page of findings. */
export class FindingPage {
  @ListOf(() => FindingView, { max: 200, description: 'In the order they were made.' })
  items: FindingView[];

  @Text({ max: 2000, nullable: true, description: 'For the next page; null: there is none.', example: null })
  nextCursor: string | null;
}

/** What a rollback would do, and did where it ran. */
export class KeptView {
  @Id({ description: 'The golden record.', example: '5012' })
  goldenId: string;

  @Text({ max: 200, description: 'The attribute group; empty: the whole record stays.', example: '' })
  group: string;

  @Text({
    max: 200,
    nullable: true,
    description: 'The target whose row is not put back; null: the record stays everywhere.',
    example: 'finance.people',
  })
  target: string | null;

  @Text({ max: 1000, description: 'Why it is kept.', example: 'changed since by a later run' })
  reason: string;
}

/** A run that goes back with another. */
export class RolledBackRunView {
  @Id({ description: 'The run.' })
  runId: string;

  @Choice(runKinds, { description: 'What kind of run it is.', example: 'decision' })
  kind: string;
}

/** Rows of one target. */
export class TargetRowsView {
  @Text({ max: 200, description: 'The target: `system.entity`.', example: 'finance.people' })
  mapping: string;

  @Count({ description: 'Rows that are set back there.', example: 118 })
  rows: number;
}

/** What a rollback would do. Nothing was done. */
export class RollbackPreviewView {
  @Text({
    max: 100,
    description: 'Names this preview: the rollback is bound to it.',
    example: 'b7c1f0aa-58a2-4d05-93f9-a27ae41e8f0a',
  })
  previewHash: string;

  @ListOf(() => RolledBackRunView, {
    max: 100_000,
    description: 'Runs that go back: first those of its decisions and releases, last itself.',
  })
  runs: RolledBackRunView[];

  @Count({ description: 'Attribute groups that are set back.', example: 240 })
  reversed: number;

  @Count({ description: 'Attribute groups that stay.', example: 2 })
  keptCount: number;

  @ListOf(() => KeptView, { max: 1000, description: 'The first 1,000 of those that stay, each with the reason.' })
  kept: KeptView[];

  @ListOf(() => TargetRowsView, { max: 10_000, description: 'Rows that are set back, by target.' })
  targets: TargetRowsView[];

  @Count({ description: 'Questions that are open again afterwards.', example: 1 })
  questionsReopened: number;

  @Count({ description: 'Questions that it opened and that are withdrawn.', example: 3 })
  questionsWithdrawn: number;

  @Links()
  links: Record<string, string>;
}
