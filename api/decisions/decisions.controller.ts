import { Body, Controller, Inject, Param } from '@nestjs/common';
import type { Hub } from '../../database/hub.js';
import { basePath, linkTo } from '../common/base-path.js';
import { CurrentCaller, CurrentRequest, type Caller } from '../common/caller.js';
import { Endpoint } from '../common/endpoint.js';
import type { Answer, HttpRequest } from '../common/http.js';
import { Idempotency, requireIdempotencyKey } from '../common/idempotency.js';
import { idOf, notFound } from '../common/ids.js';
import { HUB } from '../common/tokens.js';
import { findBatch } from './batches.js';
import { BatchView, TakenBackView } from './decision.view.js';
import { TakeBack } from './take-back.js';
import { TakeBackBody } from './take-back.dto.js';
import type { Plain } from '../common/plain-type.js';

/** What became of decisions. */
@Controller(`${basePath.slice(1)}/decisions`)
export class DecisionsController {
  constructor(
    @Inject(HUB) private readonly hub: Hub,
    private readonly takingBack: TakeBack,
    private readonly idempotency: Idempotency,
  ) {}

  @Endpoint({
    method: 'post',
    path: '{batchId}/take-back',
    operationId: 'takeBackDecisions',
    summary: 'Take a batch of decisions back',
    description:
      'Decisions that wait are withdrawn: their questions, held changes and records are open again. What was carried out is rolled back with its run; where that touches more than the decisions themselves, the preview comes first (409) and has to be confirmed by its hash.',
    tag: 'Questions',
    may: 'decision:take_back',
    parameters: { batchId: 'The batch.' },
    body: { type: TakeBackBody, example: { reason: 'The wrong one of two' } },
    idempotencyKey: 'required',
    replies: [
      { status: 200, type: TakenBackView, description: 'Withdrawn.', headers: ['Idempotency-Replayed'] },
      {
        status: 202,
        type: TakenBackView,
        description: 'It is rolled back.',
        headers: ['Location', 'Idempotency-Replayed'],
      },
    ],
    problems: ['state_forbids', 'preview_outdated'],
  })
  async takeBack(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
    @Param('batchId') batchId: string,
    @Body() body: TakeBackBody,
  ): Promise<Answer<unknown>> {
    const id = idOf(batchId, 'decision batch');
    const key = requireIdempotencyKey(request);
    return await this.idempotency.once(caller, request, body, () => this.takingBack.batch(caller, id, key, body));
  }

  @Endpoint({
    method: 'get',
    path: '{batchId}',
    operationId: 'getDecisionBatch',
    summary: 'See what became of a decision',
    description: 'Whether a batch of decisions is carried out, and by which run.',
    tag: 'Questions',
    may: 'decision:read',
    parameters: { batchId: 'The batch.' },
    replies: [{ status: 200, type: BatchView, description: 'The batch.' }],
  })
  async get(@CurrentCaller() caller: Caller, @Param('batchId') batchId: string): Promise<Plain<BatchView>> {
    const id = idOf(batchId, 'decision batch');
    const row = await this.hub.read(caller.institutionId, (client) => findBatch(client, id));
    if (row === null) throw notFound('decision batch', id);
    return {
      id,
      kind: row.kind,
      state: row.state,
      jobId: row.job_id === null ? null : String(row.job_id),
      parentRunId: row.parent_run_id,
      runId: row.settle_run_id,
      actor: row.actor,
      reason: row.reason,
      itemCount: row.items,
      createdAt: row.created_at.toISOString(),
      links: {
        self: linkTo(`decisions/${id}`),
        ...(row.state === 'pending' || row.state === 'applied'
          ? { takeBack: linkTo(`decisions/${id}/take-back`) }
          : {}),
        ...(row.settle_run_id === null ? {} : { run: linkTo(`runs/${row.settle_run_id}`) }),
      },
    };
  }
}
