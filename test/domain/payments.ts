import type { AttributeDefinition, EntityTypeDefinition } from '../../domain/entity-type.js';
import type { CodeTableDefinition } from '../../domain/job-definition.js';

/** A posted type of payments: a group for each attribute. */
export const paymentOf = (attributes: readonly AttributeDefinition[]): EntityTypeDefinition => ({
  name: 'payment',
  kind: 'posted',
  subject: 'none',
  groups: attributes.map((attribute) => ({
    name: attribute.name,
    attributes: [attribute],
    strategy: 'source_priority',
    priority: [],
  })),
});

/** What payments are for, in the codes of two systems. */
export const purposes: CodeTableDefinition = {
  name: 'purposes',
  entries: [
    { concept: 'tuition', codes: { bursar: ['T', 'T1'], archive: ['100'] } },
    { concept: 'housing', codes: { bursar: ['H'], archive: ['200'] } },
    { concept: 'library', codes: { bursar: ['L'] } },
  ],
};
