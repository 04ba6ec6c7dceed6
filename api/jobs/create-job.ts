import { Inject, Injectable } from '@nestjs/common';
import { isSame } from '../../domain/differences.js';
import type { JobDefinition } from '../../domain/job-definition.js';
import type { Clock } from '../../platform/clock.js';
import { ConfigurationStore, type OpenChange } from '../configuration/configuration-store.js';
import { configurationOf } from '../../database/configuration-store.js';
import { linkTo } from '../common/base-path.js';
import type { Caller } from '../common/caller.js';
import { etagOf } from '../common/etag.js';
import { Answer } from '../common/http.js';
import { judgeItem, requireValid } from '../common/judge.js';
import { toPlain } from '../common/plain.js';
import { Problem } from '../common/problem.js';
import { CLOCK } from '../common/tokens.js';
import { StartRun } from '../runs/start-run.js';
import type { CreateJobRequest } from './job.dto.js';
import { findJobRow, toJob, type JobRow } from './job-row.js';
import type { CreatedJobView, JobReportView } from './job.view.js';
import type { Plain } from '../common/plain-type.js';

/** Creates jobs. */
@Injectable()
export class CreateJob {
  constructor(
    private readonly configurations: ConfigurationStore,
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly startRun: StartRun,
  ) {}

  /** Whether a job would do; nothing is stored. */
  async judge(caller: Caller, request: CreateJobRequest): Promise<Plain<JobReportView>> {
    return await this.configurations.read(caller, (stored) => {
      const { problems } = judgeItem(configurationOf(stored), 'jobs', definitionOf(request));
      const taken = stored.jobs.some(({ name }) => name === request.name);
      const all = [
        ...problems,
        ...(taken ? [{ pointer: '/name', code: 'name_taken', detail: `a job is named ${request.name}` }] : []),
      ];
      return { valid: all.length === 0, problems: all };
    });
  }

  /** `key`: starts a run too, as the one that this key names.
   *  @throws Problem configuration_invalid, name_taken */
  async create(caller: Caller, request: CreateJobRequest, key: string | null): Promise<Answer<Plain<CreatedJobView>>> {
    const row = await this.configurations.change(caller, (change) =>
      insertJob(change, definitionOf(request), key !== null),
    );
    const job = toJob(row, new Map(), this.clock.now());
    const self = linkTo(`jobs/${job.id}`);
    const headers = { location: self, etag: etagOf(job.version) };
    const created = {
      jobId: job.id,
      job,
      workflowId: null,
      runId: null,
      links: { self, runs: linkTo(`runs?job=${job.id}`) },
    };
    if (key === null) return new Answer(created, { status: 201, headers });
    const started = await this.startRun.start(caller, Number(job.id), key, request.asOf);
    const { workflowId, runId, links } = started.body;
    const run = links['self'] ?? self;
    return new Answer(
      { ...created, workflowId, runId, links: { ...created.links, run } },
      { status: 202, headers: { ...headers, location: run } },
    );
  }
}

const definitionOf = (request: CreateJobRequest): JobDefinition => {
  const { start: _start, dryRun: _dryRun, asOf: _asOf, ...definition } = request;
  // Sound: without what is about the request, it is a job.
  return toPlain(definition) as JobDefinition;
};

/* `again`: the start of an earlier attempt may have failed; then the job that it made is the one that is meant. */
async function insertJob(change: OpenChange, definition: JobDefinition, again: boolean): Promise<JobRow> {
  const stored = change.stored.jobs.find(({ name }) => name === definition.name);
  if (stored === undefined) {
    const { configuration } = requireValid(judgeItem(change.current, 'jobs', definition));
    await change.store(configuration);
    return findJobRow((await change.reread()).jobs, definition.name);
  }
  const same = !stored.archived && stored.version === 1 && isSame(stored.definition, definition);
  if (again && same) return stored;
  throw new Problem(
    'name_taken',
    `A job is named ${definition.name} already${stored.archived ? ', though out of use' : ''}.`,
    {
      errors: [{ pointer: '/name', code: 'name_taken', detail: 'take another name' }],
      extensions: { jobId: String(stored.id), links: { job: linkTo(`jobs/${stored.id}`) } },
    },
  );
}
