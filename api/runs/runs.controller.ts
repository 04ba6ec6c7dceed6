import { Body, Controller, Inject, Param, Query } from '@nestjs/common';
import type { Hub } from '../../database/hub.js';
import { basePath } from '../common/base-path.js';
import { CurrentCaller, CurrentRequest, type Caller } from '../common/caller.js';
import { decodeIdCursor, pageOf, type Page } from '../common/cursor.js';
import { Endpoint } from '../common/endpoint.js';
import type { Answer, HttpRequest } from '../common/http.js';
import { Idempotency, requireIdempotencyKey } from '../common/idempotency.js';
import { idOf, notFound, smallIdOf } from '../common/ids.js';
import { defaultLimit } from '../common/list-query.js';
import { HUB } from '../common/tokens.js';
import { FindingListQuery, RejectedListQuery, RollbackBody, RunListQuery, StartRunBody } from './run.dto.js';
import { findRun, listFindings, listRejected, listRuns, type RunRow } from './run.queries.js';
import { toFinding, toRejected, toRun, toRunItem } from './run-presenter.js';
import {
  FindingPage,
  RejectedPage,
  RollbackPreviewView,
  RunPage,
  RunView,
  StartedRunView,
  type FindingView,
  type RejectedView,
  type RunItemView,
} from './run.view.js';
import { Rollback } from './rollback.js';
import { StartRun } from './start-run.js';
import type { Plain } from '../common/plain-type.js';

const tag = 'Runs';
const runParameter = { runId: 'The run.' };
const runProgress = 'private, max-age=1';

/** Runs: starting, watching and taking back. */
@Controller(basePath.slice(1))
export class RunsController {
  constructor(
    @Inject(HUB) private readonly hub: Hub,
    private readonly startRun: StartRun,
    private readonly rollback: Rollback,
    private readonly idempotency: Idempotency,
  ) {}

  @Endpoint({
    method: 'post',
    path: 'jobs/{jobId}/runs',
    operationId: 'startRun',
    summary: 'Start a run of a job',
    description:
      'Reads the sources of the job, merges, and publishes. The run goes on after the reply: follow `links.self`.',
    tag,
    admit: ['secretary', 'steward', 'operator'],
    parameters: { jobId: 'The job.' },
    body: { type: StartRunBody, example: { asOf: '2026-11-20' }, required: false },
    idempotencyKey: 'required',
    replies: [
      { status: 202, type: StartedRunView, description: 'It begins.', headers: ['Location', 'Idempotency-Replayed'] },
    ],
    problems: ['job_occupied'],
  })
  async start(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
    @Param('jobId') jobId: string,
    @Body() body: StartRunBody,
  ): Promise<Answer<unknown>> {
    const id = smallIdOf(jobId, 'job');
    const key = requireIdempotencyKey(request);
    return await this.idempotency.once(caller, request, body, () => this.startRun.start(caller, id, key, body.asOf));
  }

  @Endpoint({
    method: 'get',
    path: 'runs',
    operationId: 'listRuns',
    summary: 'List runs',
    description: 'Newest first, each with its state in words.',
    tag,
    admit: ['secretary', 'steward', 'operator', 'auditor'],
    readsQuery: true,
    cacheControl: runProgress,
    replies: [{ status: 200, type: RunPage, description: 'A page of runs.', headers: ['Link'] }],
    problems: ['cursor_mismatch'],
  })
  async list(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
    @Query() query: RunListQuery,
  ): Promise<Answer<Page<Plain<RunItemView>>>> {
    const { limit = defaultLimit, cursor, ...filter } = query;
    const scope = ['runs', filter];
    const before = decodeIdCursor(scope, cursor);
    const rows = await this.hub.read(caller.institutionId, (client) =>
      listRuns(
        client,
        {
          jobId: filter.job === undefined ? null : smallIdOf(filter.job, 'job'),
          kind: filter.kind === undefined ? null : [filter.kind],
          state: filter.state === undefined ? null : [filter.state],
          workflowId: filter.workflowId ?? null,
          parentRunId: filter.parent === undefined ? null : idOf(filter.parent, 'run'),
        },
        before,
        limit + 1,
      ),
    );
    return pageOf({ rows, limit, filter: scope, url: request.url, position: (row) => [row.id], toItem: toRunItem });
  }

  @Endpoint({
    method: 'get',
    path: 'runs/{runId}',
    operationId: 'getRun',
    summary: 'Look at a run',
    description:
      'Its state in words (what happened, what it means, who acts next), its counts, and whether they balance.',
    tag,
    admit: ['secretary', 'steward', 'operator', 'auditor'],
    parameters: runParameter,
    cacheControl: runProgress,
    replies: [{ status: 200, type: RunView, description: 'The run.' }],
  })
  async get(@CurrentCaller() caller: Caller, @Param('runId') runId: string): Promise<Plain<RunView>> {
    return toRun(await this.runOf(caller, runId), caller.role);
  }

  @Endpoint({
    method: 'get',
    path: 'runs/{runId}/rejected',
    operationId: 'listRejectedRecords',
    summary: 'List the records that a run set aside',
    description:
      'Each with the reason, and with the row as it was read where the role may see it (secretary, steward).',
    tag,
    admit: ['secretary', 'steward', 'auditor'],
    parameters: runParameter,
    readsQuery: true,
    replies: [{ status: 200, type: RejectedPage, description: 'A page of records.', headers: ['Link'] }],
    problems: ['cursor_mismatch'],
  })
  async rejected(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
    @Param('runId') runId: string,
    @Query() query: RejectedListQuery,
  ): Promise<Answer<Page<Plain<RejectedView>>>> {
    const { limit = defaultLimit, cursor, kind = null, reason = null } = query;
    const run = await this.runOf(caller, runId);
    const scope = ['rejected', run.id, kind, reason];
    const after = decodeIdCursor(scope, cursor);
    const rows = await this.hub.read(caller.institutionId, (client) =>
      listRejected(client, run.id, { kind, reason }, after, limit + 1),
    );
    const toItem = toRejected(caller.role !== 'auditor');
    return pageOf({ rows, limit, filter: scope, url: request.url, position: (row) => [row.id], toItem });
  }

  @Endpoint({
    method: 'get',
    path: 'runs/{runId}/findings',
    operationId: 'listFindings',
    summary: 'List the findings of a run',
    description:
      'What a person should know of though nothing waits for them: a system that spoke out of turn, a value that was outranked, a source that dropped out.',
    tag,
    admit: ['secretary', 'steward', 'auditor'],
    parameters: runParameter,
    readsQuery: true,
    replies: [{ status: 200, type: FindingPage, description: 'A page of findings.', headers: ['Link'] }],
    problems: ['cursor_mismatch'],
  })
  async findings(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
    @Param('runId') runId: string,
    @Query() query: FindingListQuery,
  ): Promise<Answer<Page<Plain<FindingView>>>> {
    const { limit = defaultLimit, cursor, kind = null } = query;
    const run = await this.runOf(caller, runId);
    const scope = ['findings', run.id, kind];
    const after = decodeIdCursor(scope, cursor);
    const rows = await this.hub.read(caller.institutionId, (client) =>
      listFindings(client, run.id, kind, after, limit + 1),
    );
    return pageOf({ rows, limit, filter: scope, url: request.url, position: (row) => [row.id], toItem: toFinding });
  }

  @Endpoint({
    method: 'post',
    path: 'runs/{runId}/rollback/preview',
    operationId: 'previewRollback',
    summary: 'See what taking a run back would do',
    description:
      'Which runs go back with it, what is set back, and what is kept because it was changed since. Nothing is done.',
    tag,
    admit: ['secretary', 'steward', 'operator', 'auditor'],
    parameters: runParameter,
    replies: [{ status: 200, type: RollbackPreviewView, description: 'The preview; a rollback names its hash.' }],
    problems: ['state_forbids'],
  })
  async preview(@CurrentCaller() caller: Caller, @Param('runId') runId: string): Promise<Plain<RollbackPreviewView>> {
    return await this.rollback.preview(caller, idOf(runId, 'run'));
  }

  @Endpoint({
    method: 'post',
    path: 'runs/{runId}/rollback',
    operationId: 'rollBackRun',
    summary: 'Take a run back',
    description:
      'Begins a run that sets back what the run changed, as the preview said. Refused where data moved since the preview.',
    tag,
    admit: ['steward'],
    parameters: runParameter,
    body: {
      type: RollbackBody,
      example: { previewHash: 'b7c1f0aa-58a2-4d05-93f9-a27ae41e8f0a', reason: 'The HR file was of last month' },
    },
    idempotencyKey: 'required',
    replies: [
      { status: 202, type: StartedRunView, description: 'It begins.', headers: ['Location', 'Idempotency-Replayed'] },
    ],
    problems: ['preview_outdated', 'state_forbids'],
  })
  async rollBack(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
    @Param('runId') runId: string,
    @Body() body: RollbackBody,
  ): Promise<Answer<unknown>> {
    const id = idOf(runId, 'run');
    const key = requireIdempotencyKey(request);
    return await this.idempotency.once(caller, request, body, () => this.rollback.start(caller, id, key, body));
  }

  private async runOf(caller: Caller, runId: string): Promise<RunRow> {
    const id = idOf(runId, 'run');
    const run = await this.hub.read(caller.institutionId, (client) => findRun(client, id));
    if (run === null) throw notFound('run', id);
    return run;
  }
}
