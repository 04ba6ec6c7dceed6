import { Body, Controller, Inject, Param, Query } from '@nestjs/common';
import { loadConfiguration } from '../../database/configuration-store.js';
import type { Hub } from '../../database/hub.js';
import { basePath, linkTo } from '../common/base-path.js';
import { CurrentCaller, CurrentRequest, type Caller } from '../common/caller.js';
import { decodeIdCursor, pageOf, type Page } from '../common/cursor.js';
import { Endpoint } from '../common/endpoint.js';
import { etagOf, withEtag } from '../common/etag.js';
import type { Answer, HttpRequest } from '../common/http.js';
import { notFound } from '../common/ids.js';
import { defaultLimit, ListQuery } from '../common/list-query.js';
import { HUB } from '../common/tokens.js';
import { MappingBody, PutMappingQuery } from './mapping.dto.js';
import { MappingPage, MappingReportView, MappingView, type MappingItemView } from './mapping.view.js';
import { findMapping, PutMapping, toMapping } from './put-mapping.js';
import type { Plain } from '../common/plain-type.js';

const tag = 'Mappings';
const parameters = { mappingId: 'The mapping: its id or its name (`system.entity`).' };
const cacheControl = 'private, max-age=5';

/** Mappings: what the fields of a system mean. */
@Controller(`${basePath.slice(1)}/mappings`)
export class MappingsController {
  constructor(
    @Inject(HUB) private readonly hub: Hub,
    private readonly putMapping: PutMapping,
  ) {}

  @Endpoint({
    method: 'get',
    path: '',
    operationId: 'listMappings',
    summary: 'List mappings',
    description: 'Those in use, in short.',
    tag,
    may: 'mapping:read',
    readsQuery: true,
    cacheControl,
    replies: [{ status: 200, type: MappingPage, description: 'A page of mappings.', headers: ['Link'] }],
    problems: ['cursor_mismatch'],
  })
  async list(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
    @Query() query: ListQuery,
  ): Promise<Answer<Page<Plain<MappingItemView>>>> {
    const { limit = defaultLimit, cursor } = query;
    const after = Number(decodeIdCursor('mappings', cursor) ?? 0);
    const { mappings } = await loadConfiguration(this.hub, caller.institutionId);
    const rows = mappings.filter(({ id }) => id > after).slice(0, limit + 1);
    return pageOf({
      ...{ rows, limit, filter: 'mappings', url: request.url },
      position: (mapping) => [String(mapping.id)],
      toItem: ({ id, version, definition }): Plain<MappingItemView> => ({
        id: String(id),
        name: definition.name,
        version,
        links: { self: linkTo(`mappings/${id}`) },
      }),
    });
  }

  @Endpoint({
    method: 'get',
    path: '{mappingId}',
    operationId: 'getMapping',
    summary: 'Look at a mapping',
    description: 'The whole definition with its rules. Its ETag is what a change is made on.',
    tag,
    may: 'mapping:read',
    parameters,
    ifNoneMatch: true,
    cacheControl,
    replies: [
      { status: 200, type: MappingView, description: 'The mapping.', headers: ['ETag'] },
      { status: 304, description: 'You have it.' },
    ],
  })
  async get(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
    @Param('mappingId') mappingId: string,
  ): Promise<Answer<Plain<MappingView> | undefined>> {
    const row = await this.hub.read(caller.institutionId, (client) => findMapping(client, mappingId));
    if (row === null) throw notFound('mapping', mappingId);
    return withEtag(request, toMapping(row), { cacheControl, etag: etagOf(row.version) });
  }

  @Endpoint({
    method: 'put',
    path: '{mappingId}',
    operationId: 'putMapping',
    summary: 'Change a mapping',
    description:
      'Replaces the whole definition, and answers with a report: what is wrong, how many stored rows the next run reads anew, and a few of them before and after. With `dryRun=true` only the report.',
    tag,
    may: 'mapping:write',
    parameters,
    readsQuery: true,
    ifMatch: true,
    body: {
      type: MappingBody,
      example: {
        name: 'hr.staff',
        system: 'hr',
        entity: 'staff',
        source: {
          columns: ['id', 'email'],
          key: ['id'],
          records: [{ entityType: 'person', groups: { email: { from: 'email' } } }],
        },
      },
    },
    replies: [{ status: 200, type: MappingReportView, description: 'The report.', headers: ['ETag'] }],
    problems: ['configuration_invalid'],
  })
  async put(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
    @Param('mappingId') mappingId: string,
    @Query() query: PutMappingQuery,
    @Body() body: MappingBody,
  ): Promise<Answer<Plain<MappingReportView>>> {
    return await this.putMapping.put(caller, mappingId, request, body, query.dryRun === 'true');
  }
}
