import type { Stated } from './canonical.js';
import { compileRecordCondition, type RecordOnDate } from './condition.js';
import type { EntityTypeDefinition, GroupDefinition } from './entity-type.js';
import type { GroupPolicy } from './strategy.js';

/** Who may speak for a group of one record on one date, and in which order they are trusted. */
export type Authority = Pick<GroupPolicy, 'authority' | 'priority'>;

interface CompiledRule {
  readonly holds: (record: RecordOnDate & { readonly asOf: string }) => boolean;
  readonly resolved: Authority;
}

const compileRules = (group: GroupDefinition, entityType: EntityTypeDefinition): CompiledRule[] =>
  (group.authority ?? []).map(({ population, from, to, systems }) => {
    const isOfPopulation = population === undefined ? () => true : compileRecordCondition(population, entityType);
    return {
      holds: (record) =>
        (from === undefined || from <= record.asOf) &&
        (to === undefined || record.asOf <= to) &&
        isOfPopulation(record),
      resolved: { authority: systems, priority: systems },
    };
  });

const policyOf = (group: GroupDefinition, { authority, priority }: Authority): GroupPolicy => ({
  strategy: group.strategy,
  fallback: group.fallback ?? 'source_priority',
  priority,
  authority,
  reassertion: group.reassertion ?? 'reassert',
});

/** The policies of one record's groups, in their order. The first authority rule whose population and period hold decides;
 *  where none does, every system may speak and the group's own priority ranks them. */
export type PolicyReader = (values: readonly (Stated | null)[], asOf: string) => readonly GroupPolicy[];

/** Compiles the policies of an entity type. @throws SyncError configuration_invalid */
export const compilePolicies = (entityType: EntityTypeDefinition): PolicyReader => {
  const usual = entityType.groups.map((group) => policyOf(group, { authority: null, priority: group.priority }));
  if (entityType.groups.every((group) => (group.authority ?? []).length === 0)) return () => usual;
  const compiled = entityType.groups.map((group) =>
    compileRules(group, entityType).map(({ holds, resolved }) => ({ holds, policy: policyOf(group, resolved) })),
  );
  return (values, asOf) =>
    usual.map((policy, index) => compiled[index]?.find(({ holds }) => holds({ values, asOf }))?.policy ?? policy);
};
