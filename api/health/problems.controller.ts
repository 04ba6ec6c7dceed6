import { Controller, Param } from '@nestjs/common';
import { errorCodes } from '../../domain/errors.js';
import { basePath } from '../common/base-path.js';
import { CurrentRequest } from '../common/caller.js';
import { Endpoint } from '../common/endpoint.js';
import { Count, Text } from '../common/fields.js';
import { Answer, headerOf, type HttpRequest } from '../common/http.js';
import { notFound } from '../common/ids.js';
import { allProblemCodes, describeCode, problemType } from '../common/problem.js';
import type { Plain } from '../common/plain-type.js';
import { languageOf, titleIn } from '../languages/say.js';

/** What a problem code means. */
export class ProblemTypeView {
  @Text({ max: 200, description: 'The address of this page.', example: '/api/secretary/data-sync/problems/not_found' })
  type: string;

  @Text({ max: 100, description: 'The code.', example: 'not_found' })
  code: string;

  @Text({ max: 200, description: 'In words.', example: 'There is no such thing' })
  title: string;

  @Count({ min: 400, max: 599, description: 'The HTTP status it comes with.', example: 404 })
  status: number;

  @Text({ max: 100, nullable: true, description: 'Who acts, where it is not the caller.', example: 'secretary' })
  actor: string | null;
}

/** Where the `type` of a problem leads. */
@Controller(`${basePath.slice(1)}/problems`)
export class ProblemsController {
  @Endpoint({
    method: 'get',
    path: '{code}',
    operationId: 'getProblemType',
    summary: 'What does a problem code mean?',
    description: 'The `type` of every problem leads here.',
    tag: 'Health',
    may: 'anybody',
    parameters: { code: 'The code.' },
    cacheControl: 'public, max-age=3600',
    replies: [{ status: 200, type: ProblemTypeView, description: 'What it means.' }],
  })
  get(@Param('code') wanted: string, @CurrentRequest() request: HttpRequest): Answer<Plain<ProblemTypeView>> {
    const code = allProblemCodes.find((one) => one === wanted);
    if (code === undefined) throw notFound('problem code', wanted);
    const actor = Object.entries(errorCodes).find(([name]) => name === code)?.[1].actor ?? null;
    const language = languageOf(headerOf(request, 'accept-language'));
    const { status, title } = describeCode(code);
    return new Answer(
      { type: problemType(code), code, title: language === 'en' ? title : titleIn(code, language), status, actor },
      { headers: { 'content-language': language, vary: 'accept-language' } },
    );
  }
}
