import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';
import type { DataSourceConfiguration } from '../rows.js';

@Entity({ schema: 'concord', name: 'data_source_configurations' })
export class DataSourceConfigurationEntity implements DataSourceConfiguration {
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
  kind: string;

  @Column({ type: 'jsonb' })
  settings: Readonly<Record<string, unknown>>;

  @Column({ type: 'text', nullable: true })
  owner: string | null;
}
