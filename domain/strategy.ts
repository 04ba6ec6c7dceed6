/** How a group's golden value follows from the statements. What a strategy cannot rank is a conflict. */
export const strategies = [
  'three_way',
  'source_priority',
  'most_recent',
  'set_union',
  'fill_empty_only',
  'sticky_human',
  'manual',
] as const;
export type Strategy = (typeof strategies)[number];

/** What happens to a system that states what it may not, or is outranked: told the golden value again, or left. */
export type Reassertion = 'reassert' | 'leave';

/** The merge policy of one attribute group for one record (authority by population already resolved). */
export interface GroupPolicy {
  readonly strategy: Strategy;
  /** Used where the strategy cannot rank (`most_recent` without times) and at first sight. */
  readonly fallback: 'source_priority' | 'conflict';
  /** Systems from the most to the least trusted; one that is not listed ranks after all of them. */
  readonly priority: readonly string[];
  /** Systems that may speak; null: all. */
  readonly authority: readonly string[] | null;
  readonly reassertion: Reassertion;
}

/** The rank of a system: 0 is the best. Systems that are not listed share the last rank. */
export const rankOf = (policy: Pick<GroupPolicy, 'priority'>, system: string): number => {
  const rank = policy.priority.indexOf(system);
  return rank < 0 ? policy.priority.length : rank;
};

/** Whether a system may speak for the group. */
export const maySpeak = (policy: Pick<GroupPolicy, 'authority'>, system: string): boolean =>
  policy.authority === null || policy.authority.includes(system);
