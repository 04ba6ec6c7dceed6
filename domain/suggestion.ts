import { EMPTY, fromStated, type Json, type Stated } from './canonical.js';
import type { CorroborationKeys } from './canonical-record.js';
import { rankOf, type GroupPolicy } from './strategy.js';

/** Why we would choose so: a key that a screen words. */
export const suggestionReasons = [
  'differs_in_spelling_only',
  'all_but_one_agree',
  'newer_at_the_source',
  'higher_ranked',
  'name_and_birth_date_agree',
  'birth_date_agrees',
  'name_agrees',
  'birth_date_differs',
  'nothing_agrees',
  'other_identifiers_agree',
] as const;
export type SuggestionReason = (typeof suggestionReasons)[number];

export type SuggestedChoice = { readonly take: string } | { readonly keep: true } | { readonly same: boolean };

/** What we would choose. `confidence`: 0 to 1, a grade and no probability; what is not above a half is not suggested. */
export interface Suggestion {
  readonly choice: SuggestedChoice;
  readonly reason: SuggestionReason;
  readonly confidence: number;
  /** Of records that may be the same: what of them agrees. */
  readonly evidence?: Evidence;
}

/** A system that takes part in a question about a value. */
export interface Voice {
  readonly system: string;
  readonly value: Stated;
  /** In question; else it holds the value that stands. */
  readonly open: boolean;
  /** When the value took effect by the source's own telling (sortable text). */
  readonly effectiveAt: string | null;
}

const textsIn = (value: Json): string[] =>
  Array.isArray(value)
    ? value.flatMap((item: Json) => textsIn(item))
    : typeof value === 'object' && value !== null
      ? Object.values(value as { readonly [name: string]: Json }).flatMap(textsIn)
      : value === null
        ? []
        : [String(value)];

/** A value without case, accents, punctuation and white space; words keep their order. */
const folded = (value: Stated): string =>
  textsIn(fromStated(value))
    .map((text) =>
      text
        .normalize('NFKD')
        .replaceAll(/[\p{M}\p{P}\p{Z}\s]+/gu, '')
        .toLowerCase(),
    )
    .join('\u001f');

/** How much a spelling tells: accents, capitals beside small letters, no white space too many. */
const richness = (value: Stated): number =>
  textsIn(fromStated(value)).reduce((total, text) => {
    const accents = text.normalize('NFD').match(/\p{M}/gu)?.length ?? 0;
    const mixed = /\p{Lu}/u.test(text) && /\p{Ll}/u.test(text) ? 2 : 0;
    const untidy = text === text.trim() && !/\s{2}/.test(text) ? 0 : 2;
    return total + accents + mixed - untidy;
  }, 0);

const choiceOf = (value: Stated, base: Stated | null, voices: readonly Voice[]): SuggestedChoice | null => {
  if (value === base) return { keep: true };
  const system = voices
    .filter((voice) => voice.open && voice.value === value)
    .map((voice) => voice.system)
    .sort()
    .find(
      (name) => new Set(voices.filter((one) => one.open && one.system === name).map((one) => one.value)).size === 1,
    );
  return system === undefined ? null : { take: system };
};

type Verdict = { readonly value: Stated; readonly reason: SuggestionReason; readonly confidence: number } | null;

const bySpelling = (values: readonly Stated[]): Verdict => {
  if (values.length < 2 || values.includes(EMPTY)) return null;
  const [first = ''] = values.map(folded);
  if (first === '' || values.some((value) => folded(value) !== first)) return null;
  const ranked = [...values].sort((left, right) => richness(right) - richness(left));
  const [best, next] = ranked;
  if (best === undefined || next === undefined || richness(best) === richness(next)) return null;
  return { value: best, reason: 'differs_in_spelling_only', confidence: 0.95 };
};

const byMajority = (voices: readonly Voice[]): Verdict => {
  const systems = new Map<Stated, Set<string>>();
  for (const { value, system } of voices) systems.set(value, (systems.get(value) ?? new Set()).add(system));
  const [most, other, third] = [...systems].sort(([, left], [, right]) => right.size - left.size);
  if (most === undefined || other === undefined || third !== undefined) return null;
  if (most[1].size < 2 || other[1].size !== 1) return null;
  return { value: most[0], reason: 'all_but_one_agree', confidence: most[1].size > 2 ? 0.9 : 0.8 };
};

const byFreshness = (voices: readonly Voice[]): Verdict => {
  const open = voices.filter((voice) => voice.open);
  if (open.length < 2 || open.some(({ effectiveAt }) => effectiveAt === null)) return null;
  const newest = [...open].sort((left, right) => ((left.effectiveAt ?? '') < (right.effectiveAt ?? '') ? 1 : -1))[0];
  if (newest === undefined) return null;
  const rivals = open.filter(({ value }) => value !== newest.value);
  if (rivals.length === 0 || rivals.some(({ effectiveAt }) => effectiveAt === newest.effectiveAt)) return null;
  return { value: newest.value, reason: 'newer_at_the_source', confidence: 0.75 };
};

const byRank = (voices: readonly Voice[], policy: Pick<GroupPolicy, 'priority'>): Verdict => {
  const ranked = [...voices].sort((left, right) => rankOf(policy, left.system) - rankOf(policy, right.system));
  const best = ranked[0];
  if (best === undefined || !policy.priority.includes(best.system)) return null;
  const rank = rankOf(policy, best.system);
  if (ranked.some((one) => one.value !== best.value && rankOf(policy, one.system) === rank)) return null;
  return ranked.some(({ value }) => value !== best.value)
    ? { value: best.value, reason: 'higher_ranked', confidence: 0.7 }
    : null;
};

/** What we would choose where systems say different things, or null where nothing speaks for any of it. Pure; the order of the
 *  voices does not matter. A system that changed a value against nobody but the value that stands is told by its rank alone.
 *  @param base the value that stands */
export const suggestValue = (
  base: Stated | null,
  voices: readonly Voice[],
  policy: Pick<GroupPolicy, 'priority' | 'authority'>,
): Suggestion | null => {
  const heard = voices.filter(({ system }) => policy.authority === null || policy.authority.includes(system));
  const said = [...new Set(heard.filter(({ open }) => open).map(({ value }) => value))];
  const values = base === null ? said : [...new Set([base, ...said])];
  const verdict = bySpelling(values) ?? byMajority(heard) ?? byFreshness(heard) ?? byRank(heard, policy);
  if (verdict === null) return null;
  const choice = choiceOf(verdict.value, base, heard);
  return choice === null ? null : { choice, reason: verdict.reason, confidence: verdict.confidence };
};

export type Agreement = 'agree' | 'differ' | 'unknown';

export interface Evidence {
  readonly name: Agreement;
  readonly birthDate: Agreement;
  /** Schemes of which both have the same value. */
  readonly identifiers: readonly string[];
}

/** What is known of a record by which it is matched. */
export interface MatchFields extends CorroborationKeys {
  readonly identifiers: readonly { readonly scheme: string; readonly value: string }[];
}

const agreement = (left: readonly (string | null)[], right: readonly (string | null)[]): Agreement => {
  const [mine, theirs] = [left.filter((one) => one !== null), right.filter((one) => one !== null)];
  if (mine.length === 0 || theirs.length === 0) return 'unknown';
  return mine.some((one) => theirs.includes(one)) ? 'agree' : 'differ';
};

/** What agrees between the images of one record and of another. */
export const evidenceOf = (left: readonly MatchFields[], right: readonly MatchFields[]): Evidence => {
  const theirs = new Set(
    right.flatMap(({ identifiers }) => identifiers.map(({ scheme, value }) => `${scheme}\u001f${value}`)),
  );
  const shared = left
    .flatMap(({ identifiers }) => identifiers)
    .filter(({ scheme, value }) => theirs.has(`${scheme}\u001f${value}`))
    .map(({ scheme }) => scheme);
  return {
    name: agreement(
      left.map(({ name }) => name),
      right.map(({ name }) => name),
    ),
    birthDate: agreement(
      left.map(({ birthDate }) => birthDate),
      right.map(({ birthDate }) => birthDate),
    ),
    identifiers: [...new Set(shared)].sort(),
  };
};

const sameness: Readonly<Record<`${Agreement}/${Agreement}`, readonly [boolean, SuggestionReason, number] | null>> = {
  'agree/agree': [true, 'name_and_birth_date_agree', 0.95],
  'unknown/agree': [true, 'birth_date_agrees', 0.75],
  'agree/unknown': [true, 'name_agrees', 0.7],
  'differ/agree': [true, 'birth_date_agrees', 0.6],
  'agree/differ': [false, 'birth_date_differs', 0.6],
  'unknown/differ': [false, 'birth_date_differs', 0.75],
  'differ/differ': [false, 'nothing_agrees', 0.9],
  'differ/unknown': [false, 'nothing_agrees', 0.6],
  'unknown/unknown': null,
};

/** Whether two records that may be the same are; null where nothing speaks for either. Name, then birth date. */
export const suggestDuplicate = (evidence: Evidence): Suggestion | null => {
  const verdict = sameness[`${evidence.name}/${evidence.birthDate}`];
  if (verdict === null) return null;
  const [same, reason, confidence] = verdict;
  return { choice: { same }, reason, confidence, evidence };
};

/** Whether a known key that came with another name and birth date is still the same person's: a further identifier may say so.
 *  @param own schemes of identifiers that the row has besides its key, and of which both have the same value */
export const suggestIdentity = (evidence: Evidence): Suggestion =>
  evidence.identifiers.length > 0
    ? { choice: { same: true }, reason: 'other_identifiers_agree', confidence: 0.6, evidence }
    : { choice: { same: false }, reason: 'nothing_agrees', confidence: 0.8, evidence };
