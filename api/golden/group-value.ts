import { isDate } from '../../domain/calendar.js';
import { EMPTY, toStated, type Json, type Stated } from '../../domain/canonical.js';
import type { AttributeDefinition, GroupDefinition } from '../../domain/entity-type.js';
import type { ProblemPart } from '../common/problem.js';

/** A value that a person gives for an attribute group, as canonical text; or what is wrong with it. `null` says that there is
 *  explicitly none. */
export const readGroupValue = (
  group: GroupDefinition,
  value: unknown,
  pointer: string,
): { readonly value: Stated } | { readonly problems: readonly ProblemPart[] } => {
  if (value === null) return { value: EMPTY };
  const problems =
    group.multiValued === true ? listProblems(group, value, pointer) : elementProblems(group, value, pointer);
  if (problems.length > 0 || !isJson(value)) return { problems };
  return { value: toStated(value) };
};

const problem = (pointer: string, detail: string): ProblemPart => ({ pointer, code: 'invalid', detail });

const listProblems = (group: GroupDefinition, value: unknown, pointer: string): readonly ProblemPart[] => {
  if (!Array.isArray(value)) return [problem(pointer, `${group.name} has several values: give a list`)];
  if (value.length === 0) return [problem(pointer, 'give null where there is none')];
  if (value.length > 200) return [problem(pointer, 'at most 200 values')];
  return value.flatMap((element, index) => elementProblems(group, element, `${pointer}/${index}`));
};

const elementProblems = (group: GroupDefinition, value: unknown, pointer: string): readonly ProblemPart[] => {
  const [lone, another] = group.attributes;
  if (lone !== undefined && another === undefined) return scalarProblems(lone, value, pointer);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return [
      problem(
        pointer,
        `${group.name} moves as one: give an object of ${group.attributes.map(({ name }) => name).join(', ')}`,
      ),
    ];
  }
  const entries = Object.entries(value);
  if (entries.length === 0) return [problem(pointer, 'give null where there is none')];
  return entries.flatMap(([name, member]) => {
    const attribute = group.attributes.find((one) => one.name === name);
    if (attribute !== undefined) return scalarProblems(attribute, member, `${pointer}/${name}`);
    return [{ pointer: `${pointer}/${name}`, code: 'unknown', detail: `${group.name} has no attribute of this name` }];
  });
};

const expectations: Readonly<
  Record<AttributeDefinition['type'], readonly [fits: (value: unknown) => boolean, expected: string]>
> = {
  text: [isText, 'a text'],
  code: [isText, 'a code, as text'],
  date: [(value) => typeof value === 'string' && isDate(value), 'a date, YYYY-MM-DD'],
  timestamp: [
    (value) =>
      typeof value === 'string' &&
      /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z$/.test(value) &&
      !Number.isNaN(Date.parse(value)),
    'a moment in UTC, YYYY-MM-DDThh:mm:ssZ',
  ],
  decimal: [
    (value) => typeof value === 'string' && /^-?(0|[1-9]\d{0,30})(\.\d{0,29}[1-9])?$/.test(value),
    'a decimal number as text, such as "12.5"',
  ],
  boolean: [(value) => typeof value === 'boolean', 'true or false'],
  reference: [
    (value) => typeof value === 'string' && /^[1-9]\d{0,17}$/.test(value),
    'the id of a golden record, as text',
  ],
};

const scalarProblems = (attribute: AttributeDefinition, value: unknown, pointer: string): readonly ProblemPart[] => {
  const [fits, expected] = expectations[attribute.type];
  return fits(value) ? [] : [problem(pointer, `${attribute.name} must be ${expected}`)];
};

/* PostgreSQL's jsonb refuses the character NUL and halves of surrogate pairs. */
const unstorable = /\p{Surrogate}/u;

function isText(value: unknown): boolean {
  return (
    typeof value === 'string' &&
    value.trim() !== '' &&
    value.length <= 10_000 &&
    !value.includes('\u0000') &&
    !unstorable.test(value)
  );
}

function isJson(value: unknown): value is Json {
  if (value === null || ['string', 'number', 'boolean'].includes(typeof value)) return true;
  return typeof value === 'object' && Object.values(value).every(isJson);
}
