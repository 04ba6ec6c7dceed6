import { EMPTY, type Stated } from './canonical.js';
import type { CanonicalRecord, CorroborationKeys, PlacedRestriction, RecordReference } from './canonical-record.js';
import { compileRowCondition } from './condition.js';
import type { EntityTypeDefinition, IdentifierScheme } from './entity-type.js';
import { SyncError } from './errors.js';
import type { MappingDefinition, RecordTemplate, ReferenceMapping, SourceMapping } from './mapping-definition.js';
import { columnIndex, compileField, type FieldReader, type RowReading } from './mapping-fields.js';
import { compileGroup, type GroupReader } from './mapping-groups.js';
import { nameKey } from './name-key.js';
import { compilePath, resolvePath } from './paths.js';
import { keyOf, type RawRow } from './rows.js';
import type { StepContext, StepProblem } from './standardizer-options.js';

export interface CompiledTemplate {
  readonly entityType: string;
  readonly subKey: string;
  /** The record; null where the row has none of this kind; a problem where it has one that cannot be identified. */
  readonly read: (reading: RowReading) => CanonicalRecord | StepProblem | null;
  readonly restrictionsOf: (row: RawRow) => PlacedRestriction[];
}

export interface TemplateSite {
  readonly mapping: MappingDefinition;
  readonly source: SourceMapping;
  readonly entityTypes: readonly EntityTypeDefinition[];
  readonly context: StepContext;
}

const entityTypeOf = (template: RecordTemplate, site: TemplateSite): EntityTypeDefinition => {
  const found = site.entityTypes.find(({ name }) => name === template.entityType);
  if (found === undefined)
    throw new SyncError('configuration_invalid', `there is no entity type ${template.entityType}`);
  return found;
};

interface CompiledReference {
  readonly group: number;
  readonly attribute: string | null;
  /** The key is blank and the mapping says that this means: no such record. */
  readonly emptied: (reading: RowReading) => boolean;
  readonly read: (reading: RowReading) => RecordReference | null;
}

const compileReference = (
  path: string,
  reference: ReferenceMapping,
  entityType: EntityTypeDefinition,
  site: TemplateSite,
): CompiledReference => {
  const resolved = resolvePath(entityType, path);
  if (typeof resolved === 'string') throw new SyncError('configuration_invalid', resolved);
  const group = entityType.groups[resolved.group];
  if (resolved.attribute?.type !== 'reference' || group === undefined || group.multiValued === true) {
    throw new SyncError('configuration_invalid', `${path} is no reference attribute of a group with one value`);
  }
  const attribute = group.attributes.length === 1 ? null : resolved.attribute.name;
  const indexes = reference.key?.map((column) => columnIndex(site.source.columns, column)) ?? null;
  const mapping = reference.mapping ?? site.mapping.name;
  const subKey = reference.subKey ?? '';
  const isWithheld = ({ blanked }: RowReading): boolean =>
    blanked !== null && indexes !== null && indexes.some((index) => blanked.has(index));
  const keyIn = (at: RowReading): string | null => {
    if (indexes === null) return at.key;
    return isWithheld(at) ? null : keyOf(indexes.map((index) => at.row[index] ?? null));
  };
  const emptiedWhenBlank = reference.blank === 'empty' && attribute === null && indexes !== null;
  return {
    group: resolved.group,
    attribute,
    emptied: (at) => emptiedWhenBlank && !isWithheld(at) && keyIn(at) === null,
    read: (at) => {
      const key = keyIn(at);
      return key === null ? null : { group: resolved.group, attribute, mapping, key, subKey };
    },
  };
};

interface CompiledIdentifier {
  readonly scheme: string;
  readonly read: FieldReader;
  readonly placeholders: ReadonlySet<string>;
}

const normalizeIdentifier = (text: string): string => text.trim().normalize('NFC');

const compileIdentifiers = (
  template: RecordTemplate,
  schemes: readonly IdentifierScheme[],
  site: TemplateSite,
): CompiledIdentifier[] =>
  Object.entries(template.identifiers ?? {}).map(([scheme, field]) => {
    const declared = schemes.find((one) => one.scheme === scheme);
    if (declared === undefined) {
      throw new SyncError(
        'configuration_invalid',
        `entity type ${template.entityType} has no identifier scheme ${scheme}`,
      );
    }
    const { read } = compileField(field, null, site.source.columns, site.context);
    const placeholders = new Set((declared.placeholders ?? []).map((text) => normalizeIdentifier(text).toLowerCase()));
    return { scheme, read, placeholders };
  });

const noIdentifiers: CanonicalRecord['identifiers'] = [];

const readIdentifiers = (compiled: readonly CompiledIdentifier[], at: RowReading): CanonicalRecord['identifiers'] => {
  if (compiled.length === 0) return noIdentifiers;
  const found: { scheme: string; value: string }[] = [];
  for (const { scheme, read, placeholders } of compiled) {
    const value = normalizeIdentifier(read(at) ?? '');
    if (value !== '' && !value.includes('\u0000') && !placeholders.has(value.toLowerCase()))
      found.push({ scheme, value });
  }
  return found;
};

const noCorroboration: CorroborationKeys = { name: null, birthDate: null };

/** How the name and birth date of a record are read from its values, for comparison with others. */
export const compileCorroboration = (
  entityType: EntityTypeDefinition,
): ((values: readonly (Stated | null)[]) => CorroborationKeys) => {
  const { corroboration } = entityType;
  if (corroboration === undefined) return () => noCorroboration;
  const nameParts = corroboration.name.map((path) => compilePath(entityType, path));
  const birthDate = corroboration.birthDate === undefined ? null : compilePath(entityType, corroboration.birthDate);
  return (values) => ({
    name: nameKey(nameParts.map((part) => part.text(values, null) ?? '')),
    birthDate: birthDate?.text(values, null) ?? null,
  });
};

const keyIncomplete: StepProblem = {
  reason: 'natural_key_missing',
  detail: 'an attribute by which the record is identified is blank or unreadable',
};

/** Whether all parts of a natural key are said, as values or as references. */
const compileNaturalKey = (
  entityType: EntityTypeDefinition,
): ((values: readonly (Stated | null)[], references: readonly RecordReference[]) => boolean) => {
  const parts = (entityType.naturalKey ?? []).map((path) => compilePath(entityType, path));
  return (values, references) =>
    parts.every((part) =>
      part.attribute?.type === 'reference'
        ? references.some(
            ({ group, attribute }) =>
              group === part.group && (attribute === null || attribute === part.attribute?.name),
          )
        : part.text(values, null) !== null,
    );
};

const compileGroups = (
  template: RecordTemplate,
  entityType: EntityTypeDefinition,
  site: TemplateSite,
): (GroupReader | null)[] => {
  const unknown = Object.keys(template.groups).find((name) => !entityType.groups.some((group) => group.name === name));
  if (unknown !== undefined) {
    throw new SyncError('configuration_invalid', `entity type ${entityType.name} has no group ${unknown}`);
  }
  return entityType.groups.map((group) => {
    const mapped = template.groups[group.name];
    if (mapped === undefined) return null;
    return compileGroup({ entityType, group, columns: site.source.columns, context: site.context }, mapped);
  });
};

const compileEffectiveAt = (template: RecordTemplate, site: TemplateSite): FieldReader => {
  const { effectiveAt } = template;
  if (effectiveAt === undefined) return () => null;
  // Sortable text is needed: a date declared as such, or else an instant.
  const type = (effectiveAt.steps ?? []).some((step) => step.use === 'date') ? 'date' : 'timestamp';
  const { read } = compileField(effectiveAt, { name: 'effective_at', type }, site.source.columns, site.context);
  return (at) => read(at) || null;
};

const compileRestrictions = (template: RecordTemplate, site: TemplateSite): CompiledTemplate['restrictionsOf'] => {
  const { entityType, subKey = '' } = template;
  const isThere = template.when === undefined ? null : compileRowCondition(template.when, site.source.columns);
  const compiled = (template.restrictions ?? []).map(({ recipientClass, when }) => ({
    placed: { entityType, subKey, recipientClass },
    holds: compileRowCondition(when, site.source.columns),
  }));
  return (row) =>
    isThere === null || isThere(row) ? compiled.filter(({ holds }) => holds(row)).map(({ placed }) => placed) : [];
};

const noReferences: readonly RecordReference[] = [];

const readReferences = (compiled: readonly CompiledReference[], at: RowReading): readonly RecordReference[] =>
  compiled.length === 0
    ? noReferences
    : compiled
        .map((reference) => reference.read(at))
        .filter((reference): reference is RecordReference => reference !== null);

/** Compiles one record of a row. @throws SyncError configuration_invalid */
export const compileTemplate = (template: RecordTemplate, site: TemplateSite): CompiledTemplate => {
  const entityType = entityTypeOf(template, site);
  const subKey = template.subKey ?? '';
  const isThere = template.when === undefined ? null : compileRowCondition(template.when, site.source.columns);
  const groups = compileGroups(template, entityType, site);
  const references = Object.entries(template.references ?? {}).map(([path, reference]) =>
    compileReference(path, reference, entityType, site),
  );
  const identifiers = compileIdentifiers(template, entityType.identifiers ?? [], site);
  const corroborationOf = compileCorroboration(entityType);
  const isIdentified = compileNaturalKey(entityType);
  const effectiveAt = compileEffectiveAt(template, site);

  const readValues = (at: RowReading, found: readonly RecordReference[]): (Stated | null)[] => {
    const values: (Stated | null)[] = [];
    for (let index = 0; index < groups.length; index += 1) {
      const read = groups[index] ?? null;
      const referenced = found !== noReferences && found.some(({ group }) => group === index);
      values.push(read === null ? null : read(at, referenced));
    }
    for (const reference of references) if (reference.emptied(at)) values[reference.group] = EMPTY;
    return values;
  };
  return {
    entityType: entityType.name,
    subKey,
    restrictionsOf: compileRestrictions(template, site),
    read: (at) => {
      if (isThere !== null && !isThere(at.row)) return null;
      const found = readReferences(references, at);
      const values = readValues(at, found);
      if (!isIdentified(values, found)) return keyIncomplete;
      return {
        entityType: entityType.name,
        subKey,
        values,
        identifiers: readIdentifiers(identifiers, at),
        references: found,
        effectiveAt: effectiveAt(at),
        corroboration: corroborationOf(values),
      };
    },
  };
};
