import type { IncomingState, ImageState, RecordPlan } from '../domain/record-merge.js';
import type { GroupPolicy } from '../domain/strategy.js';
import { suggestValue, type Voice } from '../domain/suggestion.js';
import { hash128 } from '../platform/hash.js';
import type { EntityTypeRef } from './context.js';

/** A question as a plan row holds it. `candidates` null: the one that is open closes. */
export interface PlannedQuestionRow {
  readonly kind: 'value' | 'duplicate';
  readonly group: string;
  readonly base: string | null;
  readonly candidates: readonly object[] | null;
  readonly hash: string | null;
  readonly suggestion?: object | null;
  /** Of a duplicate: the image that may be of another record. */
  readonly image?: string;
}

/** What a merged record's questions are about. */
export interface Questioned {
  readonly known: readonly ImageState[];
  readonly incoming: readonly IncomingState[];
  readonly policies: readonly GroupPolicy[];
}

/** Questions about values, with the systems behind each candidate and what we would choose. */
export const valueQuestions = (plan: RecordPlan, type: EntityTypeRef, questioned: Questioned): PlannedQuestionRow[] => {
  const { known, incoming } = questioned;
  const systems = new Map([...known, ...incoming].map(({ id, system }) => [id, system]));
  return plan.questions.map(({ group, candidates, base }) => {
    const told =
      candidates?.map(({ value, images }) => ({
        value,
        images,
        systems: [...new Set(images.map((id) => systems.get(id) ?? ''))].sort(),
      })) ?? null;
    const name = type.definition.groups[group]?.name ?? '';
    const policy = questioned.policies[group];
    const suggestion =
      told === null || policy === undefined ? null : suggestValue(base, voicesOf(plan, group, questioned), policy);
    const hash = hash128(JSON.stringify([name, base, told]));
    return { kind: 'value' as const, group: name, base, candidates: told, hash, suggestion };
  });
};

/** Who says what about a group after the plan: in question, or holding what stands. */
const voicesOf = (plan: RecordPlan, group: number, { known, incoming }: Questioned): Voice[] => {
  const times = new Map(known.map(({ id, effectiveAt }) => [id, effectiveAt ?? null]));
  for (const { id, effectiveAt } of incoming) times.set(id, effectiveAt);
  const systems = new Map([...known, ...incoming].map(({ id, system }) => [id, system]));
  const after = new Map(known.filter(({ deleted }) => !deleted).map(({ id, statements }) => [id, statements]));
  for (const { id, statements, deleted } of plan.images) {
    if (deleted) after.delete(id);
    else after.set(id, statements);
  }
  return [...after].flatMap(([id, statements]): Voice[] => {
    const statement = statements[group];
    const value = statement?.value ?? null;
    if (statement === undefined || value === null) return [];
    if (statement.state !== 'open' && (statement.state !== 'live' || value !== plan.golden.values[group])) return [];
    return [
      {
        system: systems.get(id) ?? '',
        value,
        open: statement.state === 'open',
        effectiveAt: times.get(id) ?? null,
      },
    ];
  });
};

/** A record that may be a duplicate of another: asked of a person, never linked. What agrees is looked up where it is written. */
export const rivalQuestions = (
  goldenId: string,
  rivals: readonly { readonly imageId: string; readonly system: string; readonly rival: string | null }[],
): PlannedQuestionRow[] =>
  rivals
    .filter(({ rival }) => rival !== null && rival !== goldenId)
    .slice(0, 1)
    .map(({ imageId, system, rival }) => ({
      kind: 'duplicate' as const,
      group: '',
      base: null,
      candidates: [{ value: JSON.stringify(rival), images: [imageId], systems: [system] }],
      hash: hash128(JSON.stringify(['duplicate', rival, imageId])),
      image: imageId,
    }));
