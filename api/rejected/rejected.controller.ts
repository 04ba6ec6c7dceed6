import { Body, Controller, Inject, Param, Query } from '@nestjs/common';
import { loadConfiguration } from '../../database/configuration-store.js';
import type { Hub } from '../../database/hub.js';
import { basePath } from '../common/base-path.js';
import { CurrentCaller, CurrentRequest, type Caller } from '../common/caller.js';
import { decodeIdCursor, pageOf, type Page } from '../common/cursor.js';
import { Endpoint } from '../common/endpoint.js';
import { etagOf } from '../common/etag.js';
import { Answer, type HttpRequest } from '../common/http.js';
import { Idempotency } from '../common/idempotency.js';
import { idOf, notFound, smallIdOf } from '../common/ids.js';
import { defaultLimit } from '../common/list-query.js';
import type { Plain } from '../common/plain-type.js';
import { HUB } from '../common/tokens.js';
import { AcceptedView } from '../decisions/decision.view.js';
import { findRun } from '../runs/run.queries.js';
import { CorrectRejected } from './correct.js';
import {
  CorrectionBody,
  RejectedListQuery,
  RejectedSearchQuery,
  ReplayBody,
  ReplayManyBody,
  type RejectedListRequest,
} from './rejected.dto.js';
import { findRejected, groupRejected, listRejected, mostGroups, type RejectedFilter } from './rejected.queries.js';
import { toRejected, toRejectedGroup } from './rejected-presenter.js';
import { RejectedGroupsView, RejectedPage, RejectedView, ReplayResultsView } from './rejected.view.js';
import { ReplayRejected } from './replay.js';
import { RowReaders } from './row.js';

const tag = 'Records set aside';
const parameters = { rejectedId: 'The record aside.' };

/** What runs set aside: looked at, corrected, and sent through alone. */
@Controller(basePath.slice(1))
export class RejectedController {
  constructor(
    @Inject(HUB) private readonly hub: Hub,
    private readonly correction: CorrectRejected,
    private readonly replaying: ReplayRejected,
    private readonly idempotency: Idempotency,
  ) {}

  @Endpoint({
    method: 'get',
    path: 'runs/{runId}/rejected',
    operationId: 'listRejectedRecords',
    summary: 'List the records that a run set aside',
    description: 'Each with the reason, and with the row as it was read, as far as the role may see its columns.',
    tag,
    may: 'run_record:read',
    parameters: { runId: 'The run.' },
    readsQuery: true,
    replies: [{ status: 200, type: RejectedPage, description: 'A page of records.', headers: ['Link'] }],
    problems: ['cursor_mismatch'],
  })
  async ofRun(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
    @Param('runId') runId: string,
    @Query() query: RejectedListQuery,
  ): Promise<Answer<Page<Plain<RejectedView>>>> {
    const id = await this.requireRun(caller, runId);
    return await this.page(caller, request, query, { run: id, job: null });
  }

  @Endpoint({
    method: 'get',
    path: 'runs/{runId}/rejected/groups',
    operationId: 'groupRejectedRecords',
    summary: 'See why a run set records aside',
    description: 'How many for which cause (reason and column), each with the key of one of them.',
    tag,
    may: 'run_record:read',
    parameters: { runId: 'The run.' },
    replies: [{ status: 200, type: RejectedGroupsView, description: 'The causes.' }],
  })
  async groups(@CurrentCaller() caller: Caller, @Param('runId') runId: string): Promise<Plain<RejectedGroupsView>> {
    const id = await this.requireRun(caller, runId);
    const groups = await this.hub.read(caller.institutionId, (client) =>
      groupRejected(client, toFilter({}, { run: id, job: null })),
    );
    return {
      count: groups.reduce((sum, { count }) => sum + count, 0),
      items: groups.map(toRejectedGroup(`runs/${id}/rejected`)),
      more: groups.length === mostGroups,
    };
  }

  @Endpoint({
    method: 'get',
    path: 'rejected-records',
    operationId: 'findRejectedRecords',
    summary: 'Find records that were set aside',
    description: 'In all runs, newest first: by key, cause, mapping, run or job.',
    tag,
    may: 'run_record:read',
    readsQuery: true,
    replies: [{ status: 200, type: RejectedPage, description: 'A page of records.', headers: ['Link'] }],
    problems: ['cursor_mismatch', 'not_found'],
  })
  async find(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
    @Query() query: RejectedSearchQuery,
  ): Promise<Answer<Page<Plain<RejectedView>>>> {
    return await this.page(caller, request, query, {
      run: query.run === undefined ? null : idOf(query.run, 'run'),
      job: query.job === undefined ? null : smallIdOf(query.job, 'job'),
    });
  }

  @Endpoint({
    method: 'get',
    path: 'rejected-records/{rejectedId}',
    operationId: 'getRejectedRecord',
    summary: 'Look at a record that was set aside',
    description: 'With its reason, the row, its correction, and the run that replayed it.',
    tag,
    may: 'run_record:read',
    parameters,
    replies: [{ status: 200, type: RejectedView, description: 'The record.', headers: ['ETag'] }],
  })
  async get(
    @CurrentCaller() caller: Caller,
    @Param('rejectedId') rejectedId: string,
  ): Promise<Answer<Plain<RejectedView>>> {
    const id = idOf(rejectedId, 'record set aside');
    const row = await this.hub.read(caller.institutionId, (client) => findRejected(client, id));
    if (row === null) throw notFound('record set aside', id);
    const present = await this.presenter(caller);
    return new Answer(present(row), { headers: { etag: etagOf(row.version) } });
  }

  @Endpoint({
    method: 'put',
    path: 'rejected-records/{rejectedId}/correction',
    operationId: 'correctRejectedRecord',
    summary: 'Correct a record that was set aside',
    description:
      'Stores what the row should have said, with who and why; refused where it would be set aside still. Nothing is done with it until it is replayed. The source itself is not changed: have it mended there, too.',
    tag,
    may: 'run_record:correct',
    parameters,
    ifMatch: true,
    body: {
      type: CorrectionBody,
      example: { values: { birth_date: '1999-04-02' }, reason: 'Typing error, seen in the passport' },
    },
    replies: [{ status: 200, type: RejectedView, description: 'The record with its correction.', headers: ['ETag'] }],
    problems: ['state_forbids', 'row_still_rejected'],
  })
  async correct(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
    @Param('rejectedId') rejectedId: string,
    @Body() body: CorrectionBody,
  ): Promise<Answer<Plain<RejectedView>>> {
    return await this.correction.correct(caller, request, idOf(rejectedId, 'record set aside'), body);
  }

  @Endpoint({
    method: 'delete',
    path: 'rejected-records/{rejectedId}/correction',
    operationId: 'withdrawCorrection',
    summary: 'Take a correction away',
    description: 'The record is as it was read again.',
    tag,
    may: 'run_record:correct',
    parameters,
    ifMatch: true,
    replies: [{ status: 200, type: RejectedView, description: 'The record without it.', headers: ['ETag'] }],
    problems: ['state_forbids'],
  })
  async withdraw(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
    @Param('rejectedId') rejectedId: string,
  ): Promise<Answer<Plain<RejectedView>>> {
    return await this.correction.withdraw(caller, request, idOf(rejectedId, 'record set aside'));
  }

  @Endpoint({
    method: 'post',
    path: 'rejected-records/{rejectedId}/replay',
    operationId: 'replayRejectedRecord',
    summary: 'Send a record through that was set aside',
    description:
      'As it was corrected, else as it was read (after a mapping or a rule was mended). Durable when it answers 200, and carried out in a moment by a run of its own, which belongs to the run that set it aside.',
    tag,
    may: 'run_record:correct',
    parameters,
    body: { type: ReplayBody, example: { version: 2 } },
    idempotencyKey: 'optional',
    replies: [{ status: 200, type: AcceptedView, description: 'It is on its way.', headers: ['Idempotency-Replayed'] }],
    problems: ['conflict_changed', 'state_forbids', 'row_still_rejected'],
  })
  async replay(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
    @Param('rejectedId') rejectedId: string,
    @Body() body: ReplayBody,
  ): Promise<Answer<unknown>> {
    const id = idOf(rejectedId, 'record set aside');
    return await this.idempotency.once(
      caller,
      request,
      body,
      async () => new Answer(await this.replaying.one(caller, id, body), { status: 200 }),
    );
  }

  @Endpoint({
    method: 'post',
    path: 'rejected-records::replay',
    operationId: 'replayRejectedRecords',
    summary: 'Send many records through that were set aside',
    description: 'Up to 1,000 at once; each stands for itself and gets a result of its own.',
    tag,
    may: 'run_record:correct',
    body: {
      type: ReplayManyBody,
      example: { records: [{ rejectedId: '17', version: 1 }], reason: 'The rule was mended' },
    },
    idempotencyKey: 'optional',
    replies: [
      { status: 200, type: ReplayResultsView, description: 'A result for each.', headers: ['Idempotency-Replayed'] },
    ],
  })
  async replayMany(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
    @Body() body: ReplayManyBody,
  ): Promise<Answer<unknown>> {
    return await this.idempotency.once(
      caller,
      request,
      body,
      async () => new Answer(await this.replaying.many(caller, body), { status: 200 }),
    );
  }

  private async page(
    caller: Caller,
    request: HttpRequest,
    query: RejectedListRequest,
    of: Of,
  ): Promise<Answer<Page<Plain<RejectedView>>>> {
    const { limit = defaultLimit, cursor, ...asked } = query;
    const scope = ['rejected', of, asked];
    const beyond = decodeIdCursor(scope, cursor);
    const toItem = await this.presenter(caller);
    const rows = await this.hub.read(caller.institutionId, (client) =>
      listRejected(client, toFilter(asked, of), beyond, limit + 1),
    );
    return pageOf({ rows, limit, filter: scope, url: request.url, position: (row) => [row.id], toItem });
  }

  private async presenter(caller: Caller): Promise<ReturnType<typeof toRejected>> {
    return toRejected(new RowReaders(await loadConfiguration(this.hub, caller.institutionId)), caller.role);
  }

  private async requireRun(caller: Caller, runId: string): Promise<string> {
    const id = idOf(runId, 'run');
    const run = await this.hub.read(caller.institutionId, (client) => findRun(client, id));
    if (run === null) throw notFound('run', id);
    return id;
  }
}

interface Of {
  readonly run: string | null;
  readonly job: number | null;
}

const toFilter = (asked: RejectedListRequest, { run, job }: Of): RejectedFilter => ({
  runId: run,
  jobId: job,
  mapping: asked.mapping ?? null,
  kind: asked.kind ?? null,
  state: asked.state ?? null,
  reason: asked.reason ?? null,
  field: asked.field ?? null,
  key: asked.key ?? null,
});
