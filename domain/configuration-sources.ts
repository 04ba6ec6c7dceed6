import { fieldsOf } from './condition.js';
import {
  checkColumn,
  checkCompiles,
  checkDistinct,
  checkName,
  checkPath,
  type ConfigurationScope,
} from './configuration-scope.js';
import type { AttributeDefinition, Condition, EntityTypeDefinition, GroupDefinition } from './entity-type.js';
import { compileSource, contextOf } from './mapping.js';
import { isFieldList, isFieldMapping } from './mapping-groups.js';
import type {
  FieldMapping,
  GroupMapping,
  MappingDefinition,
  RecordTemplate,
  ReferenceMapping,
  SourceMapping,
  StandardizerStep,
} from './mapping-definition.js';
import { ruleProblems } from './rules.js';
import type { Place } from './shape.js';
import type { StepContext } from './standardizer-options.js';
import { stepProblems } from './standardizers.js';

interface SourceSite {
  readonly mapping: MappingDefinition;
  readonly source: SourceMapping;
  readonly scope: ConfigurationScope;
  readonly context: StepContext;
}

/** Notes what is wrong with the steps of a field or column. */
export const checkSteps = (steps: readonly StandardizerStep[] | undefined, context: StepContext, at: Place): void =>
  (steps ?? []).forEach((step, index) => {
    for (const problem of stepProblems(step, context)) {
      at.child(index).note(problem, 'mend this step; docs/guide/settings-and-steps.md lists them with their options');
    }
  });

const checkCondition = (condition: Condition | undefined, columns: readonly string[], at: Place): void => {
  if (condition !== undefined) for (const field of fieldsOf(condition)) checkColumn(columns, field, at);
};

const checkField = (
  field: FieldMapping,
  attribute: AttributeDefinition | null,
  site: SourceSite,
  at: Place,
  isWholeList = false,
): void => {
  const { columns } = site.source;
  if (field.separator !== undefined && !isWholeList) {
    at.child('separator').note(
      'a separator divides the cell that a multi-valued group of one attribute is mapped to, and does nothing here',
      'leave it out',
    );
  }
  if (field.from !== undefined) checkColumn(columns, field.from, at.child('from'));
  (field.fromAll ?? []).forEach((column, index) => checkColumn(columns, column, at.child('fromAll').child(index)));
  checkSteps(field.steps, { ...site.context, codeTable: attribute?.codeTable ?? null }, at.child('steps'));
};

const checkElement = (
  mapped: Exclude<GroupMapping, readonly unknown[]>,
  group: GroupDefinition,
  site: SourceSite,
  at: Place,
  isWhole = false,
): void => {
  if (isFieldMapping(mapped)) {
    const isWholeList = isWhole && group.multiValued === true && group.attributes.length === 1;
    checkField(mapped, group.attributes[0] ?? null, site, at, isWholeList);
    return;
  }
  for (const [name, field] of Object.entries(mapped)) {
    const attribute = group.attributes.find((one) => one.name === name);
    if (attribute === undefined)
      at.child(name).note(`group ${group.name} has no attribute ${name}`, 'name one of its attributes');
    checkField(field, attribute ?? null, site, at.child(name));
  }
};

const checkGroups = (template: RecordTemplate, entityType: EntityTypeDefinition, site: SourceSite, at: Place): void => {
  for (const [name, mapped] of Object.entries(template.groups)) {
    const group = entityType.groups.find((one) => one.name === name);
    const place = at.child(name);
    if (group === undefined)
      place.note(`entity type ${entityType.name} has no group ${name}`, 'name one of its groups');
    else if (isFieldList(mapped)) mapped.forEach((one, index) => checkElement(one, group, site, place.child(index)));
    else checkElement(mapped, group, site, place, true);
  }
};

/** The mapping that a reference names must read records of the type that the attribute refers to, under that sub-key. */
const checkReferred = (
  reference: ReferenceMapping,
  attribute: AttributeDefinition,
  site: SourceSite,
  at: Place,
): void => {
  const name = reference.mapping ?? site.mapping.name;
  if (!checkName(site.scope, 'mappings', name, at.child('mapping'))) return;
  const referred = site.scope.mappings.get(name);
  if (referred === undefined) return;
  const subKey = reference.subKey ?? '';
  const records = referred.source?.records ?? [];
  if (!records.some((record) => record.entityType === attribute.references && (record.subKey ?? '') === subKey)) {
    const under = subKey === '' ? '' : ` under the sub-key ${subKey}`;
    at.note(
      `${name} reads no ${attribute.references ?? 'record'}${under}`,
      'name the mapping and sub-key that read it',
    );
  }
};

const checkReferences = (
  template: RecordTemplate,
  entityType: EntityTypeDefinition,
  site: SourceSite,
  at: Place,
): void => {
  for (const [path, reference] of Object.entries(template.references ?? {})) {
    const place = at.child(path);
    const resolved = checkPath(entityType, path, place);
    if (resolved === null) continue;
    if (resolved.attribute?.type === 'reference') checkReferred(reference, resolved.attribute, site, place);
    else place.note(`${path} is no reference`, 'map it under groups');
    (reference.key ?? []).forEach((column, index) =>
      checkColumn(site.source.columns, column, place.child('key').child(index)),
    );
  }
};

const checkTemplate = (template: RecordTemplate, site: SourceSite, at: Place): void => {
  const { columns } = site.source;
  checkCondition(template.when, columns, at.child('when'));
  (template.restrictions ?? []).forEach(({ recipientClass, when }, index) => {
    const place = at.child('restrictions').child(index);
    checkCondition(when, columns, place.child('when'));
    if (!site.scope.recipientClasses.has(recipientClass)) {
      place
        .child('recipientClass')
        .note(`there is no recipient class ${recipientClass}`, 'name one of the institution’s recipientClasses');
    }
  });
  if (template.effectiveAt !== undefined) checkField(template.effectiveAt, null, site, at.child('effectiveAt'));
  if (!checkName(site.scope, 'entityTypes', template.entityType, at.child('entityType'))) return;
  const entityType = site.scope.entityTypes.get(template.entityType);
  if (entityType === undefined) return;
  checkGroups(template, entityType, site, at.child('groups'));
  checkReferences(template, entityType, site, at.child('references'));
  for (const [scheme, field] of Object.entries(template.identifiers ?? {})) {
    const place = at.child('identifiers').child(scheme);
    checkField(field, null, site, place);
    if (!(entityType.identifiers ?? []).some((one) => one.scheme === scheme)) {
      place.note(`entity type ${entityType.name} has no identifier scheme ${scheme}`, 'add it to the entity type');
    }
  }
};

const checkRules = (site: SourceSite, at: Place): void => {
  const rules = site.source.rules ?? [];
  checkDistinct(
    rules.map(({ name }) => name),
    'rule',
    at,
  );
  rules.forEach((rule, index) => {
    for (const problem of ruleProblems(rule, site.source.columns, site.context))
      at.child(index).note(problem, 'mend the rule');
    if (rule.check === 'reference_exists')
      checkName(site.scope, 'mappings', rule.mapping, at.child(index).child('mapping'));
  });
};

const checkColumns = ({ columns, key, watermark, scope }: SourceMapping, at: Place): void => {
  checkDistinct(columns, 'column', at.child('columns'));
  key.forEach((column, index) => checkColumn(columns, column, at.child('key').child(index)));
  if (watermark !== undefined) checkColumn(columns, watermark.column, at.child('watermark').child('column'));
  for (const [name, column] of Object.entries(scope ?? {})) checkColumn(columns, column, at.child('scope').child(name));
};

/** Checks the source part of a mapping against what is configured with it. */
export const checkSource = (
  mapping: MappingDefinition,
  source: SourceMapping,
  scope: ConfigurationScope,
  at: Place,
): void => {
  const before = at.count;
  const site: SourceSite = { mapping, source, scope, context: contextOf(mapping, scope.codeTables) };
  checkColumns(source, at);
  checkCondition(source.filter, source.columns, at.child('filter'));
  source.records.forEach((template, index) => checkTemplate(template, site, at.child('records').child(index)));
  checkDistinct(
    source.records.map(({ entityType, subKey }) => `${entityType} ${subKey ?? ''}`.trim()),
    'record',
    at.child('records'),
  );
  checkRules(site, at.child('rules'));
  const usable = source.records.every(({ entityType }) => scope.entityTypes.has(entityType));
  if (usable)
    checkCompiles(at, before, () => compileSource(mapping, [...scope.entityTypes.values()], scope.codeTables));
};
