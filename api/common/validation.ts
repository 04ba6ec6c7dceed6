import { ValidationPipe, type ValidationError } from '@nestjs/common';
import { Problem, type ProblemPart } from './problem.js';

/** Checks bodies and parameters against their DTOs. What a DTO does not name is refused. Texts are never turned into numbers
 *  unasked (`enableImplicitConversion` would let a number pass as a text). */
export const createValidationPipe = (): ValidationPipe =>
  new ValidationPipe({
    whitelist: true,
    forbidNonWhitelisted: true,
    forbidUnknownValues: true,
    transform: true,
    exceptionFactory: (errors) => validationProblem(errors.flatMap((error) => partsOf(error, ''))),
  });

export const validationProblem = (parts: readonly ProblemPart[]): Problem =>
  new Problem(
    'validation_failed',
    parts.length === 1 ? (parts[0]?.detail ?? '') : `${parts.length} things are not right.`,
    {
      errors: parts,
    },
  );

const codes: Readonly<Record<string, string>> = {
  whitelistValidation: 'unknown',
  isDefined: 'missing',
};

function partsOf(error: ValidationError, above: string): ProblemPart[] {
  const pointer = `${above}/${error.property.replaceAll('~', '~0').replaceAll('/', '~1')}`;
  const own = Object.entries(error.constraints ?? {}).map(([constraint, message]) => ({
    pointer,
    code: codes[constraint] ?? 'invalid',
    detail: constraint === 'whitelistValidation' ? `${error.property} is not known here` : message,
  }));
  // A value that is not there breaks every rule; one says enough.
  const missing = own.find((part) => part.code === 'missing');
  return [
    ...(missing === undefined ? own : [missing]),
    ...(error.children ?? []).flatMap((child) => partsOf(child, pointer)),
  ];
}
