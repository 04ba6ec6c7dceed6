import { sightOf, type Role } from '../../domain/access.js';
import type { EntityTypeDefinition } from '../../domain/entity-type.js';
import type { MappingTrial, TrialReading } from '../../domain/mapping-trial.js';

const masked = '•••';

/** A trial as a role sees values: by the sensitivity of their groups. */
export const maskTrial = (
  trial: MappingTrial,
  role: Role,
  entityTypes: readonly EntityTypeDefinition[],
): MappingTrial => {
  const reading = (read: TrialReading): TrialReading => ({
    ...read,
    records: read.records.map((record) => {
      const groups = entityTypes.find(({ name }) => name === record.entityType)?.groups ?? [];
      const values = Object.entries(record.values).flatMap(([name, value]): [string, unknown][] => {
        const sight = sightOf(role, groups.find((group) => group.name === name)?.sensitivity);
        if (sight === 'hidden') return [];
        return [[name, sight === 'plain' ? value : masked]];
      });
      return { ...record, values: Object.fromEntries(values) };
    }),
  });
  return {
    ...trial,
    rows: trial.rows.map((row) => ({
      ...row,
      sourceKey: sightOf(role, 'personal') === 'plain' ? row.sourceKey : masked,
      before: row.before === null ? null : reading(row.before),
      after: reading(row.after),
    })),
  };
};
