import { listedKindNames, listedKinds, type ConfigurationKind, type ListedKind } from './configuration-kinds.js';
import { differences, isSame, type Difference } from './differences.js';
import type { Configuration } from './job-definition.js';

/** Files of configuration as plain data: all of an institution's, or some. What is not given stays. */
export interface GivenConfiguration {
  readonly institution?: unknown;
  readonly systems?: readonly unknown[];
  readonly entityTypes?: readonly unknown[];
  readonly mappings?: readonly unknown[];
  readonly codeTables?: readonly unknown[];
  readonly jobs?: readonly unknown[];
}

/** A configuration that is not judged yet, with where each of its parts was given. */
export interface MergedConfiguration {
  readonly document: Readonly<Record<'institution' | (typeof listedKinds)[ListedKind]['list'], unknown>>;
  /** A pointer into `document` as a pointer into what was given; null: it was not given, but stood there before. */
  readonly origin: (pointer: string) => string | null;
}

const nameOf = (item: unknown): unknown =>
  typeof item === 'object' && item !== null && 'name' in item ? item.name : null;

/** What would be configured if the given were taken: given things replace those of their name, others stay, unless `prune`
 *  says that what is not given goes. */
export const mergeConfiguration = (
  current: Configuration,
  given: GivenConfiguration,
  prune: boolean,
): MergedConfiguration => {
  const kept = (kind: ListedKind): readonly unknown[] => {
    const { list } = listedKinds[kind];
    const names = new Set((given[list] ?? []).map(nameOf));
    return prune ? [] : current[list].filter(({ name }) => !names.has(name));
  };
  const lists = listedKindNames.map((kind) => {
    const { list } = listedKinds[kind];
    return { list, kept: kept(kind), given: given[list] ?? [] };
  });
  const document = {
    institution: given.institution ?? current.institution,
    ...Object.fromEntries(lists.map(({ list, kept: before, given: own }) => [list, [...before, ...own]])),
  } as MergedConfiguration['document'];
  return {
    document,
    origin: (pointer) => {
      const [, member = '', index = '', ...rest] = pointer.split('/');
      if (member === 'institution') return given.institution === undefined ? null : pointer;
      const found = lists.find(({ list }) => list === member);
      if (found === undefined || index === '') return pointer;
      const own = Number(index) - found.kept.length;
      return own < 0 ? null : ['', member, String(own), ...rest].join('/');
    },
  };
};

export type ChangeWord = 'create' | 'change' | 'restore' | 'archive';

/** One thing that a configuration changes. */
export interface ConfigurationChange {
  readonly kind: Exclude<ConfigurationKind, 'rule'>;
  readonly name: string;
  readonly action: ChangeWord;
  /** Of a change: where the definitions differ. */
  readonly differences: readonly Difference[];
}

/** What it takes to make one configuration the other; nothing where they say the same. `archived`: names, by kind, of what is
 *  there but out of use. */
export const changesBetween = (
  before: Configuration,
  after: Configuration,
  archived: Readonly<Partial<Record<ListedKind, ReadonlySet<string>>>> = {},
): readonly ConfigurationChange[] => {
  const institution: ConfigurationChange[] = isSame(before.institution, after.institution)
    ? []
    : [
        {
          ...{ kind: 'institution', name: after.institution.code, action: 'change' },
          differences: differences(before.institution, after.institution),
        },
      ];
  return [...institution, ...listedKindNames.flatMap((kind) => changesOf(kind, before, after, archived[kind]))];
};

const changesOf = (
  kind: ListedKind,
  before: Configuration,
  after: Configuration,
  archived: ReadonlySet<string> | undefined,
): ConfigurationChange[] => {
  const { list } = listedKinds[kind];
  const [was, will]: (readonly { readonly name: string }[])[] = [before[list], after[list]];
  const known = new Map((was ?? []).map((item) => [item.name, item]));
  const wanted = new Set((will ?? []).map(({ name }) => name));
  const made = (will ?? []).flatMap((item): ConfigurationChange[] => {
    const former = known.get(item.name);
    if (former === undefined) {
      const action = archived?.has(item.name) === true ? 'restore' : 'create';
      return [{ kind, name: item.name, action, differences: [] }];
    }
    return isSame(former, item)
      ? []
      : [{ kind, name: item.name, action: 'change', differences: differences(former, item) }];
  });
  const gone = (was ?? [])
    .filter(({ name }) => !wanted.has(name))
    .map(({ name }): ConfigurationChange => ({ kind, name, action: 'archive', differences: [] }));
  return [...made, ...gone];
};
