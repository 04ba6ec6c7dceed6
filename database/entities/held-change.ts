import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';
import type { HeldCause, HeldChange, HeldState } from '../rows.js';

@Entity({ schema: 'concord', name: 'held_changes' })
export class HeldChangeEntity implements HeldChange {
  @PrimaryGeneratedColumn('identity', { type: 'bigint', generatedIdentity: 'ALWAYS' })
  id: string;

  @Column({ name: 'institution_id', type: 'integer' })
  institutionId: number;

  @Column({ name: 'job_id', type: 'integer', nullable: true })
  jobId: number | null;

  @Column({ name: 'run_id', type: 'bigint' })
  runId: string;

  @Column({ name: 'mapping_id', type: 'integer', nullable: true })
  mappingId: number | null;

  @Column({ type: 'text' })
  cause: HeldCause;

  @Column({ type: 'text' })
  operation: 'insert' | 'update' | 'delete' | 'any';

  @Column({ type: 'text' })
  state: HeldState;

  @Column({ name: 'row_count', type: 'bigint' })
  rowCount: string;

  @Column({ name: 'base_count', type: 'bigint' })
  baseCount: string;

  @Column({ type: 'text' })
  reason: string;

  @Column({ name: 'input_hash', type: 'uuid' })
  inputHash: string;

  @Column({ type: 'integer' })
  version: number;

  @Column({ name: 'decided_by', type: 'text', nullable: true })
  decidedBy: string | null;

  @Column({ name: 'decided_at', type: 'timestamptz', nullable: true })
  decidedAt: Date | null;

  @Column({ name: 'batch_id', type: 'bigint', nullable: true })
  batchId: string | null;

  @Column({ name: 'settle_run_id', type: 'bigint', nullable: true })
  settleRunId: string | null;

  @Column({ name: 'created_at', type: 'timestamptz', default: () => 'now()' })
  createdAt: Date;
}
