import { Body, Controller, Inject, Param, Query } from '@nestjs/common';
import type { Hub } from '../../database/hub.js';
import { identifierSight } from '../../domain/masks.js';
import { basePath, linkTo } from '../common/base-path.js';
import { CurrentCaller, CurrentRequest, type Caller } from '../common/caller.js';
import { cursorShapes, decodeCursor, pageOf, type Page } from '../common/cursor.js';
import { Endpoint } from '../common/endpoint.js';
import { etagOf } from '../common/etag.js';
import { Answer, type HttpRequest } from '../common/http.js';
import { Idempotency } from '../common/idempotency.js';
import { idOf, notFound } from '../common/ids.js';
import { defaultLimit } from '../common/list-query.js';
import { HUB } from '../common/tokens.js';
import { AcceptedView } from '../decisions/decision.view.js';
import { findGolden, findProvenance, listIdentifiers, listQuestionsOf, listSources } from './golden.queries.js';
import { GoldenListQuery, LiftBody, OverrideBody } from './golden.dto.js';
import { labelOf, toGroups } from './golden-row.js';
import { GoldenRecordPage, GoldenRecordView, type GoldenRecordItemView } from './golden.view.js';
import { Override } from './override.js';
import { searchGolden } from './search.js';
import type { Plain } from '../common/plain-type.js';

const tag = 'Golden records';

/** What we hold to be true, and why. */
@Controller(`${basePath.slice(1)}/golden-records`)
export class GoldenController {
  constructor(
    @Inject(HUB) private readonly hub: Hub,
    private readonly override: Override,
    private readonly idempotency: Idempotency,
  ) {}

  @Endpoint({
    method: 'get',
    path: '',
    operationId: 'findGoldenRecords',
    summary: 'Find golden records',
    description:
      'By name, by an identifier, by a key of a system, or all of a type. Names are found by the beginnings of their words, former ones too. Who is shown names masked finds no record by them.',
    tag,
    may: 'golden_record:read',
    readsQuery: true,
    replies: [{ status: 200, type: GoldenRecordPage, description: 'A page of records.', headers: ['Link'] }],
    problems: ['cursor_mismatch'],
  })
  async find(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
    @Query() query: GoldenListQuery,
  ): Promise<Answer<Page<Plain<GoldenRecordItemView>>>> {
    const { limit = defaultLimit, cursor, ...asked } = query;
    const scope = ['golden', asked];
    const after = decodeCursor(scope, cursor, [/^[^\0]*$/, cursorShapes.id]);
    const rows = await this.hub.read(caller.institutionId, (client) =>
      searchGolden(client, caller.role, asked, after, limit + 1),
    );
    return pageOf({
      ...{ rows, limit, filter: scope, url: request.url },
      position: (row) => [row.word, row.id],
      toItem: ({ id, type, status, definition, values }): Plain<GoldenRecordItemView> => ({
        ...{ id, type, status, label: labelOf(definition, values, caller.role) },
        links: { self: linkTo(`golden-records/${id}`) },
      }),
    });
  }

  @Endpoint({
    method: 'get',
    path: '{goldenId}',
    operationId: 'getGoldenRecord',
    summary: 'Look at a golden record',
    description:
      'Every value with its provenance in words: from which system or person, since which version and run. Sensitive values are shown to the steward alone.',
    tag,
    may: 'golden_record:read',
    parameters: { goldenId: 'The record.' },
    replies: [{ status: 200, type: GoldenRecordView, description: 'The record.', headers: ['ETag'] }],
  })
  async get(
    @CurrentCaller() caller: Caller,
    @Param('goldenId') goldenId: string,
  ): Promise<Answer<Plain<GoldenRecordView>>> {
    const id = idOf(goldenId, 'golden record');
    const view = await this.hub.read(caller.institutionId, async (client): Promise<Plain<GoldenRecordView>> => {
      const row = await findGolden(client, id);
      if (row === null) throw notFound('golden record', id);
      const sources = await listSources(client, id);
      const questions = await listQuestionsOf(client, id);
      const self = linkTo(`golden-records/${id}`);
      return {
        ...{ id, type: row.type, version: row.version, status: row.status },
        ...{ mergedInto: row.merged_into, validFrom: row.valid_from, validTo: row.valid_to },
        groups: toGroups(row, await findProvenance(client, row), caller.role),
        sources: sources.map(({ system, mapping, source_key: sourceKey, deleted }) => ({
          system,
          mapping,
          sourceKey,
          deleted,
        })),
        identifiers: (await listIdentifiers(client, id)).map(({ scheme, value, system }) => {
          const masked = identifierSight(caller.role, row.definition, scheme) !== 'plain';
          return { scheme, value: masked ? null : value, masked, system };
        }),
        questions: questions.map((question) => ({
          id: question.id,
          group: question.group_name,
          links: { self: linkTo(`conflicts/${question.id}`) },
        })),
        links: {
          self,
          history: `${self}/history`,
          provenance: `${self}/provenance`,
          targets: `${self}/targets`,
          override: `${self}/override`,
          ...(row.merged_into === null ? {} : { mergedInto: linkTo(`golden-records/${row.merged_into}`) }),
        },
      };
    });
    return new Answer(view, { headers: { etag: etagOf(view.version) } });
  }

  @Endpoint({
    method: 'post',
    path: '{goldenId}/override',
    operationId: 'overrideGoldenRecord',
    summary: 'Set a value by hand',
    description:
      'The value stands against imports until a source agrees, and is told to the targets. With If-Match it is refused where the record changed meanwhile.',
    tag,
    may: 'golden_record:override',
    parameters: { goldenId: 'The record.' },
    body: {
      type: OverrideBody,
      example: { group: 'email', value: 'amara@lakeside.example', reason: 'She told us at the desk' },
    },
    idempotencyKey: 'optional',
    replies: [
      {
        status: 200,
        type: AcceptedView,
        description: 'Decided; carried out in a moment.',
        headers: ['Idempotency-Replayed'],
      },
    ],
    problems: ['state_forbids', 'precondition_failed'],
  })
  async set(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
    @Param('goldenId') goldenId: string,
    @Body() body: OverrideBody,
  ): Promise<Answer<unknown>> {
    const id = idOf(goldenId, 'golden record');
    return await this.idempotency.once(
      caller,
      request,
      body,
      async () => new Answer(await this.override.set(caller, id, body, request), { status: 200 }),
    );
  }

  @Endpoint({
    method: 'post',
    path: '{goldenId}/override/lift',
    operationId: 'liftOverride',
    summary: 'End an override',
    description:
      'The value that a person set no longer stands against imports: the group takes the best of what the systems say, else stays as it is.',
    tag,
    may: 'golden_record:override',
    parameters: { goldenId: 'The record.' },
    body: { type: LiftBody, example: { group: 'email', reason: 'HR has corrected it' } },
    idempotencyKey: 'optional',
    replies: [
      {
        status: 200,
        type: AcceptedView,
        description: 'Decided; carried out in a moment.',
        headers: ['Idempotency-Replayed'],
      },
    ],
    problems: ['state_forbids', 'precondition_failed'],
  })
  async lift(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
    @Param('goldenId') goldenId: string,
    @Body() body: LiftBody,
  ): Promise<Answer<unknown>> {
    const id = idOf(goldenId, 'golden record');
    return await this.idempotency.once(
      caller,
      request,
      body,
      async () => new Answer(await this.override.lift(caller, id, body, request), { status: 200 }),
    );
  }
}
