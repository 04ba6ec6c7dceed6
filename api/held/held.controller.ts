import { Body, Controller, Inject, Param, Query } from '@nestjs/common';
import type { Hub } from '../../database/hub.js';
import { basePath } from '../common/base-path.js';
import { CurrentCaller, CurrentRequest, type Caller } from '../common/caller.js';
import { cursorShapes, decodeCursor, decodeIdCursor, pageOf, type Page } from '../common/cursor.js';
import { Endpoint, type EndpointOptions } from '../common/endpoint.js';
import { etagOf } from '../common/etag.js';
import { Answer, type HttpRequest } from '../common/http.js';
import { Idempotency, requireIdempotencyKey } from '../common/idempotency.js';
import { idOf, notFound, smallIdOf } from '../common/ids.js';
import { defaultLimit, ListQuery } from '../common/list-query.js';
import { HUB } from '../common/tokens.js';
import { AcceptedView, TakenBackView } from '../decisions/decision.view.js';
import { TakeBack } from '../decisions/take-back.js';
import { TakeBackBody } from '../decisions/take-back.dto.js';
import { DecideHeld, toHeldChange, type HeldDecision } from './decide-held.js';
import { HeldDecisionBody, HeldListQuery } from './held.dto.js';
import { findHeld, listHeld, listHeldRecords } from './held.queries.js';
import { HeldChangePage, HeldChangeView, HeldRowPage, type HeldRowView } from './held.view.js';
import type { Plain } from '../common/plain-type.js';

const tag = 'Held changes';
const parameters = { heldId: 'The held change.' };

const decision = (name: HeldDecision, operationId: string, summary: string, description: string): EndpointOptions => ({
  method: 'post',
  path: `{heldId}/${name}`,
  ...{ operationId, summary, description, tag, parameters },
  may: 'held_change:decide',
  body: { type: HeldDecisionBody, example: { version: 1, reason: 'HR confirmed the closing of the South office' } },
  idempotencyKey: 'optional',
  replies: [
    {
      status: 200,
      type: AcceptedView,
      description: 'Decided; carried out in a moment.',
      headers: ['Idempotency-Replayed'],
    },
  ],
  problems: ['conflict_changed', 'closed', 'state_forbids'],
});

/** What was held because it was too much, or came back. */
@Controller(`${basePath.slice(1)}/held-changes`)
export class HeldController {
  constructor(
    @Inject(HUB) private readonly hub: Hub,
    private readonly decideHeld: DecideHeld,
    private readonly idempotency: Idempotency,
    private readonly takingBack: TakeBack,
  ) {}

  @Endpoint({
    method: 'get',
    path: '',
    operationId: 'listHeldChanges',
    summary: 'List held changes',
    description:
      'What runs held back: changes over a limit, inputs that were rolled back and came again, records that may be another person. Everything else of those runs was published.',
    tag,
    may: 'held_change:read',
    readsQuery: true,
    replies: [{ status: 200, type: HeldChangePage, description: 'A page of held changes.', headers: ['Link'] }],
    problems: ['cursor_mismatch'],
  })
  async list(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
    @Query() query: HeldListQuery,
  ): Promise<Answer<Page<Plain<HeldChangeView>>>> {
    const { limit = defaultLimit, cursor, ...asked } = query;
    const scope = ['held', asked];
    const { status = 'held' } = asked;
    const filter = {
      state: status === 'all' ? null : status,
      cause: asked.cause ?? null,
      jobId: asked.job === undefined ? null : smallIdOf(asked.job, 'job'),
      runId: asked.run === undefined ? null : idOf(asked.run, 'run'),
    };
    const after = decodeIdCursor(scope, cursor);
    const rows = await this.hub.read(caller.institutionId, (client) => listHeld(client, filter, after, limit + 1));
    return pageOf({ rows, limit, filter: scope, url: request.url, position: (row) => [row.id], toItem: toHeldChange });
  }

  @Endpoint({
    method: 'get',
    path: '{heldId}',
    operationId: 'getHeldChange',
    summary: 'Look at a held change',
    description: 'The change in words, and why it was held.',
    tag,
    may: 'held_change:read',
    parameters,
    replies: [{ status: 200, type: HeldChangeView, description: 'The held change.', headers: ['ETag'] }],
  })
  async get(@CurrentCaller() caller: Caller, @Param('heldId') heldId: string): Promise<Answer<Plain<HeldChangeView>>> {
    const id = idOf(heldId, 'held change');
    const row = await this.hub.read(caller.institutionId, (client) => findHeld(client, id));
    if (row === null) throw notFound('held change', id);
    return new Answer(toHeldChange(row), { headers: { etag: etagOf(row.version) } });
  }

  @Endpoint({
    method: 'get',
    path: '{heldId}/records',
    operationId: 'listHeldRecords',
    summary: 'List the records of a held change',
    description: 'By their keys in the source, with what would be done.',
    tag,
    may: 'held_change:read_records',
    parameters,
    readsQuery: true,
    replies: [{ status: 200, type: HeldRowPage, description: 'A page of records.', headers: ['Link'] }],
    problems: ['cursor_mismatch'],
  })
  async records(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
    @Param('heldId') heldId: string,
    @Query() query: ListQuery,
  ): Promise<Answer<Page<Plain<HeldRowView>>>> {
    const { limit = defaultLimit, cursor } = query;
    const id = idOf(heldId, 'held change');
    const scope = ['held-records', id];
    const after = decodeCursor(scope, cursor, [cursorShapes.id, /^[^\0]*$/]);
    const rows = await this.hub.read(caller.institutionId, async (client) => {
      if ((await findHeld(client, id)) === null) throw notFound('held change', id);
      return await listHeldRecords(client, id, after, limit + 1);
    });
    return pageOf({
      ...{ rows, limit, filter: scope, url: request.url },
      position: (row) => [String(row.mapping_id), row.source_key],
      toItem: ({ mapping, source_key: sourceKey, operation }): Plain<HeldRowView> => ({
        mapping,
        sourceKey,
        operation,
      }),
    });
  }

  @Endpoint(
    decision(
      'release',
      'releaseHeldChange',
      'Release a held change',
      'It is carried out as it was held, by a run of its own.',
    ),
  )
  async release(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
    @Param('heldId') heldId: string,
    @Body() body: HeldDecisionBody,
  ): Promise<Answer<unknown>> {
    return await this.decide(caller, request, heldId, 'release', body);
  }

  @Endpoint(
    decision(
      'discard',
      'discardHeldChange',
      'Discard a held change',
      'It is not carried out, and the same input does not ask again.',
    ),
  )
  async discard(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
    @Param('heldId') heldId: string,
    @Body() body: HeldDecisionBody,
  ): Promise<Answer<unknown>> {
    return await this.decide(caller, request, heldId, 'discard', body);
  }

  @Endpoint({
    method: 'post',
    path: '{heldId}/take-back',
    operationId: 'takeBackHeldDecision',
    summary: 'Take the release or discard of a held change back',
    description:
      'One that waits is withdrawn, and the change is held again. One that was carried out is rolled back with its run.',
    tag,
    may: 'decision:take_back',
    parameters,
    body: { type: TakeBackBody, example: { reason: 'HR called: it was a mistake' } },
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
    @Param('heldId') heldId: string,
    @Body() body: TakeBackBody,
  ): Promise<Answer<unknown>> {
    const id = idOf(heldId, 'held change');
    const key = requireIdempotencyKey(request);
    return await this.idempotency.once(caller, request, body, async () => {
      const row = await this.hub.read(caller.institutionId, (client) => findHeld(client, id));
      if (row === null) throw notFound('held change', id);
      return await this.takingBack.one(caller, { of: 'held change', id }, row.batch_id, key, body);
    });
  }

  private async decide(
    caller: Caller,
    request: HttpRequest,
    heldId: string,
    name: HeldDecision,
    body: HeldDecisionBody,
  ): Promise<Answer<unknown>> {
    const id = idOf(heldId, 'held change');
    return await this.idempotency.once(
      caller,
      request,
      body,
      async () => new Answer(await this.decideHeld.decide(caller, id, name, body), { status: 200 }),
    );
  }
}
