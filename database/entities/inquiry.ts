import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';
import type { InquiryKind } from '../../domain/inquiry.js';
import type { Inquiry } from '../rows.js';

@Entity({ schema: 'concord', name: 'inquiries' })
export class InquiryEntity implements Inquiry {
  @PrimaryGeneratedColumn('identity', { type: 'bigint', generatedIdentity: 'ALWAYS' })
  id: string;

  @Column({ name: 'institution_id', type: 'integer' })
  institutionId: number;

  @Column({ type: 'text' })
  kind: InquiryKind;

  @Column({ type: 'text' })
  subject: string;

  @Column({ type: 'jsonb', default: {} })
  parameters: unknown;

  @Column({ type: 'text', default: 'asked' })
  state: Inquiry['state'];

  @Column({ type: 'jsonb', nullable: true })
  answer: unknown;

  @Column({ name: 'error_code', type: 'text', nullable: true })
  errorCode: string | null;

  @Column({ name: 'error_detail', type: 'text', nullable: true })
  errorDetail: string | null;

  @Column({ name: 'asked_by', type: 'text' })
  askedBy: string;

  @Column({ name: 'asked_at', type: 'timestamptz', default: () => 'now()' })
  askedAt: Date;

  @Column({ name: 'answered_at', type: 'timestamptz', nullable: true })
  answeredAt: Date | null;
}
