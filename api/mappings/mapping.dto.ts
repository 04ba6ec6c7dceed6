import { FreeObject, FlagParameter, Text } from '../common/fields.js';
import { ListingQuery } from '../common/listing.js';

export interface MappingRequest {
  readonly name: string;
  readonly system: string;
  readonly entity: string;
  readonly source?: object;
  readonly target?: object;
}

/** A whole mapping. What is inside `source` and `target` is judged by the rules of configuration. */
export class MappingBody implements MappingRequest {
  @Text({ min: 1, max: 200, description: '`system.entity`.', example: 'hr.staff' })
  name: string;

  @Text({ min: 1, max: 200, description: 'The system.', example: 'hr' })
  system: string;

  @Text({ min: 1, max: 200, description: 'The table or file.', example: 'staff' })
  entity: string;

  @FreeObject({
    optional: true,
    description: 'How rows are read: columns, key, records, rules …',
    example: {
      columns: ['id', 'email'],
      key: ['id'],
      records: [{ entityType: 'person', groups: { email: { from: 'email' } } }],
    },
  })
  source?: object;

  @FreeObject({
    optional: true,
    description: 'How rows are written: root, key, columns, recipientClass …',
    example: { root: 'person' },
  })
  target?: object;
}

export interface PutMappingRequest {
  readonly dryRun?: string;
}

/** How a mapping is put. */
export class PutMappingQuery implements PutMappingRequest {
  @FlagParameter({ description: 'Only say what it would do; nothing is stored.' })
  dryRun?: string;
}

/** Parameters of the list of mappings. */
export class MappingQuery extends ListingQuery {
  @Text({ optional: true, min: 1, max: 200, description: 'Only of this system: its name.', example: 'hr' })
  system?: string;
}
