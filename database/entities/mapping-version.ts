import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { MappingDefinition } from '../../domain/mapping-definition.js';
import type { MappingVersion } from '../rows.js';

@Entity({ schema: 'concord', name: 'mapping_versions' })
export class MappingVersionEntity implements MappingVersion {
  @PrimaryColumn({ name: 'mapping_id', type: 'integer' })
  mappingId: number;

  @PrimaryColumn({ type: 'integer' })
  version: number;

  @Column({ name: 'institution_id', type: 'integer' })
  institutionId: number;

  @Column({ type: 'jsonb' })
  definition: MappingDefinition;

  @Column({ name: 'code_tables', type: 'jsonb', default: {} })
  codeTables: Readonly<Record<string, number>>;

  @Column({ name: 'derived_since', type: 'integer', nullable: true })
  derivedSince: number | null;

  @Column({ name: 'created_by', type: 'text' })
  createdBy: string;

  @Column({ name: 'created_at', type: 'timestamptz', default: () => 'now()' })
  createdAt: Date;
}
