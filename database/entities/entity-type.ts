import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';
import type { EntityKind, EntityTypeDefinition } from '../../domain/entity-type.js';
import type { EntityType } from '../rows.js';

@Entity({ schema: 'concord', name: 'entity_types' })
export class EntityTypeEntity implements EntityType {
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

  @Column({ type: 'text' })
  kind: EntityKind;

  @Column({ type: 'jsonb' })
  definition: EntityTypeDefinition;
}
