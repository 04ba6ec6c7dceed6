import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import type { EntityTypeDefinition } from '../../domain/entity-type.js';
import type {
  CodeTableDefinition,
  Configuration,
  JobDefinition,
  SystemDefinition,
} from '../../domain/job-definition.js';
import type { MappingDefinition } from '../../domain/mapping-definition.js';

/** Reads a sample's configuration without the checks of `config/`: the tests of that folder see to them. */
export function readSampleConfiguration(name: 'lakeside' | 'ipeds'): Configuration {
  const folder = fileURLToPath(new URL(`../../samples/${name}/configuration/`, import.meta.url));
  const read = (path: string): unknown => parse(readFileSync(`${folder}${path}`, 'utf8'));
  const all = (part: string): unknown[] =>
    readdirSync(folder).includes(part)
      ? readdirSync(`${folder}${part}`)
          .sort()
          .map((file) => read(`${part}/${file}`))
      : [];
  return {
    institution: read('institution.yaml') as Configuration['institution'],
    systems: all('systems') as SystemDefinition[],
    entityTypes: all('entity-types') as EntityTypeDefinition[],
    mappings: all('mappings') as MappingDefinition[],
    codeTables: all('code-tables') as CodeTableDefinition[],
    jobs: all('jobs') as JobDefinition[],
  };
}
