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
import type { Clock } from '../../platform/clock.js';
import { CLOCK, HUB } from '../common/tokens.js';
import { CancelRun } from './cancel.js';
import { RunChanges } from './changes.js';
import { progressOf } from './progress.js';
import { readPartNames, readParts, readPlannedSources } from './progress.queries.js';
import { CancelBody, ChangeListQuery, FindingListQuery, RollbackBody, RunListQuery, StartRunBody } from './run.dto.js';
import { findRun, groupFindings, listFindings, listRuns, type RunRow } from './run.queries.js';
import { toFinding, toFindingGroup, toRun, toRunItem } from './run-presenter.js';
import {
  CancelledView,
  ChangePage,
  FindingGroupsView,
  FindingPage,
  RollbackPreviewView,
  RunPage,
  RunProgressView,
  RunView,
  StartedRunView,
  type ChangeView,
  type FindingView,
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
    private readonly cancellation: CancelRun,
    private readonly changeSet: RunChanges,
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly idempotency: Idempotency,
  ) {}

  @Endpoint({
    method: 'post',
    path: 'jobs/{jobId}/runs',
    operationId: 'startRun',
    summary: 'Start a run of a job',
    description:
      'Reads the sources of the job, merges, and publishes. The run goes on after the reply: follow `links.self`. With `dryRun` it changes nothing and ends with a plan of what it would do.',
    tag,
    may: 'run:start',
    parameters: { jobId: 'The job.' },
    body: { type: StartRunBody, example: { asOf: '2026-11-20' }, required: false },
    idempotencyKey: 'required',
    replies: [
      { status: 202, type: StartedRunView, description: 'It begins.', headers: ['Location', 'Idempotency-Replayed'] },
    ],
    problems: ['job_occupied', 'state_forbids', 'freeze_window'],
  })
  async start(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
    @Param('jobId') jobId: string,
    @Body() body: StartRunBody,
  ): Promise<Answer<unknown>> {
    const id = smallIdOf(jobId, 'job');
    const key = requireIdempotencyKey(request);
    return await this.idempotency.once(caller, request, body, () => this.startRun.start(caller, id, key, body));
  }

  @Endpoint({
    method: 'get',
    path: 'runs',
    operationId: 'listRuns',
    summary: 'List runs',
    description: 'Newest first (or oldest first), each with its state in words.',
    tag,
    may: 'run:read',
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
    const beyond = decodeIdCursor(scope, cursor);
    const rows = await this.hub.read(caller.institutionId, (client) =>
      listRuns(
        client,
        {
          jobId: filter.job === undefined ? null : smallIdOf(filter.job, 'job'),
          kind: filter.kind?.split(',') ?? null,
          state: filter.state?.split(',') ?? null,
          workflowId: filter.workflowId ?? null,
          parentRunId: filter.parent === undefined ? null : idOf(filter.parent, 'run'),
          ...{ actor: filter.actor ?? null, from: filter.from ?? null, to: filter.to ?? null },
        },
        filter.sort === 'startedAt',
        beyond,
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
    may: 'run:read',
    parameters: runParameter,
    cacheControl: runProgress,
    replies: [{ status: 200, type: RunView, description: 'The run.' }],
  })
  async get(@CurrentCaller() caller: Caller, @Param('runId') runId: string): Promise<Plain<RunView>> {
    return toRun(await this.runOf(caller, runId), caller.role);
  }

  @Endpoint({
    method: 'get',
    path: 'runs/{runId}/progress',
    operationId: 'getRunProgress',
    summary: 'See how far a run is',
    description:
      'Step by step and part by part: what is done durably, rows so far, how long. Events of the topic `progress` say when to look again.',
    tag,
    may: 'run:read',
    parameters: runParameter,
    cacheControl: runProgress,
    replies: [{ status: 200, type: RunProgressView, description: 'The progress.' }],
  })
  async progress(@CurrentCaller() caller: Caller, @Param('runId') runId: string): Promise<Plain<RunProgressView>> {
    const id = idOf(runId, 'run');
    return await this.hub.read(caller.institutionId, async (client) => {
      const run = await findRun(client, id);
      if (run === null) throw notFound('run', id);
      return progressOf({
        run,
        parts: await readParts(client, id),
        planned: await readPlannedSources(client, id),
        names: await readPartNames(client),
        now: this.clock.now(),
      });
    });
  }

  @Endpoint({
    method: 'get',
    path: 'runs/{runId}/changes',
    operationId: 'listRunChanges',
    summary: 'List what a run changed',
    description:
      'Its change set, before and after: golden records, what systems said, rows in targets, each with its outcome. Values that the role may not see are left out. Of a dry run: samples of what it would change, kept for a week.',
    tag,
    may: 'run_record:read',
    parameters: runParameter,
    readsQuery: true,
    replies: [{ status: 200, type: ChangePage, description: 'A page of changes.', headers: ['Link'] }],
    problems: ['cursor_mismatch'],
  })
  async changes(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
    @Param('runId') runId: string,
    @Query() query: ChangeListQuery,
  ): Promise<Answer<Page<Plain<ChangeView>>>> {
    const run = await this.runOf(caller, runId);
    return await this.changeSet.page(caller, run, request.url, query);
  }

  @Endpoint({
    method: 'post',
    path: 'runs/{runId}/cancel',
    operationId: 'cancelRun',
    summary: 'Stop a run',
    description:
      'Asks it to end, and says what that does: nothing was changed, or what was written is taken back. `getRun` says the same before. Asking again changes nothing.',
    tag,
    may: 'run:cancel',
    parameters: runParameter,
    body: { type: CancelBody, example: { reason: 'HR sent the file of last month' } },
    idempotencyKey: 'optional',
    replies: [
      {
        status: 202,
        type: CancelledView,
        description: 'It ends.',
        headers: ['Location', 'Idempotency-Replayed'],
      },
    ],
    problems: ['state_forbids'],
  })
  async cancel(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
    @Param('runId') runId: string,
    @Body() body: CancelBody,
  ): Promise<Answer<unknown>> {
    const id = idOf(runId, 'run');
    return await this.idempotency.once(caller, request, body, () => this.cancellation.cancel(caller, id, body));
  }

  @Endpoint({
    method: 'get',
    path: 'runs/{runId}/findings/groups',
    operationId: 'groupFindings',
    summary: 'See what kinds of findings a run made',
    description: 'How many of which kind, by system and mapping, each with one of them.',
    tag,
    may: 'run_record:read',
    parameters: runParameter,
    replies: [{ status: 200, type: FindingGroupsView, description: 'The kinds.' }],
  })
  async findingGroups(
    @CurrentCaller() caller: Caller,
    @Param('runId') runId: string,
  ): Promise<Plain<FindingGroupsView>> {
    const run = await this.runOf(caller, runId);
    const groups = await this.hub.read(caller.institutionId, (client) => groupFindings(client, run.id));
    return {
      count: groups.reduce((sum, { count }) => sum + count, 0),
      items: groups.map(toFindingGroup(run.id)),
    };
  }

  @Endpoint({
    method: 'get',
    path: 'runs/{runId}/findings',
    operationId: 'listFindings',
    summary: 'List the findings of a run',
    description:
      'What a person should know of though nothing waits for them: a system that spoke out of turn, a value that was outranked, a source that dropped out.',
    tag,
    may: 'run_record:read',
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
    may: 'run:preview_rollback',
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
    may: 'run:roll_back',
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
