import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';
import type { JobDefinition } from '../../domain/job-definition.js';
import type { SynchronizationJob } from '../rows.js';

@Entity({ schema: 'concord', name: 'synchronization_jobs' })
export class SynchronizationJobEntity implements SynchronizationJob {
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
  definition: JobDefinition;

  @Column({ name: 'paused_reason', type: 'text', nullable: true })
  pausedReason: string | null;

  @Column({ name: 'paused_by', type: 'text', nullable: true })
  pausedBy: string | null;

  @Column({ name: 'paused_at', type: 'timestamptz', nullable: true })
  pausedAt: Date | null;
}
