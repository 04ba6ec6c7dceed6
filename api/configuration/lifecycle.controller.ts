import { Body, Controller, Param, Query, type Type } from '@nestjs/common';
import { dependentsOf } from '../../domain/configuration-dependents.js';
import { listedKinds } from '../../domain/configuration-kinds.js';
import { basePath } from '../common/base-path.js';
import { CurrentCaller, CurrentRequest, type Caller } from '../common/caller.js';
import type { Page } from '../common/cursor.js';
import { Endpoint, type EndpointOptions } from '../common/endpoint.js';
import { etagOf } from '../common/etag.js';
import { Answer, type HttpRequest } from '../common/http.js';
import { ListQuery } from '../common/list-query.js';
import type { Plain } from '../common/plain-type.js';
import { configurationOf } from '../../database/configuration-store.js';
import { Changes } from './changes.js';
import { RevertBody } from './configured.dto.js';
import { DependentsView, VersionPage, VersionView, type VersionItemView } from './configured.view.js';
import { ConfigurationStore } from './configuration-store.js';
import { versionOf } from './history.js';
import { findRow, type Resource, type Row } from './resource.js';
import { pageOfVersions, showVersion } from './versions.js';

export const cacheControl = 'private, max-age=5';

/** A change of one thing: what it answers with, and what it may be refused for. */
export const changeOptions = (
  view: Type<unknown>,
): Pick<EndpointOptions, 'ifMatch' | 'replies'> & {
  readonly problems: readonly ['configuration_invalid', 'state_forbids'];
} => ({
  ifMatch: true,
  replies: [{ status: 200, type: view, description: 'As it is stored now.', headers: ['ETag'] }],
  problems: ['configuration_invalid', 'state_forbids'],
});

/** The routes that everything configured has once it is there: its history, going back, taking out of use and into it again, and
 *  what depends on it. */
export const lifecycleController = (
  resource: Resource,
  shown: { readonly view: Type<unknown>; readonly show: (row: Row) => object },
): Type<unknown> => {
  const { path, noun, parameter, tag, read, write } = resource;
  const { title } = listedKinds[resource.kind];
  const parameters = { [parameter]: `The ${title}: its id or its name.` };
  const change = changeOptions(shown.view);
  const answer = (row: Row): Answer<object> => new Answer(shown.show(row), { headers: { etag: etagOf(row.version) } });

  @Controller(`${basePath.slice(1)}/${path}`)
  class LifecycleController {
    constructor(
      private readonly configurations: ConfigurationStore,
      private readonly changes: Changes,
    ) {}

    @Endpoint({
      ...{ method: 'delete', path: `{${parameter}}`, operationId: `archive${noun}`, tag, may: write, parameters },
      summary: `Take a ${title} out of use`,
      description:
        'Nothing is deleted: what is stored goes on referring to it, its history stays, and it can be restored. Refused while anything in use names it.',
      ...change,
      problems: [...change.problems, 'in_use'],
    })
    async archive(
      @CurrentCaller() caller: Caller,
      @CurrentRequest() request: HttpRequest,
      @Param(parameter) id: string,
    ): Promise<Answer<object>> {
      return answer(await this.changes.archive(caller, request, resource, id));
    }

    @Endpoint({
      ...{ method: 'post', path: `{${parameter}}/restore`, operationId: `restore${noun}`, tag, may: write, parameters },
      summary: `Take a ${title} into use again`,
      description: 'As it was when it was archived.',
      ...change,
    })
    async restore(
      @CurrentCaller() caller: Caller,
      @CurrentRequest() request: HttpRequest,
      @Param(parameter) id: string,
    ): Promise<Answer<object>> {
      return answer(await this.changes.restore(caller, request, resource, id));
    }

    @Endpoint({
      ...{ method: 'post', path: `{${parameter}}/revert`, operationId: `revert${noun}`, tag, may: write, parameters },
      summary: `Go back to a version of a ${title}`,
      description:
        'Its definition becomes what it was at that version, as a new version: nothing of the history is lost.',
      body: { type: RevertBody, example: { version: 2 } },
      ...change,
    })
    async revert(
      @CurrentCaller() caller: Caller,
      @CurrentRequest() request: HttpRequest,
      @Param(parameter) id: string,
      @Body() { version }: RevertBody,
    ): Promise<Answer<object>> {
      return answer(await this.changes.revert(caller, request, resource, { id, version }));
    }

    @Endpoint({
      ...{
        method: 'get',
        path: `{${parameter}}/versions`,
        operationId: `list${noun}Versions`,
        tag,
        may: read,
        parameters,
      },
      summary: `The history of a ${title}`,
      description: 'Who changed what and when, newest first.',
      readsQuery: true,
      cacheControl,
      replies: [{ status: 200, type: VersionPage, description: 'A page of versions.', headers: ['Link'] }],
      problems: ['cursor_mismatch'],
    })
    async versions(
      @CurrentCaller() caller: Caller,
      @CurrentRequest() request: HttpRequest,
      @Param(parameter) id: string,
      @Query() query: ListQuery,
    ): Promise<Answer<Page<Plain<VersionItemView>>>> {
      return await this.configurations.read(caller, (stored, client) =>
        pageOfVersions(client, request, query, { kind: resource.kind, path, id: findRow(stored, resource, id).id }),
      );
    }

    @Endpoint({
      ...{ method: 'get', path: `{${parameter}}/versions/{version}`, operationId: `get${noun}Version`, tag, may: read },
      summary: `A ${title} as it was`,
      description: 'The whole definition at a version.',
      parameters: { ...parameters, version: 'The number of the version.' },
      cacheControl,
      replies: [{ status: 200, type: VersionView, description: 'The version.' }],
    })
    async version(
      @CurrentCaller() caller: Caller,
      @Param(parameter) id: string,
      @Param('version') version: string,
    ): Promise<Plain<VersionView>> {
      return await this.configurations.read(caller, (stored, client) =>
        showVersion(client, { kind: resource.kind, path, id: findRow(stored, resource, id).id }, versionOf(version)),
      );
    }

    @Endpoint({
      ...{
        method: 'get',
        path: `{${parameter}}/dependents`,
        operationId: `get${noun}Dependents`,
        tag,
        may: read,
        parameters,
      },
      summary: `What depends on a ${title}`,
      description: 'Everything in use that names it. While there is anything, it cannot be archived.',
      cacheControl,
      replies: [{ status: 200, type: DependentsView, description: 'What depends on it.' }],
    })
    async dependents(@CurrentCaller() caller: Caller, @Param(parameter) id: string): Promise<Plain<DependentsView>> {
      return await this.configurations.read(caller, (stored) => {
        const { name } = findRow(stored, resource, id);
        return { items: dependentsOf(configurationOf(stored), { kind: resource.kind, name }) };
      });
    }
  }
  return LifecycleController;
};
