import { Body, Controller, Inject, Param, Query } from '@nestjs/common';
import { createAdminKey, createInstitution, listInstitutions } from '../../database/institutions.js';
import type { Hub } from '../../database/hub.js';
import type { Configuration } from '../../domain/job-definition.js';
import { basePath, linkTo } from '../common/base-path.js';
import { CurrentCaller, CurrentRequest, type Caller } from '../common/caller.js';
import { decodeIdCursor, pageOf, type Page } from '../common/cursor.js';
import { Endpoint } from '../common/endpoint.js';
import type { Answer, HttpRequest } from '../common/http.js';
import { judgeInstitution, requireValid } from '../common/judge.js';
import { defaultLimit, ListQuery } from '../common/list-query.js';
import type { Plain } from '../common/plain-type.js';
import { toPlain } from '../common/plain.js';
import { Problem } from '../common/problem.js';
import { HUB } from '../common/tokens.js';
import { say } from '../languages/say.js';
import { CreateInstitutionBody } from './institutions.dto.js';
import { AdminKeyView, HostedInstitutionPage, HostedInstitutionView, NewInstitutionView } from './institutions.view.js';

const tag = 'Institutions';
const path = 'institutions';
const unconfigured = { systems: [], entityTypes: [], mappings: [], codeTables: [], jobs: [] };

/** What the host of the platform does: it makes institutions, and hands each its first keys. What is theirs it never sees. */
@Controller(`${basePath.slice(1)}/${path}`)
export class InstitutionsController {
  constructor(@Inject(HUB) private readonly hub: Hub) {}

  @Endpoint({
    ...{ method: 'get', path: '', operationId: 'listInstitutions', tag, may: 'institution:list' },
    summary: 'List the institutions of the platform',
    description: 'Their codes and names, and nothing of what is theirs. For the holder of the key in CONCORD_HOST_KEY.',
    readsQuery: true,
    replies: [{ status: 200, type: HostedInstitutionPage, description: 'A page of them.', headers: ['Link'] }],
    problems: ['cursor_mismatch'],
  })
  async list(
    @CurrentRequest() request: HttpRequest,
    @Query() { limit = defaultLimit, cursor }: ListQuery,
  ): Promise<Answer<Page<Plain<HostedInstitutionView>>>> {
    const filter = ['institutions'];
    const after = Number(decodeIdCursor(filter, cursor) ?? 0);
    const rows = await listInstitutions(this.hub, { after, most: limit + 1 });
    return pageOf({
      ...{ rows, limit, filter, url: request.url },
      position: ({ id }) => [String(id)],
      toItem: ({ code, name, timeZone, hasKeys }) => ({ code, name, timeZone, hasKeys }),
    });
  }

  @Endpoint({
    ...{ method: 'post', path: '', operationId: 'createInstitution', tag, may: 'institution:create' },
    summary: 'Make an institution',
    description:
      'With nothing configured. Its first keys are in the reply, and nowhere else: keep them then. For the holder of the key in CONCORD_HOST_KEY.',
    body: {
      type: CreateInstitutionBody,
      example: { code: 'lakeside', name: 'Lakeside University', timeZone: 'Europe/Zurich' },
    },
    replies: [{ status: 201, type: NewInstitutionView, description: 'It, with its first keys, once.' }],
    problems: ['configuration_invalid', 'name_taken'],
  })
  async create(
    @CurrentCaller() caller: Caller,
    @Body() body: CreateInstitutionBody,
  ): Promise<Plain<NewInstitutionView>> {
    const { code } = body;
    const judged = judgeInstitution(
      { institution: body, ...unconfigured },
      toPlain(body) as Configuration['institution'],
    );
    const { configuration } = requireValid(judged);
    const firstKeys = await createInstitution(this.hub, configuration.institution, caller.actor);
    if (firstKeys === null)
      throw new Problem(
        'name_taken',
        `An institution with the code ${code} is there and has its keys: take another code.`,
        {
          errors: [{ pointer: '/code', code: 'name_taken', detail: 'take another code' }],
        },
      );
    return { code, firstKeys, links: { self: linkTo('institution'), apply: linkTo('configuration/apply') } };
  }

  @Endpoint({
    ...{
      method: 'post',
      path: '{institutionCode}/admin-keys',
      operationId: 'createAdminKey',
      tag,
      may: 'institution:create',
    },
    summary: 'Make an admin key for an institution',
    description:
      'For an institution whose keys are lost: with it, it makes the others itself. It stands among its keys as made by the host.',
    parameters: { institutionCode: 'The code of the institution.' },
    replies: [{ status: 201, type: AdminKeyView, description: 'The key, once.' }],
    problems: ['not_found'],
  })
  async createAdminKey(
    @CurrentCaller() caller: Caller,
    @Param('institutionCode') code: string,
  ): Promise<Plain<AdminKeyView>> {
    const key = await createAdminKey(this.hub, code, caller.actor);
    if (key === null) throw new Problem('not_found', say('not_found.institution'));
    return { key };
  }
}
