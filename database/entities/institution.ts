import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';
import type { VisibilityDefinition } from '../../domain/job-definition.js';
import type { Institution } from '../rows.js';

@Entity({ schema: 'concord', name: 'institutions' })
export class InstitutionEntity implements Institution {
  @PrimaryGeneratedColumn('identity', { type: 'integer', generatedIdentity: 'ALWAYS' })
  id: number;

  @Column({ type: 'text' })
  code: string;

  @Column({ type: 'text' })
  name: string;

  @Column({ name: 'time_zone', type: 'text' })
  timeZone: string;

  @Column({ name: 'recipient_classes', type: 'text', array: true, nullable: true })
  recipientClasses: readonly string[] | null;

  @Column({ type: 'jsonb', nullable: true })
  visibility: VisibilityDefinition | null;

  @Column({ type: 'integer', default: 1 })
  version: number;

  @Column({ name: 'updated_by', type: 'text' })
  updatedBy: string;

  @Column({ name: 'updated_at', type: 'timestamptz', default: () => 'now()' })
  updatedAt: Date;
}
