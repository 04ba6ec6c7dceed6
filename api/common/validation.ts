import { ValidationPipe, type ValidationError } from '@nestjs/common';
import { getMetadataStorage } from 'class-validator';
import { isFieldKey, say } from '../languages/say.js';
import { partOf, Problem, type ProblemPart } from './problem.js';

/** Checks bodies and parameters against their DTOs. What a DTO does not name is refused. Texts are never turned into numbers
 *  unasked (`enableImplicitConversion` would let a number pass as a text). */
export const createValidationPipe = (): ValidationPipe =>
  new ValidationPipe({
    whitelist: true,
    forbidNonWhitelisted: true,
    forbidUnknownValues: true,
    transform: true,
    // Whose fields they are: the limits of their rules are told.
    validationError: { target: true, value: false },
    exceptionFactory: (errors) => validationProblem(errors.flatMap((error) => partsOf(error, ''))),
  });

export const validationProblem = (parts: readonly ProblemPart[]): Problem => {
  const [first] = parts;
  const one = parts.length === 1 ? first : undefined;
  return new Problem('validation_failed', one?.detail ?? say('validation_failed.many', { count: parts.length }), {
    errors: parts,
  });
};

const codes: Readonly<Record<string, string>> = {
  whitelistValidation: 'unknown',
  isDefined: 'missing',
};

/** How the catalogues call the limits of a rule, in its order. */
const limits: Readonly<Record<string, readonly string[]>> = {
  arrayMaxSize: ['max'],
  arrayMinSize: ['min'],
  isIn: ['values'],
  isLength: ['min', 'max'],
  matches: ['pattern'],
  max: ['max'],
  min: ['min'],
};

function partsOf(error: ValidationError, above: string): ProblemPart[] {
  const pointer = `${above}/${error.property.replaceAll('~', '~0').replaceAll('/', '~1')}`;
  const own = Object.entries(error.constraints ?? {}).map(([rule, message]): ProblemPart => {
    const code = codes[rule] ?? 'invalid';
    const field = codes[rule] ?? rule;
    if (!isFieldKey(field)) return { pointer, code, detail: message };
    return partOf(pointer, code, { field, values: { field: error.property, ...limitsOf(error, rule) } });
  });
  // A value that is not there breaks every rule; one says enough.
  const missing = own.find((part) => part.code === 'missing');
  return [
    ...(missing === undefined ? own : [missing]),
    ...(error.children ?? []).flatMap((child) => partsOf(child, pointer)),
  ];
}

/* What class-validator was told of the field: its messages have the limits in English sentences only. */
function limitsOf({ target, property }: ValidationError, rule: string): Readonly<Record<string, string | number>> {
  const names = limits[rule];
  if (names === undefined || target === undefined) return {};
  const known = getMetadataStorage()
    .getTargetValidationMetadatas(target.constructor, '', false, false)
    .find((one) => one.propertyName === property && one.name === rule);
  return Object.fromEntries(names.map((name, index) => [name, shown(known?.constraints[index])]));
}

const shown = (limit: unknown): string | number => {
  if (typeof limit === 'number') return limit;
  if (limit instanceof RegExp) return limit.source;
  return Array.isArray(limit) ? limit.map(String).join(', ') : String(limit);
};
