import type { PoolClient } from 'pg';
import {
  changesBetween,
  mergeConfiguration,
  type ConfigurationChange,
  type GivenConfiguration,
} from '../domain/configuration-changes.js';
import { listedKindNames, listedKinds, type ListedKind } from '../domain/configuration-kinds.js';
import { judgeConfiguration, type ConfigurationProblem } from '../domain/configuration.js';
import { SyncError } from '../domain/errors.js';
import type { Configuration } from '../domain/job-definition.js';
import { planChanges } from './configuration-plan.js';
import {
  applyConfiguration,
  configurationOf,
  layoutConflicts,
  lockConfiguration,
  readStoredConfiguration,
  storeConfiguration,
  type ConfigurationDifference,
  type StoredConfiguration,
} from './configuration-store.js';
import type { Hub } from './hub.js';

/** What taking files of configuration would mean. */
export interface GivenPlan {
  /** All that would then be configured; null where there are problems. */
  readonly wanted: Configuration | null;
  /** Pointers lead into what was given; an empty one is about what is not in it, named in the reason. */
  readonly problems: readonly ConfigurationProblem[];
  readonly changes: readonly ConfigurationChange[];
  /** In use, and not among what was given. `prune` archives it. */
  readonly leftOut: readonly { readonly kind: ListedKind; readonly name: string }[];
}

/** Plans what it takes to have the given configured, on top of what is stored, or (`prune`) in place of it. Nothing is written. */
export async function planGiven(
  client: PoolClient,
  stored: StoredConfiguration,
  given: GivenConfiguration,
  prune: boolean,
): Promise<GivenPlan> {
  const current = configurationOf(stored);
  const { document, origin } = mergeConfiguration(current, given, prune);
  const judged = judgeConfiguration(document);
  const problems = [
    ...judged.problems.map((problem) => placed(problem, document, origin)),
    ...(await storedProblems(client, stored, judged.configuration, given)),
  ];
  const wanted = problems.length === 0 ? judged.configuration : null;
  return {
    ...{ wanted, problems },
    changes: wanted === null ? [] : changesBetween(current, wanted, archivedNames(stored)),
    leftOut: listedKindNames.flatMap((kind) => {
      const { list } = listedKinds[kind];
      const named = new Set((given[list] ?? []).map(nameOf));
      return current[list].filter(({ name }) => !named.has(name)).map(({ name }) => ({ kind, name }));
    }),
  };
}

/** What a whole configuration would change in the database, be its institution there already or not. Nothing is written. */
export async function planWhole(hub: Hub, configuration: Configuration, prune: boolean): Promise<GivenPlan> {
  const institutionId = await findInstitution(hub, configuration);
  if (institutionId === null) {
    const { institution } = configuration;
    const nothing = { institution, systems: [], entityTypes: [], mappings: [], codeTables: [], jobs: [] };
    const made: ConfigurationChange = {
      ...{ kind: 'institution', name: institution.code, action: 'create', differences: [] },
    };
    const changes = [made, ...changesBetween(nothing, configuration)];
    return { wanted: configuration, problems: [], changes, leftOut: [] };
  }
  return await hub.read(institutionId, async (client) =>
    planGiven(client, await readStoredConfiguration(client), configuration, prune),
  );
}

/** Applies a whole configuration, all or nothing; what is left out stays, or (`prune`) is archived. Makes the institution where
 *  it is not there.
 *  @throws SyncError configuration_invalid with every reason */
export async function applyWhole(
  hub: Hub,
  configuration: Configuration,
  actor: string,
  prune: boolean,
): Promise<ConfigurationDifference> {
  const institutionId = await findInstitution(hub, configuration);
  if (institutionId === null) return await applyConfiguration(hub, configuration, actor);
  return await hub.transaction(institutionId, async (client) => {
    await lockConfiguration(client, institutionId);
    const stored = await readStoredConfiguration(client);
    const { wanted, problems } = await planGiven(client, stored, configuration, prune);
    if (wanted === null) {
      const reasons = problems.map(({ reason, remedy }) => `${reason}: ${remedy}`);
      throw new SyncError('configuration_invalid', `${reasons.join('; ')}.`);
    }
    return await storeConfiguration(client, stored, wanted, { institutionId, actor });
  });
}

async function findInstitution(hub: Hub, { institution }: Configuration): Promise<number | null> {
  return await hub.system(async (client) => {
    const answer = await client.query<{ id: number | null }>('select institution_by_code($1) as id', [
      institution.code,
    ]);
    return answer.rows[0]?.id ?? null;
  });
}

/* A problem of something that stood there before, and that the given would break. */
function placed(
  problem: ConfigurationProblem,
  document: Readonly<Record<string, unknown>>,
  origin: (pointer: string) => string | null,
): ConfigurationProblem {
  const path = origin(problem.path);
  if (path !== null) return { ...problem, path };
  const [, list = '', index = '', ...rest] = problem.path.split('/');
  const items = document[list];
  const name = Array.isArray(items) ? nameOf(items[Number(index)]) : null;
  const where = [list, typeof name === 'string' ? name : '', rest.join('/')].filter((part) => part !== '').join(' ');
  return { ...problem, path: '', reason: `${where}, which is not among what is given: ${problem.reason}` };
}

/* What only the stored records know. */
async function storedProblems(
  client: PoolClient,
  stored: StoredConfiguration,
  wanted: Configuration | null,
  given: GivenConfiguration,
): Promise<ConfigurationProblem[]> {
  if (wanted === null) return [];
  const conflicts = await layoutConflicts(client, planChanges(stored.entityTypes, wanted.entityTypes));
  const { code } = stored.institution.definition;
  const stranger =
    wanted.institution.code === code
      ? []
      : [
          {
            path: '/institution/code',
            reason: `this is the configuration of ${wanted.institution.code}, and not of ${code}`,
            remedy: `apply it to ${wanted.institution.code}, or leave the institution out`,
          },
        ];
  return [
    ...stranger,
    ...conflicts.flatMap(({ name, reasons }) => {
      const at = (given.entityTypes ?? []).findIndex((type) => nameOf(type) === name);
      return reasons.map((reason) => ({
        path: `/entityTypes/${at}`,
        reason: `there are records of ${name} already: ${reason}`,
        remedy: 'leave that part as it is, or make another entity type',
      }));
    }),
  ];
}

const archivedNames = (stored: StoredConfiguration): Readonly<Record<ListedKind, ReadonlySet<string>>> => {
  const of = (kind: ListedKind): ReadonlySet<string> =>
    new Set(stored[listedKinds[kind].list].filter(({ archived }) => archived).map(({ name }) => name));
  return {
    ...{ system: of('system'), code_table: of('code_table'), entity_type: of('entity_type') },
    ...{ mapping: of('mapping'), job: of('job') },
  };
};

const nameOf = (item: unknown): unknown =>
  typeof item === 'object' && item !== null && 'name' in item ? item.name : null;
