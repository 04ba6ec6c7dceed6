import { Inject, Injectable } from '@nestjs/common';
import type { PoolClient } from 'pg';
import { loadConfiguration } from '../../database/configuration-store.js';
import { insertRow, jobTable, readStored } from '../../database/configuration-tables.js';
import type { Hub } from '../../database/hub.js';
import type { JobDefinition } from '../../domain/job-definition.js';
import { canonicalJson } from '../../platform/canonical-json.js';
import { linkTo } from '../common/base-path.js';
import type { Caller } from '../common/caller.js';
import { etagOf } from '../common/etag.js';
import { Answer } from '../common/http.js';
import { judgeJob, requireValid } from '../common/judge.js';
import { leaveWord } from '../common/outbox.js';
import { toPlain } from '../common/plain.js';
import { Problem } from '../common/problem.js';
import { HUB } from '../common/tokens.js';
import { StartRun } from '../runs/start-run.js';
import type { CreateJobRequest } from './job.dto.js';
import type { CreatedJobView, JobReportView, JobView } from './job.view.js';
import type { Plain } from '../common/plain-type.js';

interface StoredJob {
  readonly id: number;
  readonly version: number;
  readonly definition: JobDefinition;
}

/** Creates jobs. */
@Injectable()
export class CreateJob {
  constructor(
    @Inject(HUB) private readonly hub: Hub,
    private readonly startRun: StartRun,
  ) {}

  /** Whether a job would do; nothing is stored. */
  async judge(caller: Caller, request: CreateJobRequest): Promise<Plain<JobReportView>> {
    const loaded = await loadConfiguration(this.hub, caller.institutionId);
    const { problems } = judgeJob(loaded, definitionOf(request));
    const taken = loaded.jobs.some((job) => job.definition.name === request.name);
    const all = [
      ...problems,
      ...(taken ? [{ pointer: '/name', code: 'name_taken', detail: `a job is named ${request.name}` }] : []),
    ];
    return { valid: all.length === 0, problems: all };
  }

  /** `key`: starts a run too, as the one that this key names.
   *  @throws Problem configuration_invalid, name_taken */
  async create(caller: Caller, request: CreateJobRequest, key: string | null): Promise<Answer<Plain<CreatedJobView>>> {
    const loaded = await loadConfiguration(this.hub, caller.institutionId);
    const definition = requireValid(judgeJob(loaded, definitionOf(request)));
    const job = toJob(
      await this.hub.transaction(caller.institutionId, (client) => insertJob(client, caller, definition, key !== null)),
    );
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

const definitionOf = (request: CreateJobRequest): object => {
  const { start: _start, dryRun: _dryRun, asOf: _asOf, ...definition } = request;
  return toPlain(definition) as object;
};

/* `again`: the start of an earlier attempt may have failed; then the job that it made is the one that is meant. */
async function insertJob(
  client: PoolClient,
  caller: Caller,
  definition: JobDefinition,
  again: boolean,
): Promise<StoredJob> {
  // One change of the configuration waits for the other.
  await client.query('select id from concord.institutions where id = $1 for update', [caller.institutionId]);
  const condition = 't.name = $1';
  const [stored] = await readStored(client, jobTable, { condition, values: [definition.name] });
  if (stored === undefined) {
    const id = await insertRow(client, jobTable, definition, caller);
    if (definition.schedule !== undefined)
      await leaveWord(client, caller.institutionId, 'schedules', caller.institutionId);
    return { id, version: 1, definition };
  }
  const same =
    !stored.archived && stored.version === 1 && canonicalJson(stored.definition) === canonicalJson(definition);
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

/** A job as it is shown. */
export const toJob = ({ id, version, definition }: StoredJob): Plain<JobView> => ({
  id: String(id),
  version,
  definition,
  links: { self: linkTo(`jobs/${id}`), runs: linkTo(`runs?job=${id}`), start: linkTo(`jobs/${id}/runs`) },
});
