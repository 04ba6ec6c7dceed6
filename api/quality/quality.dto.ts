import { FreeList, Text } from '../common/fields.js';

export const mostRecords = 5000;

export interface QualityRequest {
  readonly mapping: string;
  readonly records: readonly Readonly<Record<string, unknown>>[];
}

/** Records to be checked, as a source would deliver them. */
export class QualityBody implements QualityRequest {
  @Text({ min: 1, max: 200, description: 'The mapping whose rules hold: its id or its name.', example: 'hr.staff' })
  mapping: string;

  @FreeList({
    max: mostRecords,
    description: 'Column → value, a text, number, flag or null. Columns that are left out are blank.',
    example: [{ id: 'E-77', email: 'amara@lakeside.example' }],
  })
  records: Record<string, unknown>[];
}

export interface QualityParameters {
  readonly mapping?: string;
  readonly delimiter?: string;
  readonly encoding?: string;
}

/** How a CSV body is read. */
export class QualityQuery implements QualityParameters {
  @Text({
    optional: true,
    min: 1,
    max: 200,
    description: 'For text/csv: the mapping, its id or its name.',
    example: 'hr.staff',
  })
  mapping?: string;

  @Text({
    optional: true,
    min: 1,
    max: 1,
    description: 'For text/csv: the delimiter (default: a comma).',
    example: ';',
  })
  delimiter?: string;

  @Text({
    optional: true,
    min: 1,
    max: 40,
    description: 'For text/csv: the encoding (default: utf-8).',
    example: 'iso-8859-1',
  })
  encoding?: string;
}
