import { applyDecorators } from '@nestjs/common';
import { ApiProperty, type ApiPropertyOptions } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  ArrayMinSize,
  IsArray,
  IsBoolean,
  IsDefined,
  IsIn,
  IsInt,
  IsNumber,
  IsObject,
  IsString,
  Length,
  Matches,
  Max,
  Min,
  ValidateBy,
  ValidateIf,
  ValidateNested,
} from 'class-validator';
import { isDate } from '../../domain/calendar.js';

/* One decorator a field: what class-validator checks and what OpenAPI says of it, from the same words. */

interface FieldOptions {
  readonly description: string;
  readonly example?: unknown;
  readonly optional?: boolean;
  /** null is a value here. */
  readonly nullable?: boolean;
}

type Class = abstract new (...args: never[]) => object;

/** Free text. */
export const Text = (
  options: FieldOptions & {
    readonly max: number;
    readonly min?: number;
    readonly pattern?: RegExp;
    readonly each?: boolean;
  },
): PropertyDecorator => {
  const { max, min = 0, pattern } = options;
  return field(
    options,
    {
      type: 'string',
      maxLength: max,
      ...(min > 0 ? { minLength: min } : {}),
      ...(pattern ? { pattern: pattern.source } : {}),
    },
    [IsString(), Length(min, max), NoNul(), ...(pattern ? [Matches(pattern)] : [])],
  );
};

/** An opaque id of ours. */
export const Id = (options: FieldOptions): PropertyDecorator =>
  field({ example: '17', ...options }, { type: 'string', maxLength: 20 }, [IsString(), Length(1, 20)]);

/** A whole number that is not negative. */
export const Count = (options: FieldOptions & { readonly min?: number; readonly max?: number }): PropertyDecorator => {
  const { min = 0, max } = options;
  return field(
    { example: min, ...options },
    { type: 'integer', minimum: min, ...(max === undefined ? {} : { maximum: max }) },
    [IsInt(), Min(min), ...(max === undefined ? [] : [Max(max)])],
  );
};

/** A whole number among the parameters, where everything arrives as text. */
export const CountParameter = (
  options: FieldOptions & { readonly min: number; readonly max: number },
): PropertyDecorator =>
  applyDecorators(
    Type(() => Number),
    Count({ optional: true, ...options }),
  );

export const Flag = (options: FieldOptions): PropertyDecorator =>
  field({ example: true, ...options }, { type: 'boolean' }, [IsBoolean()]);

/** A flag among the parameters. */
export const FlagParameter = (options: FieldOptions): PropertyDecorator =>
  field({ optional: true, example: 'true', ...options }, { type: 'string', enum: ['true', 'false'] }, [
    IsIn(['true', 'false']),
  ]);

/** One of several words. */
export const Choice = (values: readonly string[], options: FieldOptions): PropertyDecorator =>
  field({ example: values[0], ...options }, { type: 'string', enum: [...values] }, [IsIn([...values])]);

/** A moment, RFC 3339 in UTC. Only in replies. */
export const Moment = (options: FieldOptions): PropertyDecorator =>
  field({ example: '2026-11-20T07:10:00.000Z', ...options }, { type: 'string', format: 'date-time', maxLength: 30 }, [
    IsString(),
  ]);

/** A moment to come, RFC 3339. That it is to come is checked where the time is known. */
export const FutureMoment = (options: FieldOptions): PropertyDecorator =>
  field({ example: '2026-11-20T07:10:00Z', ...options }, { type: 'string', format: 'date-time', maxLength: 35 }, [
    IsString(),
    ValidateBy({
      name: 'isMoment',
      validator: {
        validate: (value: unknown) =>
          typeof value === 'string' && momentPattern.test(value) && !Number.isNaN(Date.parse(value)),
        defaultMessage: () => '$property must be a moment, YYYY-MM-DDThh:mm:ssZ',
      },
    }),
  ]);

const momentPattern = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})$/;

/** A day of the calendar. */
export const Day = (options: FieldOptions): PropertyDecorator =>
  field({ example: '2026-11-20', ...options }, { type: 'string', format: 'date', maxLength: 10 }, [
    IsString(),
    ValidateBy({
      name: 'isDay',
      validator: {
        validate: (value: unknown) => typeof value === 'string' && isDate(value),
        defaultMessage: () => '$property must be a day of the calendar, YYYY-MM-DD',
      },
    }),
  ]);

/** A moment among the parameters, RFC 3339 with its offset. */
export const MomentParameter = (options: FieldOptions): PropertyDecorator =>
  field(
    { optional: true, example: '2026-11-20T07:10:00Z', ...options },
    { type: 'string', format: 'date-time', maxLength: 35 },
    [
      IsString(),
      ValidateBy({
        name: 'isMoment',
        validator: {
          validate: (value: unknown) =>
            typeof value === 'string' &&
            /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})$/.test(value) &&
            !Number.isNaN(Date.parse(value)),
          defaultMessage: () => '$property must be a moment like 2026-11-20T07:10:00Z',
        },
      }),
    ],
  );

/** Several of some words, with commas between. */
export const Choices = (values: readonly string[], options: FieldOptions): PropertyDecorator => {
  const one = `(${values.map((value) => value.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|')})`;
  return Text({
    ...{ optional: true, max: 1000, pattern: new RegExp(`^${one}(,${one})*$`), example: values[0] },
    ...options,
    description: `${options.description} Several with commas between: ${values.join(', ')}.`,
  });
};

/** An object of one class. */
export const Nested = (of: () => Class, options: FieldOptions): PropertyDecorator =>
  field(options, { type: () => of() }, [IsObject(), ValidateNested(), asClass(of)]);

/** A list of objects of one class. */
export const ListOf = (
  of: () => Class,
  options: FieldOptions & { readonly max: number; readonly min?: number },
): PropertyDecorator =>
  field(
    options,
    {
      type: () => of(),
      isArray: true,
      maxItems: options.max,
      ...(options.min === undefined ? {} : { minItems: options.min }),
    },
    [
      IsArray(),
      ArrayMaxSize(options.max),
      ...(options.min === undefined ? [] : [ArrayMinSize(options.min)]),
      ValidateNested({ each: true }),
      asClass(of),
    ],
  );

/** A list of texts. */
export const Texts = (
  options: FieldOptions & {
    readonly max: number;
    readonly maxEach: number;
    readonly min?: number;
    readonly values?: readonly string[];
  },
): PropertyDecorator =>
  field(
    options,
    {
      type: 'array',
      maxItems: options.max,
      items: {
        type: 'string',
        maxLength: options.maxEach,
        ...(options.values === undefined ? {} : { enum: [...options.values] }),
      },
    },
    [
      IsArray(),
      ArrayMaxSize(options.max),
      ...(options.min === undefined ? [] : [ArrayMinSize(options.min)]),
      IsString({ each: true }),
      NoNul(),
      Length(1, options.maxEach, { each: true }),
      ...(options.values === undefined ? [] : [IsIn([...options.values], { each: true })]),
    ],
  );

/** An object whose members are checked elsewhere: definitions, by the rules of configuration. */
export const FreeObject = (options: FieldOptions): PropertyDecorator =>
  field(options, { type: 'object', additionalProperties: true }, [IsObject(), NoNul()]);

/** A list whose items are checked elsewhere. */
export const FreeList = (options: FieldOptions & { readonly max: number }): PropertyDecorator =>
  field(options, { type: 'array', maxItems: options.max, items: { type: 'object', additionalProperties: true } }, [
    IsArray(),
    ArrayMaxSize(options.max),
    IsObject({ each: true }),
  ]);

/** Any JSON value. */
export const AnyJson = (options: FieldOptions): PropertyDecorator => field(options, anyJson, [NoNul()]);

/** A time that passed, in seconds. */
export const Seconds = (options: FieldOptions): PropertyDecorator =>
  field({ example: 2.4, ...options }, { type: 'number', minimum: 0 }, [IsNumber(), Min(0)]);

/** Numbers by name. */
export const Numbers = (options: FieldOptions): PropertyDecorator =>
  field(options, { type: 'object', additionalProperties: { type: 'number' } }, [IsObject()]);

/** Some of several words by name. */
export const WordsByName = (values: readonly string[], options: FieldOptions): PropertyDecorator =>
  field(options, { type: 'object', additionalProperties: { type: 'string', enum: [...values] } }, [IsObject()]);

/* PostgreSQL holds no U+0000, in no text and nowhere within JSON. */
const NoNul = (): PropertyDecorator =>
  ValidateBy({
    name: 'noNul',
    validator: {
      validate: (value: unknown) => !hasNul(value),
      defaultMessage: () => '$property must not hold the character U+0000',
    },
  });

const hasNul = (value: unknown): boolean => {
  if (typeof value === 'string') return value.includes('\u0000');
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(value).some(([name, member]) => hasNul(name) || hasNul(member));
};

/** Links by name. */
export const Links = (): PropertyDecorator =>
  field(
    { description: 'Where to go from here.', example: { self: '/api/secretary/data-sync/runs/17' } },
    { type: 'object', additionalProperties: { type: 'string', maxLength: 2000 } },
    [IsObject()],
  );

const anyJson = { type: 'any' } as unknown as ApiPropertyOptions;

/* class-transformer asks for a constructor; ours have no arguments. */
const asClass = (of: () => Class): PropertyDecorator => Type(of);

function field(
  options: FieldOptions,
  schema: ApiPropertyOptions,
  checks: readonly PropertyDecorator[],
): PropertyDecorator {
  const { description, example, optional = false, nullable = false } = options;
  const property = {
    ...schema,
    description,
    required: !optional,
    ...(example === undefined ? {} : { example }),
    ...(nullable ? { nullable } : {}),
  };
  // A field that may be absent may not be null, unless null means something.
  const presence = [
    ...(optional ? [ValidateIf((_object: object, value: unknown) => value !== undefined)] : []),
    ...(nullable ? [ValidateIf((_object: object, value: unknown) => value !== null)] : []),
    ...(optional || nullable ? [] : [IsDefined({ message: '$property is missing' })]),
  ];
  return applyDecorators(ApiProperty(property as ApiPropertyOptions), ...presence, ...checks);
}
