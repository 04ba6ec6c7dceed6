import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { ConfigurationKind } from '../../domain/configuration-kinds.js';
import type { ConfigurationVersion } from '../rows.js';

@Entity({ schema: 'concord', name: 'configuration_versions' })
export class ConfigurationVersionEntity implements ConfigurationVersion {
  @PrimaryColumn({ name: 'institution_id', type: 'integer' })
  institutionId: number;

  @PrimaryColumn({ type: 'text' })
  kind: ConfigurationKind;

  @PrimaryColumn({ name: 'object_id', type: 'integer' })
  objectId: number;

  @PrimaryColumn({ type: 'integer' })
  version: number;

  @Column({ type: 'text' })
  action: ConfigurationVersion['action'];

  @Column({ type: 'jsonb' })
  definition: unknown;

  @Column({ name: 'changed_by', type: 'text' })
  changedBy: string;

  @Column({ name: 'changed_at', type: 'timestamptz', default: () => 'now()' })
  changedAt: Date;
}
