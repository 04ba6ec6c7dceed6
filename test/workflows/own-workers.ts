import { Client } from '@temporalio/client';
import type { Connection } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import type { Hub } from '../../database/hub.js';
import { createLog } from '../../platform/log.js';
import { composeActivities } from '../../worker/compose.js';
import { startWorkers } from '../../worker/create-worker.js';
import type { RunningWorkers } from '../../worker/create-worker.js';
import { connectTemporal, temporalAddress, uniqueSuffix } from '../harness/temporal.js';
import { quietRuntime } from './stage.js';

/** Real workers over a database, in this process, with task queues and ids of their own. */
export class OwnWorkers {
  readonly client: Client;

  private constructor(
    /** Follows ids and names of task queues. */
    readonly scope: string,
    private readonly connection: Connection,
    private readonly native: NativeConnection,
    private readonly workers: RunningWorkers,
  ) {
    this.client = new Client({ connection });
  }

  static async start(hub: Hub): Promise<OwnWorkers> {
    quietRuntime();
    const scope = `.${uniqueSuffix()}`;
    const crashPoints = { reach: () => undefined };
    const connection = await connectTemporal();
    const native = await NativeConnection.connect({ address: temporalAddress() });
    const workers = await startWorkers({
      ...{ connection: native, namespace: 'default', scope, crashPoints },
      activities: composeActivities({ hub, crashPoints }),
      log: createLog({ level: 'silent', name: 'test' }),
    });
    return new OwnWorkers(scope, connection, native, workers);
  }

  /** What they have at hand is finished; the hub stays open. */
  async close(): Promise<void> {
    await this.workers.drain();
    await this.native.close();
    await this.connection.close();
  }
}
