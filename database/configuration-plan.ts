import { SyncError } from '../domain/errors.js';
import type { Configuration } from '../domain/job-definition.js';
import { canonicalJson } from '../platform/canonical-json.js';

/** Something configured, as it is stored. */
export interface Stored<T> {
  readonly id: number;
  readonly name: string;
  readonly version: number;
  readonly archived: boolean;
  readonly definition: T;
  readonly changedBy: string;
  readonly changedAt: Date;
}

/** What it takes to make the stored ones the wanted ones. Nothing is deleted; what was archived and is wanted again is a change. */
export interface ChangePlan<T> {
  readonly created: readonly T[];
  readonly changed: readonly { readonly stored: Stored<T>; readonly wanted: T }[];
  readonly archived: readonly Stored<T>[];
}

/** Compares by name, and definitions by their canonical JSON: applying the same twice plans nothing. `touched`: what is a change
 *  though it is the same, since something that it is read by changed. */
export function planChanges<T extends { readonly name: string }>(
  stored: readonly Stored<T>[],
  wanted: readonly T[],
  touched: (definition: T) => boolean = () => false,
): ChangePlan<T> {
  const byName = new Map(stored.map((row) => [row.name, row]));
  const wantedNames = new Set(wanted.map((definition) => definition.name));
  return {
    created: wanted.filter((definition) => !byName.has(definition.name)),
    changed: wanted.flatMap((definition) => {
      const row = byName.get(definition.name);
      if (row === undefined) return [];
      const same = !row.archived && canonicalJson(row.definition) === canonicalJson(definition);
      return same && !touched(definition) ? [] : [{ stored: row, wanted: definition }];
    }),
    archived: stored.filter((row) => !row.archived && !wantedNames.has(row.name)),
  };
}

/** What the tables need to hold: unique names, and systems that are there. (What else a configuration must fulfil is checked where
 *  it is read, with file and line.)
 *  @throws SyncError configuration_invalid with all problems together */
export function checkNames(configuration: Configuration): void {
  const { systems, entityTypes, mappings, codeTables, jobs } = configuration;
  const systemNames = new Set(systems.map((system) => system.name));
  const problems = [
    ...repeatedNames('systems', systems),
    ...repeatedNames('entity types', entityTypes),
    ...repeatedNames('mappings', mappings),
    ...repeatedNames('code tables', codeTables),
    ...repeatedNames('jobs', jobs),
    ...mappings.flatMap((mapping) => repeatedNames(`rules of ${mapping.name}`, mapping.source?.rules ?? [])),
    ...mappings
      .filter((mapping) => !systemNames.has(mapping.system))
      .map((mapping) => `mapping ${mapping.name}: there is no system ${mapping.system}`),
  ];
  if (problems.length > 0) throw new SyncError('configuration_invalid', problems.join('; '));
}

function repeatedNames(what: string, named: readonly { readonly name: string }[]): string[] {
  const seen = new Set<string>();
  const repeated = new Set<string>();
  for (const { name } of named) (seen.has(name) ? repeated : seen).add(name);
  return [...repeated].map((name) => `${what}: ${name} is there twice`);
}
