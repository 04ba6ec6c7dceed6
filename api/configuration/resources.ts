import type { Resource } from './resource.js';

/* The kinds of configured things, as resources. */

export const systems = {
  ...{ kind: 'system', path: 'systems', noun: 'System', parameter: 'systemId', tag: 'Systems' },
  ...{ read: 'system:read', write: 'system:write' },
} as const satisfies Resource;

export const entityTypes = {
  ...{ kind: 'entity_type', path: 'entity-types', noun: 'EntityType', parameter: 'entityTypeId', tag: 'Entity types' },
  ...{ read: 'entity_type:read', write: 'entity_type:write' },
} as const satisfies Resource;

export const codeTables = {
  ...{ kind: 'code_table', path: 'code-tables', noun: 'CodeTable', parameter: 'codeTableId', tag: 'Code tables' },
  ...{ read: 'code_table:read', write: 'code_table:write' },
} as const satisfies Resource;

export const mappings = {
  ...{ kind: 'mapping', path: 'mappings', noun: 'Mapping', parameter: 'mappingId', tag: 'Mappings' },
  ...{ read: 'mapping:read', write: 'mapping:write' },
} as const satisfies Resource;

export const jobs = {
  ...{ kind: 'job', path: 'jobs', noun: 'Job', parameter: 'jobId', tag: 'Jobs' },
  ...{ read: 'job:read', write: 'job:write' },
} as const satisfies Resource;
