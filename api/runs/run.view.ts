import type {
  PlannedHeld,
  PlannedQuestions,
  PlannedRecords,
  PlannedRejections,
  PlannedWrites,
  RunPlan,
} from '../../domain/run-plan.js';
import { endStates, runKinds, steps } from '../../domain/run.js';
import {
  AnyJson,
  Choice,
  Count,
  Day,
  Flag,
  FreeObject,
  Id,
  Links,
  ListOf,
  Moment,
  Nested,
  Numbers,
  Seconds,
  Text,
} from '../common/fields.js';
import { mostFindingGroups } from './run.queries.js';
import type { RunWords } from './run-words.js';

export const changeKinds = ['golden', 'image', 'target'] as const;
export type ChangeKind = (typeof changeKinds)[number];
export const changeOutcomes = ['intended', 'written', 'already', 'origin_differs', 'refused'] as const;
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

/** What stopping a run would do. */
export class CancellationView {
  @Choice(['ends', 'rolls_back', 'holds', 'impossible'], {
    description:
      'It ends and has changed nothing; it takes back what it wrote; what it wrote stands; or it cannot be stopped.',
  })
  effect: string;

  @Text({ max: 500, description: 'In words.', example: 'It has changed nothing yet, and ends.' })
  words: string;
}

/** Who asked a run to end. */
export class CancellationRequestView {
  @Text({ max: 300, description: 'By whom.', example: 'operator:Night desk' })
  by: string;

  @Moment({ description: 'When.' })
  at: string;

  @Text({ max: 1000, description: 'Why.', example: 'HR sent the file of last month' })
  reason: string;
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

  @Count({
    description: 'Of a run of a job: held changes of earlier runs of the job that are still held.',
    example: 0,
  })
  heldBefore: number;

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

const operations = (what: string): { insert: string; update: string; delete: string } => ({
  insert: `${what} that would be new.`,
  update: `${what} that would change.`,
  delete: `${what} that would go.`,
});
const ofRecords = operations('Records');
const ofRows = operations('Rows');

/** What would become of the records of an entity type. */
export class PlannedRecordsView implements PlannedRecords {
  @Text({ max: 200, description: 'The entity type.', example: 'person' })
  entityType: string;

  @Count({ description: ofRecords.insert, example: 12 })
  insert: number;

  @Count({ description: ofRecords.update, example: 110 })
  update: number;

  @Count({ description: ofRecords.delete, example: 0 })
  delete: number;
}

/** What would be written to a target. */
export class PlannedWritesView implements PlannedWrites {
  @Text({ max: 200, description: 'Its mapping.', example: 'finance.people' })
  mapping: string;

  @Count({ description: ofRows.insert, example: 12 })
  insert: number;

  @Count({ description: ofRows.update, example: 110 })
  update: number;

  @Count({ description: ofRows.delete, example: 0 })
  delete: number;

  @Count({ description: 'Rows that were edited there meanwhile and would be left alone.', example: 0 })
  differs: number;

  @Count({ description: 'Records that would not be sent, each with a finding.', example: 0 })
  withheld: number;
}

/** Questions that would be asked. */
export class PlannedQuestionsView implements PlannedQuestions {
  @Choice(['value', 'duplicate', 'identity'], { description: 'Their kind.' })
  kind: string;

  @Text({ max: 200, description: 'Of which entity type.', example: 'person' })
  entityType: string;

  @Count({ description: 'New ones.', example: 3 })
  opened: number;

  @Count({ description: 'Open ones that would be asked anew, with other candidates.', example: 0 })
  changed: number;

  @Count({ description: 'Open ones that would be closed, because the systems agree.', example: 0 })
  closed: number;
}

/** A change that would be held. */
export class PlannedHeldView implements PlannedHeld {
  @Text({ max: 100, description: 'Why: `limit`, `rolled_back_input`, `identity`.', example: 'limit' })
  cause: string;

  @Text({ max: 100, description: 'insert, update, delete, or any.', example: 'delete' })
  operation: string;

  @Text({ max: 200, nullable: true, description: 'The mapping; null: of several.', example: 'sis.students' })
  mapping: string | null;

  @Count({ description: 'How many rows.', example: 4800 })
  rows: number;

  @Text({ max: 1000, description: 'In words.', example: '4800 of 5000 records would go; 500 are allowed' })
  reason: string;
}

/** Source rows that would be set aside, by cause. */
export class PlannedRejectionsView implements PlannedRejections {
  @Choice(['rejected', 'waiting'], { description: 'Set aside, or waiting for a record that has not arrived.' })
  kind: string;

  @Text({ max: 200, description: 'The mapping.', example: 'sis.students' })
  mapping: string;

  @Text({ max: 200, description: 'The rule or reason.', example: 'birth_date_given' })
  reason: string;

  @Text({ max: 300, nullable: true, description: 'The field, where it is one.', example: 'birth_date' })
  field: string | null;

  @Count({ description: 'How many rows.', example: 12 })
  rows: number;
}

/** Findings of a kind. */
export class PlannedFindingsView {
  @Text({ max: 100, description: 'The kind.', example: 'outranked' })
  kind: string;

  @Count({ description: 'How many.', example: 7 })
  count: number;
}

/** A source or target that could not be asked. */
export class UnaskedView {
  @Text({ max: 200, description: 'Its mapping.', example: 'finance.people' })
  name: string;

  @Text({ max: 100, description: 'The code of the cause.', example: 'target_unreachable' })
  code: string;
}

/** What a dry run says that a run would do now. */
export class RunPlanView implements RunPlan {
  @ListOf(() => PlannedRecordsView, { max: 1000, description: 'Golden records, by entity type.' })
  records: PlannedRecordsView[];

  @ListOf(() => PlannedWritesView, {
    max: 1000,
    description: 'Rows of targets. What a target itself would refuse shows only when it is written.',
  })
  targets: PlannedWritesView[];

  @ListOf(() => PlannedQuestionsView, { max: 3000, description: 'Questions.' })
  questions: PlannedQuestionsView[];

  @ListOf(() => PlannedHeldView, { max: 3000, description: 'Changes that would be held for a person.' })
  held: PlannedHeldView[];

  @ListOf(() => PlannedRejectionsView, { max: 100_000, description: 'Rows that would be set aside, by cause.' })
  rejected: PlannedRejectionsView[];

  @ListOf(() => PlannedFindingsView, { max: 1000, description: 'Findings, by kind.' })
  findings: PlannedFindingsView[];

  @ListOf(() => UnaskedView, { max: 1000, description: 'What could not be asked: nothing is known of it.' })
  leftOut: UnaskedView[];
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

  @Nested(() => RunPlanView, {
    nullable: true,
    description: 'Of a dry run that is done: what a run would do. `links.changes` shows some of it, before and after.',
  })
  plan: RunPlanView | null;

  @Nested(() => BalanceView, {
    nullable: true,
    description: 'Null until it ends.',
  })
  balance: BalanceView | null;

  @Nested(() => RunErrorView, { nullable: true, description: 'Null where nothing failed.' })
  error: RunErrorView | null;

  @Nested(() => CancellationView, { description: 'What stopping it now would do.' })
  cancellation: CancellationView;

  @Nested(() => CancellationRequestView, { nullable: true, description: 'Null: nobody asked it to end.' })
  cancelled: CancellationRequestView | null;
}

/** A run that was asked to end. */
export class CancelledView {
  @Id({ description: 'The run.' })
  runId: string;

  @Text({ max: 100, description: 'The step it was in.', example: 'publish' })
  state: string;

  @Choice(['ends', 'rolls_back', 'holds'], {
    description: 'It has changed nothing and ends; it takes back what it wrote; or what it wrote stands.',
  })
  effect: string;

  @Text({
    max: 500,
    description: 'In words.',
    example: 'It stops after the step at hand and takes back what it wrote.',
  })
  words: string;

  @Links()
  links: Record<string, string>;
}

/** A part of a step: a partition of a source, a mapping, an entity type. */
export class PartProgressView {
  @Text({ max: 200, description: 'The part, as it is kept.', example: '7/0' })
  part: string;

  @Text({ max: 200, nullable: true, description: 'The mapping or entity type.', example: 'sis.students' })
  name: string | null;

  @Count({ description: 'How often it was begun.', example: 1 })
  attempts: number;

  @Count({ description: 'Chunks that are done, durably.', example: 4 })
  chunks: number;

  @Count({ description: 'Chunks whose writing was announced and whose outcome is not known yet.', example: 0 })
  chunksIntended: number;

  @Numbers({ description: 'What its chunks counted.', example: { rows: 200000, rejected: 3 } })
  counts: Record<string, number>;

  @Moment({ nullable: true, description: 'When it was first begun.' })
  startedAt: string | null;

  @Moment({ nullable: true, description: 'When its last chunk was done.' })
  lastAt: string | null;
}

/** A step of a run. */
export class StepProgressView {
  @Choice(steps, { description: 'The step.' })
  step: string;

  @Choice(['waiting', 'at_work', 'done', 'left_out'], { description: 'Where it is.', example: 'at_work' })
  state: string;

  @Moment({ nullable: true, description: 'When it began.' })
  startedAt: string | null;

  @Moment({ nullable: true, description: 'When something of it was done last.' })
  lastAt: string | null;

  @Seconds({ description: 'How long it took, or has taken so far, in seconds.', example: 2.4 })
  seconds: number;

  @Numbers({ description: 'What its parts counted, together.', example: { rows: 200000, rejected: 3 } })
  counts: Record<string, number>;

  @Count({ nullable: true, description: 'Of extract: partitions to read.', example: 2 })
  partsPlanned: number | null;

  @Count({ nullable: true, description: 'Of extract: rows that the sources estimated.', example: 1000000 })
  rowsEstimated: number | null;

  @ListOf(() => PartProgressView, { max: 100_000, description: 'Its parts.' })
  parts: PartProgressView[];
}

/** How far a run is. */
export class RunProgressView {
  @Id({ description: 'The run.' })
  runId: string;

  @Choice(runStates, { description: 'The step it is in, or how it ended.', example: 'extract' })
  state: string;

  @Moment({ description: 'When it was opened.' })
  startedAt: string;

  @Moment({ nullable: true, description: 'When it ended.' })
  finishedAt: string | null;

  @Seconds({ description: 'How long it took, or has taken so far, in seconds.', example: 31.8 })
  seconds: number;

  @ListOf(() => StepProgressView, { max: 20, description: 'The steps in their order.' })
  steps: StepProgressView[];

  @Links()
  links: Record<string, string>;
}

/** One value that a run changed. */
export class ChangedFieldView {
  @Text({ max: 300, description: 'The attribute group or column.', example: 'phone' })
  name: string;

  @AnyJson({ description: 'Before; null: nothing, or your role may not see it.', example: '+41 44 000 02 02' })
  before: unknown;

  @AnyJson({ description: 'After; null: nothing, or your role may not see it.', example: '+41 44 111 11 11' })
  after: unknown;

  @Flag({ description: 'Your role may not see the values.', example: false })
  masked: boolean;
}

/** A change that a run made, or meant to. */
export class ChangeView {
  @Choice(changeKinds, {
    description: 'Of a golden record, of what a system said (image), or of a row in a target.',
  })
  kind: string;

  @Id({ description: 'Of the golden record, or of the image.', example: '5012' })
  id: string;

  @Id({
    description: 'The golden record. Of one that a dry run would make: an id that only its plan knows.',
    example: '5012',
  })
  goldenId: string;

  @Text({ max: 200, nullable: true, description: 'Of a golden record: its entity type.', example: 'person' })
  entityType: string | null;

  @Text({ max: 200, nullable: true, description: 'Of others: the mapping.', example: 'finance.people' })
  mapping: string | null;

  @Text({ max: 200, nullable: true, description: 'Of others: the system.', example: 'finance' })
  system: string | null;

  @Text({ max: 1000, nullable: true, description: 'Of others: the key in the system.', example: 'P-17' })
  sourceKey: string | null;

  @Choice(['insert', 'update', 'delete'], { description: 'What was done.', example: 'update' })
  operation: string;

  @Choice(changeOutcomes, {
    description:
      'Written; so already; left alone because others changed it (`origin_differs`); refused by the target; or meant, and not known yet.',
    example: 'written',
  })
  outcome: string;

  @Choice(['reversed', 'kept', 'failed'], {
    nullable: true,
    description: 'What a rollback made of it; null: none was.',
    example: null,
  })
  rollbackOutcome: string | null;

  @ListOf(() => ChangedFieldView, {
    max: 1000,
    description: 'What differs. Empty where what was written is not kept (rows that were inserted in bulk).',
  })
  fields: ChangedFieldView[];

  @Links()
  links: Record<string, string>;
}

/** A page of changes. */
export class ChangePage {
  @ListOf(() => ChangeView, { max: 200, description: 'Golden records first, then images, then targets.' })
  items: ChangeView[];

  @Text({ max: 2000, nullable: true, description: 'For the next page; null: there is none.', example: null })
  nextCursor: string | null;
}

/** Findings of one kind. */
export class FindingGroupView {
  @Text({ max: 100, description: 'What kind of finding it is.', example: 'not_authoritative' })
  kind: string;

  @Text({ max: 200, nullable: true, description: 'The system.', example: 'hr' })
  system: string | null;

  @Text({ max: 200, nullable: true, description: 'The mapping: `system.entity`.', example: 'hr.staff' })
  mapping: string | null;

  @Count({ description: 'How many there are.', example: 40 })
  count: number;

  @Text({ max: 4000, description: 'In words, of one of them.', example: 'hr may not speak for the phone of a student' })
  detail: string;

  @Id({ description: 'One of them.' })
  exampleId: string;

  @Text({ max: 1000, nullable: true, description: 'The key of one of them.', example: 'E-77' })
  exampleKey: string | null;

  @Links()
  links: Record<string, string>;
}

/** Findings, by kind. */
export class FindingGroupsView {
  @Count({ description: 'Findings of all kinds.', example: 52 })
  count: number;

  @ListOf(() => FindingGroupView, { max: mostFindingGroups, description: 'The most frequent first.' })
  items: FindingGroupView[];
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
