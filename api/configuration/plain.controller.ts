import { Body, Controller, Param, Query, type Type } from '@nestjs/common';
import { listedKinds } from '../../domain/configuration-kinds.js';
import { basePath, linkTo } from '../common/base-path.js';
import { CurrentCaller, CurrentRequest, type Caller } from '../common/caller.js';
import type { Page } from '../common/cursor.js';
import { Endpoint } from '../common/endpoint.js';
import { etagOf, withEtag } from '../common/etag.js';
import { Answer, type HttpRequest } from '../common/http.js';
import { pageOfListing, type ListingRequest } from '../common/listing.js';
import { toPlain } from '../common/plain.js';
import { Changes } from './changes.js';
import { ConfigurationStore } from './configuration-store.js';
import { cacheControl, changeOptions } from './lifecycle.controller.js';
import { findRow, rowsOf, toConfigured, type PlainResource } from './resource.js';

/** The routes of a kind that is listed, made, looked at and replaced as every other. */
export const plainController = (resource: PlainResource): Type<unknown> => {
  const { kind, path, noun, parameter, tag, read, write, body, view, page, query, example } = resource;
  const { title } = listedKinds[kind];
  const parameters = { [parameter]: `The ${title}: its id or its name.` };
  const change = changeOptions(view);

  @Controller(`${basePath.slice(1)}/${path}`)
  class PlainController {
    constructor(
      private readonly configurations: ConfigurationStore,
      private readonly changes: Changes,
    ) {}

    @Endpoint({
      ...{ method: 'get', path: '', operationId: `list${noun}s`, tag, may: read },
      summary: `List ${path.replace('-', ' ')}`,
      description: 'Those in use, or also those that were archived.',
      readsQuery: true,
      cacheControl,
      replies: [{ status: 200, type: page, description: 'A page.', headers: ['Link'] }],
      problems: ['cursor_mismatch'],
    })
    async list(
      @CurrentCaller() caller: Caller,
      @CurrentRequest() request: HttpRequest,
      @Query() asked: ListingRequest,
    ): Promise<Answer<Page<object>>> {
      return await this.configurations.read(caller, (stored) =>
        pageOfListing({
          ...{ rows: rowsOf(stored, kind), query: asked, url: request.url },
          own: (row) => resource.matches(row, asked),
          toItem: (row) => toConfigured(resource, row),
        }),
      );
    }

    @Endpoint({
      ...{ method: 'post', path: '', operationId: `create${noun}`, tag, may: write },
      summary: `Make a ${title}`,
      description: `Judged together with all that is configured. ${resource.words}`,
      body: { type: body, example },
      replies: [{ status: 201, type: view, description: 'Made.', headers: ['Location', 'ETag'] }],
      problems: ['configuration_invalid', 'name_taken'],
    })
    async create(@CurrentCaller() caller: Caller, @Body() given: Named): Promise<Answer<object>> {
      const row = await this.changes.create(caller, resource, toPlain(given) as Named);
      const headers = { location: linkTo(`${path}/${row.id}`), etag: etagOf(row.version) };
      return new Answer(toConfigured(resource, row), { status: 201, headers });
    }

    @Endpoint({
      ...{ method: 'get', path: `{${parameter}}`, operationId: `get${noun}`, tag, may: read, parameters },
      summary: `Look at a ${title}`,
      description: 'Its definition. Its ETag is what a change is made on.',
      ifNoneMatch: true,
      cacheControl,
      replies: [
        { status: 200, type: view, description: 'It.', headers: ['ETag'] },
        { status: 304, description: 'You have it.' },
      ],
    })
    async get(
      @CurrentCaller() caller: Caller,
      @CurrentRequest() request: HttpRequest,
      @Param(parameter) id: string,
    ): Promise<Answer<object | undefined>> {
      const row = await this.configurations.read(caller, (stored) => findRow(stored, resource, id));
      return withEtag(request, toConfigured(resource, row), { cacheControl, etag: etagOf(row.version) });
    }

    @Endpoint({
      ...{ method: 'put', path: `{${parameter}}`, operationId: `put${noun}`, tag, may: write, parameters },
      summary: `Change a ${title}`,
      description: `Replaces the whole definition; the same again changes nothing. ${resource.words}`,
      body: { type: body, example },
      ...change,
    })
    async put(
      @CurrentCaller() caller: Caller,
      @CurrentRequest() request: HttpRequest,
      @Param(parameter) id: string,
      @Body() given: Named,
    ): Promise<Answer<object>> {
      const row = await this.changes.replace(caller, request, resource, { id, definition: toPlain(given) as Named });
      return new Answer(toConfigured(resource, row), { headers: { etag: etagOf(row.version) } });
    }
  }
  declareType(PlainController, 'list', 2, query);
  declareType(PlainController, 'create', 1, body);
  declareType(PlainController, 'put', 3, body);
  return PlainController;
};

interface Named {
  readonly name: string;
}

/* What a decorated method's argument is an instance of: the compiler writes it down where it is a class that it knows; here it is
   one of the resource's. It is what bodies and parameters are checked against, and described by. */
const declareType = (
  controller: { readonly prototype: object },
  method: string,
  index: number,
  type: Type<object>,
): void => {
  const types = Reflect.getMetadata('design:paramtypes', controller.prototype, method) as unknown[];
  Reflect.defineMetadata('design:paramtypes', types.with(index, type), controller.prototype, method);
};
