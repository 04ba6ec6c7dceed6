import { Body, Controller, Param, Query } from '@nestjs/common';
import { basePath, linkTo } from '../common/base-path.js';
import { CurrentCaller, CurrentRequest, type Caller } from '../common/caller.js';
import type { Page } from '../common/cursor.js';
import { Endpoint } from '../common/endpoint.js';
import { etagOf, withEtag } from '../common/etag.js';
import { Answer, type HttpRequest } from '../common/http.js';
import { ListQuery } from '../common/list-query.js';
import { pageOfListing } from '../common/listing.js';
import type { Plain } from '../common/plain-type.js';
import { toPlain } from '../common/plain.js';
import type { RuleDefinition } from '../../domain/rule-definition.js';
import { CreateRuleBody, RevertBody, RuleBody, RuleQuery } from './configured.dto.js';
import { RulePage, RuleView, VersionPage, VersionView, type VersionItemView } from './configured.view.js';
import { ConfigurationStore } from './configuration-store.js';
import { versionOf } from './history.js';
import { cacheControl, changeOptions } from './lifecycle.controller.js';
import { findRule, readRules, RuleChanges, type RuleRow } from './rule-changes.js';
import { pageOfVersions, showVersion } from './versions.js';

const tag = 'Rules';
const path = 'rules';
const parameters = { ruleId: 'The rule.' };
const change = changeOptions(RuleView);

/** Rules of mappings. A rule is part of its mapping: a change of one is a new version of both. */
@Controller(`${basePath.slice(1)}/${path}`)
export class RulesController {
  constructor(
    private readonly configurations: ConfigurationStore,
    private readonly changes: RuleChanges,
  ) {}

  @Endpoint({
    ...{ method: 'get', path: '', operationId: 'listRules', tag, may: 'rule:read' },
    summary: 'List rules',
    description: 'Those in use, of all mappings or of one.',
    readsQuery: true,
    cacheControl,
    replies: [{ status: 200, type: RulePage, description: 'A page.', headers: ['Link'] }],
    problems: ['cursor_mismatch'],
  })
  async list(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
    @Query() query: RuleQuery,
  ): Promise<Answer<Page<Plain<RuleView>>>> {
    const { mapping, severity, check } = query;
    return await this.configurations.read(caller, async (stored, client) =>
      pageOfListing({
        ...{ rows: await readRules(client, stored), query, url: request.url, toItem: toRule },
        own: (row) =>
          (mapping === undefined || row.mapping === mapping) &&
          (severity === undefined || row.definition.severity === severity) &&
          (check === undefined || row.definition.check === check),
      }),
    );
  }

  @Endpoint({
    ...{ method: 'post', path: '', operationId: 'createRule', tag, may: 'rule:write' },
    summary: 'Make a rule',
    description: 'Added to its mapping, whose rows the next run reads anew.',
    body: {
      type: CreateRuleBody,
      example: {
        mapping: 'hr.staff',
        rule: { name: 'email_form', field: 'email', severity: 'warn', check: 'type', type: 'email' },
      },
    },
    replies: [{ status: 201, type: RuleView, description: 'Made.', headers: ['Location', 'ETag'] }],
    problems: ['configuration_invalid', 'name_taken', 'not_found', 'state_forbids'],
  })
  async create(@CurrentCaller() caller: Caller, @Body() body: CreateRuleBody): Promise<Answer<Plain<RuleView>>> {
    const row = await this.changes.create(caller, body.mapping, toPlain(body.rule) as RuleDefinition);
    const headers = { location: linkTo(`${path}/${row.id}`), etag: etagOf(row.version) };
    return new Answer(toRule(row), { status: 201, headers });
  }

  @Endpoint({
    ...{ method: 'get', path: '{ruleId}', operationId: 'getRule', tag, may: 'rule:read', parameters, cacheControl },
    summary: 'Look at a rule',
    description: 'Its definition. Its ETag is what a change is made on.',
    ifNoneMatch: true,
    replies: [
      { status: 200, type: RuleView, description: 'It.', headers: ['ETag'] },
      { status: 304, description: 'You have it.' },
    ],
  })
  async get(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
    @Param('ruleId') id: string,
  ): Promise<Answer<Plain<RuleView> | undefined>> {
    const row = await this.configurations.read(caller, (stored, client) => findRule(client, stored, id));
    return withEtag(request, toRule(row), { cacheControl, etag: etagOf(row.version) });
  }

  @Endpoint({
    ...{ method: 'put', path: '{ruleId}', operationId: 'putRule', tag, may: 'rule:write', parameters },
    summary: 'Change a rule',
    description: 'Replaces the whole definition, in its place among the rules of its mapping.',
    body: {
      type: RuleBody,
      example: { name: 'email_form', field: 'email', severity: 'reject', check: 'type', type: 'email' },
    },
    ...change,
  })
  async put(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
    @Param('ruleId') id: string,
    @Body() body: RuleBody,
  ): Promise<Answer<Plain<RuleView>>> {
    return answer(await this.changes.replace(caller, request, id, toPlain(body) as RuleDefinition));
  }

  @Endpoint({
    ...{ method: 'delete', path: '{ruleId}', operationId: 'archiveRule', tag, may: 'rule:write', parameters },
    summary: 'Take a rule out of use',
    description: 'Its history stays, and it can be restored.',
    ...change,
  })
  async archive(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
    @Param('ruleId') id: string,
  ): Promise<Answer<Plain<RuleView>>> {
    return answer(await this.changes.archive(caller, request, id));
  }

  @Endpoint({
    ...{ method: 'post', path: '{ruleId}/restore', operationId: 'restoreRule', tag, may: 'rule:write', parameters },
    summary: 'Take a rule into use again',
    description: 'As it was, as the last rule of its mapping.',
    ...change,
  })
  async restore(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
    @Param('ruleId') id: string,
  ): Promise<Answer<Plain<RuleView>>> {
    return answer(await this.changes.restore(caller, request, id));
  }

  @Endpoint({
    ...{ method: 'post', path: '{ruleId}/revert', operationId: 'revertRule', tag, may: 'rule:write', parameters },
    summary: 'Go back to a version of a rule',
    description: 'Its definition becomes what it was at that version, as a new version.',
    body: { type: RevertBody, example: { version: 1 } },
    ...change,
  })
  async revert(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
    @Param('ruleId') id: string,
    @Body() { version }: RevertBody,
  ): Promise<Answer<Plain<RuleView>>> {
    return answer(await this.changes.revert(caller, request, id, version));
  }

  @Endpoint({
    ...{ method: 'get', path: '{ruleId}/versions', operationId: 'listRuleVersions', tag, may: 'rule:read', parameters },
    summary: 'The history of a rule',
    description: 'Who changed what and when, newest first.',
    readsQuery: true,
    cacheControl,
    replies: [{ status: 200, type: VersionPage, description: 'A page of versions.', headers: ['Link'] }],
    problems: ['cursor_mismatch'],
  })
  async versions(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
    @Param('ruleId') id: string,
    @Query() query: ListQuery,
  ): Promise<Answer<Page<Plain<VersionItemView>>>> {
    return await this.configurations.read(caller, async (stored, client) =>
      pageOfVersions(client, request, query, { kind: 'rule', path, id: (await findRule(client, stored, id)).id }),
    );
  }

  @Endpoint({
    ...{ method: 'get', path: '{ruleId}/versions/{version}', operationId: 'getRuleVersion', tag, may: 'rule:read' },
    summary: 'A rule as it was',
    description: 'The whole definition at a version.',
    parameters: { ...parameters, version: 'The number of the version.' },
    cacheControl,
    replies: [{ status: 200, type: VersionView, description: 'The version.' }],
  })
  async version(
    @CurrentCaller() caller: Caller,
    @Param('ruleId') id: string,
    @Param('version') version: string,
  ): Promise<Plain<VersionView>> {
    return await this.configurations.read(caller, async (stored, client) =>
      showVersion(client, { kind: 'rule', path, id: (await findRule(client, stored, id)).id }, versionOf(version)),
    );
  }
}

const answer = (row: RuleRow): Answer<Plain<RuleView>> =>
  new Answer(toRule(row), { headers: { etag: etagOf(row.version) } });

const toRule = (row: RuleRow): Plain<RuleView> => {
  const self = linkTo(`${path}/${row.id}`);
  return {
    ...{ id: String(row.id), name: row.name, version: row.version, archived: row.archived },
    ...{ changedBy: row.changedBy, changedAt: row.changedAt.toISOString() },
    ...{ mappingId: String(row.mappingId), mapping: row.mapping },
    // Sound: a rule's members are those of the view, whatever its check.
    definition: row.definition,
    links: { self, mapping: linkTo(`mappings/${row.mappingId}`), versions: `${self}/versions` },
  };
};
