import { EMPTY, type Stated } from './canonical.js';
import type { AttributeDefinition, EntityTypeDefinition, GroupDefinition } from './entity-type.js';
import type { FieldMapping, GroupMapping, RecordTemplate, SourceMapping } from './mapping-definition.js';
import { isFieldList, isFieldMapping } from './mapping-groups.js';

/** One attribute of a group that says what a column says. */
export interface CopiedMember {
  /** The attribute's name and colon in canonical text; '' where it is the group's only one. */
  readonly opening: string;
  readonly column: number;
}

/** A group whose texts are cells of the row as they stand: whoever has those as bytes need not make strings of them. */
export interface CopiedGroup {
  readonly members: readonly CopiedMember[];
  readonly object: boolean;
  /** What is said where all cells are blank. */
  readonly blank: Stated | null;
}

/** The groups of a source's only record that are copied, and the columns of which nothing else is made: where they are left out of
 *  a row, standardizing it gives the same but for the copied groups, of which it then says nothing. */
export interface CopiedGroups {
  /** In the order of the entity type's groups; null: to be standardized. */
  readonly groups: readonly (CopiedGroup | null)[];
  /** For each column whether it is needed by nothing else. */
  readonly columns: readonly boolean[];
}

/** Groups that are copied; null where the rows become several records. */
export const copiedGroups = (
  source: SourceMapping,
  entityTypes: readonly EntityTypeDefinition[],
): CopiedGroups | null => {
  const [template, another] = source.records;
  const entityType = entityTypes.find(({ name }) => name === template?.entityType);
  if (template === undefined || another !== undefined || entityType === undefined) return null;
  const compared = comparedGroups(template, entityType);
  const named = new Set<string>();
  const { groups: mapped, ...rest } = template;
  collectTexts([{ ...source, columns: [], records: [] }, rest], named);
  let groups = entityType.groups.map((group) => {
    const mapping = mapped[group.name];
    if (mapping === undefined) return null;
    const copied = compared.has(group.name) ? null : copiedGroup(group, mapping, source.columns);
    if (copied === null) collectTexts(mapping, named);
    return copied;
  });
  const nameOf = ({ column }: CopiedMember): string => source.columns[column] ?? '';
  // A group with a column that is needed elsewhere is standardized, and needs its other columns as well.
  for (let left = -1; left !== named.size;) {
    left = named.size;
    groups = groups.map((group) => {
      if (group?.members.some((member) => named.has(nameOf(member))) !== true) return group;
      for (const member of group.members) named.add(nameOf(member));
      return null;
    });
  }
  const copied = new Set(groups.flatMap((group) => group?.members.map(nameOf) ?? []));
  return { groups, columns: source.columns.map((name) => copied.has(name)) };
};

/** Groups whose values are looked at while a row is read. */
const comparedGroups = (template: RecordTemplate, entityType: EntityTypeDefinition): Set<string> => {
  const { corroboration, naturalKey = [] } = entityType;
  const paths = [
    ...(corroboration?.name ?? []),
    ...(corroboration?.birthDate === undefined ? [] : [corroboration.birthDate]),
    ...naturalKey,
    ...Object.keys(template.references ?? {}),
  ];
  return new Set(paths.map((path) => path.split(/[.[]/)[0] ?? path));
};

/** A cell without steps is the canonical text of a text and of a code that has no table. */
const isBare = (
  attribute: AttributeDefinition | undefined,
  field: FieldMapping,
): field is FieldMapping & { readonly from: string } =>
  attribute !== undefined &&
  (attribute.type === 'text' || (attribute.type === 'code' && attribute.codeTable === undefined)) &&
  field.from !== undefined &&
  field.separator === undefined &&
  (field.steps ?? []).length === 0;

const copiedGroup = (group: GroupDefinition, mapped: GroupMapping, columns: readonly string[]): CopiedGroup | null => {
  if (group.multiValued === true || isFieldList(mapped)) return null;
  const [lone, another] = group.attributes;
  const isLone = another === undefined;
  if (isLone !== isFieldMapping(mapped)) return null;
  const fields: [string, FieldMapping][] = isFieldMapping(mapped)
    ? [[lone?.name ?? '', mapped]]
    : Object.entries(mapped).sort(([left], [right]) => (left < right ? -1 : 1));
  const members: CopiedMember[] = [];
  let blank: Stated | null = null;
  for (const [name, field] of fields) {
    const attribute = group.attributes.find((one) => one.name === name);
    if (!isBare(attribute, field)) return null;
    if (field.blank === 'empty') blank = EMPTY;
    members.push({ opening: isLone ? '' : `${JSON.stringify(name)}:`, column: columns.indexOf(field.from) });
  }
  return members.some(({ column }) => column < 0) ? null : { members, object: !isLone, blank };
};

const collectTexts = (value: unknown, texts: Set<string>): void => {
  if (typeof value === 'string') texts.add(value);
  else if (Array.isArray(value)) for (const item of value) collectTexts(item, texts);
  else if (typeof value === 'object' && value !== null) collectTexts(Object.values(value), texts);
};
