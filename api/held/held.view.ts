import { Choice, Count, Id, Links, ListOf, Moment, Text } from '../common/fields.js';
import { heldCauses } from './held.dto.js';

/** A change that was held: nothing of it is done until a person releases it. */
export class HeldChangeView {
  @Id({ description: 'The held change.' })
  id: string;

  @Choice(['held', 'released', 'discarded', 'applied', 'withdrawn'], {
    description: '`released`: it will be carried out. `applied`: it is. `withdrawn`: with the run that held it.',
  })
  status: string;

  @Count({ min: 1, description: 'Rises when the change grows or shrinks; a decision names it.', example: 1 })
  version: number;

  @Choice(heldCauses, {
    description: 'Over a limit; an input that was rolled back and came again; or a record that may be another person.',
  })
  cause: string;

  @Choice(['insert', 'update', 'delete', 'any'], { description: 'What it would do.', example: 'delete' })
  operation: string;

  @Text({ max: 200, nullable: true, description: 'The mapping, `system.entity`; null: several.', example: 'hr.staff' })
  mapping: string | null;

  @Count({ description: 'Records that it would touch.', example: 212 })
  rows: number;

  @Count({ description: 'Of so many.', example: 1900 })
  of: number;

  @Text({
    max: 1000,
    description: 'The change in words.',
    example: 'hr.staff wants to remove 212 of 1900 records (11.2%).',
  })
  words: string;

  @Text({ max: 2000, description: 'Why it was held.', example: 'more than the limit of 10%' })
  reason: string;

  @Id({ nullable: true, description: 'The job.', example: '3' })
  jobId: string | null;

  @Id({ description: 'The run that held it.' })
  runId: string;

  @Text({ max: 300, nullable: true, description: 'Who decided it.', example: null })
  decidedBy: string | null;

  @Moment({ nullable: true, description: 'When it was decided.' })
  decidedAt: string | null;

  @Moment({ description: 'When it was held.' })
  createdAt: string;

  @Links()
  links: Record<string, string>;
}

/** A page of held changes. */
export class HeldChangePage {
  @ListOf(() => HeldChangeView, { max: 200, description: 'In the order they were held.' })
  items: HeldChangeView[];

  @Text({ max: 2000, nullable: true, description: 'For the next page; null: there is none.', example: null })
  nextCursor: string | null;
}

/** A record that a held change would touch. */
export class HeldRowView {
  @Text({ max: 200, description: 'The mapping: `system.entity`.', example: 'hr.staff' })
  mapping: string;

  @Text({ max: 1000, description: 'Its key in the source.', example: 'E-77' })
  sourceKey: string;

  @Choice(['insert', 'update', 'delete'], { description: 'What would be done with it.', example: 'delete' })
  operation: string;
}

/** A page of records. */
export class HeldRowPage {
  @ListOf(() => HeldRowView, { max: 200, description: 'In the order of their keys.' })
  items: HeldRowView[];

  @Text({ max: 2000, nullable: true, description: 'For the next page; null: there is none.', example: null })
  nextCursor: string | null;
}
