import { Body, Controller, Inject, Param, Query } from '@nestjs/common';
import type { Hub } from '../../database/hub.js';
import { basePath } from '../common/base-path.js';
import { CurrentCaller, CurrentRequest, type Caller } from '../common/caller.js';
import { decodeIdCursor, pageOf, type Page } from '../common/cursor.js';
import { Endpoint } from '../common/endpoint.js';
import type { Answer, HttpRequest } from '../common/http.js';
import { idOf } from '../common/ids.js';
import { defaultLimit } from '../common/list-query.js';
import type { Plain } from '../common/plain-type.js';
import { HUB } from '../common/tokens.js';
import { DisclosureListQuery, RevealBody } from './golden.dto.js';
import { listDisclosures, Reveal, toDisclosure } from './reveal.js';
import { DisclosurePage, RevealedView, type DisclosureView } from './reveal.view.js';

const tag = 'Golden records';

/** Masked values, shown with a reason. */
@Controller(basePath.slice(1))
export class RevealController {
  constructor(
    @Inject(HUB) private readonly hub: Hub,
    private readonly revealing: Reveal,
  ) {}

  @Endpoint({
    method: 'post',
    path: 'golden-records/{goldenId}/reveal',
    operationId: 'revealGoldenRecord',
    summary: 'Show masked values once',
    description:
      'What the role sees masked is shown in this one reply, and nowhere kept. Who was shown what of whom, and why, is kept for the auditor.',
    tag,
    may: 'golden_record:reveal',
    parameters: { goldenId: 'The record.' },
    body: { type: RevealBody, example: { groups: ['birth_date'], reason: 'She asks for a certificate' } },
    replies: [{ status: 200, type: RevealedView, description: 'The values.' }],
  })
  async reveal(
    @CurrentCaller() caller: Caller,
    @Param('goldenId') goldenId: string,
    @Body() body: RevealBody,
  ): Promise<Plain<RevealedView>> {
    return await this.revealing.reveal(caller, idOf(goldenId, 'golden record'), body);
  }

  @Endpoint({
    method: 'get',
    path: 'disclosures',
    operationId: 'listDisclosures',
    summary: 'List who was shown masked values',
    description: 'Who, when, of which record, which groups, and why. Never the values.',
    tag,
    may: 'disclosure:read',
    readsQuery: true,
    replies: [{ status: 200, type: DisclosurePage, description: 'A page of disclosures.', headers: ['Link'] }],
    problems: ['cursor_mismatch'],
  })
  async list(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
    @Query() query: DisclosureListQuery,
  ): Promise<Answer<Page<Plain<DisclosureView>>>> {
    const { limit = defaultLimit, cursor, goldenId } = query;
    const id = goldenId === undefined ? null : idOf(goldenId, 'golden record');
    const scope = ['disclosures', id];
    const before = decodeIdCursor(scope, cursor);
    const rows = await this.hub.read(caller.institutionId, (client) => listDisclosures(client, id, before, limit + 1));
    return pageOf({ rows, limit, filter: scope, url: request.url, position: (row) => [row.id], toItem: toDisclosure });
  }
}
