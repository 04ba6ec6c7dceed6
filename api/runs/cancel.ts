import { Inject, Injectable } from '@nestjs/common';
import type { Hub } from '../../database/hub.js';
import type { Caller } from '../common/caller.js';
import { linkTo } from '../common/base-path.js';
import { Answer } from '../common/http.js';
import { notFound } from '../common/ids.js';
import type { Plain } from '../common/plain-type.js';
import { Problem } from '../common/problem.js';
import { HUB, RUN_STARTER } from '../common/tokens.js';
import type { RunStarter } from '../temporal/run-starter.js';
import { effectOf } from './cancellation.js';
import type { CancelRequest } from './run.dto.js';
import { findRun, noteCancellation, type RunRow } from './run.queries.js';
import type { CancelledView } from './run.view.js';

/** Stops runs. */
@Injectable()
export class CancelRun {
  constructor(
    @Inject(HUB) private readonly hub: Hub,
    @Inject(RUN_STARTER) private readonly starter: RunStarter,
  ) {}

  /** Asks a run to end; its workflow does so, and says how. Asking again changes nothing. @throws Problem not_found, state_forbids */
  async cancel(caller: Caller, runId: string, request: CancelRequest): Promise<Answer<Plain<CancelledView>>> {
    const run = await this.hub.transaction(caller.institutionId, async (client) => {
      const found = await findRun(client, runId);
      if (found === null) throw notFound('run', runId);
      refuseWhereImpossible(found);
      // Written before Temporal hears of it: who asked is known whatever happens then.
      const noted = await noteCancellation(client, runId, { actor: caller.actor, reason: request.reason });
      if (!noted) throw new Problem('state_forbids', `Run ${runId} is over.`);
      return found;
    });
    const { effect, words } = effectOf(run);
    await this.starter.cancelRun(run.workflow_id);
    const self = linkTo(`runs/${runId}`);
    return new Answer(
      { runId, state: run.state, effect, words, links: { self } },
      { status: 202, headers: { location: self } },
    );
  }
}

function refuseWhereImpossible(run: RunRow): void {
  const { effect, words } = effectOf(run);
  if (effect === 'impossible') throw new Problem('state_forbids', `Run ${run.id} cannot be cancelled. ${words}`);
}
