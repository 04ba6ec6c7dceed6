import type { ListedKind } from './configuration-kinds.js';
import * as shapes from './configuration-shape.js';
import type { JsonSchema } from './shape.js';

const definitions: Readonly<Record<'institution' | ListedKind, JsonSchema>> = {
  institution: shapes.institution.schema,
  system: shapes.system.schema,
  entity_type: shapes.entityType.schema,
  code_table: shapes.codeTable.schema,
  mapping: shapes.mapping.schema,
  job: shapes.job.schema,
};

const named = (kind: keyof typeof definitions): JsonSchema => ({ $ref: `#/$defs/${kind}` });

/** The members by which a document of its own is told to be of a kind, in this order; one that has none of them is an
 *  institution. (A file that is applied alone is told the same way: config/files.ts.) */
export const tellingMembers: readonly (readonly [member: string, kind: ListedKind])[] = [
  ['settings', 'system'],
  ['groups', 'entity_type'],
  ['entries', 'code_table'],
  ['entity', 'mapping'],
  ['sources', 'job'],
  ['targets', 'job'],
];

/* By its telling member, so that an editor says what is wrong with a mapping, and not that a file is none of six things. */
const document: JsonSchema = tellingMembers.reduceRight<JsonSchema>(
  (otherwise, [member, kind]) => ({
    if: { type: 'object', required: [member] },
    then: named(kind),
    else: otherwise,
  }),
  named('institution'),
);

/** The JSON Schema of every YAML file of a configuration: one document, or a list of them. It says what the readers of
 *  `configuration-shape.ts` say; what names refer to, only the judge knows. `#/$defs/mapping` and the like are of one kind. */
export const configurationSchema: JsonSchema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'A file of Concord configuration',
  if: { type: 'array' },
  then: { type: 'array', items: { $ref: '#/$defs/document' } },
  else: { $ref: '#/$defs/document' },
  $defs: { document, ...definitions, condition: shapes.conditionSchema },
};
