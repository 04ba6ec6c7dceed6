import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';
import type { RuleDefinition } from '../../domain/rule-definition.js';
import type { DataQualityRule } from '../rows.js';

@Entity({ schema: 'concord', name: 'data_quality_rules' })
export class DataQualityRuleEntity implements DataQualityRule {
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

  @Column({ name: 'mapping_id', type: 'integer' })
  mappingId: number;

  @Column({ type: 'jsonb' })
  definition: RuleDefinition;
}
