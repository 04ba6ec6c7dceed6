import { Controller, Inject, Param } from '@nestjs/common';
import type { Hub } from '../../database/hub.js';
import { basePath, linkTo } from '../common/base-path.js';
import { CurrentCaller, type Caller } from '../common/caller.js';
import { Endpoint } from '../common/endpoint.js';
import { idOf, notFound } from '../common/ids.js';
import { HUB } from '../common/tokens.js';
import { findBatch } from './batches.js';
import { BatchView } from './decision.view.js';
import type { Plain } from '../common/plain-type.js';

/** What became of decisions. */
@Controller(`${basePath.slice(1)}/decisions`)
export class DecisionsController {
  constructor(@Inject(HUB) private readonly hub: Hub) {}

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
        ...(row.settle_run_id === null ? {} : { run: linkTo(`runs/${row.settle_run_id}`) }),
      },
    };
  }
}
