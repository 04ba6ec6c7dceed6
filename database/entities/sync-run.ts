import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';
import type { RunKind, RunState } from '../../domain/run.js';
import type { SyncRun } from '../rows.js';

/** Read here, written by the activities. */
@Entity({ schema: 'concord', name: 'sync_runs' })
export class SyncRunEntity implements SyncRun {
  @PrimaryGeneratedColumn('identity', { type: 'bigint', generatedIdentity: 'ALWAYS' })
  id: string;

  @Column({ name: 'institution_id', type: 'integer', insert: false, update: false })
  institutionId: number;

  @Column({ name: 'job_id', type: 'integer', nullable: true, insert: false, update: false })
  jobId: number | null;

  @Column({ type: 'text', insert: false, update: false })
  kind: RunKind;

  @Column({ name: 'parent_run_id', type: 'bigint', nullable: true, insert: false, update: false })
  parentRunId: string | null;

  @Column({ name: 'workflow_id', type: 'text', insert: false, update: false })
  workflowId: string;

  @Column({ type: 'text', insert: false, update: false })
  actor: string;

  @Column({ type: 'text', nullable: true, insert: false, update: false })
  reason: string | null;

  @Column({ name: 'as_of', type: 'date', insert: false, update: false })
  asOf: string;

  @Column({ type: 'text', insert: false, update: false })
  state: RunState;

  @Column({ type: 'jsonb', insert: false, update: false })
  counts: Readonly<Record<string, unknown>>;

  @Column({ name: 'error_code', type: 'text', nullable: true, insert: false, update: false })
  errorCode: string | null;

  @Column({ name: 'error_detail', type: 'text', nullable: true, insert: false, update: false })
  errorDetail: string | null;

  @Column({ name: 'rolled_back_by', type: 'bigint', nullable: true, insert: false, update: false })
  rolledBackBy: string | null;

  @Column({ name: 'apply_started', type: 'boolean', insert: false, update: false })
  applyStarted: boolean;

  /** How often it began to read. */
  @Column({ type: 'integer', insert: false, update: false })
  reading: number;

  @Column({ name: 'subject_key', type: 'bigint', nullable: true, insert: false, update: false })
  subjectKey: string | null;

  @Column({ name: 'started_at', type: 'timestamptz', insert: false, update: false })
  startedAt: Date;

  @Column({ name: 'finished_at', type: 'timestamptz', nullable: true, insert: false, update: false })
  finishedAt: Date | null;

  @Column({ name: 'cancelled_by', type: 'text', nullable: true, insert: false, update: false })
  cancelledBy: string | null;

  @Column({ name: 'cancelled_at', type: 'timestamptz', nullable: true, insert: false, update: false })
  cancelledAt: Date | null;

  @Column({ name: 'cancel_reason', type: 'text', nullable: true, insert: false, update: false })
  cancelReason: string | null;
}
