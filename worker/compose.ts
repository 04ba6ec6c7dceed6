import { Context } from '@temporalio/activity';
import { createApply } from '../activities/apply.js';
import { ConfigurationCache } from '../activities/context.js';
import type { ActivityDependencies } from '../activities/dependencies.js';
import { createDiff } from '../activities/diff.js';
import { createExtract } from '../activities/extract.js';
import { createGuard } from '../activities/guard.js';
import { createInquiries } from '../activities/inquiries.js';
import { createLive } from '../activities/live.js';
import { createMatch } from '../activities/match.js';
import { createMerge } from '../activities/merge.js';
import { createNames } from '../activities/names.js';
import { createPost } from '../activities/post.js';
import { createPublish } from '../activities/publish.js';
import { createRollback } from '../activities/rollback.js';
import { createRuns } from '../activities/runs.js';
import { createStageBatch } from '../activities/stage-batch.js';
import { createStandardize } from '../activities/standardize.js';
import { createVerify } from '../activities/verify.js';
import { createConnector } from '../connectors/registry.js';
import type { Hub } from '../database/hub.js';
import type { WorkflowActivities } from '../workflows/activity-options.js';
import { createDropSource } from './drop-source.js';
import type { CrashPoints } from './faults.js';
import { resolveSecrets } from './secrets.js';

/** What the activities of a worker stand on. */
export interface Foundations {
  readonly hub: Hub;
  readonly crashPoints: CrashPoints;
}

/** Every activity, made over its dependencies. The only place that knows all of them. */
export function composeActivities(foundations: Foundations): WorkflowActivities {
  const dependencies = dependenciesOf(foundations);
  return {
    ...createRuns(dependencies),
    ...createExtract(dependencies),
    ...createLive(dependencies),
    ...createNames(dependencies),
    ...createDropSource(dependencies),
    ...createDiff(dependencies),
    ...createGuard(dependencies),
    ...createStandardize(dependencies),
    ...createMatch(dependencies),
    ...createMerge(dependencies),
    ...createApply(dependencies),
    ...createStageBatch(dependencies),
    ...createPublish(dependencies),
    ...createVerify(dependencies),
    ...createPost(dependencies),
    ...createRollback(dependencies),
    ...createInquiries(dependencies),
  };
}

/* A cancelled step ends its long statement on the server. */
const currentSignal = (): AbortSignal => Context.current().cancellationSignal;

function dependenciesOf({ hub, crashPoints }: Foundations): ActivityDependencies {
  return {
    hub: {
      ...hub,
      bulk: (institutionId, work, options) => hub.bulk(institutionId, work, { signal: currentSignal(), ...options }),
    },
    configurations: new ConfigurationCache(hub),
    openConnector: ({ kind, settings }) => createConnector(kind, resolveSecrets(settings)),
    heartbeat: () => {
      const context = Context.current();
      context.heartbeat();
      context.cancellationSignal.throwIfAborted();
    },
    cancelled: () => Context.current().cancellationSignal,
    crashPoint: (name) => {
      crashPoints.reach(name, 'mid');
    },
  };
}
