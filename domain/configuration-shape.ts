import { isDate } from './calendar.js';
import {
  attributeTypes,
  type AttributeDefinition,
  type AuthorityRule,
  type Condition,
  type EntityTypeDefinition,
  type GroupDefinition,
} from './entity-type.js';
import type {
  CodeTableDefinition,
  Configuration,
  JobDefinition,
  LimitDefinition,
  SystemDefinition,
  VisibilityDefinition,
} from './job-definition.js';
import type {
  Compensation,
  FieldMapping,
  GroupMapping,
  MappingDefinition,
  RecordTemplate,
  ReferenceMapping,
  SourceMapping,
  StandardizerStep,
  TargetColumn,
  TargetKey,
  TargetMapping,
} from './mapping-definition.js';
import type { RuleCheck, RuleDefinition } from './rule-definition.js';
import {
  amount,
  anyText,
  anything,
  count,
  dictionary,
  flag,
  has,
  list,
  memberOf,
  object,
  optional,
  reader,
  required,
  text,
  word,
  yes,
  type Fields,
  type JsonSchema,
  type Reader,
} from './shape.js';
import { strategies } from './strategy.js';

const date: Reader<string> = reader({ type: 'string', format: 'date' }, (value, at) => {
  const read = text(value, at);
  if (read === null || isDate(read)) return read;
  return at.note('this is no date', 'write a date as YYYY-MM-DD, in quotes');
});

const timeZone: Reader<string> = reader(text.schema, (value, at) => {
  const read = text(value, at);
  if (read === null) return null;
  try {
    new Intl.DateTimeFormat('en', { timeZone: read });
    return read;
  } catch {
    return at.note(`there is no time zone ${read}`, 'write a name of the IANA data base, such as Europe/Zurich');
  }
});

/** Conditions hold conditions: the schema names itself. */
const anotherCondition: Reader<Condition> = reader({ $ref: '#/$defs/condition' }, (value, at) => condition(value, at));

const conditionMembers: Readonly<Record<string, Reader<Condition>>> = {
  all: object<{ all: readonly Condition[] }>({ all: required(list(anotherCondition, 1)) }),
  any: object<{ any: readonly Condition[] }>({ any: required(list(anotherCondition, 1)) }),
  not: object<{ not: Condition }>({ not: required(anotherCondition) }),
  is: object<{ field: string; is: 'present' | 'blank' }>({
    field: required(text),
    is: required(word('present', 'blank')),
  }),
  equals: object<{ field: string; equals: string }>({ field: required(text), equals: required(text) }),
  in: object<{ field: string; in: readonly string[] }>({ field: required(text), in: required(list(text, 1)) }),
};

/** A condition: told by the member that makes it one. Conditions within others are of the same shape. */
export const conditionSchema: JsonSchema = { anyOf: Object.values(conditionMembers).map(({ schema }) => schema) };

export const condition: Reader<Condition> = reader({ $ref: '#/$defs/condition' }, (value, at) => {
  const found = Object.keys(conditionMembers).filter((name) => has(value, name));
  const read = found.length === 1 ? conditionMembers[found[0] ?? ''] : undefined;
  if (read !== undefined) return read(value, at);
  return at.note('this is no condition', 'write a field with one of is, equals and in; or one of all, any and not');
});

const attribute: Reader<AttributeDefinition> = object<AttributeDefinition>({
  name: required(text),
  type: required(word(...attributeTypes)),
  references: optional(text),
  codeTable: optional(text),
});

const authorityRule: Reader<AuthorityRule> = object<AuthorityRule>({
  population: optional(condition),
  from: optional(date),
  to: optional(date),
  systems: required(list(text, 1)),
});

const period: Reader<{ from: string; to: string }> = object<{ from: string; to: string }>({
  from: required(text),
  to: required(text),
});

const group: Reader<GroupDefinition> = object<GroupDefinition>({
  name: required(text),
  attributes: required(list(attribute, 1)),
  multiValued: optional(flag),
  strategy: required(word(...strategies)),
  fallback: optional(word('source_priority', 'conflict')),
  priority: required(list(text)),
  authority: optional(list(authorityRule)),
  reassertion: optional(word('reassert', 'leave')),
  validity: optional(period),
  sensitivity: optional(word('open', 'personal', 'sensitive')),
});

const subjectReference = object<{ reference: string }>({ reference: required(text) });
const subjectWord = word('self', 'none');
const subject: Reader<EntityTypeDefinition['subject']> = reader(
  { anyOf: [subjectWord.schema, subjectReference.schema] },
  (value, at) => (has(value, 'reference') ? subjectReference(value, at) : subjectWord(value, at)),
);

export const entityType: Reader<EntityTypeDefinition> = object<EntityTypeDefinition>({
  name: required(text),
  kind: required(word('mastered', 'reconciled', 'posted')),
  groups: required(list(group, 1)),
  identifiers: optional(
    list(
      object<NonNullable<EntityTypeDefinition['identifiers']>[number]>({
        scheme: required(text),
        placeholders: optional(list(text)),
        shared: optional(flag),
        sensitivity: optional(word('open', 'personal', 'sensitive')),
      }),
    ),
  ),
  corroboration: optional(
    object<NonNullable<EntityTypeDefinition['corroboration']>>({
      name: required(list(text, 1)),
      birthDate: optional(text),
    }),
  ),
  subject: required(subject),
  naturalKey: optional(list(text, 1)),
  validity: optional(period),
  search: optional(list(text, 1)),
});

/** A step: its options are judged by the standardizer that it names. */
const stepOptions = dictionary(anything);
const step: Reader<StandardizerStep> = reader(
  { ...stepOptions.schema, properties: { use: text.schema }, required: ['use'] },
  (value, at) => {
    const use = text(memberOf(value, 'use'), at.child('use'));
    const options = stepOptions(value, at);
    return use === null || options === null ? null : { ...options, use };
  },
);

/** An object with exactly one of some members. */
const withOneOf = <T>(names: readonly string[], read: Reader<T>, reason: string): Reader<T> =>
  reader({ ...read.schema, oneOf: names.map((name) => ({ required: [name] })) }, (value, at) => {
    const found = names.filter((name) => has(value, name));
    if (found.length === 1) return read(value, at);
    return at.note(reason, `write one of ${names.slice(0, -1).join(', ')} and ${names.at(-1) ?? ''}`);
  });

const field: Reader<FieldMapping> = withOneOf(
  ['from', 'fromAll', 'constant'],
  object<FieldMapping>({
    from: optional(text),
    fromAll: optional(list(text, 1)),
    constant: optional(text),
    steps: optional(list(step)),
    blank: optional(word('nothing', 'empty')),
    separator: optional(text),
  }),
  'a field has one origin',
);

/** One field has an origin that is a text or a list of texts; a field for each attribute has only objects. */
const isField = (value: unknown): boolean =>
  typeof memberOf(value, 'from') === 'string' ||
  typeof memberOf(value, 'constant') === 'string' ||
  Array.isArray(memberOf(value, 'fromAll'));
const originsOfField: readonly JsonSchema[] = [
  { type: 'object', properties: { from: { type: 'string' } }, required: ['from'] },
  { type: 'object', properties: { constant: { type: 'string' } }, required: ['constant'] },
  { type: 'object', properties: { fromAll: { type: 'array' } }, required: ['fromAll'] },
];

const fields = dictionary(field);
const element: Reader<FieldMapping | Readonly<Record<string, FieldMapping>>> = reader(
  { if: { anyOf: originsOfField }, then: field.schema, else: fields.schema },
  (value, at) => (isField(value) ? field(value, at) : fields(value, at)),
);

const elements = list(element, 1);
const groupMapping: Reader<GroupMapping> = reader(
  { if: { type: 'array' }, then: elements.schema, else: element.schema },
  (value, at) => (Array.isArray(value) ? elements(value, at) : element(value, at)),
);

const reference: Reader<ReferenceMapping> = object<ReferenceMapping>({
  mapping: optional(text),
  key: optional(list(text, 1)),
  subKey: optional(anyText),
  blank: optional(word('nothing', 'empty')),
});

const template: Reader<RecordTemplate> = object<RecordTemplate>({
  entityType: required(text),
  subKey: optional(anyText),
  when: optional(condition),
  groups: required(dictionary(groupMapping)),
  identifiers: optional(dictionary(field)),
  references: optional(dictionary(reference)),
  effectiveAt: optional(field),
  restrictions: optional(
    list(
      object<NonNullable<RecordTemplate['restrictions']>[number]>({
        recipientClass: required(text),
        when: required(condition),
      }),
    ),
  ),
});

type RuleHead = Pick<RuleDefinition, 'name' | 'field' | 'severity'>;
const ruleHead: Fields<RuleHead> = {
  name: required(text),
  field: required(text),
  severity: required(word('reject', 'blank_and_warn', 'warn')),
};
type Check<Name extends RuleCheck['check']> = RuleHead & Extract<RuleCheck, { check: Name }>;

const ruleReaders: { readonly [Name in RuleCheck['check']]: Reader<Check<Name>> } = {
  required: object<Check<'required'>>({ ...ruleHead, check: required(word('required')) }),
  type: object<Check<'type'>>({
    ...ruleHead,
    check: required(word('type')),
    type: required(word('integer', 'decimal', 'date', 'boolean', 'email')),
    formats: optional(list(text, 1)),
  }),
  range: object<Check<'range'>>({
    ...ruleHead,
    check: required(word('range')),
    min: optional(text),
    max: optional(text),
  }),
  length: object<Check<'length'>>({
    ...ruleHead,
    check: required(word('length')),
    min: optional(count),
    max: optional(count),
  }),
  pattern: object<Check<'pattern'>>({ ...ruleHead, check: required(word('pattern')), pattern: required(text) }),
  in_set: object<Check<'in_set'>>({
    ...ruleHead,
    check: required(word('in_set')),
    values: optional(list(text, 1)),
    codeTable: optional(text),
  }),
  unique: object<Check<'unique'>>({ ...ruleHead, check: required(word('unique')) }),
  reference_exists: object<Check<'reference_exists'>>({
    ...ruleHead,
    check: required(word('reference_exists')),
    mapping: required(text),
  }),
};

const checkName = word('required', 'type', 'range', 'length', 'pattern', 'in_set', 'unique', 'reference_exists');

/** A rule: told by its check. Exported for rules that are written without a file. */
export const rule: Reader<RuleDefinition> = reader(
  {
    type: 'object',
    properties: { check: checkName.schema },
    required: ['check'],
    allOf: Object.entries(ruleReaders).map(([check, { schema }]) => ({
      if: { properties: { check: { const: check } }, required: ['check'] },
      then: schema,
    })),
  },
  (value, at) => {
    const check = checkName(memberOf(value, 'check'), at.child('check'));
    return check === null ? null : ruleReaders[check](value, at);
  },
);

const source: Reader<SourceMapping> = object<SourceMapping>({
  columns: required(list(text, 1)),
  key: required(list(text, 1)),
  filter: optional(condition),
  watermark: optional(
    object<NonNullable<SourceMapping['watermark']>>({ column: required(text), lagSeconds: optional(count) }),
  ),
  scope: optional(dictionary(text)),
  completeByDefault: optional(flag),
  records: required(list(template, 1)),
  rules: optional(list(rule)),
});

const column: Reader<TargetColumn> = object<TargetColumn>({
  column: required(text),
  from: optional(text),
  firstOf: optional(list(text, 1)),
  constant: optional(text),
  steps: optional(list(step)),
  separator: optional(text),
  maxLength: optional(count),
  createOnly: optional(flag),
});

const key: Reader<TargetKey> = withOneOf(
  ['identifier', 'source', 'from'],
  object<TargetKey>({
    column: required(text),
    identifier: optional(text),
    of: optional(text),
    source: optional(yes),
    from: optional(text),
  }),
  'a key column has one origin',
);

const compensation: Reader<Compensation> = object<Compensation>({
  key: required(object<Compensation['key']>({ column: required(text), suffix: required(text) })),
  negate: required(list(text, 1)),
  set: optional(dictionary(text)),
  original: optional(text),
});

const target: Reader<TargetMapping> = object<TargetMapping>({
  root: required(text),
  filter: optional(condition),
  key: required(list(key, 1)),
  columns: required(list(column, 1)),
  recipientClass: required(text),
  create: optional(flag),
  onEnd: optional(word('delete', 'keep')),
  leadDays: optional(count),
  lagDays: optional(count),
  wholeFile: optional(flag),
  rollback: optional(word('restore', 'compensate', 'impossible')),
  compensation: optional(compensation),
});

export const mapping: Reader<MappingDefinition> = object<MappingDefinition>({
  name: required(text),
  system: required(text),
  entity: required(text),
  source: optional(source),
  target: optional(target),
});

export const codeTable: Reader<CodeTableDefinition> = object<CodeTableDefinition>({
  name: required(text),
  entries: required(
    list(
      object<CodeTableDefinition['entries'][number]>({
        concept: required(text),
        codes: required(dictionary(list(text, 1))),
        validFrom: optional(date),
        validTo: optional(date),
      }),
      1,
    ),
  ),
});

export const system: Reader<SystemDefinition> = object<SystemDefinition>({
  name: required(text),
  kind: required(text),
  settings: required(dictionary(anything)),
  owner: optional(text),
});

const limit: Reader<LimitDefinition> = object<LimitDefinition>({
  entityType: optional(text),
  operation: required(word('insert', 'update', 'delete')),
  absolute: optional(count),
  percent: optional(amount),
});

type Schedule = NonNullable<JobDefinition['schedule']>;

const clockTime = (most: number): Reader<number> =>
  reader({ ...count.schema, maximum: most }, (value, at) => {
    const read = count(value, at);
    return read !== null && read > most ? at.note(`at most ${String(most)}`, 'write a time of day') : read;
  });

const oneOrMore: Reader<number> = reader({ ...count.schema, minimum: 1 }, (value, at) => {
  const read = count(value, at);
  return read === 0 ? at.note('at least 1', 'write a whole number, 1 or more') : read;
});

const schedule: Reader<Schedule> = object<Schedule>({
  calendar: optional(
    object<NonNullable<Schedule['calendar']>>({
      hour: required(clockTime(23)),
      minute: required(clockTime(59)),
      daysOfWeek: optional(list(word('MONDAY', 'TUESDAY', 'WEDNESDAY', 'THURSDAY', 'FRIDAY', 'SATURDAY', 'SUNDAY'), 1)),
    }),
  ),
  everyMinutes: optional(oneOrMore),
  timeZone: required(timeZone),
  jitterSeconds: optional(count),
  catchUpHours: optional(count),
  freeze: optional(
    list(
      object<NonNullable<Schedule['freeze']>[number]>({
        from: required(date),
        to: required(date),
        reason: required(text),
      }),
    ),
  ),
});

export const job: Reader<JobDefinition> = object<JobDefinition>({
  name: required(text),
  sources: required(list(text)),
  targets: required(list(text)),
  limits: optional(list(limit)),
  partitions: optional(count),
  reading: optional(word('full', 'watermark')),
  onFailure: optional(word('roll_back', 'hold')),
  schedule: optional(schedule),
  review: optional(
    object<NonNullable<JobDefinition['review']>>({ dueDays: optional(count), remindDays: optional(count) }),
  ),
});

export const institution: Reader<Configuration['institution']> = object<Configuration['institution']>({
  code: required(text),
  name: required(text),
  timeZone: required(timeZone),
  recipientClasses: optional(list(text, 1)),
  visibility: optional(
    object<VisibilityDefinition>({
      organisation: required(text),
      code: required(text),
      name: optional(text),
      parent: optional(text),
      through: required(list(text, 1)),
      readers: optional(dictionary(text)),
    }),
  ),
});
