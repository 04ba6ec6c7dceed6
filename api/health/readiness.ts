import type { Connection } from '@temporalio/client';
import { askDatabase, askSchema } from '../../database/health.js';
import type { Hub } from '../../database/hub.js';
import { taskQueues } from '../../domain/run.js';
import { doneWithin } from '../../platform/within.js';

/** What must be there for requests to be answered. */
export interface Readiness {
  check(): Promise<readonly PartState[]>;
}

export const readinessParts = ['accepting', 'database', 'migrations', 'temporal', 'workers'] as const;

export interface PartState {
  readonly part: (typeof readinessParts)[number];
  readonly ready: boolean;
}

export interface ReadinessOptions {
  readonly hub: Hub;
  readonly connection: Pick<Connection, 'workflowService' | 'withDeadline'>;
  readonly namespace: string;
  /** Follows the names of the task queues. */
  readonly scope: string;
  /** False from the moment that the process was asked to end. */
  readonly accepting: () => boolean;
}

const patienceMilliseconds = 2_000;

/* A worker asks for work at least once a minute; Temporal remembers who asked for five. */
const pollWithinMilliseconds = 90_000;

/** Asks the database, its schema, Temporal's frontend, and whether workers ask for work. Whether, not why: the reason may name hosts
 *  and users, and this is open to anybody; `concord doctor` tells why. */
export const createReadiness = (options: ReadinessOptions): Readiness => {
  const { hub, connection } = options;
  const asked = <T>(ask: () => Promise<T>): Promise<T> =>
    connection.withDeadline(Date.now() + patienceMilliseconds, ask);
  return {
    async check(): Promise<readonly PartState[]> {
      const parts: readonly (readonly [PartState['part'], Promise<unknown>])[] = [
        ['database', askDatabase(hub)],
        ['migrations', askSchema(hub)],
        ['temporal', asked(() => connection.workflowService.getSystemInfo({}))],
        ['workers', asked(() => askWorkers(options))],
      ];
      const answers = await Promise.all(
        parts.map(async ([part, work]) => ({ part, ready: await doneWithin(patienceMilliseconds, work) })),
      );
      return [{ part: 'accepting', ready: options.accepting() }, ...answers];
    },
  };
};

/* Each queue needs somebody who asks for its workflows: whoever does asks for its activities too. @throws where one has nobody */
const askWorkers = async ({ connection, namespace, scope }: ReadinessOptions): Promise<void> => {
  const since = Date.now() - pollWithinMilliseconds;
  await Promise.all(
    Object.values(taskQueues).map(async (name) => {
      const { pollers } = await connection.workflowService.describeTaskQueue({
        ...{ namespace, taskQueue: { name: name + scope } },
      });
      const seen = pollers.map(({ lastAccessTime }) => Number(lastAccessTime?.seconds ?? 0) * 1000);
      if (!seen.some((moment) => moment > since)) throw new Error(`Nobody asks for work of ${name}.`);
    }),
  );
};
