import { Body, Controller, Param, Query } from '@nestjs/common';
import type { StoredConfiguration } from '../../database/configuration-store.js';
import { isSame } from '../../domain/differences.js';
import type { Configuration, VisibilityDefinition } from '../../domain/job-definition.js';
import { basePath, linkTo } from '../common/base-path.js';
import { CurrentCaller, CurrentRequest, type Caller } from '../common/caller.js';
import type { Page } from '../common/cursor.js';
import { Endpoint } from '../common/endpoint.js';
import { etagOf, withEtag } from '../common/etag.js';
import { Count, FreeObject, Links, Moment, Nested, Text, Texts } from '../common/fields.js';
import { Answer, type HttpRequest } from '../common/http.js';
import { judgeInstitution, requireValid } from '../common/judge.js';
import { ListQuery } from '../common/list-query.js';
import type { Plain } from '../common/plain-type.js';
import { toPlain } from '../common/plain.js';
import { notFound } from '../common/ids.js';
import { validationProblem } from '../common/validation.js';
import { RevertBody } from './configured.dto.js';
import { VersionPage, VersionView, type VersionItemView } from './configured.view.js';
import { ConfigurationStore, type OpenChange } from './configuration-store.js';
import { readVersion, refuseUnlessCurrent, versionOf } from './history.js';
import { cacheControl, changeOptions } from './lifecycle.controller.js';
import { pageOfVersions, showVersion } from './versions.js';

type InstitutionDefinition = Configuration['institution'];

/** An institution. */
export class InstitutionBody implements InstitutionDefinition {
  @Text({ min: 1, max: 200, description: 'Its code. It stays.', example: 'lakeside' })
  code: string;

  @Text({ min: 1, max: 300, description: 'Its name.', example: 'Lakeside University' })
  name: string;

  @Text({ min: 1, max: 100, description: 'Where its days begin and end.', example: 'Europe/Zurich' })
  timeZone: string;

  @Texts({
    ...{ optional: true, min: 1, max: 200, maxEach: 200, example: ['directory', 'statutory'] },
    description: 'The classes of recipients that restrictions may name; absent: those that the targets name.',
  })
  recipientClasses?: string[];

  @FreeObject({
    optional: true,
    description:
      'Which records are its organisations, and by which references people belong to one: what keys and people can be bound to. Absent: nobody is bound.',
    example: { organisation: 'organisation', code: 'code', through: ['affiliation.organisation'] },
  })
  visibility?: VisibilityDefinition;
}

/** The institution of the caller. */
export class InstitutionView {
  @Nested(() => InstitutionBody, { description: 'Its definition.' })
  definition: InstitutionBody;

  @Count({ min: 1, description: 'Rises with every change; it is the ETag.', example: 1 })
  version: number;

  @Text({ max: 300, description: 'Who changed it last.', example: 'steward:Data office' })
  changedBy: string;

  @Moment({ description: 'When.' })
  changedAt: string;

  @Links()
  links: Record<string, string>;
}

const tag = 'Institution';
const path = 'institution';

/** The caller's institution. */
@Controller(`${basePath.slice(1)}/${path}`)
export class InstitutionController {
  constructor(private readonly configurations: ConfigurationStore) {}

  @Endpoint({
    ...{ method: 'get', path: '', operationId: 'getInstitution', tag, may: 'institution:read', cacheControl },
    summary: 'Look at the institution',
    description: 'Name, time zone and classes of recipients.',
    ifNoneMatch: true,
    replies: [
      { status: 200, type: InstitutionView, description: 'It.', headers: ['ETag'] },
      { status: 304, description: 'You have it.' },
    ],
  })
  async get(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
  ): Promise<Answer<Plain<InstitutionView> | undefined>> {
    return await this.configurations.read(caller, (stored) =>
      withEtag(request, toInstitution(stored), { cacheControl, etag: etagOf(stored.institution.version) }),
    );
  }

  @Endpoint({
    ...{ method: 'put', path: '', operationId: 'putInstitution', tag, may: 'institution:write' },
    summary: 'Change the institution',
    description: 'Replaces the whole definition. Its schedules follow its time zone.',
    body: {
      type: InstitutionBody,
      example: { code: 'lakeside', name: 'Lakeside University', timeZone: 'Europe/Zurich' },
    },
    ...changeOptions(InstitutionView),
  })
  async put(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
    @Body() body: InstitutionBody,
  ): Promise<Answer<Plain<InstitutionView>>> {
    return await this.configurations.change(caller, async (change) => {
      await refuseUnlessCurrent(change.client, request, 'institution', change.stored.institution);
      return await storeInstitution(change, toPlain(body) as InstitutionDefinition);
    });
  }

  @Endpoint({
    ...{ method: 'post', path: 'revert', operationId: 'revertInstitution', tag, may: 'institution:write' },
    summary: 'Go back to a version of the institution',
    description: 'Its definition becomes what it was at that version, as a new version.',
    body: { type: RevertBody, example: { version: 1 } },
    ...changeOptions(InstitutionView),
    problems: ['configuration_invalid', 'not_found'],
  })
  async revert(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
    @Body() { version }: RevertBody,
  ): Promise<Answer<Plain<InstitutionView>>> {
    return await this.configurations.change(caller, async (change) => {
      const { institution } = change.stored;
      await refuseUnlessCurrent(change.client, request, 'institution', institution);
      const then = await readVersion(change.client, 'institution', institution.id, version);
      if (then === null) throw notFound('version', String(version));
      return await storeInstitution(change, then.definition as InstitutionDefinition, 'reverted');
    });
  }

  @Endpoint({
    ...{ method: 'get', path: 'versions', operationId: 'listInstitutionVersions', tag, may: 'institution:read' },
    summary: 'The history of the institution',
    description: 'Who changed what and when, newest first.',
    readsQuery: true,
    cacheControl,
    replies: [{ status: 200, type: VersionPage, description: 'A page of versions.', headers: ['Link'] }],
    problems: ['cursor_mismatch'],
  })
  async versions(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
    @Query() query: ListQuery,
  ): Promise<Answer<Page<Plain<VersionItemView>>>> {
    return await this.configurations.read(caller, ({ institution: { id } }, client) =>
      pageOfVersions(client, request, query, { kind: 'institution', path, id }),
    );
  }

  @Endpoint({
    ...{
      method: 'get',
      path: 'versions/{version}',
      operationId: 'getInstitutionVersion',
      tag,
      may: 'institution:read',
    },
    summary: 'The institution as it was',
    description: 'The whole definition at a version.',
    parameters: { version: 'The number of the version.' },
    cacheControl,
    replies: [{ status: 200, type: VersionView, description: 'The version.' }],
  })
  async version(@CurrentCaller() caller: Caller, @Param('version') version: string): Promise<Plain<VersionView>> {
    return await this.configurations.read(caller, ({ institution: { id } }, client) =>
      showVersion(client, { kind: 'institution', path, id }, versionOf(version)),
    );
  }
}

const storeInstitution = async (
  change: OpenChange,
  definition: InstitutionDefinition,
  action?: 'reverted',
): Promise<Answer<Plain<InstitutionView>>> => {
  const { code } = change.current.institution;
  if (definition.code !== code)
    throw validationProblem([{ pointer: '/code', code: 'fixed', detail: `code stays ${code}` }]);
  if (!isSame(definition, change.current.institution)) {
    const { configuration } = requireValid(judgeInstitution(change.current, definition));
    await change.store(configuration, action);
  }
  const stored = await change.reread();
  return new Answer(toInstitution(stored), { headers: { etag: etagOf(stored.institution.version) } });
};

const toInstitution = ({ institution }: StoredConfiguration): Plain<InstitutionView> => ({
  ...{ definition: institution.definition, version: institution.version },
  ...{ changedBy: institution.changedBy, changedAt: institution.changedAt.toISOString() },
  links: { self: linkTo(path), versions: linkTo(`${path}/versions`) },
});
