import { Inject, Injectable } from '@nestjs/common';
import type { PoolClient } from 'pg';
import type { Hub } from '../../database/hub.js';
import type { RollbackPreview } from '../../database/rollback-preview.js';
import type { Caller } from '../common/caller.js';
import { linkTo } from '../common/base-path.js';
import type { Clock } from '../../platform/clock.js';
import type { Answer } from '../common/http.js';
import { notFound } from '../common/ids.js';
import { Problem } from '../common/problem.js';
import { CLOCK, HUB, ROLLBACK_PREVIEW, RUN_STARTER } from '../common/tokens.js';
import type { RunStarter } from '../temporal/run-starter.js';
import { findRun, findRunOfWorkflow, keepReason, type RunRow } from './run.queries.js';
import type { RollbackRequest } from './run.dto.js';
import type { RollbackPreviewView, StartedRunView } from './run.view.js';
import { dateIn, runKeyOf, StartRun } from './start-run.js';
import type { Plain } from '../common/plain-type.js';

export type PreviewRollback = (
  hub: Hub,
  institutionId: number,
  runId: string,
  asOf: string,
) => Promise<RollbackPreview>;

/** Previews and starts rollbacks. */
@Injectable()
export class Rollback {
  constructor(
    @Inject(HUB) private readonly hub: Hub,
    @Inject(ROLLBACK_PREVIEW) private readonly previewRollback: PreviewRollback,
    @Inject(RUN_STARTER) private readonly starter: RunStarter,
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly startRun: StartRun,
  ) {}

  /** @throws Problem not_found, state_forbids */
  async preview(caller: Caller, runId: string): Promise<Plain<RollbackPreviewView>> {
    const run = await this.hub.read(caller.institutionId, (client) => findRun(client, runId));
    refuseUnlessOver(run, runId);
    return await this.shown(caller, runId, await this.look(caller.institutionId, runId));
  }

  /** What a rollback of today would do. */
  async look(institutionId: number, runId: string): Promise<RollbackPreview> {
    const timeZone = await this.hub.read(institutionId, (client) => timeZoneOf(client, institutionId));
    return await this.previewRollback(this.hub, institutionId, runId, dateIn(timeZone, this.clock.now()));
  }

  /* What is counted is the whole; of what is listed, the records that the caller sees. */
  private async shown(caller: Caller, runId: string, preview: RollbackPreview): Promise<Plain<RollbackPreviewView>> {
    const view = toPreview(runId, preview);
    const seen = await this.hub.read(caller.institutionId, (client) =>
      client.query<{ id: string }>('select id from concord.golden_records where id = any ($1::bigint[])', [
        view.kept.map(({ goldenId }) => goldenId),
      ]),
    );
    const ids = new Set(seen.rows.map(({ id }) => id));
    return { ...view, kept: view.kept.filter(({ goldenId }) => ids.has(goldenId)) };
  }

  /** @throws Problem not_found, state_forbids, preview_outdated with the preview as it is now */
  async start(
    caller: Caller,
    runId: string,
    key: string,
    request: RollbackRequest,
  ): Promise<Answer<Plain<StartedRunView>>> {
    const { institutionId, actor } = caller;
    const workflowId = this.starter.rollbackRunId(runId, runKeyOf(institutionId, `run ${runId}`, key));
    const { run, before, timeZone } = await this.hub.read(institutionId, async (client) => ({
      run: await findRun(client, runId),
      before: await findRunOfWorkflow(client, workflowId),
      timeZone: await timeZoneOf(client, institutionId),
    }));
    if (run === null) throw notFound('run', runId);
    if (before === null) {
      refuseUnlessOver(run, runId);
      const asOf = dateIn(timeZone, this.clock.now());
      const preview = await this.previewRollback(this.hub, institutionId, runId, asOf);
      if (preview.hash !== request.previewHash) {
        throw new Problem('preview_outdated', 'Data moved since the preview that you saw. Look at the new one.', {
          extensions: { preview: await this.shown(caller, runId, preview) },
        });
      }
      // Kept before the workflow begins, which takes it from there: words of people never travel through Temporal.
      await this.hub.transaction(institutionId, (client) =>
        keepReason(client, { workflowId, institutionId, reason: request.reason }),
      );
      await this.starter.startRollbackRun(workflowId, {
        ...{ institutionId, jobId: run.job_id, actor, timeZone },
        asOf,
        rollbackOf: runId,
        previewHash: preview.hash,
      });
    }
    return await this.startRun.started(institutionId, run.job_id === null ? null : String(run.job_id), workflowId);
  }
}

function refuseUnlessOver(run: RunRow | null, runId: string): asserts run is RunRow {
  if (run === null) throw notFound('run', runId);
  if (run.finished_at === null)
    throw new Problem('state_forbids', `Run ${runId} is still at work. Wait for it or cancel it.`);
  if (run.kind === 'dry_run') throw new Problem('state_forbids', `Run ${runId} was a dry run: it changed nothing.`);
  if (run.state === 'skipped') throw new Problem('state_forbids', `Run ${runId} was skipped: it did nothing.`);
  if (run.state === 'rolled_back' || run.rolled_back_by !== null) {
    throw new Problem('state_forbids', `Run ${runId} was rolled back already.`, {
      extensions: { rolledBackBy: run.rolled_back_by },
    });
  }
}

const timeZoneOf = async (client: PoolClient, institutionId: number): Promise<string> => {
  const { rows } = await client.query<{ time_zone: string }>(
    'select time_zone from concord.institutions where id = $1',
    [institutionId],
  );
  return rows[0]?.time_zone ?? 'UTC';
};

const reasons: Readonly<Record<RollbackPreview['kept'][number]['reason'], string>> = {
  changed_since: 'changed since by a later run',
  belongs_together: 'belongs together with a record that was changed since',
  restricted: 'restricted: the row may not be sent there any more',
};

/** A preview as it is shown. */
export const toPreview = (runId: string, preview: RollbackPreview): Plain<RollbackPreviewView> => ({
  previewHash: preview.hash,
  runs: preview.runs,
  reversed: preview.reversed,
  keptCount: preview.keptCount,
  kept: preview.kept.map(({ goldenId, reason, target }) => ({ goldenId, group: '', target, reason: reasons[reason] })),
  targets: preview.targets,
  questionsReopened: preview.questionsReopened,
  questionsWithdrawn: preview.questionsWithdrawn,
  links: { run: linkTo(`runs/${runId}`), rollback: linkTo(`runs/${runId}/rollback`) },
});
