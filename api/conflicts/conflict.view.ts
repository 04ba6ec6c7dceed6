import {
  AnyJson,
  Choice,
  Count,
  Flag,
  FreeObject,
  Id,
  Links,
  ListOf,
  Moment,
  Nested,
  Text,
  Texts,
} from '../common/fields.js';
import { conflictKinds } from './conflict.dto.js';

/** One thing that is said, and by whom. */
export class CandidateView {
  @Texts({
    max: 1000,
    maxEach: 200,
    description: 'The systems that say it; choose by {take: system}.',
    example: ['sis'],
  })
  systems: string[];

  @AnyJson({
    description: 'What they say; null: that there is none, or it is masked.',
    example: { street: '12 Elm Road', city: 'Lakeside' },
  })
  value: unknown;

  @Flag({ description: 'They say that there is none.', example: false })
  empty: boolean;
}

/** What was decided. */
export class DecidedView {
  @FreeObject({ description: 'The choice that was made.', example: { take: 'sis' } })
  choice: Record<string, unknown>;

  @Text({ max: 1000, nullable: true, description: 'Why.', example: 'Confirmed by phone' })
  reason: string | null;

  @Text({ max: 300, description: 'By whom.', example: 'secretary:Front office' })
  by: string;

  @Moment({ nullable: true, description: 'When.' })
  at: string | null;

  @Id({ nullable: true, description: 'The batch by which it is carried out.', example: '9' })
  batchId: string | null;

  @Id({ nullable: true, description: 'The run that carried it out.', example: '18' })
  runId: string | null;
}

/** A question: what differs, and all that is needed to decide it. */
export class ConflictView {
  @Id({ description: 'The question.' })
  id: string;

  @Choice(conflictKinds, {
    description: 'A value that differs, a possible duplicate, or a record that may be another person.',
  })
  type: string;

  @Choice(['pending', 'decided', 'settled', 'withdrawn', 'agreed'], {
    description:
      '`decided`: it will be carried out. `settled`: it is. `agreed`: the systems agree again by themselves. `withdrawn`: with the run that opened it.',
  })
  status: string;

  @Count({ min: 1, description: 'Rises when what is said changes; a decision names it.', example: 1 })
  version: number;

  @Text({ max: 200, description: 'The entity type of the record.', example: 'person' })
  entityType: string;

  @Id({ description: 'The golden record.', example: '5012' })
  goldenId: string;

  @Text({
    max: 200,
    description: 'The attribute group; empty where the whole record is in question.',
    example: 'address',
  })
  group: string;

  @Text({
    max: 1000,
    description: 'What differs, in words, without the values.',
    example: 'hr and sis say different things about the address.',
  })
  reason: string;

  @AnyJson({
    description: 'The value that stands until the decision; null: none, or masked.',
    example: { street: '9 Old Lane', city: 'Lakeside' },
  })
  base: unknown;

  @ListOf(() => CandidateView, { max: 1000, description: 'What is said, by system.' })
  candidates: CandidateView[];

  @Id({
    nullable: true,
    description: 'Of a possible duplicate: the record that may be the same; null where you do not see it.',
    example: null,
  })
  otherGoldenId: string | null;

  @Flag({ description: 'Your role may not see the values.', example: false })
  masked: boolean;

  @FreeObject({
    nullable: true,
    description:
      'What we would choose: `choice` as a decision takes it, `reason` (a key), `confidence` from 0 to 1, and of records that may be the same the `evidence`: what of name, birthDate and identifiers agrees. Null: we would not guess.',
    example: { choice: { take: 'sis' }, reason: 'higher_ranked', confidence: 0.7 },
  })
  suggestion: Record<string, unknown> | null;

  @FreeObject({
    description: 'What a decision would write at most: rows of `targets`, attribute `groups`, rows of all targets.',
    example: { targets: [{ mapping: 'finance.people', system: 'finance', records: 1 }], groups: 1, records: 1 },
  })
  impact: Record<string, unknown>;

  @Id({ nullable: true, description: 'The job.', example: '3' })
  jobId: string | null;

  @Id({ description: 'The run that opened it.' })
  runId: string;

  @Moment({ description: 'When it was opened.' })
  createdAt: string;

  @Moment({ nullable: true, description: 'By when it should be decided.' })
  dueAt: string | null;

  @Text({ max: 300, nullable: true, description: 'Who is to decide it.', example: null })
  assignee: string | null;

  @Nested(() => DecidedView, { nullable: true, description: 'Null while it is pending.' })
  decision: DecidedView | null;

  @Links()
  links: Record<string, string>;
}

/** A page of questions. */
export class ConflictPage {
  @ListOf(() => ConflictView, { max: 200, description: 'The questions.' })
  items: ConflictView[];

  @Text({ max: 2000, nullable: true, description: 'For the next page; null: there is none.', example: null })
  nextCursor: string | null;

  @Count({ description: 'All questions of this filter.', example: 3 })
  count: number;
}

/** One value of a facet. */
export class FacetValueView {
  @Text({ max: 300, nullable: true, description: 'The value, as the filter takes it; null: none.', example: 'person' })
  value: string | null;

  @Count({ description: 'Questions with it.', example: 12 })
  count: number;
}

/** Questions by one thing that tells them apart. */
export class FacetView {
  @Choice(['status', 'type', 'job', 'entityType', 'group', 'assignee', 'system'], {
    description: 'What tells them apart: a parameter of the list.',
    example: 'entityType',
  })
  name: string;

  @ListOf(() => FacetValueView, { max: 200, description: 'The most frequent first.' })
  values: FacetValueView[];
}

/** How many questions there are, of which kinds. */
export class FacetsView {
  @Count({ description: 'All questions of the filter.', example: 12 })
  count: number;

  @Count({ description: 'Of these, those that wait since they were due.', example: 1 })
  overdue: number;

  @ListOf(() => FacetView, { max: 20, description: 'By each thing that tells them apart.' })
  facets: FacetView[];
}

/** A decision that is durable. */
export class DecisionView {
  @Id({ description: 'The question.' })
  conflictId: string;

  @Choice(['decided'], { description: 'It is durable; it is carried out in a moment.' })
  state: string;

  @Count({ min: 1, description: 'The version it was made on.', example: 1 })
  version: number;

  @Id({ description: 'The batch by which it is carried out.', example: '9' })
  batchId: string;

  @Links()
  links: Record<string, string>;
}

/** What became of one decision of many. */
export class BatchResultView {
  @Text({ max: 200, description: 'JSON Pointer to the decision in the request.', example: '/decisions/0' })
  pointer: string;

  @Id({ description: 'The question.' })
  conflictId: string;

  @Choice(['decided', 'conflict_changed', 'closed', 'not_found', 'choice_not_possible', 'state_forbids'], {
    description: 'Decided, or why not.',
  })
  result: string;

  @Id({ nullable: true, description: 'The batch by which it is carried out.', example: '9' })
  batchId: string | null;

  @Text({ max: 2000, nullable: true, description: 'Why it was not decided.', example: null })
  detail: string | null;

  @Nested(() => ConflictView, {
    nullable: true,
    description: 'The question as it is now, where the decision was outdated.',
  })
  current: ConflictView | null;
}

/** Decisions that are carried out by one run. */
export class MadeBatchView {
  @Id({ description: 'The batch.', example: '9' })
  batchId: string;

  @Id({ description: 'The run that opened its questions; the run that carries the batch out belongs to it.' })
  parentRunId: string;

  @Id({ description: 'The job.', example: '3' })
  jobId: string;

  @Count({ description: 'Decisions in it.', example: 40 })
  decisions: number;

  @Links()
  links: Record<string, string>;
}

/** What became of many decisions. */
export class BatchResultsView {
  @Count({ description: 'Decisions that are durable.', example: 40 })
  accepted: number;

  @Count({ description: 'Decisions that were refused, each with the reason.', example: 0 })
  rejected: number;

  @ListOf(() => MadeBatchView, { max: 1000, description: 'One batch for each run that opened some of the questions.' })
  batches: MadeBatchView[];

  @ListOf(() => BatchResultView, { max: 1000, description: 'In the order of the request.' })
  items: BatchResultView[];
}
