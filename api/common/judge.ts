import { checkConfiguredSettings, settingOf } from '../../connectors/settings.js';
import { judgeConfiguration } from '../../domain/configuration.js';
import type { ListName } from '../../domain/configuration-kinds.js';
import type { Configuration } from '../../domain/job-definition.js';
import type { SystemDefinition } from '../../domain/job-definition.js';
import { Problem, type ProblemPart } from './problem.js';

/** One thing of a configuration as it would be, with what is wrong with it and with what it would break elsewhere. */
export interface Judged<T> {
  /** null where there are problems. */
  readonly definition: T | null;
  /** The whole configuration as it would be; null where there are problems. */
  readonly configuration: Configuration | null;
  readonly problems: readonly ProblemPart[];
}

/** Judges one thing as if it stood in the configuration, in place of the one of its name. */
export const judgeItem = <List extends ListName>(
  current: Configuration,
  list: List,
  definition: object,
): Judged<Configuration[List][number]> => {
  const name = 'name' in definition ? definition.name : undefined;
  // Sound: a member of the list's own type; the compiler cannot follow the index.
  const stood: readonly { readonly name: string }[] = current[list];
  const at = stood.findIndex((one) => one.name === name);
  const items: readonly object[] = at < 0 ? [...stood, definition] : stood.with(at, definition as { name: string });
  const document = { ...current, [list]: items };
  const { configuration, problems } = judgeConfiguration(document);
  const own = `/${list}/${at < 0 ? stood.length : at}`;
  const parts = [
    ...problems.map(({ path, reason, remedy }) => partOf(document, path, own, `${reason}: ${remedy}`)),
    ...(list === 'systems' ? settingsProblems(definition) : []),
  ];
  const taken = parts.length === 0 ? configuration : null;
  const found: readonly Configuration[List][number][] = taken?.[list] ?? [];
  return { definition: found.find((one) => one.name === name) ?? null, configuration: taken, problems: parts };
};

/** Judges the institution itself. */
export const judgeInstitution = (current: Configuration, institution: object): Judged<Configuration['institution']> => {
  const document = { ...current, institution };
  const { configuration, problems } = judgeConfiguration(document);
  return {
    ...{ definition: configuration?.institution ?? null, configuration },
    problems: problems.map(({ path, reason, remedy }) =>
      partOf(document, path, '/institution', `${reason}: ${remedy}`),
    ),
  };
};

/** What only the kind of a system knows of its settings. */
export const settingsProblems = (system: object): readonly ProblemPart[] => {
  const { kind, settings } = system as Partial<SystemDefinition>;
  if (typeof kind !== 'string' || typeof settings !== 'object') return [];
  return checkConfiguredSettings(kind, settings).map((problem) => ({
    ...{ pointer: settingOf(problem), code: 'invalid', detail: problem },
  }));
};

/* What is wrong elsewhere, because of this, has no pointer into the body: its place is told in words. */
const partOf = (document: object, path: string, own: string, detail: string): ProblemPart => {
  const isOwn = path === own || path.startsWith(`${own}/`);
  return isOwn
    ? { pointer: path.slice(own.length), code: 'invalid', detail }
    : { pointer: '', code: 'invalid', detail: `${placeOf(document, path)}: ${detail}` };
};

/** Where a pointer leads, in words: `jobs people`. */
export const placeOf = (document: object, path: string): string => {
  const [, list = '', index = ''] = path.split('/');
  const items: unknown = (document as Readonly<Record<string, unknown>>)[list];
  const item: unknown = Array.isArray(items) ? items[Number(index)] : undefined;
  const name =
    typeof item === 'object' && item !== null && 'name' in item && typeof item.name === 'string' ? ` ${item.name}` : '';
  return `${list}${name}`;
};

/** @throws Problem configuration_invalid where there are problems */
export const requireValid = <T>(
  judged: Judged<T>,
): { readonly definition: T; readonly configuration: Configuration } => {
  const { definition, configuration } = judged;
  if (definition !== null && configuration !== null) return { definition, configuration };
  throw configurationInvalid(judged.problems);
};

export const configurationInvalid = (problems: readonly ProblemPart[]): Problem =>
  new Problem(
    'configuration_invalid',
    `${problems.length === 1 ? 'One thing is' : `${problems.length} things are`} not right; nothing was changed.`,
    { errors: problems },
  );
