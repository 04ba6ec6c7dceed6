import { addDays, isDate } from './calendar.js';
import { EMPTY, fromStated, type Json, type Stated } from './canonical.js';
import type { AttributeDefinition, EntityTypeDefinition, GroupDefinition } from './entity-type.js';
import { SyncError } from './errors.js';

type JsonObject = { readonly [name: string]: Json };

export const isJsonObject = (value: Json): value is JsonObject =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

/** Where a path leads, within one entity type: `group`, `group.attribute`, `group[attribute=value].attribute`. */
export interface ResolvedPath {
  readonly group: number;
  /** Null: the group of several attributes as a whole. */
  readonly attribute: AttributeDefinition | null;
  readonly selector: { readonly attribute: string; readonly value: string } | null;
  /** What follows a reference attribute; null: the path ends here. */
  readonly rest: string | null;
}

const pathStart = /^([^.[\]]+)(?:\[([^\]=]+)=([^\]]*)\])?(?:\.(.+))?$/;

const selectorProblem = (group: GroupDefinition, attribute: string | undefined): string | null => {
  if (attribute === undefined) return null;
  if (group.multiValued !== true) return `group ${group.name} has one value: nothing can be selected from it`;
  return group.attributes.some(({ name }) => name === attribute)
    ? null
    : `group ${group.name} has no attribute ${attribute} to select by`;
};

/** The attribute that a path names within its group, and what follows it. */
const attributeOf = (
  group: GroupDefinition,
  following: string | undefined,
): { attribute: AttributeDefinition | null; rest: string | undefined } | string => {
  const [lone, another] = group.attributes;
  if (another === undefined) return { attribute: lone ?? null, rest: following };
  if (following === undefined) return { attribute: null, rest: undefined };
  const dot = following.indexOf('.');
  const name = dot < 0 ? following : following.slice(0, dot);
  const attribute = group.attributes.find((one) => one.name === name);
  if (attribute === undefined) return `group ${group.name} has no attribute ${name}`;
  return { attribute, rest: dot < 0 ? undefined : following.slice(dot + 1) };
};

/** Resolves the part of a path that lies in one entity type; what is wrong with it in words instead. */
export const resolvePath = (entityType: EntityTypeDefinition, path: string): ResolvedPath | string => {
  const parts = pathStart.exec(path);
  if (parts === null) return `${path} is no path`;
  const [, name = '', selectBy, selected = '', following] = parts;
  const index = entityType.groups.findIndex((group) => group.name === name);
  const group = entityType.groups[index];
  if (group === undefined) return `entity type ${entityType.name} has no group ${name}`;
  const problem = selectorProblem(group, selectBy);
  if (problem !== null) return problem;
  const found = attributeOf(group, following);
  if (typeof found === 'string') return found;
  const { attribute, rest } = found;
  if (rest !== undefined && attribute?.type !== 'reference')
    return `${path} goes on after an attribute that is no reference`;
  const selector = selectBy === undefined ? null : { attribute: selectBy, value: selected };
  return { group: index, attribute, selector, rest: rest ?? null };
};

/** A scalar as text; null for a blank one. An object or a list (a whole group) is its canonical text. */
const textOf = (value: Json | undefined): string | null => {
  if (value === null || value === undefined || value === '') return null;
  if (typeof value === 'string') return value;
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
};

const dateIn = (element: Json, name: string): string | null => {
  const date = isJsonObject(element) ? element[name] : null;
  return typeof date === 'string' && isDate(date) ? date : null;
};

/** Whether an element of a group holds on a date, by its own dates. */
export const elementHolds = (
  element: Json,
  validity: NonNullable<GroupDefinition['validity']>,
  asOf: string,
): boolean => {
  const [from, to] = [dateIn(element, validity.from), dateIn(element, validity.to)];
  return (from === null || from <= asOf) && (to === null || asOf <= to);
};

const holdsOn = (element: Json, validity: GroupDefinition['validity'], asOf: string | null): boolean =>
  validity === undefined || asOf === null || elementHolds(element, validity, asOf);

/** A path compiled for reading records of one entity type. */
export interface RecordPath {
  readonly group: number;
  readonly attribute: AttributeDefinition | null;
  /** The texts of all elements that fit and hold on the date (null: whenever); none where the value is blank. */
  readonly texts: (values: readonly (Stated | null)[], asOf: string | null) => readonly string[];
  /** The first of them. */
  readonly text: (values: readonly (Stated | null)[], asOf: string | null) => string | null;
  /** The values of the group hold from and to a date. */
  readonly timed: boolean;
  /** The next date after `asOf` on which an element begins or no longer holds. */
  readonly nextChange: (values: readonly (Stated | null)[], asOf: string) => string | null;
}

const none: readonly string[] = [];

/** A lone scalar without parsing: most texts hold nothing that JSON escapes. */
const plainText = (stated: Stated): string | null => {
  if (stated.charCodeAt(0) === 0x22 && !stated.includes('\\')) return stated.length === 2 ? null : stated.slice(1, -1);
  return textOf(fromStated(stated));
};

const isList = (value: Json): value is readonly Json[] => Array.isArray(value);

/** What was parsed last: the columns of a row read one group several times in a row. */
const last: { stated: Stated | null; value: Json } = { stated: null, value: null };
const valueOf = (stated: Stated): Json => {
  if (last.stated !== stated) Object.assign(last, { stated, value: fromStated(stated) });
  return last.value;
};

const elementsOf = (group: GroupDefinition, stated: Stated | null | undefined): readonly Json[] => {
  if (stated === null || stated === undefined || stated === EMPTY) return [];
  const value = valueOf(stated);
  return group.multiValued === true && isList(value) ? value : [value];
};

const changeDates = (element: Json, validity: { from: string; to: string }): string[] => {
  const [from, to] = [dateIn(element, validity.from), dateIn(element, validity.to)];
  return [...(from === null ? [] : [from]), ...(to === null ? [] : [addDays(to, 1)])];
};

const nextChangeOf =
  (group: GroupDefinition, index: number): RecordPath['nextChange'] =>
  (values, asOf) => {
    const { validity } = group;
    if (validity === undefined) return null;
    const dates = elementsOf(group, values[index]).flatMap((element) => changeDates(element, validity));
    return dates.filter((date) => date > asOf).sort()[0] ?? null;
  };

/** Compiles a path that ends within the entity type. @throws SyncError configuration_invalid */
export const compilePath = (entityType: EntityTypeDefinition, path: string): RecordPath => {
  const resolved = resolvePath(entityType, path);
  if (typeof resolved === 'string') throw new SyncError('configuration_invalid', resolved);
  if (resolved.rest !== null) throw new SyncError('configuration_invalid', `${path} leads to another record`);
  const { group: index, attribute, selector } = resolved;
  const group = entityType.groups[index];
  if (group === undefined) throw new SyncError('internal', `group ${String(index)} of ${entityType.name} is missing`);
  const nextChange = nextChangeOf(group, index);
  const timed = group.validity !== undefined;
  const lone = group.attributes.length === 1;
  if (lone && group.multiValued !== true) {
    const text: RecordPath['text'] = (values) => {
      const stated = values[index];
      return stated === null || stated === undefined || stated === EMPTY ? null : plainText(stated);
    };
    const texts: RecordPath['texts'] = (values, asOf) => {
      const found = text(values, asOf);
      return found === null ? none : [found];
    };
    return { group: index, attribute, text, texts, timed, nextChange };
  }
  if (attribute !== null && group.multiValued !== true && selector === null && group.validity === undefined) {
    const { name } = attribute;
    const text: RecordPath['text'] = (values) => {
      const stated = values[index];
      if (stated === null || stated === undefined || stated === EMPTY) return null;
      const value = valueOf(stated);
      return isJsonObject(value) ? textOf(value[name]) : null;
    };
    const texts: RecordPath['texts'] = (values, asOf) => {
      const found = text(values, asOf);
      return found === null ? none : [found];
    };
    return { group: index, attribute, text, texts, timed, nextChange };
  }
  const memberOf = (element: Json): string | null => {
    if (attribute === null || lone) return textOf(element);
    return isJsonObject(element) ? textOf(element[attribute.name]) : null;
  };
  const fits = (element: Json): boolean =>
    selector === null || (isJsonObject(element) && textOf(element[selector.attribute]) === selector.value);
  const texts: RecordPath['texts'] = (values, asOf) =>
    elementsOf(group, values[index])
      .filter((element) => fits(element) && holdsOn(element, group.validity, asOf))
      .map(memberOf)
      .filter((text): text is string => text !== null);
  return { group: index, attribute, texts, timed, text: (values, asOf) => texts(values, asOf)[0] ?? null, nextChange };
};
