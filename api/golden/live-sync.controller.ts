import { Controller, Param } from '@nestjs/common';
import { basePath } from '../common/base-path.js';
import { CurrentCaller, CurrentRequest, type Caller } from '../common/caller.js';
import { Endpoint } from '../common/endpoint.js';
import type { Answer, HttpRequest } from '../common/http.js';
import { Idempotency, requireIdempotencyKey } from '../common/idempotency.js';
import { idOf } from '../common/ids.js';
import { StartedRunView } from '../runs/run.view.js';
import { LiveSync } from './live-sync.js';

/** One person, now. */
@Controller(`${basePath.slice(1)}/golden-records`)
export class LiveSyncController {
  constructor(
    private readonly liveSync: LiveSync,
    private readonly idempotency: Idempotency,
  ) {}

  @Endpoint({
    method: 'post',
    path: '{goldenId}/sync',
    operationId: 'syncGoldenRecord',
    summary: 'Synchronize one person now',
    description:
      'Reads the rows of this person from each system by their keys, merges, and tells the targets: a run of seconds. A system that cannot be asked for single rows (it delivers files) is left out and named in the run.',
    tag: 'Golden records',
    may: 'golden_record:sync',
    parameters: { goldenId: 'The record; of one that is about a person, that person is synchronized.' },
    idempotencyKey: 'required',
    replies: [
      { status: 202, type: StartedRunView, description: 'It begins.', headers: ['Location', 'Idempotency-Replayed'] },
    ],
    problems: ['state_forbids', 'job_occupied'],
  })
  async sync(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
    @Param('goldenId') goldenId: string,
  ): Promise<Answer<unknown>> {
    const id = idOf(goldenId, 'golden record');
    const key = requireIdempotencyKey(request);
    return await this.idempotency.once(caller, request, null, () => this.liveSync.start(caller, id, key));
  }
}
