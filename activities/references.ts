import type { Stated } from '../domain/canonical.js';
import { withReference } from '../domain/canonical-text.js';
import type { EntityTypeDefinition } from '../domain/entity-type.js';
import { compilePath } from '../domain/paths.js';
import { keySeparator } from '../domain/rows.js';
import { compilePeriod } from '../domain/validity.js';

export interface GoldenReference {
  /** `group` or `group.attribute`. */
  readonly path: string;
  readonly target: string;
}

export interface ResolvedRecord {
  readonly values: readonly (Stated | null)[];
  readonly naturalKey: string | null;
  readonly references: readonly GoldenReference[];
  readonly subject: string | null;
}

/** What a golden record of a type is stored with besides its values. */
export interface RecordFacts {
  readonly references: readonly GoldenReference[];
  /** Golden id of the person whose data it is; null where it is its own or nobody's. */
  readonly subject: string | null;
  readonly validFrom: string | null;
  readonly validTo: string | null;
}

export interface RecordTools {
  /** Sets resolved references (six items each, see `CanonWriter`); null where one is unknown (`0`): the record waits. */
  readonly resolve: (
    values: readonly (Stated | null)[],
    references: readonly string[],
    targets: readonly string[],
  ) => ResolvedRecord | null;
  readonly facts: (values: readonly (Stated | null)[]) => RecordFacts;
  /** Null where the type has none, or a part of it is missing. */
  readonly naturalKey: (values: readonly (Stated | null)[]) => string | null;
  /** Values in which every reference to one record leads to another. */
  readonly repointed: (values: readonly (Stated | null)[], from: string, to: string) => readonly (Stated | null)[];
}

/** Reads and sets the references of records of one type. */
export const canonicalRecordTools = (type: EntityTypeDefinition): RecordTools => {
  const referencePaths = type.groups.flatMap((group) =>
    group.attributes
      .filter((attribute) => attribute.type === 'reference')
      .map((attribute) => (group.attributes.length === 1 ? group.name : `${group.name}.${attribute.name}`)),
  );
  const readers = referencePaths.map((path) => ({ path, read: compilePath(type, path) }));
  const keys = (type.naturalKey ?? []).map((path) => compilePath(type, path));
  const period = compilePeriod(type);
  const subjectPath = typeof type.subject === 'object' ? type.subject.reference : null;

  const referencesOf = (values: readonly (Stated | null)[]): GoldenReference[] =>
    readers.flatMap(({ path, read }) => {
      const target = read.text(values, null);
      return target === null ? [] : [{ path, target }];
    });
  const naturalKeyOf = (values: readonly (Stated | null)[]): string | null => {
    const parts = keys.map((key) => key.text(values, null));
    return parts.length === 0 || parts.includes(null) ? null : parts.join(keySeparator);
  };
  const places = type.groups.flatMap((group, index) =>
    group.attributes
      .filter((attribute) => attribute.type === 'reference')
      .map((attribute) => ({
        index,
        attribute: group.attributes.length === 1 ? null : attribute.name,
        read: compilePath(type, group.attributes.length === 1 ? group.name : `${group.name}.${attribute.name}`),
      })),
  );
  const subjectOf = (references: readonly GoldenReference[]): string | null =>
    subjectPath === null ? null : (references.find(({ path }) => path === subjectPath)?.target ?? null);
  return {
    resolve: (values, references, targets) => {
      if (targets.includes('0')) return null;
      const filled = [...values];
      for (let index = 0; index < targets.length; index += 1) {
        const group = Number(references[index * 6] ?? -1);
        const attribute = references[index * 6 + 1] ?? '';
        filled[group] = withReference(filled[group] ?? null, attribute === '' ? null : attribute, targets[index] ?? '');
      }
      const found = referencesOf(filled);
      return {
        values: filled,
        naturalKey: naturalKeyOf(filled),
        references: found,
        subject: subjectOf(found),
      };
    },
    naturalKey: naturalKeyOf,
    repointed: (values, from, to) => {
      const after = [...values];
      for (const { index, attribute, read } of places) {
        if (read.text(after, null) === from) after[index] = withReference(after[index] ?? null, attribute, to);
      }
      return after;
    },
    facts: (values) => {
      const references = referencesOf(values);
      const span = period?.read(values) ?? null;
      return { references, subject: subjectOf(references), validFrom: span?.from ?? null, validTo: span?.to ?? null };
    },
  };
};
