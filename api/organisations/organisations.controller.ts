import { Controller, Inject, Query } from '@nestjs/common';
import type { Hub } from '../../database/hub.js';
import { basePath, linkTo } from '../common/base-path.js';
import { CurrentCaller, CurrentRequest, type Caller } from '../common/caller.js';
import { decodeCursor, pageOf, type Page } from '../common/cursor.js';
import { Endpoint } from '../common/endpoint.js';
import type { Answer, HttpRequest } from '../common/http.js';
import { defaultLimit } from '../common/list-query.js';
import type { Plain } from '../common/plain-type.js';
import { HUB } from '../common/tokens.js';
import { listOrganisations } from './organisation.queries.js';
import { OrganisationListQuery, OrganisationPage, type OrganisationView } from './organisation.view.js';

/** The organisations of the institution. */
@Controller(`${basePath.slice(1)}/organisations`)
export class OrganisationsController {
  constructor(@Inject(HUB) private readonly hub: Hub) {}

  @Endpoint({
    method: 'get',
    path: '',
    operationId: 'listOrganisations',
    summary: 'List the organisations',
    description:
      'Schools, faculties, campuses: the golden records of the type that the institution declares for them, as a tree in its order. By their codes keys are bound to what they may see.',
    tag: 'Organisations',
    may: 'organisation:read',
    readsQuery: true,
    replies: [{ status: 200, type: OrganisationPage, description: 'A page of organisations.', headers: ['Link'] }],
    problems: ['cursor_mismatch'],
  })
  async list(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
    @Query() query: OrganisationListQuery,
  ): Promise<Answer<Page<Plain<OrganisationView>>>> {
    const { limit = defaultLimit, cursor, below } = query;
    const scope = ['organisations', below ?? null];
    const after = decodeCursor(scope, cursor, [/^[^\0]*$/])?.[0] ?? null;
    const rows = await this.hub.read(caller.institutionId, (client) =>
      listOrganisations(client, { below: below ?? null, bound: caller.organisations }, after, limit + 1),
    );
    return pageOf({
      ...{ rows, limit, filter: scope, url: request.url },
      position: (row) => [row.position],
      toItem: (row): Plain<OrganisationView> => ({
        ...{ code: row.code, name: row.name, parent: row.parent, depth: row.depth, yours: row.yours },
        ...{ goldenId: row.id, links: { goldenRecord: linkTo(`golden-records/${row.id}`) } },
      }),
    });
  }
}
