import { Inject, Injectable } from '@nestjs/common';
import type { PoolClient } from 'pg';
import type { Hub } from '../../database/hub.js';
import type { GroupDefinition } from '../../domain/entity-type.js';
import type { Caller } from '../common/caller.js';
import { etagOf } from '../common/etag.js';
import { headerOf, type HttpRequest } from '../common/http.js';
import { notFound } from '../common/ids.js';
import { Problem } from '../common/problem.js';
import { HUB } from '../common/tokens.js';
import { validationProblem } from '../common/validation.js';
import { findPendingTwin, insertBatch, toAccepted, type NewBatch } from '../decisions/batches.js';
import type { AcceptedView } from '../decisions/decision.view.js';
import { findGolden } from './golden.queries.js';
import type { LiftRequest, OverrideRequest } from './golden.dto.js';
import { isSticky, refuseMasked, type GoldenRow } from './golden-row.js';
import { readGroupValue } from './group-value.js';
import type { Plain } from '../common/plain-type.js';

/** Sets a value by hand, and lets go of it. */
@Injectable()
export class Override {
  constructor(@Inject(HUB) private readonly hub: Hub) {}

  /** @throws Problem not_found, validation_failed, forbidden, state_forbids, precondition_failed */
  async set(
    caller: Caller,
    goldenId: string,
    request: OverrideRequest,
    http: HttpRequest,
  ): Promise<Plain<AcceptedView>> {
    return await this.decide(caller, { goldenId, ...request }, http, (_row, group) => {
      const read = readGroupValue(group, request.value, '/value');
      if ('problems' in read) throw validationProblem(read.problems);
      return { value: read.value };
    });
  }

  /** @throws Problem not_found, validation_failed, forbidden, state_forbids, precondition_failed */
  async lift(caller: Caller, goldenId: string, request: LiftRequest, http: HttpRequest): Promise<Plain<AcceptedView>> {
    return await this.decide(caller, { goldenId, ...request }, http, (row, group) => {
      if (!isSticky(row, row.definition.groups.indexOf(group)))
        throw new Problem('state_forbids', `No override stands on ${group.name}.`);
      return { lift: true };
    });
  }

  private async decide(
    caller: Caller,
    asked: { readonly goldenId: string; readonly group: string; readonly reason: string },
    http: HttpRequest,
    read: (row: GoldenRow, group: GroupDefinition) => object,
  ): Promise<Plain<AcceptedView>> {
    return await this.hub.transaction(caller.institutionId, async (client) => {
      const row = await findGolden(client, asked.goldenId, true);
      if (row === null) throw notFound('golden record', asked.goldenId);
      refuseUnlessCurrent(row, http);
      const group = row.definition.groups.find(({ name }) => name === asked.group);
      if (group === undefined) {
        throw validationProblem([
          {
            pointer: '/group',
            code: 'unknown',
            detail: `${row.type} has the groups ${row.definition.groups.map(({ name }) => name).join(', ')}`,
          },
        ]);
      }
      refuseMasked(caller.role, group);
      const batch: NewBatch = {
        ...{ institutionId: caller.institutionId, actor: caller.actor },
        jobId: await jobOf(client, row),
        kind: 'override',
        parentRunId: null,
        reason: asked.reason,
        items: [{ goldenId: asked.goldenId, group: group.name, ...read(row, group) }],
      };
      // Delivered twice, it has one effect.
      return toAccepted('override', (await findPendingTwin(client, batch)) ?? (await insertBatch(client, batch)));
    });
  }
}

function refuseUnlessCurrent(row: GoldenRow, http: HttpRequest): void {
  if (row.status !== 'active') {
    throw new Problem('state_forbids', `This record is ${row.status}; nothing can be set on it.`, {
      extensions: { status: row.status, mergedInto: row.merged_into },
    });
  }
  const sent = headerOf(http, 'if-match');
  if (sent === null || sent.trim() === '*' || sent.split(',').some((tag) => tag.trim() === etagOf(row.version))) return;
  throw new Problem('precondition_failed', 'The record changed since you read it.', {
    extensions: { currentEtag: etagOf(row.version) },
    headers: { etag: etagOf(row.version) },
  });
}

/* An override is carried out by the review of the job that last wrote the record, or of one that made it. */
async function jobOf(client: PoolClient, row: GoldenRow): Promise<number> {
  const { rows } = await client.query<{ job_id: number }>(
    `select job_id from concord.sync_runs where id in ($1, $2) and job_id is not null order by id desc limit 1`,
    [row.updated_run, row.created_run],
  );
  const [run] = rows;
  if (run === undefined)
    throw new Problem('state_forbids', 'No job writes this record, so nothing can carry an override out.');
  return run.job_id;
}
