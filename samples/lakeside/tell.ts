import type { Narrator, RejectedReport } from './story-platform.js';
import type { Photograph } from './stores.js';

/** 1,234 */
export const amount = (count: number): string => String(count).replace(/\B(?=(\d{3})+$)/g, ',');

/** Mapping → reason → rows. */
export const tally = (rejected: readonly RejectedReport[]): Record<string, Record<string, number>> => {
  const counts: Record<string, Record<string, number>> = {};
  for (const { mapping, reason } of rejected) {
    const ofMapping = (counts[mapping] ??= {});
    ofMapping[reason] = (ofMapping[reason] ?? 0) + 1;
  }
  return counts;
};

/** JSON with sorted members, for comparison. */
export const sorted = (value: unknown): string =>
  JSON.stringify(value, (_, member: unknown) =>
    typeof member === 'object' && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).sort(([left], [right]) => (left < right ? -1 : 1)))
      : member,
  );

/** That the stores are as they were, but for those named. */
export const checkUnchanged = (
  narrator: Narrator,
  name: string,
  before: Photograph,
  after: Photograph,
  but: readonly string[] = [],
): void => {
  const changed = before.differences(after).filter((store) => !but.includes(store));
  narrator.check(name, changed.length === 0, changed.length === 0 ? '' : `changed: ${changed.join(', ')}`);
};

/** That two values are the same. */
export const checkEqual = (narrator: Narrator, name: string, actual: unknown, expected: unknown): void => {
  const holds = sorted(actual) === sorted(expected);
  narrator.check(name, holds, holds ? '' : `expected ${brief(expected)}, found ${brief(actual)}`);
};

const brief = (value: unknown): string => {
  const text = sorted(value);
  return text.length <= 300 ? text : `${text.slice(0, 300)}…`;
};
