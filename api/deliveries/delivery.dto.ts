import {
  Choices,
  Count,
  CountParameter,
  Flag,
  FlagParameter,
  FreeObject,
  Id,
  ListOf,
  MomentParameter,
  Nested,
  Text,
} from '../common/fields.js';
import { ListQuery, type ListRequest } from '../common/list-query.js';

export const deliveryStates = ['seen', 'accepted', 'refused', 'rolled_back'] as const;

export interface DeliveryListRequest extends ListRequest {
  readonly system?: string;
  readonly state?: string;
  readonly run?: string;
  readonly from?: string;
  readonly to?: string;
}

/** Which deliveries. */
export class DeliveryListQuery extends ListQuery implements DeliveryListRequest {
  @Id({ optional: true, description: 'Only of this system.', example: '2' })
  system?: string;

  @Choices(deliveryStates, { description: 'Only in these states.', example: 'refused' })
  state?: string;

  @Id({ optional: true, description: 'Only those that this run took.' })
  run?: string;

  @MomentParameter({ description: 'Only those that were seen at this moment or later.' })
  from?: string;

  @MomentParameter({ description: 'Only those that were seen before this moment.' })
  to?: string;
}

const digest = /^[0-9a-f]{64}$/;

/** A file that will be sent. */
export class AnnouncedFileBody {
  @Text({ min: 1, max: 200, description: 'Its name, as the system declares its files.', example: 'staff.csv' })
  name: string;

  @Text({
    max: 64,
    pattern: digest,
    description: 'sha256 of its bytes, in hexadecimal digits.',
    example: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
  })
  sha256: string;

  @Count({ min: 1, description: 'Its size in bytes.', example: 48213 })
  bytes: number;

  @Count({ optional: true, description: 'Its rows, without the header: compared when it is read.', example: 1204 })
  rows?: number;
}

/** Whether the files are all there is, and of what. */
export class ManifestBody {
  @Flag({ description: 'Who is not in the files is gone, within the scope.' })
  complete: boolean;

  @FreeObject({
    optional: true,
    description: 'The part of the source that the files are of; absent: all of it.',
    example: { campus: 'North' },
  })
  scope?: Record<string, unknown>;
}

export interface AnnouncementRequest {
  readonly files: readonly AnnouncedFileBody[];
  readonly manifest?: ManifestBody;
}

/** The files of a delivery, before they are sent. */
export class AnnouncementBody implements AnnouncementRequest {
  @ListOf(() => AnnouncedFileBody, { min: 1, max: 100, description: 'The files: accepted together or not at all.' })
  files: AnnouncedFileBody[];

  @Nested(() => ManifestBody, {
    optional: true,
    description: 'Absent: as the mappings of the system declare.',
    example: { complete: true },
  })
  manifest?: ManifestBody;
}

export interface SendRequest {
  readonly file?: string;
  readonly complete?: string;
  readonly scope?: string;
  readonly rows?: number;
}

/** What is said of a file that is sent at once. */
export class SendQuery implements SendRequest {
  @Text({
    optional: true,
    min: 1,
    max: 200,
    description: 'With `text/csv`: the name of the file.',
    example: 'staff.csv',
  })
  file?: string;

  @FlagParameter({ description: 'With `text/csv`: who is not in it is gone, within the scope.' })
  complete?: string;

  @Text({
    optional: true,
    max: 1000,
    pattern: /^[^=;]+=[^=;]+(;[^=;]+=[^=;]+)*$/,
    description: 'With `text/csv`: the part of the source that it is of.',
    example: 'campus=North',
  })
  scope?: string;

  @CountParameter({ min: 0, max: 2_147_483_647, description: 'With `text/csv`: its rows.', example: 1204 })
  rows?: number;
}

export interface AppendRequest {
  readonly offset?: number;
}

/** Where what is sent begins. */
export class AppendQuery implements AppendRequest {
  @CountParameter({
    min: 0,
    max: Number.MAX_SAFE_INTEGER,
    description: 'The offset in the file: `received`, as it was told (default: 0).',
    example: 0,
  })
  offset?: number;
}
