import 'reflect-metadata';
import { DataSource } from 'typeorm';
import type { EntityManager } from 'typeorm';
import { checkRole, plainTypes, urlForRole } from './connection.js';
import { ApiKeyEntity } from './entities/api-key.js';
import { CodeTableEntity } from './entities/code-table.js';
import { ConfigurationVersionEntity } from './entities/configuration-version.js';
import { CrossSystemMappingEntity } from './entities/cross-system-mapping.js';
import { DataQualityRuleEntity } from './entities/data-quality-rule.js';
import { DataSourceConfigurationEntity } from './entities/data-source-configuration.js';
import { EntityTypeEntity } from './entities/entity-type.js';
import { HeldChangeEntity } from './entities/held-change.js';
import { InquiryEntity } from './entities/inquiry.js';
import { InstitutionEntity } from './entities/institution.js';
import { MappingVersionEntity } from './entities/mapping-version.js';
import { SyncConflictResolutionEntity } from './entities/sync-conflict-resolution.js';
import { SyncRunEntity } from './entities/sync-run.js';
import { SynchronizationJobEntity } from './entities/synchronization-job.js';
import type { HubOptions } from './hub.js';

/** What TypeORM knows of: configuration and inbox. Rows in bulk never pass through it. */
const entities = [
  InstitutionEntity,
  DataSourceConfigurationEntity,
  EntityTypeEntity,
  CrossSystemMappingEntity,
  MappingVersionEntity,
  DataQualityRuleEntity,
  CodeTableEntity,
  SynchronizationJobEntity,
  ConfigurationVersionEntity,
  InquiryEntity,
  ApiKeyEntity,
  SyncRunEntity,
  SyncConflictResolutionEntity,
  HeldChangeEntity,
];

/** Not yet connected (`initialize`). The schema is made by `migrate` alone. */
export function createDataSource({ url, role, max }: HubOptions): DataSource {
  return new DataSource({
    type: 'postgres',
    url: urlForRole(url, role),
    schema: 'concord',
    entities,
    synchronize: false,
    migrationsRun: false,
    installExtensions: false,
    poolSize: max,
    poolErrorHandler: () => undefined, // a connection that broke while idle: the next query finds out
    extra: { keepAlive: true, types: plainTypes(), verify: checkRole(role) },
  });
}

/** One transaction that sees this institution's rows and no other's. Whatever is read through TypeORM is read within one:
 *  outside it there are no rows. */
export async function withInstitution<T>(
  dataSource: DataSource,
  institutionId: number,
  work: (manager: EntityManager) => Promise<T>,
): Promise<T> {
  return await dataSource.transaction(async (manager) => {
    await manager.query("select set_config('concord.institution', $1, true)", [String(institutionId)]);
    return await work(manager);
  });
}
