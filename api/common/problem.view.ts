import { Count, ListOf, Text } from './fields.js';
import type { ProblemPart } from './problem.js';

/** One thing that is wrong. */
export class ProblemPartView implements ProblemPart {
  @Text({ max: 2000, description: 'JSON Pointer into the body, or the name of a parameter.', example: '/sources/0' })
  pointer: string;

  @Text({ max: 100, description: 'Stable word for what is wrong.', example: 'missing' })
  code: string;

  @Text({ max: 2000, description: 'What is wrong, in words.', example: 'sources is missing' })
  detail: string;
}

/** RFC 9457, with our members. Codes of 409, 410 and 412 bring the new state along. */
export class ProblemView {
  @Text({
    max: 2000,
    description: 'Where the code is explained.',
    example: '/api/secretary/data-sync/problems/not_found',
  })
  type: string;

  @Text({ max: 200, description: 'The code in words.', example: 'There is no such thing' })
  title: string;

  @Count({ min: 400, max: 599, description: 'The HTTP status.', example: 404 })
  status: number;

  @Text({
    max: 4000,
    description: 'What happened this time, and what to do.',
    example: 'There is no run 17 in your institution.',
  })
  detail: string;

  @Text({
    max: 2000,
    description: 'The address that was asked, without parameters.',
    example: '/api/secretary/data-sync/runs/17',
  })
  instance: string;

  @Text({ max: 100, description: 'Stable word for the problem; clients go by it.', example: 'not_found' })
  code: string;

  @Text({ max: 100, description: 'Finds the request in the log.', example: '0af7651916cd43dd8448eb211c80319c' })
  traceId: string;

  @ListOf(() => ProblemPartView, { optional: true, max: 1000, description: 'Each thing that is wrong.' })
  errors?: ProblemPartView[];
}
