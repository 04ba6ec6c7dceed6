import { Body, Controller, Inject, Param, Query } from '@nestjs/common';
import type { Clock } from '../../platform/clock.js';
import { basePath } from '../common/base-path.js';
import { CurrentCaller, CurrentRequest, type Caller } from '../common/caller.js';
import type { Page } from '../common/cursor.js';
import { Endpoint } from '../common/endpoint.js';
import { etagOf, withEtag } from '../common/etag.js';
import { Answer, type HttpRequest } from '../common/http.js';
import { Idempotency, requireIdempotencyKey } from '../common/idempotency.js';
import { pageOfListing } from '../common/listing.js';
import { toPlain } from '../common/plain.js';
import { CLOCK } from '../common/tokens.js';
import { Changes } from '../configuration/changes.js';
import { ConfigurationStore } from '../configuration/configuration-store.js';
import { cacheControl, changeOptions } from '../configuration/lifecycle.controller.js';
import { jobs } from '../configuration/resources.js';
import { CreateJob } from './create-job.js';
import { findJobRow, readPauses, toJob } from './job-row.js';
import { CreateJobBody, JobBody, JobQuery, PauseBody } from './job.dto.js';
import { CreatedJobView, JobPage, JobReportView, JobView } from './job.view.js';
import { PauseJob } from './pause-job.js';
import type { Plain } from '../common/plain-type.js';

const tag = 'Jobs';
const parameters = { jobId: 'The job: its id or its name.' };
const example = {
  name: 'people',
  sources: ['sis.students', 'hr.staff'],
  targets: ['finance.people'],
  limits: [{ operation: 'delete', percent: 10 }],
};

/** Jobs: what is synchronized with what. */
@Controller(`${basePath.slice(1)}/jobs`)
export class JobsController {
  constructor(
    private readonly configurations: ConfigurationStore,
    private readonly changes: Changes,
    private readonly createJob: CreateJob,
    private readonly pauseJob: PauseJob,
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly idempotency: Idempotency,
  ) {}

  @Endpoint({
    method: 'post',
    path: 'create',
    operationId: 'createJob',
    summary: 'Create a job',
    description:
      'Stores the definition (201). With `start` it also starts a run (202) and needs an Idempotency-Key. With `dryRun` it only says whether the definition would do (200).',
    tag,
    may: 'job:write',
    body: {
      type: CreateJobBody,
      example: { ...example, start: true },
    },
    idempotencyKey: 'optional',
    replies: [
      {
        status: 201,
        type: CreatedJobView,
        description: 'Created.',
        headers: ['Location', 'ETag', 'Idempotency-Replayed'],
      },
      {
        status: 202,
        type: CreatedJobView,
        description: 'Created, and a run begins.',
        headers: ['Location', 'ETag', 'Idempotency-Replayed'],
      },
      { status: 200, type: JobReportView, description: 'The report of a dry run.' },
    ],
    problems: ['configuration_invalid', 'name_taken', 'idempotency_key_required', 'job_occupied', 'freeze_window'],
  })
  async create(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
    @Body() body: CreateJobBody,
  ): Promise<Answer<unknown>> {
    if (body.dryRun === true) return new Answer(await this.createJob.judge(caller, body), { status: 200 });
    const key = body.start === true ? requireIdempotencyKey(request) : null;
    return await this.idempotency.once(caller, request, body, () => this.createJob.create(caller, body, key));
  }

  @Endpoint({
    method: 'get',
    path: '',
    operationId: 'listJobs',
    summary: 'List jobs',
    description: 'Those in use, or also those that were archived; each with its schedule in words.',
    tag,
    may: 'job:read',
    readsQuery: true,
    cacheControl,
    replies: [{ status: 200, type: JobPage, description: 'A page of jobs.', headers: ['Link'] }],
    problems: ['cursor_mismatch'],
  })
  async list(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
    @Query() query: JobQuery,
  ): Promise<Answer<Page<Plain<JobView>>>> {
    return await this.configurations.read(caller, async (stored, client) => {
      const pauses = await readPauses(client);
      return pageOfListing({
        ...{ query, url: request.url },
        rows: stored.jobs,
        toItem: (row) => toJob(row, pauses, this.clock.now()),
        own: ({ id, definition }) =>
          fits(query.paused, pauses.has(id)) && fits(query.scheduled, definition.schedule !== undefined),
      });
    });
  }

  @Endpoint({
    method: 'get',
    path: '{jobId}',
    operationId: 'getJob',
    summary: 'Look at a job',
    description: 'Its definition, its schedule in words with the next five times, and whether it is paused.',
    tag,
    may: 'job:read',
    parameters,
    cacheControl,
    ifNoneMatch: true,
    replies: [
      { status: 200, type: JobView, description: 'The job.', headers: ['ETag'] },
      { status: 304, description: 'You have it.' },
    ],
  })
  async get(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
    @Param('jobId') jobId: string,
  ): Promise<Answer<Plain<JobView> | undefined>> {
    return await this.configurations.read(caller, async (stored, client) => {
      const row = findJobRow(stored.jobs, jobId);
      const job = toJob(row, await readPauses(client), this.clock.now());
      return withEtag(request, job, { cacheControl, etag: etagOf(row.version) });
    });
  }

  @Endpoint({
    method: 'put',
    path: '{jobId}',
    operationId: 'putJob',
    summary: 'Change a job',
    description:
      'Replaces the whole definition; the same again changes nothing. Its schedule follows. A run under way goes on as it began.',
    tag,
    may: 'job:write',
    parameters,
    body: { type: JobBody, example },
    ...changeOptions(JobView),
  })
  async put(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
    @Param('jobId') jobId: string,
    @Body() body: JobBody,
  ): Promise<Answer<Plain<JobView>>> {
    const definition = toPlain(body) as JobBody;
    const { id } = await this.changes.replace(caller, request, jobs, { id: jobId, definition });
    return await this.shown(caller, String(id));
  }

  @Endpoint({
    method: 'post',
    path: '{jobId}/pause',
    operationId: 'pauseJob',
    summary: 'Pause a job',
    description: 'It runs neither by itself nor when it is started, until it is resumed. A run under way goes on.',
    tag,
    may: 'job:pause',
    parameters,
    body: { type: PauseBody, example: { reason: 'The registry is being moved.' } },
    replies: [{ status: 200, type: JobView, description: 'It is paused.', headers: ['ETag'] }],
    problems: ['state_forbids'],
  })
  async pause(
    @CurrentCaller() caller: Caller,
    @Param('jobId') jobId: string,
    @Body() { reason }: PauseBody,
  ): Promise<Answer<Plain<JobView>>> {
    const { id } = await this.pauseJob.pause(caller, jobId, reason);
    return await this.shown(caller, String(id));
  }

  @Endpoint({
    method: 'post',
    path: '{jobId}/resume',
    operationId: 'resumeJob',
    summary: 'Let a job run again',
    description: 'What its schedule missed meanwhile is not made up for.',
    tag,
    may: 'job:pause',
    parameters,
    replies: [{ status: 200, type: JobView, description: 'It is not paused any more.', headers: ['ETag'] }],
    problems: ['state_forbids'],
  })
  async resume(@CurrentCaller() caller: Caller, @Param('jobId') jobId: string): Promise<Answer<Plain<JobView>>> {
    const { id } = await this.pauseJob.resume(caller, jobId);
    return await this.shown(caller, String(id));
  }

  private async shown(caller: Caller, id: string): Promise<Answer<Plain<JobView>>> {
    return await this.configurations.read(caller, async (stored, client) => {
      const row = findJobRow(stored.jobs, id);
      const job = toJob(row, await readPauses(client), this.clock.now());
      return new Answer(job, { headers: { etag: etagOf(row.version) } });
    });
  }
}

/* A flag among the parameters: absent, it fits everything. */
const fits = (wanted: string | undefined, is: boolean): boolean => wanted === undefined || is === (wanted === 'true');
