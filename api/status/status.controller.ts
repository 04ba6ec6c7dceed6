import { Controller, Inject } from '@nestjs/common';
import { loadConfiguration } from '../../database/configuration-store.js';
import type { Hub } from '../../database/hub.js';
import type { Clock } from '../../platform/clock.js';
import { basePath } from '../common/base-path.js';
import { CurrentCaller, CurrentRequest, type Caller } from '../common/caller.js';
import { Endpoint } from '../common/endpoint.js';
import { withEtag } from '../common/etag.js';
import type { Answer, HttpRequest } from '../common/http.js';
import { CLOCK, HUB } from '../common/tokens.js';
import { systemProblems } from '../../domain/errors.js';
import { overviewOf } from './overview.js';
import { plansOnce, readJobs, readSystemProblems, readWaiting, readWaitingRecords } from './overview.queries.js';
import { OverviewView } from './status.view.js';
import type { Plain } from '../common/plain-type.js';

const cacheControl = 'private, max-age=5';

/** How everything is. */
@Controller(`${basePath.slice(1)}/status`)
export class StatusController {
  constructor(
    @Inject(HUB) private readonly hub: Hub,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  @Endpoint({
    method: 'get',
    path: 'overview',
    operationId: 'getOverview',
    summary: 'See the state of everything',
    description:
      'Systems, jobs, what waits for whom, and what someone should look at. Counts only, no personal data. Read from our tables alone.',
    tag: 'Status',
    may: 'overview:read',
    ifNoneMatch: true,
    cacheControl,
    replies: [
      { status: 200, type: OverviewView, description: 'The overview.', headers: ['ETag'] },
      { status: 304, description: 'You have it.' },
    ],
  })
  async overview(
    @CurrentCaller() caller: Caller,
    @CurrentRequest() request: HttpRequest,
  ): Promise<Answer<Plain<OverviewView> | undefined>> {
    const configuration = await loadConfiguration(this.hub, caller.institutionId);
    const asOf = this.clock.now();
    const view = await this.hub.read(caller.institutionId, async (client) => {
      await plansOnce(client);
      const jobs = await readJobs(client);
      const lastRuns = jobs.flatMap(({ last_run: run }) => (run === null ? [] : [run]));
      return overviewOf({
        ...{ asOf, configuration, jobs },
        problems: await readSystemProblems(client, lastRuns, systemProblems),
        waiting: await readWaiting(client, asOf),
        waitingRecords: await readWaitingRecords(client),
      });
    });
    const { asOf: _moment, ...stable } = view;
    return withEtag(request, view, { cacheControl, stable });
  }
}
