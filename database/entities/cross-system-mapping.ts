import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';
import type { MappingDefinition } from '../../domain/mapping-definition.js';
import type { CrossSystemMapping } from '../rows.js';

@Entity({ schema: 'concord', name: 'cross_system_mappings' })
export class CrossSystemMappingEntity implements CrossSystemMapping {
  @PrimaryGeneratedColumn('identity', { type: 'integer', generatedIdentity: 'ALWAYS' })
  id: number;

  @Column({ name: 'institution_id', type: 'integer' })
  institutionId: number;

  @Column({ type: 'text' })
  name: string;

  @Column({ type: 'integer' })
  version: number;

  @Column({ type: 'boolean' })
  archived: boolean;

  @Column({ name: 'updated_by', type: 'text' })
  updatedBy: string;

  @Column({ name: 'updated_at', type: 'timestamptz', default: () => 'now()' })
  updatedAt: Date;

  @Column({ name: 'system_id', type: 'integer' })
  systemId: number;

  @Column({ type: 'text' })
  entity: string;

  @Column({ type: 'jsonb' })
  definition: MappingDefinition;
}
