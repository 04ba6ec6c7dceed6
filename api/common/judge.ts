import type { LoadedConfiguration } from '../../database/configuration-store.js';
import { judgeConfiguration } from '../../domain/configuration.js';
import type { Configuration, JobDefinition } from '../../domain/job-definition.js';
import type { MappingDefinition } from '../../domain/mapping-definition.js';
import { Problem, type ProblemPart } from './problem.js';

/** One thing of a configuration as it would be, with what is wrong with it and with what it would break elsewhere. */
export interface Judged<T> {
  /** null where there are problems. */
  readonly definition: T | null;
  readonly problems: readonly ProblemPart[];
}

/** Judges a job as if it stood in the configuration. */
export const judgeJob = (loaded: LoadedConfiguration, job: object): Judged<JobDefinition> => judge(loaded, 'jobs', job);

/** Judges a mapping as if it stood in the configuration, in place of the one of its name. */
export const judgeMapping = (loaded: LoadedConfiguration, mapping: object): Judged<MappingDefinition> =>
  judge(loaded, 'mappings', mapping);

const judge = <List extends 'jobs' | 'mappings'>(
  loaded: LoadedConfiguration,
  list: List,
  definition: object,
): Judged<Configuration[List][number]> => {
  const { id: _id, ...institution } = loaded.institution;
  const name = 'name' in definition ? definition.name : undefined;
  const document = {
    institution,
    systems: loaded.systems.map((one) => one.definition),
    entityTypes: loaded.entityTypes.map((one) => one.definition),
    mappings: loaded.mappings.map((one) => one.definition),
    codeTables: loaded.codeTables.map((one) => one.definition),
    jobs: loaded.jobs.map((one) => one.definition),
  };
  const others = document[list].filter((one) => one.name !== name);
  const { configuration, problems } = judgeConfiguration({ ...document, [list]: [...others, definition] });
  const own = `/${list}/${others.length}`;
  const found = configuration?.[list].find((one) => one.name === name) ?? null;
  return {
    definition: found,
    problems: problems.map(({ path, reason, remedy }) => {
      const isOwn = path === own || path.startsWith(`${own}/`);
      const elsewhere = isOwn ? '' : `${placeOf(document, path)}: `;
      return {
        pointer: isOwn ? path.slice(own.length) : '',
        code: 'invalid',
        detail: `${elsewhere}${reason}: ${remedy}`,
      };
    }),
  };
};

/* A job that names a part which the mapping no longer has, and the like. */
const placeOf = (document: Readonly<Record<string, unknown>>, path: string): string => {
  const [, list = '', index = ''] = path.split('/');
  const items = document[list];
  const item: unknown = Array.isArray(items) ? items[Number(index)] : undefined;
  const name =
    typeof item === 'object' && item !== null && 'name' in item && typeof item.name === 'string' ? ` ${item.name}` : '';
  return `${list}${name}`;
};

/** @throws Problem configuration_invalid where there are problems */
export const requireValid = <T>(judged: Judged<T>): T => {
  if (judged.definition !== null) return judged.definition;
  throw new Problem('configuration_invalid', `${judged.problems.length} things are not right; nothing was changed.`, {
    errors: judged.problems,
  });
};
