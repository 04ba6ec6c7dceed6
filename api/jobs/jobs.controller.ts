import { Body, Controller, Inject, Param, Query } from '@nestjs/common';
import { loadConfiguration } from '../../database/configuration-store.js';
import type { Hub } from '../../database/hub.js';
import { basePath } from '../common/base-path.js';
import { CurrentCaller, CurrentRequest, type Caller } from '../common/caller.js';
import { decodeIdCursor, pageOf, type Page } from '../common/cursor.js';
import { Endpoint } from '../common/endpoint.js';
import { etagOf, withEtag } from '../common/etag.js';
import { Answer, type HttpRequest } from '../common/http.js';
import { Idempotency, requireIdempotencyKey } from '../common/idempotency.js';
import { notFound, smallIdOf } from '../common/ids.js';
import { defaultLimit, ListQuery } from '../common/list-query.js';
import { HUB } from '../common/tokens.js';
import { CreateJob, toJob } from './create-job.js';
import { CreateJobBody } from './job.dto.js';
import { CreatedJobView, JobPage, JobReportView, JobView } from './job.view.js';
import type { Plain } from '../common/plain-type.js';

const tag = 'Jobs';
const cacheControl = 'private, max-age=5';

/** Jobs: what is synchronized with what. */
@Controller(`${basePath.slice(1)}/jobs`)
export class JobsController {
  constructor(
    @Inject(HUB) private readonly hub: Hub,
    private readonly createJob: CreateJob,
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
      example: {
        name: 'people',
        sources: ['sis.students', 'hr.staff'],
        targets: ['finance.people'],
        limits: [{ operation: 'delete', percent: 10 }],
        start: true,
      },
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
    problems: ['configuration_invalid', 'name_taken', 'idempotency_key_required', 'job_occupied'],
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
    description: 'Those in use.',
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
    @Query() query: ListQuery,
  ): Promise<Answer<Page<Plain<JobView>>>> {
    const { limit = defaultLimit, cursor } = query;
    const after = Number(decodeIdCursor('jobs', cursor) ?? 0);
    const { jobs } = await loadConfiguration(this.hub, caller.institutionId);
    const rows = jobs.filter(({ id }) => id > after).slice(0, limit + 1);
    return pageOf({
      rows,
      limit,
      filter: 'jobs',
      url: request.url,
      position: (job) => [String(job.id)],
      toItem: toJob,
    });
  }

  @Endpoint({
    method: 'get',
    path: '{jobId}',
    operationId: 'getJob',
    summary: 'Look at a job',
    description: 'Its definition.',
    tag,
    may: 'job:read',
    parameters: { jobId: 'The job.' },
    ifNoneMatch: true,
    cacheControl,
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
    const id = smallIdOf(jobId, 'job');
    const { jobs } = await loadConfiguration(this.hub, caller.institutionId);
    const job = jobs.find((one) => one.id === id);
    if (job === undefined) throw notFound('job', jobId);
    return withEtag(request, toJob(job), { cacheControl, etag: etagOf(job.version) });
  }
}
