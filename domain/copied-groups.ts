import { anyBytes, isDecimal, isDateForm, isTimestampForm, isTruthLetter, type ByteCheck } from './byte-forms.js';
import { EMPTY, type Stated } from './canonical.js';
import type { AttributeDefinition, EntityTypeDefinition, GroupDefinition } from './entity-type.js';
import type { FieldMapping, GroupMapping, RecordTemplate, SourceMapping } from './mapping-definition.js';
import { isFieldList, isFieldMapping } from './mapping-groups.js';
import type { RowRule } from './rules.js';

/** How a cell becomes canonical text where it has its usual form: as it stands, but for zeros at the end of decimals, instants as
 *  PostgreSQL writes them, and truth values of one letter. */
export type CopiedForm = 'text' | 'date' | 'decimal' | 'timestamp' | 'boolean';

/** One attribute of a group that says what a column says. */
export interface CopiedMember {
  /** The attribute's name and colon in canonical text; '' where it is the group's only one. */
  readonly opening: string;
  readonly column: number;
  readonly form: CopiedForm;
}

/** A group whose texts are cells of the row as they stand: whoever has those as bytes need not make strings of them. */
export interface CopiedGroup {
  readonly members: readonly CopiedMember[];
  readonly object: boolean;
  /** What is said where all cells are blank. */
  readonly blank: Stated | null;
}

/** What must hold of a cell's bytes, or its row is looked at in the general way. */
export interface CopiedCheck {
  readonly column: number;
  readonly holds: ByteCheck;
  /** It holds of a blank cell. */
  readonly blank: boolean;
}

/** What of the rows of a source's only record is copied, and what is left of the source without that: where all checks hold of a row,
 *  standardizing it by `rest`, without the cells of `columns`, gives the same but for the copied groups, of which it says nothing. */
export interface CopiedGroups {
  /** In the order of the entity type's groups; null: to be standardized. */
  readonly groups: readonly (CopiedGroup | null)[];
  readonly checks: readonly CopiedCheck[];
  /** For each column whether `rest` has no need of it. */
  readonly columns: readonly boolean[];
  readonly rest: SourceMapping;
}

const formChecks: Readonly<Record<CopiedForm, ByteCheck>> = {
  text: anyBytes,
  date: isDateForm,
  decimal: isDecimal,
  timestamp: isTimestampForm,
  boolean: isTruthLetter,
};

/** Groups that are copied; null where the rows become several records.
 *  @param rules the compiled rules of a row */
export const copiedGroups = (
  source: SourceMapping,
  entityTypes: readonly EntityTypeDefinition[],
  rules: readonly RowRule[],
): CopiedGroups | null => {
  const [template, another] = source.records;
  const entityType = entityTypes.find(({ name }) => name === template?.entityType);
  if (template === undefined || another !== undefined || entityType === undefined) return null;
  const compared = comparedGroups(template, entityType);
  const byText = new Set(rules.filter(({ kept }) => kept === null).map(({ name }) => name));
  // Of a cell that a rule may take away, only its text tells whether it does.
  const blanked = new Set(
    rules.filter(({ name, severity }) => byText.has(name) && severity === 'blank_and_warn').map(({ column }) => column),
  );
  const copied = entityType.groups.map((group) => {
    const mapping = template.groups[group.name];
    if (mapping === undefined || compared.has(group.name)) return null;
    const found = copiedGroup(group, mapping, source.columns);
    return found?.members.some(({ column }) => blanked.has(column)) === true ? null : found;
  });
  const isCopied = new Set(entityType.groups.filter((_, index) => copied[index] !== null).map(({ name }) => name));
  const byBytes = rules.filter(({ name }) => !byText.has(name));
  const unread = new Set(byBytes.map(({ name }) => name));
  const rest: SourceMapping = {
    ...source,
    rules: (source.rules ?? []).filter(({ name }) => !unread.has(name)),
    records: [
      {
        ...template,
        groups: Object.fromEntries(Object.entries(template.groups).filter(([name]) => !isCopied.has(name))),
      },
    ],
  };
  const named = new Set<string>();
  collectTexts({ ...rest, columns: [] }, named);
  const members = copied.flatMap((group) => group?.members ?? []);
  return {
    groups: copied,
    checks: [
      ...members
        .filter(({ form }) => form !== 'text')
        .map(({ column, form }) => ({ column, holds: formChecks[form], blank: true })),
      ...byBytes.map(({ column, check, kept }) => ({ column, holds: kept ?? anyBytes, blank: check !== 'required' })),
    ],
    columns: source.columns.map((name) => !named.has(name)),
    rest,
  };
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

/** How the cell of a field is copied; null: it is not, or not always. */
const formOf = (
  { type, codeTable }: AttributeDefinition,
  { from, separator, steps = [] }: FieldMapping,
): CopiedForm | null => {
  if (from === undefined || separator !== undefined || type === 'reference') return null;
  if (type === 'text' || type === 'code') return steps.length === 0 && codeTable === undefined ? 'text' : null;
  // The type's own step in its default form.
  return steps.length <= 1 && steps.every((step) => step.use === type && Object.keys(step).length === 1) ? type : null;
};

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
    const form = attribute === undefined ? null : formOf(attribute, field);
    if (form === null) return null;
    if (field.blank === 'empty') blank = EMPTY;
    const column = columns.indexOf(field.from ?? '');
    members.push({ opening: isLone ? '' : `${JSON.stringify(name)}:`, column, form });
  }
  return members.some(({ column }) => column < 0) ? null : { members, object: !isLone, blank };
};

const collectTexts = (value: unknown, texts: Set<string>): void => {
  if (typeof value === 'string') texts.add(value);
  else if (Array.isArray(value)) for (const item of value) collectTexts(item, texts);
  else if (typeof value === 'object' && value !== null) collectTexts(Object.values(value), texts);
};
