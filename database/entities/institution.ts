import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';
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

  @Column({ name: 'recipient_classes', type: 'jsonb', nullable: true })
  recipientClasses: readonly string[] | null;

  @Column({ name: 'updated_by', type: 'text' })
  updatedBy: string;

  @Column({ name: 'updated_at', type: 'timestamptz', default: () => 'now()' })
  updatedAt: Date;
}
