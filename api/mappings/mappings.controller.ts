import { Body, Controller, Param, Query } from '@nestjs/common';
import { basePath, linkTo } from '../common/base-path.js';
import { CurrentCaller, CurrentRequest, type Caller } from '../common/caller.js';
import type { Page } from '../common/cursor.js';
import { Endpoint } from '../common/endpoint.js';
import { etagOf, withEtag } from '../common/etag.js';
import { Answer, type HttpRequest } from '../common/http.js';
import { pageOfListing } from '../common/listing.js';
import { toPlain } from '../common/plain.js';
import { Changes } from '../configuration/changes.js';
import { ConfigurationStore } from '../configuration/configuration-store.js';
import { toConfigured } from '../configuration/resource.js';
import { mappings } from '../configuration/resources.js';
import { MappingBody, MappingQuery, PutMappingQuery } from './mapping.dto.js';
import { MappingPage, MappingReportView, MappingView, type MappingItemView } from './mapping.view.js';
import { findMapping, PutMapping, toMapping, type MappingRow } from './put-mapping.js';
import type { Plain } from '../common/plain-type.js';

const tag = 'Mappings';
const parameters = { mappingId: 'The mapping: its id or its name (`system.entity`).' };
const cacheControl = 'private, max-age=5';
const example = {
  ...{ name: 'hr.staff', system: 'hr', entity: 'staff' },
  source: {
    columns: ['id', 'email'],
    key: ['id'],
    records: [{ entityType: 'person', groups: { email: { from: 'email' } } }],
  },
};

/** Mappings: what the fields of a system mean. */
@Controller(`${basePath.slice(1)}/mappings`)
export class MappingsController {
  constructor(
    private readonly configurations: ConfigurationStore,
    private readonly changes: Changes,
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
    @Query() query: MappingQuery,
  ): Promise<Answer<Page<Plain<MappingItemView>>>> {
    return await this.configurations.read(caller, (stored) =>
      pageOfListing({
        ...{ rows: stored.mappings, query, url: request.url, toItem },
        own: ({ definition }) => query.system === undefined || definition.system === query.system,
      }),
    );
  }

  @Endpoint({
    method: 'post',
    path: '',
    operationId: 'createMapping',
    summary: 'Make a mapping',
    description: 'Judged together with all that is configured. A job reads it once it names it.',
    tag,
    may: 'mapping:write',
    body: { type: MappingBody, example },
    replies: [{ status: 201, type: MappingView, description: 'Made.', headers: ['Location', 'ETag'] }],
    problems: ['configuration_invalid', 'name_taken'],
  })
  async create(@CurrentCaller() caller: Caller, @Body() body: MappingBody): Promise<Answer<Plain<MappingView>>> {
    const row = await this.changes.create(caller, mappings, toPlain(body) as MappingBody);
    const headers = { location: linkTo(`mappings/${row.id}`), etag: etagOf(row.version) };
    return new Answer(toMapping(row as MappingRow), { status: 201, headers });
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
    const row = await this.configurations.read(caller, (stored) => findMapping(stored.mappings, mappingId));
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
      example,
    },
    replies: [{ status: 200, type: MappingReportView, description: 'The report.', headers: ['ETag'] }],
    problems: ['configuration_invalid', 'state_forbids'],
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

const toItem = (row: MappingRow): Plain<MappingItemView> => {
  const { definition: _definition, ...shown } = toConfigured(mappings, row);
  const { system, entity, source, target } = row.definition;
  return { ...shown, system, entity, reads: source !== undefined, writes: target !== undefined };
};
