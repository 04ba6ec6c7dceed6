import { Body, Controller, Query } from '@nestjs/common';
import { basePath } from '../common/base-path.js';
import { CurrentCaller, type Caller } from '../common/caller.js';
import { Endpoint } from '../common/endpoint.js';
import { createValidationPipe, validationProblem } from '../common/validation.js';
import { QualityBody, QualityQuery } from './quality.dto.js';
import { QualityReportView } from './quality.view.js';
import { rowsOfCsv, rowsOfRecords } from './read-rows.js';
import { ValidateRecords } from './validate.js';
import type { Plain } from '../common/plain-type.js';

/** What the rules say of records. */
@Controller(`${basePath.slice(1)}/quality`)
export class QualityController {
  private readonly pipe = createValidationPipe();

  constructor(private readonly records: ValidateRecords) {}

  @Endpoint({
    method: 'post',
    path: 'validate',
    operationId: 'validateQuality',
    summary: 'Check records by the rules of a mapping',
    description:
      'Up to 5,000 records or 5 MB, as JSON or as CSV (`text/csv`, with the parameter `mapping`). Answers with a report in figures, by rule and by record. Nothing is stored.',
    tag: 'Quality',
    may: 'quality:validate',
    readsQuery: true,
    body: {
      type: QualityBody,
      types: ['application/json', 'text/csv'],
      example: { mapping: 'hr.staff', records: [{ id: 'E-77', email: 'amara@lakeside.example' }] },
    },
    replies: [{ status: 200, type: QualityReportView, description: 'The report.' }],
    problems: ['body_malformed', 'not_found', 'state_forbids', 'delivery_unreadable', 'configuration_invalid'],
  })
  async validate(
    @CurrentCaller() caller: Caller,
    @Query() query: QualityQuery,
    @Body() body: unknown,
  ): Promise<Plain<QualityReportView>> {
    if (Buffer.isBuffer(body)) {
      const mapping = query.mapping ?? missingMapping();
      return await this.records.validate(caller, mapping, (columns) => rowsOfCsv(body, query, columns));
    }
    const checked: unknown = await this.pipe.transform(body, { type: 'body', metatype: QualityBody });
    if (!(checked instanceof QualityBody))
      throw validationProblem([{ pointer: '', code: 'invalid', detail: 'the body must be an object' }]);
    return await this.records.validate(caller, checked.mapping, (columns) => rowsOfRecords(checked.records, columns));
  }
}

function missingMapping(): never {
  throw validationProblem([
    { pointer: 'mapping', code: 'missing', detail: 'name the mapping: ?mapping=system.entity' },
  ]);
}
