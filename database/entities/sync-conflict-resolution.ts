import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';
import type { QuestionKind, QuestionState, SyncConflictResolution } from '../rows.js';

@Entity({ schema: 'concord', name: 'sync_conflict_resolutions' })
export class SyncConflictResolutionEntity implements SyncConflictResolution {
  @PrimaryGeneratedColumn('identity', { type: 'bigint', generatedIdentity: 'ALWAYS' })
  id: string;

  @Column({ name: 'institution_id', type: 'integer' })
  institutionId: number;

  @Column({ name: 'job_id', type: 'integer', nullable: true })
  jobId: number | null;

  @Column({ name: 'opened_run', type: 'bigint' })
  openedRun: string;

  @Column({ name: 'changed_run', type: 'bigint' })
  changedRun: string;

  @Column({ type: 'text' })
  kind: QuestionKind;

  @Column({ name: 'entity_type_id', type: 'integer' })
  entityTypeId: number;

  @Column({ name: 'golden_id', type: 'bigint' })
  goldenId: string;

  @Column({ name: 'image_id', type: 'bigint', nullable: true })
  imageId: string | null;

  @Column({ name: 'group_name', type: 'text' })
  groupName: string;

  @Column({ type: 'text', nullable: true })
  base: string | null;

  @Column({ type: 'jsonb' })
  candidates: unknown;

  @Column({ type: 'jsonb', nullable: true })
  suggestion: unknown;

  @Column({ type: 'jsonb' })
  impact: unknown;

  @Column({ name: 'input_hash', type: 'uuid' })
  inputHash: string;

  @Column({ type: 'text' })
  state: QuestionState;

  @Column({ type: 'integer' })
  version: number;

  @Column({ type: 'text', nullable: true })
  assignee: string | null;

  @Column({ name: 'due_at', type: 'timestamptz', nullable: true })
  dueAt: Date | null;

  @Column({ type: 'jsonb', nullable: true })
  decision: unknown;

  @Column({ name: 'decided_by', type: 'text', nullable: true })
  decidedBy: string | null;

  @Column({ name: 'decided_at', type: 'timestamptz', nullable: true })
  decidedAt: Date | null;

  @Column({ name: 'batch_id', type: 'bigint', nullable: true })
  batchId: string | null;

  @Column({ name: 'settle_run_id', type: 'bigint', nullable: true })
  settleRunId: string | null;

  @Column({ name: 'subject_key', type: 'bigint', nullable: true })
  subjectKey: string | null;

  @Column({ name: 'created_at', type: 'timestamptz', default: () => 'now()' })
  createdAt: Date;
}
