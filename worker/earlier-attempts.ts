import { asyncLocalStorage } from '@temporalio/activity';
import type { Context } from '@temporalio/activity';
import type { ActivityInterceptors } from '@temporalio/worker';
import type { Hub } from '../database/hub.js';
import type { Attempt } from '../platform/attempts.js';
import type { Log } from '../platform/log.js';

/* A worker that is suspended keeps its connections, and what they have locked. The next attempt ends them: what the former one has
   under way would be refused anyway. */

/** The attempt that we are called by, as an option of its transactions. None outside of activities, nor for short bookkeeping: that
 *  is begun anew with each workflow task, and never has more open than one short transaction. */
export const currentAttempt = (): { readonly attempt?: Attempt } => {
  const context = asyncLocalStorage.getStore();
  return context === undefined || context.info.isLocal ? {} : { attempt: attemptOf(context) };
};

/** Before a further attempt at an activity begins, what earlier ones have open is ended. */
export const endEarlierAttempts =
  (hub: Pick<Hub, 'endEarlier'>, log: Log) =>
  (context: Context): ActivityInterceptors => ({
    inbound: {
      async execute(input, next) {
        const { activityType, attempt, isLocal } = context.info;
        if (!isLocal && attempt > 1) {
          const ended = await hub.endEarlier(attemptOf(context));
          if (ended > 0)
            log.warn({ activity: activityType, attempt, ended }, 'an earlier attempt is still there; ended');
        }
        return await next(input);
      },
    },
  });

const attemptOf = ({ info }: Context): Attempt => ({
  task: `${info.workflowExecution?.runId ?? ''}/${info.activityId}`,
  attempt: info.attempt,
});
