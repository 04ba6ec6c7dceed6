import { Inject, Injectable } from '@nestjs/common';
import type { PoolClient } from 'pg';
import type { Hub } from '../../database/hub.js';
import { linkTo } from '../common/base-path.js';
import type { Caller } from '../common/caller.js';
import { Answer } from '../common/http.js';
import { notFound } from '../common/ids.js';
import type { Plain } from '../common/plain-type.js';
import { Problem } from '../common/problem.js';
import { HUB } from '../common/tokens.js';
import { toPreview, Rollback } from '../runs/rollback.js';
import { lockBatch, withdrawItem, withdrawWhole, type LockedBatch } from './take-back.queries.js';
import type { TakenBackView } from './decision.view.js';
import type { TakeBackRequest } from './take-back.dto.js';

/** What is taken back: a whole batch, or one decision of it. */
type What = { readonly of: 'batch' } | { readonly of: 'question' | 'held change'; readonly id: string };

type Outcome = { readonly withdrawn: number } | { readonly carriedOutBy: string };

/** Takes decisions back: those that wait are withdrawn, those that were carried out are rolled back with their run. */
@Injectable()
export class TakeBack {
  constructor(
    @Inject(HUB) private readonly hub: Hub,
    private readonly rollback: Rollback,
  ) {}

  /** @throws Problem not_found, state_forbids, preview_outdated with the preview to confirm */
  async batch(
    caller: Caller,
    batchId: string,
    key: string,
    request: TakeBackRequest,
  ): Promise<Answer<Plain<TakenBackView>>> {
    return await this.takeBack(caller, batchId, { of: 'batch' }, key, request);
  }

  /** @throws the same */
  async one(
    caller: Caller,
    what: Exclude<What, { of: 'batch' }>,
    batchId: string | null,
    key: string,
    request: TakeBackRequest,
  ): Promise<Answer<Plain<TakenBackView>>> {
    if (batchId === null)
      throw new Problem('state_forbids', `Nobody decided this ${what.of}, or it was taken back already.`);
    return await this.takeBack(caller, batchId, what, key, request);
  }

  private async takeBack(
    caller: Caller,
    batchId: string,
    what: What,
    key: string,
    request: TakeBackRequest,
  ): Promise<Answer<Plain<TakenBackView>>> {
    const outcome = await this.hub.transaction(caller.institutionId, async (client): Promise<Outcome> => {
      const batch = await lockBatch(client, batchId);
      if (batch === null) throw notFound('decision batch', batchId);
      if (batch.state === 'pending') return { withdrawn: await withdraw(client, batch, what) };
      return { carriedOutBy: carriedOutBy(batch, what) };
    });
    const links = { batch: linkTo(`decisions/${batchId}`) };
    if ('withdrawn' in outcome) {
      return new Answer(
        { state: 'withdrawn', batchId, decisions: outcome.withdrawn, workflowId: null, runId: null, links },
        { status: 200 },
      );
    }
    return await this.rollBack(caller, batchId, outcome.carriedOutBy, key, request);
  }

  /* Where nothing is kept, and nothing goes back but this, no one has to look first. */
  private async rollBack(
    caller: Caller,
    batchId: string,
    runId: string,
    key: string,
    request: TakeBackRequest,
  ): Promise<Answer<Plain<TakenBackView>>> {
    const preview = await this.rollback.look(caller.institutionId, runId);
    const plain = preview.kept.length === 0 && preview.runs.every((run) => run.runId === runId);
    if (request.previewHash === undefined && !plain) {
      throw new Problem(
        'preview_outdated',
        'Taking this back touches more than the decision itself. Look at the preview, and send its previewHash.',
        { extensions: { preview: toPreview(runId, preview) } },
      );
    }
    const previewHash = request.previewHash ?? preview.hash;
    const started = await this.rollback.start(caller, runId, key, { previewHash, reason: request.reason });
    const { workflowId, runId: rollbackRunId, links } = started.body;
    return new Answer(
      {
        ...{ state: 'rolling_back', batchId, decisions: 0, workflowId, runId: rollbackRunId },
        links: { ...links, batch: linkTo(`decisions/${batchId}`), carriedOutBy: linkTo(`runs/${runId}`) },
      },
      { status: 202, headers: started.headers },
    );
  }
}

/* Held by its row: a run that would carry it out waits, and then finds it withdrawn. */
async function withdraw(client: PoolClient, batch: LockedBatch, what: What): Promise<number> {
  if (batch.run_at_work !== null) {
    throw new Problem(
      'state_forbids',
      `Run ${batch.run_at_work} carries it out just now. Take it back when that is over.`,
      {
        extensions: { runId: batch.run_at_work, links: { run: linkTo(`runs/${batch.run_at_work}`) } },
      },
    );
  }
  if (what.of === 'batch' || batch.items === 1) return await withdrawWhole(client, batch);
  return await withdrawItem(client, batch, what.of === 'question' ? 'conflictId' : 'heldId', what.id);
}

function carriedOutBy(batch: LockedBatch, what: What): string {
  if (batch.state !== 'applied' || batch.settle_run_id === null)
    throw new Problem(
      'state_forbids',
      `The decision was ${batch.state === 'failed' ? 'rolled back' : 'taken back'} already.`,
    );
  if (what.of === 'batch' || batch.items === 1) return batch.settle_run_id;
  throw new Problem(
    'state_forbids',
    `It was carried out together with ${batch.items - 1} others by run ${batch.settle_run_id}: take back the whole batch, or decide anew.`,
    { extensions: { batchId: batch.id, links: { takeBack: linkTo(`decisions/${batch.id}/take-back`) } } },
  );
}
