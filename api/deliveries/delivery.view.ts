import { Choice, Count, Flag, FreeObject, Id, Links, ListOf, Moment, Nested, Text } from '../common/fields.js';
import { deliveryStates } from './delivery.dto.js';

/** A file of a delivery. */
export class DeliveredFileView {
  @Text({ max: 200, description: 'What it is: the entity, as the system declares it.', example: 'staff' })
  entity: string;

  @Text({ max: 300, description: 'Its name.', example: 'staff.csv' })
  name: string;

  @Count({ description: 'Its size.', example: 48213 })
  bytes: number;

  @Text({
    max: 64,
    description: 'sha256 of its bytes.',
    example: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
  })
  sha256: string;
}

/** Files that were delivered together. */
export class DeliveryView {
  @Id({ description: 'The delivery.' })
  id: string;

  @Id({ description: 'The system.', example: '2' })
  systemId: string;

  @Text({ max: 200, description: 'Its name.', example: 'hr' })
  system: string;

  @Text({ max: 300, description: 'The folder it came in.', example: '2026-11-20' })
  name: string;

  @Choice(deliveryStates, {
    description:
      'A run reads it; a run took it; it was refused; or the run that took it was rolled back, and the next one takes it again.',
    example: 'accepted',
  })
  state: string;

  @Text({ max: 100, description: 'The digest of its contents: the same is taken once.', example: '2c26b46b68ffc68f…' })
  digest: string;

  @ListOf(() => DeliveredFileView, { max: 1000, description: 'The files that were seen.' })
  files: DeliveredFileView[];

  @FreeObject({
    nullable: true,
    description: 'What its manifest says; null: it has none.',
    example: { complete: true, scope: {} },
  })
  manifest: Record<string, unknown> | null;

  @Text({ max: 100, nullable: true, description: 'Why it was refused: a code of the manual.', example: null })
  errorCode: string | null;

  @Text({ max: 2000, nullable: true, description: 'Why it was refused, in words.', example: null })
  reason: string | null;

  @Id({ description: 'The run that saw it last.' })
  runId: string;

  @Moment({ description: 'When it was seen first.' })
  seenAt: string;

  @Links()
  links: Record<string, string>;
}

/** A page of deliveries. */
export class DeliveryPage {
  @ListOf(() => DeliveryView, { max: 200, description: 'Newest first.' })
  items: DeliveryView[];

  @Text({ max: 2000, nullable: true, description: 'For the next page; null: there is none.', example: null })
  nextCursor: string | null;
}

/** A file of an upload. */
export class UploadedFileView {
  @Text({ max: 300, description: 'Its name.', example: 'staff.csv' })
  name: string;

  @Text({
    max: 64,
    description: 'sha256 that it is to have.',
    example: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
  })
  sha256: string;

  @Count({ description: 'The size that it is to have.', example: 48213 })
  bytes: number;

  @Count({ description: 'How much of it is there: send on from here.', example: 0 })
  received: number;

  @Links()
  links: Record<string, string>;
}

/** A delivery on its way to us. */
export class UploadView {
  @Id({ nullable: true, description: 'The upload; null: these contents came another way.' })
  id: string | null;

  @Id({ description: 'The system.', example: '2' })
  systemId: string;

  @Text({ max: 100, description: 'The digest of the contents: the same is taken once.', example: '2c26b46b68ffc68f…' })
  digest: string;

  @Choice(['open', 'received', 'placed', 'refused'], {
    description:
      'Bytes are missing; all is there; it lies where deliveries come in, and its jobs are woken; or it was refused.',
  })
  state: string;

  @Flag({ description: 'These contents were known before.', example: false })
  known: boolean;

  @ListOf(() => UploadedFileView, { max: 100, description: 'Its files.' })
  files: UploadedFileView[];

  @Nested(() => DeliveryView, { nullable: true, description: 'The delivery, once a run has seen it.' })
  delivery: DeliveryView | null;

  @Text({ max: 100, nullable: true, description: 'Why it was refused: a code of the manual.', example: null })
  errorCode: string | null;

  @Text({ max: 2000, nullable: true, description: 'Why it was refused, in words.', example: null })
  reason: string | null;

  @Links()
  links: Record<string, string>;
}
