import { fromStated, type Stated } from '../../domain/canonical.js';
import type { EntityTypeDefinition } from '../../domain/entity-type.js';
import { readGroupValue } from '../golden/group-value.js';

/** What a person chooses for a question. */
export type DecisionChoice =
  { readonly take: string } | { readonly keep: true } | { readonly value: unknown } | { readonly same: boolean };

/** A value in question and the systems that state it. */
export interface Candidate {
  readonly value: Stated;
  readonly images: readonly string[];
  readonly systems: readonly string[];
}

/** The question as far as a choice depends on it. */
export interface Choosable {
  readonly kind: string;
  readonly group: string;
  readonly definition: EntityTypeDefinition;
  readonly candidates: readonly Candidate[];
}

/** A choice that can be made, with the value it comes to (none for `keep`); or why it cannot. */
export type ReadChoice = { readonly value: Stated | null } | { readonly impossible: string };

/** Whether a choice can be made for a question. Pure. */
export const checkChoice = (question: Choosable, choice: DecisionChoice): ReadChoice => {
  if (question.kind === 'value') return ofValue(question, choice);
  if ('same' in choice) return { value: null };
  if (question.kind === 'duplicate' && 'keep' in choice) return { value: null };
  return { impossible: 'This question is whether two are the same; choose {same: true} or {same: false}.' };
};

const ofValue = (question: Choosable, choice: DecisionChoice): ReadChoice => {
  if ('same' in choice)
    return { impossible: 'This question is about a value; choose {take: system}, {keep: true} or {value: …}.' };
  if ('keep' in choice) return { value: null };
  return 'take' in choice ? takeOf(question, choice.take) : givenValue(question, choice.value);
};

const takeOf = (question: Choosable, system: string): ReadChoice => {
  const stated = question.candidates.filter(({ systems }) => systems.includes(system));
  const [only, another] = stated;
  if (only === undefined) {
    const systems = [...new Set(question.candidates.flatMap((candidate) => candidate.systems))].sort();
    return { impossible: `${system} says nothing here; take one of ${systems.join(', ')}.` };
  }
  if (another !== undefined) return { impossible: `${system} says several things here; choose {value: …} instead.` };
  return { value: only.value };
};

const givenValue = (question: Choosable, value: unknown): ReadChoice => {
  const group = question.definition.groups.find(({ name }) => name === question.group);
  if (group === undefined) return { impossible: `There is no attribute group ${question.group} any more.` };
  const read = readGroupValue(group, value, '/choice/value');
  if ('value' in read) return read;
  return { impossible: read.problems.map(({ pointer, detail }) => `${pointer}: ${detail}`).join('; ') };
};

/** The candidates as they are stored. @throws TypeError where they are none (a defect) */
export const readCandidates = (stored: unknown): readonly Candidate[] => {
  if (!Array.isArray(stored)) throw new TypeError('candidates are no list');
  return stored.map((candidate: unknown) => {
    if (typeof candidate !== 'object' || candidate === null) throw new TypeError('a candidate is no object');
    const { value, images, systems } = candidate as Record<string, unknown>;
    if (typeof value !== 'string') throw new TypeError('a candidate has no value');
    return { value, images: texts(images), systems: texts(systems) };
  });
};

const texts = (list: unknown): readonly string[] =>
  Array.isArray(list) ? list.map((item: unknown) => String(item)) : [];

/** A stored value as JSON. */
export const jsonOf = (stated: Stated | null): unknown => (stated === null ? null : fromStated(stated));
