import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';
import type { CodeTableDefinition } from '../../domain/job-definition.js';
import type { CodeTable } from '../rows.js';

@Entity({ schema: 'concord', name: 'code_tables' })
export class CodeTableEntity implements CodeTable {
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

  @Column({ type: 'jsonb' })
  definition: CodeTableDefinition;
}
