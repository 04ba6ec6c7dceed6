import { EMPTY, type Stated } from './canonical.js';
import { encodeScalar } from './canonical-text.js';
import type { AttributeDefinition, EntityTypeDefinition, GroupDefinition } from './entity-type.js';
import { SyncError } from './errors.js';
import type { FieldMapping, GroupMapping } from './mapping-definition.js';
import {
  compileField,
  compileSeparatedField,
  noteProblem,
  type CompiledField,
  type RowReading,
} from './mapping-fields.js';
import { mergeUnion } from './multi-valued.js';
import type { StepContext, StepProblem } from './standardizer-options.js';

/** What a row says about a group: canonical text, '' where all is blank, null where nothing may be said. */
type ElementReader = (reading: RowReading, referenced: boolean) => Stated | null;

/** What a row says about a group, references left out. `referenced`: a reference attribute of the group has a key. */
export type GroupReader = (reading: RowReading, referenced: boolean) => Stated | null;

export interface GroupSite {
  readonly entityType: EntityTypeDefinition;
  readonly group: GroupDefinition;
  readonly columns: readonly string[];
  readonly context: StepContext;
}

const unstorable: StepProblem = {
  reason: 'character_invalid',
  detail: 'the value holds a character that cannot be stored',
};

const isText = (value: unknown): value is string => typeof value === 'string';

/** Whether what is mapped is one field (and not attribute → field). */
export const isFieldMapping = (mapped: GroupMapping): mapped is FieldMapping =>
  !isFieldList(mapped) && (isText(mapped.from) || isText(mapped.constant) || Array.isArray(mapped.fromAll));

/** Whether what is mapped is a list of elements. */
export const isFieldList = (mapped: GroupMapping): mapped is Extract<GroupMapping, readonly unknown[]> =>
  Array.isArray(mapped);

const invalid = (site: GroupSite, what: string): SyncError =>
  new SyncError('configuration_invalid', `group ${site.group.name} of ${site.entityType.name}: ${what}`);

const fieldLabel = (field: FieldMapping): string | null => field.from ?? field.fromAll?.join(' + ') ?? null;

const encode = (attribute: AttributeDefinition, text: string, at: RowReading, label: string | null): Stated | null => {
  const encoded = encodeScalar(attribute.type, text);
  if (encoded === null) noteProblem(at, label, unstorable);
  return encoded;
};

const compileLone = (site: GroupSite, attribute: AttributeDefinition, field: FieldMapping): ElementReader => {
  const { read } = compileField(field, attribute, site.columns, site.context);
  const label = fieldLabel(field);
  return (at) => {
    const text = read(at);
    return text === null || text === '' ? text : encode(attribute, text, at, label);
  };
};

interface Member {
  readonly attribute: AttributeDefinition;
  readonly field: CompiledField;
  readonly label: string | null;
  readonly opening: string;
}

const compileMembers = (site: GroupSite, fields: Readonly<Record<string, FieldMapping>>): Member[] =>
  Object.keys(fields)
    .sort()
    .map((name) => {
      const attribute = site.group.attributes.find((one) => one.name === name);
      const mapped = fields[name];
      if (attribute === undefined || mapped === undefined) throw invalid(site, `there is no attribute ${name}`);
      if (attribute.type === 'reference') throw invalid(site, `${name} is a reference: map it under references`);
      const field = compileField(mapped, attribute, site.columns, site.context);
      return { attribute, field, label: fieldLabel(mapped), opening: `${JSON.stringify(name)}:` };
    });

/** The attributes of a group that have a value, as an object. One that cannot be read silences the whole group: half an
 *  address would be another address. Constants alone are no value. */
const compileObject = (site: GroupSite, fields: Readonly<Record<string, FieldMapping>>): ElementReader => {
  const members = compileMembers(site, fields);
  const allConstant = members.every(({ field }) => field.constant);
  return (at, referenced) => {
    let said = referenced || allConstant;
    let object = '';
    for (const { attribute, field, label, opening } of members) {
      const text = field.read(at);
      if (text === null) return null;
      if (text === '') continue;
      const encoded = encode(attribute, text, at, label);
      if (encoded === null) return null;
      if (!field.constant) said = true;
      object += (object === '' ? opening : `,${opening}`) + encoded;
    }
    return said && object !== '' ? `{${object}}` : '';
  };
};

const compileElement = (site: GroupSite, mapped: Exclude<GroupMapping, readonly unknown[]>): ElementReader => {
  const [lone, another] = site.group.attributes;
  if (lone === undefined) throw invalid(site, 'it has no attributes');
  if (another === undefined) {
    if (!isFieldMapping(mapped)) throw invalid(site, 'it has one attribute: map it to one field');
    if (lone.type === 'reference') throw invalid(site, 'it is a reference: map it under references');
    return compileLone(site, lone, mapped);
  }
  if (isFieldMapping(mapped)) throw invalid(site, 'it has several attributes: map each of them');
  return compileObject(site, mapped);
};

const compileSeparated = (site: GroupSite, field: FieldMapping): ElementReader => {
  const [lone, another] = site.group.attributes;
  if (lone === undefined || another !== undefined || site.group.multiValued !== true) {
    throw invalid(site, 'a separator is for multi-valued groups of one attribute');
  }
  const read = compileSeparatedField(field, lone, site.columns, site.context);
  return (at) => {
    const texts = read(at);
    if (texts === null) return null;
    const encoded = texts.map((text) => encode(lone, text, at, fieldLabel(field)));
    if (encoded.some((one) => one === null)) return null;
    return encoded.length === 0 ? '' : mergeUnion([`[${encoded.join(',')}]`]);
  };
};

const compileList = (site: GroupSite, mapped: GroupMapping): ElementReader => {
  if (!isFieldList(mapped) && isFieldMapping(mapped) && mapped.separator !== undefined)
    return compileSeparated(site, mapped);
  const elements = (isFieldList(mapped) ? mapped : [mapped]).map((element) => compileElement(site, element));
  return (at, referenced) => {
    const said: string[] = [];
    for (const element of elements) {
      const value = element(at, referenced);
      if (value === null) return null;
      if (value !== '') said.push(value);
    }
    if (said.length === 0) return '';
    // The union of one list with nothing is that list in identity order, each element once.
    return said.length === 1 ? `[${said.join('')}]` : mergeUnion([`[${said.join(',')}]`]);
  };
};

const blankSays = (mapped: GroupMapping): Stated | null => {
  const fields = isFieldList(mapped) ? mapped : [mapped];
  const all = fields.flatMap((one): readonly FieldMapping[] => (isFieldMapping(one) ? [one] : Object.values(one)));
  return all.some((field) => field.blank === 'empty') ? EMPTY : null;
};

/** Compiles how a group is read from a row. @throws SyncError configuration_invalid */
export const compileGroup = (site: GroupSite, mapped: GroupMapping): GroupReader => {
  const multiValued = site.group.multiValued === true;
  if (!multiValued && isFieldList(mapped)) throw invalid(site, 'it has one value: map it to one element');
  const read = isFieldList(mapped) || multiValued ? compileList(site, mapped) : compileElement(site, mapped);
  const blank = blankSays(mapped);
  return (at, referenced) => {
    const value = read(at, referenced);
    // A group that only has its reference so far gets its value when that is resolved.
    return value === '' ? (referenced ? null : blank) : value;
  };
};
