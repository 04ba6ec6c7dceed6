import { EMPTY, fromStated, toStated, type Json, type Stated } from './canonical.js';

/** Elements of a multi-valued group by identity: a declared `key` member, else kind and value, else the whole element. */
const elementsOf = (text: Stated | null): Map<string, Json> => {
  const value = text === null ? null : fromStated(text);
  const list: readonly Json[] = value === null ? [] : Array.isArray(value) ? (value as readonly Json[]) : [value];
  return new Map(list.map((element) => [identityOf(element), element]));
};

const identityOf = (element: Json): string => {
  if (element === null || typeof element !== 'object' || Array.isArray(element)) return toStated(element);
  const record = element as { readonly [name: string]: Json };
  if (record['key'] !== undefined) return toStated(['key', record['key']]);
  if (record['kind'] !== undefined && record['value'] !== undefined) return toStated([record['kind'], record['value']]);
  return toStated(element);
};

const toList = (elements: ReadonlyMap<string, Json>): Stated =>
  elements.size === 0
    ? EMPTY
    : toStated([...elements].sort(([left], [right]) => (left < right ? -1 : 1)).map(([, element]) => element));

/** The union of several lists by element identity, in identity order; of equal identities the smaller text wins, so that
 *  the order of systems does not matter. */
export const mergeUnion = (values: readonly Stated[]): Stated => {
  const union = new Map<string, Json>();
  for (const [identity, element] of values.flatMap((value) => [...elementsOf(value)])) {
    const held = union.get(identity);
    if (held === undefined || toStated(element) < toStated(held)) union.set(identity, element);
  }
  return toList(union);
};

/** What a system says itself in a list that also holds what we told it: its former own elements and those that golden does
 *  not have. So an element that its only speaker drops disappears everywhere, though others were told it. */
export const ownElements = (read: Stated, formerlyOwn: Stated | null, told: Stated | null): Stated => {
  const own = elementsOf(formerlyOwn);
  const known = elementsOf(told);
  const kept = new Map([...elementsOf(read)].filter(([identity]) => own.has(identity) || !known.has(identity)));
  return toList(kept);
};

/** The elements of a list that another list has too. */
export const commonElements = (list: Stated | null, other: Stated | null): Stated => {
  const others = elementsOf(other);
  return toList(new Map([...elementsOf(list)].filter(([identity]) => others.has(identity))));
};

/** Whether a list has every element of another. */
export const coversAll = (list: Stated | null, other: Stated | null): boolean => {
  const own = elementsOf(list);
  return [...elementsOf(other).keys()].every((identity) => own.has(identity));
};
