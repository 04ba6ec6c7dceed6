import { Choice, Count, Flag, FreeObject, Id, Links, ListOf, Moment, Nested, Text, Texts } from '../common/fields.js';
import { MadeBatchView } from '../conflicts/conflict.view.js';
import { mostGroups } from './rejected.queries.js';
import { rejectedKinds, rejectedStates } from './rejected.dto.js';

/** What a person made of a record that was set aside. */
export class CorrectionView {
  @FreeObject({
    nullable: true,
    description: 'The columns that were changed, with what they say now; null where your role may not see rows.',
    example: { birth_date: '1999-04-02' },
  })
  values: Record<string, unknown> | null;

  @Text({ max: 1000, description: 'Why.', example: 'Typing error, seen in the passport' })
  reason: string;

  @Text({ max: 300, description: 'By whom.', example: 'steward:Data office' })
  by: string;

  @Moment({ nullable: true, description: 'When.' })
  at: string | null;
}

/** A record that was set aside. */
export class RejectedView {
  @Id({ description: 'The record aside.' })
  id: string;

  @Id({ description: 'The run that set it aside.' })
  runId: string;

  @Text({ max: 200, description: 'Where it came from: `system.entity`.', example: 'sis.students' })
  mapping: string;

  @Choice(rejectedKinds, { description: '`waiting`: for a record it refers to; it rejoins every run.' })
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
    description: 'The row as read. Null where your role may not see all of it.',
    example: null,
  })
  raw: string | null;

  @FreeObject({
    nullable: true,
    description:
      'The row by column; columns that your role may not see are left out. Null: it could not be read as a row.',
    example: { id: 'S-1042', birth_date: '31.13.1999' },
  })
  values: Record<string, unknown> | null;

  @Texts({ max: 1000, maxEach: 300, description: 'Columns that your role may not see.', example: ['tax_number'] })
  masked: string[];

  @Choice(rejectedStates, {
    description: 'Still aside; on its way through a run of its own; or done with.',
  })
  state: string;

  @Count({ min: 1, description: 'Rises with each correction and replay; a replay names it.', example: 1 })
  version: number;

  @Nested(() => CorrectionView, { nullable: true, description: 'Null: nobody corrected it.' })
  correction: CorrectionView | null;

  @Id({ nullable: true, description: 'The batch by which it is replayed.', example: null })
  batchId: string | null;

  @Id({ nullable: true, description: 'The run that replayed it last.', example: null })
  replayedByRunId: string | null;

  @Moment({ description: 'When it was set aside.' })
  createdAt: string;

  @Links()
  links: Record<string, string>;
}

/** A page of records set aside. */
export class RejectedPage {
  @ListOf(() => RejectedView, { max: 200, description: 'Of one run in the order they were met; else newest first.' })
  items: RejectedView[];

  @Text({ max: 2000, nullable: true, description: 'For the next page; null: there is none.', example: null })
  nextCursor: string | null;
}

/** Records that were set aside for one cause. */
export class RejectedGroupView {
  @Text({ max: 200, description: 'Where they came from: `system.entity`.', example: 'sis.students' })
  mapping: string;

  @Choice(rejectedKinds, { description: 'Set aside, or waiting for a record they refer to.' })
  kind: string;

  @Text({ max: 300, description: 'The rule, or why they could not be read.', example: 'birth_date_is_a_date' })
  reason: string;

  @Text({ max: 300, nullable: true, description: 'The column at fault.', example: 'birth_date' })
  field: string | null;

  @Text({ max: 2000, description: 'The reason in words, of one of them.', example: 'expected a date like 31.12.2001' })
  detail: string;

  @Count({ description: 'How many there are.', example: 12 })
  count: number;

  @Count({ description: 'How many of them are still aside.', example: 11 })
  open: number;

  @Id({ description: 'One of them.' })
  exampleId: string;

  @Text({ max: 1000, nullable: true, description: 'The key of one of them.', example: 'S-1042' })
  exampleKey: string | null;

  @Links()
  links: Record<string, string>;
}

/** What was set aside, by cause. */
export class RejectedGroupsView {
  @Count({ description: 'Records of all groups.', example: 12 })
  count: number;

  @ListOf(() => RejectedGroupView, { max: mostGroups, description: 'The most frequent first.' })
  items: RejectedGroupView[];

  @Flag({ description: 'There are more causes than are shown.', example: false })
  more: boolean;
}

export const replayResults = [
  ...['replaying', 'not_found', 'conflict_changed', 'state_forbids', 'row_still_rejected'],
] as const;

/** What became of the replay of one record of many. */
export class ReplayResultView {
  @Text({ max: 200, description: 'JSON Pointer to the record in the request.', example: '/records/0' })
  pointer: string;

  @Id({ description: 'The record aside.' })
  rejectedId: string;

  @Choice(replayResults, { description: 'It is on its way, or why not.' })
  result: string;

  @Id({ nullable: true, description: 'The batch by which it is replayed.', example: '9' })
  batchId: string | null;

  @Text({ max: 2000, nullable: true, description: 'Why it is not replayed.', example: null })
  detail: string | null;
}

/** What became of many. */
export class ReplayResultsView {
  @Count({ description: 'Records that are on their way.', example: 40 })
  accepted: number;

  @Count({ description: 'Records that are not, each with the reason.', example: 0 })
  rejected: number;

  @ListOf(() => MadeBatchView, { max: 1000, description: 'One batch for each run that set some of them aside.' })
  batches: MadeBatchView[];

  @ListOf(() => ReplayResultView, { max: 1000, description: 'In the order of the request.' })
  items: ReplayResultView[];
}
