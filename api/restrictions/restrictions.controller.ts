import { Body, Controller, Inject, Param, Query } from '@nestjs/common';
import type { Hub } from '../../database/hub.js';
import { basePath } from '../common/base-path.js';
import { CurrentCaller, CurrentRequest, type Caller } from '../common/caller.js';
import { decodeIdCursor, pageOf, type Page } from '../common/cursor.js';
import { Endpoint } from '../common/endpoint.js';
import { Answer, type HttpRequest } from '../common/http.js';
import { Idempotency } from '../common/idempotency.js';
import { idOf, notFound } from '../common/ids.js';
import { defaultLimit } from '../common/list-query.js';
import type { Plain } from '../common/plain-type.js';
import { HUB } from '../common/tokens.js';
import { PlaceBody, ReleaseBody, RestrictionListQuery } from './restriction.dto.js';
import { findRestriction, listRestrictions } from './restriction.queries.js';
import { RestrictionPage, RestrictionView } from './restriction.view.js';
import { Restrict, toRestrictionView } from './restrict.js';

const tag = 'Restrictions';
const parameters = { restrictionId: 'The restriction.' };

/** What is kept from whom. */
@Controller(`${basePath.slice(1)}/restrictions`)
export class RestrictionsController {
  constructor(
    @Inject(HUB) private readonly hub: Hub,
    private readonly restrict: Restrict,
    private readonly idempotency: Idempotency,
  ) {}

  @Endpoint({
    method: 'get',
    path: '',
    operationId: 'listRestrictions',
    summary: 'List restrictions',
    description: 'Which records are kept from which class of recipients, since when, by whom and by which authority.',
    tag,
    may: 'restriction:read',
    readsQuery: true,
    replies: [{ status: 200, type: RestrictionPage, description: 'A page of restrictions.', headers: ['Link'] }],
    problems: ['cursor_mismatch'],
  })
  async list(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
    @Query() query: RestrictionListQuery,
  ): Promise<Answer<Page<Plain<RestrictionView>>>> {
    const { limit = defaultLimit, cursor, ...asked } = query;
    const scope = ['restrictions', asked];
    const before = decodeIdCursor(scope, cursor);
    const filter = {
      goldenId: asked.goldenId === undefined ? null : idOf(asked.goldenId, 'golden record'),
      recipientClass: asked.recipientClass ?? null,
      state: asked.state ?? null,
    };
    const day = await this.restrict.today(caller);
    const rows = await this.hub.read(caller.institutionId, (client) =>
      listRestrictions(client, day, filter, before, limit + 1),
    );
    return pageOf({
      ...{ rows, limit, filter: scope, url: request.url },
      position: (row) => [row.id],
      toItem: toRestrictionView,
    });
  }

  @Endpoint({
    method: 'get',
    path: '{restrictionId}',
    operationId: 'getRestriction',
    summary: 'Look at a restriction',
    description: 'As in the list.',
    tag,
    may: 'restriction:read',
    parameters,
    replies: [{ status: 200, type: RestrictionView, description: 'The restriction.' }],
  })
  async get(
    @CurrentCaller() caller: Caller,
    @Param('restrictionId') restrictionId: string,
  ): Promise<Plain<RestrictionView>> {
    const id = idOf(restrictionId, 'restriction');
    const day = await this.restrict.today(caller);
    const row = await this.hub.read(caller.institutionId, (client) => findRestriction(client, day, id));
    if (row === null) throw notFound('restriction', id);
    return toRestrictionView(row);
  }

  @Endpoint({
    method: 'post',
    path: '',
    operationId: 'placeRestriction',
    summary: 'Keep a record from a class of recipients',
    description:
      'Holds at once: a run of its own takes back what targets of the class hold already. Only a steward releases it; no import does.',
    tag,
    may: 'restriction:place',
    body: {
      type: PlaceBody,
      example: {
        ...{ goldenId: '5012', recipientClass: 'directory', authority: 'Request of the person' },
        reason: 'She asked for it at the desk',
      },
    },
    idempotencyKey: 'optional',
    replies: [
      { status: 201, type: RestrictionView, description: 'It holds.', headers: ['Location', 'Idempotency-Replayed'] },
    ],
    problems: ['not_found', 'state_forbids'],
  })
  async place(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
    @Body() body: PlaceBody,
  ): Promise<Answer<unknown>> {
    return await this.idempotency.once(caller, request, body, async () => {
      const placed = await this.restrict.place(caller, body);
      return new Answer(placed, { status: 201, headers: { location: placed.links['self'] ?? '' } });
    });
  }

  @Endpoint({
    method: 'post',
    path: '{restrictionId}/release',
    operationId: 'releaseRestriction',
    summary: 'Release a restriction',
    description: 'It holds no more; a run of its own tells the targets at once.',
    tag,
    may: 'restriction:release',
    parameters,
    body: { type: ReleaseBody, example: { reason: 'She withdrew her request' } },
    idempotencyKey: 'optional',
    replies: [
      { status: 200, type: RestrictionView, description: 'It is released.', headers: ['Idempotency-Replayed'] },
    ],
  })
  async release(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
    @Param('restrictionId') restrictionId: string,
    @Body() body: ReleaseBody,
  ): Promise<Answer<unknown>> {
    const id = idOf(restrictionId, 'restriction');
    return await this.idempotency.once(
      caller,
      request,
      body,
      async () => new Answer(await this.restrict.release(caller, id, body), { status: 200 }),
    );
  }
}
