import type { Connection } from '@temporalio/client';
import { askDatabase, askSchema } from '../database/health.js';
import type { Hub } from '../database/hub.js';
import { doneWithin } from '../platform/within.js';

export interface WorkerReadinessOptions {
  readonly hub: Hub;
  readonly connection: Connection;
  /** False from the moment that the process was asked to end. */
  readonly accepting: () => boolean;
  /** Whether its workers ask Temporal for work. */
  readonly polling: () => boolean;
}

const patienceMilliseconds = 2_000;

/** What a worker needs to do its work, by name. */
export async function askReadiness(options: WorkerReadinessOptions): Promise<Readonly<Record<string, boolean>>> {
  const { hub, connection } = options;
  const temporal = connection.withDeadline(Date.now() + patienceMilliseconds, () =>
    connection.workflowService.getSystemInfo({}),
  );
  const [database, migrations, frontend] = await Promise.all(
    [askDatabase(hub), askSchema(hub), temporal].map((work) => doneWithin(patienceMilliseconds, work)),
  );
  return {
    accepting: options.accepting(),
    database: database === true,
    migrations: migrations === true,
    temporal: frontend === true,
    polling: options.polling(),
  };
}
