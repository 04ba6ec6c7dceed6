/** Checked reading of plain data into our types. Every reader notes what is wrong where it is wrong and goes on, so that all
 *  problems of a document are told together; null stands for a value that cannot be used. */

export interface ShapeProblem {
  /** JSON pointer (RFC 6901): `/mappings/0/source/key`. */
  readonly path: string;
  readonly reason: string;
  readonly remedy: string;
}

/** A place in a document. */
export class Place {
  constructor(
    readonly path: string,
    private readonly problems: ShapeProblem[],
  ) {}

  child(name: string | number): Place {
    return new Place(`${this.path}/${String(name).replaceAll('~', '~0').replaceAll('/', '~1')}`, this.problems);
  }

  /** Notes a problem of this place. Gives null, so that a reader can end with it. */
  note(reason: string, remedy: string): null {
    this.problems.push({ path: this.path, reason, remedy });
    return null;
  }

  /** How many problems there are so far, here and elsewhere. */
  get count(): number {
    return this.problems.length;
  }
}

/** A JSON Schema (2020-12), as plain data. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** Reads a value, or notes why not. `schema` says the same for editors, as far as JSON Schema can: made beside the reader, so that
 *  neither can be changed without the other. */
export interface Reader<T> {
  (value: unknown, at: Place): T | null;
  readonly schema: JsonSchema;
}

/** A reader with what it says of itself. */
export const reader = <T>(schema: JsonSchema, read: (value: unknown, at: Place) => T | null): Reader<T> =>
  Object.assign((value: unknown, at: Place) => read(value, at), { schema });

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** What a value is, without telling it: it may be a secret or personal. */
const kindOf = (value: unknown): string => {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
};

const expected = (what: string, value: unknown, at: Place, remedy = `write ${what}`): null =>
  at.note(`expected ${what}, found ${kindOf(value)}`, remedy);

/** A text that is not empty. */
export const text: Reader<string> = reader({ type: 'string', minLength: 1 }, (value, at) => {
  if (typeof value === 'string') return value === '' ? at.note('the text is empty', 'write a text') : value;
  const quote = typeof value === 'number' || typeof value === 'boolean';
  return expected('a text', value, at, quote ? 'put the value in quotes' : 'write a text');
});

/** A text that may be empty. */
export const anyText: Reader<string> = reader({ type: 'string' }, (value, at) => (value === '' ? '' : text(value, at)));

export const flag: Reader<boolean> = reader({ type: 'boolean' }, (value, at) =>
  typeof value === 'boolean' ? value : expected('true or false', value, at),
);

export const amount: Reader<number> = reader({ type: 'number', minimum: 0 }, (value, at) =>
  typeof value === 'number' && Number.isFinite(value) && value >= 0
    ? value
    : expected('a number, 0 or more', value, at),
);

export const count: Reader<number> = reader(
  { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER },
  (value, at) =>
    typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
      ? value
      : expected('a whole number, 0 or more', value, at),
);

/** One of some words. */
export const word = <W extends string>(...words: readonly W[]): Reader<W> =>
  reader(
    { enum: words },
    (value, at) => words.find((one) => one === value) ?? expected(`one of ${words.join(', ')}`, value, at),
  );

/** The value `true`, which switches something on. */
export const yes: Reader<true> = reader({ const: true }, (value, at) =>
  value === true ? true : expected('true', value, at, 'write true or leave it out'),
);

export const list = <T>(item: Reader<T>, least = 0): Reader<readonly T[]> => {
  const schema = { type: 'array', items: item.schema, ...(least === 0 ? {} : { minItems: least }) };
  return reader(schema, (value, at) => {
    if (!Array.isArray(value)) return expected('a list', value, at);
    if (value.length < least) return at.note('the list is empty', 'write at least one item');
    const items = value.map((one: unknown, index) => item(one, at.child(index)));
    return items.every((one) => one !== null) ? items : null;
  });
};

/** An object of any names, with values of one kind. */
export const dictionary = <T>(member: Reader<T>): Reader<Readonly<Record<string, T>>> =>
  reader({ type: 'object', additionalProperties: member.schema }, (value, at) => {
    if (!isObject(value)) return expected('an object', value, at);
    const members: [string, T][] = [];
    const names = Object.keys(value);
    for (const name of names) {
      const read = member(value[name], at.child(name));
      if (read !== null) members.push([name, read]);
    }
    return members.length === names.length ? Object.fromEntries(members) : null;
  });

/** Anything at all; checked by others. */
export const anything: Reader<unknown> = reader(
  { type: ['string', 'number', 'boolean', 'object', 'array'] },
  (value, at) => (value === undefined || value === null ? expected('a value', value, at) : value),
);

interface Field<T> {
  readonly read: Reader<T>;
  readonly optional: boolean;
}

type RequiredField<T> = Field<T> & { readonly optional: false };
type OptionalField<T> = Field<T> & { readonly optional: true };

export const required = <T>(read: Reader<T>): RequiredField<T> => ({ read, optional: false });
export const optional = <T>(read: Reader<T>): OptionalField<T> => ({ read, optional: true });

/** A field for each member of a type: optional ones must be declared as such, so that a forgotten member does not compile. */
export type Fields<T> = {
  readonly [Name in keyof T]-?: object extends Pick<T, Name>
    ? OptionalField<Exclude<T[Name], undefined>>
    : RequiredField<T[Name]>;
};

/** An object with exactly these members: unknown names are problems, they are typing errors mostly. */
export const object = <T extends object>(fields: Fields<T>): Reader<T> => {
  const known: Readonly<Record<string, Field<unknown>>> = fields;
  return reader(schemaOf(known), (value, at) => {
    if (!isObject(value)) return expected('an object', value, at);
    for (const name of Object.keys(value)) {
      if (!Object.hasOwn(known, name)) {
        at.child(name).note(`${name} is unknown here`, `one of ${Object.keys(known).join(', ')}, or leave it out`);
      }
    }
    // A misspelt member hides nothing else: what is right about the object is judged further.
    const before = at.count;
    const members: [string, unknown][] = [];
    for (const [name, field] of Object.entries(known)) {
      if (value[name] === undefined || value[name] === null) {
        if (!field.optional) at.note(`${name} is missing`, `add ${name}`);
        continue;
      }
      members.push([name, field.read(value[name], at.child(name))]);
    }
    // Sound because every member was read by the reader of its type and none was refused.
    return at.count === before ? (Object.fromEntries(members) as T) : null;
  });
};

/* A member that may be left out may be blank too: YAML reads `owner:` as null. */
const schemaOf = (fields: Readonly<Record<string, Field<unknown>>>): JsonSchema => ({
  type: 'object',
  properties: Object.fromEntries(
    Object.entries(fields).map(([name, { read, optional: absent }]) => [
      name,
      absent ? orNull(read.schema) : read.schema,
    ]),
  ),
  required: Object.keys(fields).filter((name) => fields[name]?.optional === false),
  additionalProperties: false,
});

const orNull = (schema: JsonSchema): JsonSchema => {
  if (typeof schema['type'] === 'string' && !('$ref' in schema)) return { ...schema, type: [schema['type'], 'null'] };
  if (Array.isArray(schema['enum'])) return { ...schema, enum: [...(schema['enum'] as unknown[]), null] };
  return { anyOf: [schema, { type: 'null' }] };
};

/** Whether a value is an object that has a member. */
export const has = (value: unknown, name: string): boolean => isObject(value) && Object.hasOwn(value, name);

/** The member of an object, if it is one. */
export const memberOf = (value: unknown, name: string): unknown => (isObject(value) ? value[name] : undefined);
