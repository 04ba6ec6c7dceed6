import { Client } from '@temporalio/client';
import type { Connection } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { createHub } from '../../database/hub.js';
import type { Hub } from '../../database/hub.js';
import { createLog } from '../../platform/log.js';
import { composeActivities } from '../../worker/compose.js';
import { startWorkers } from '../../worker/create-worker.js';
import type { RunningWorkers } from '../../worker/create-worker.js';
import { createDatabase } from '../harness/database.js';
import type { TestDatabase } from '../harness/database.js';
import { connectTemporal, temporalAddress, uniqueSuffix } from '../harness/temporal.js';
import { DatabaseWorld } from '../merge/database-world.js';
import { playStep, readScenarios } from '../merge/scenario.js';
import { WorkflowConductor } from '../merge/workflow-conductor.js';
import { quietRuntime } from '../workflows/stage.js';

/* The histories of the merge through everything: tables as systems, workflows on a Temporal server, golden records and questions
   in PostgreSQL. All of them pass without workflows (test/activities); how many pass here, by default ten, is said by
   CONCORD_SCENARIOS_END_TO_END. */

jest.setTimeout(120_000);
const wanted = Number(process.env['CONCORD_SCENARIOS_END_TO_END'] ?? 10);

describe('merge scenarios end to end', () => {
  const scope = `.${uniqueSuffix()}`;
  const crashPoints = { reach: () => undefined };
  let database: TestDatabase;
  let hub: Hub;
  let connection: Connection;
  let native: NativeConnection;
  let workers: RunningWorkers;

  beforeAll(async () => {
    quietRuntime();
    database = await createDatabase();
    hub = createHub({ url: database.url, role: 'concord_worker', max: 8 });
    connection = await connectTemporal();
    native = await NativeConnection.connect({ address: temporalAddress() });
    workers = await startWorkers({
      ...{ connection: native, namespace: 'default', scope, crashPoints },
      activities: composeActivities({ hub, crashPoints }),
      log: createLog({ level: 'silent', name: 'test' }),
    });
  });
  afterAll(async () => {
    await workers.drain();
    await native.close();
    await connection.close();
    await hub.close();
    await database.drop();
  });

  it.each(
    readScenarios()
      .slice(0, wanted)
      .map((scenario, index) => [scenario.name, scenario, index] as const),
  )('%s', async (_name, scenario, index) => {
    const client = new Client({ connection });
    const conductorOf = (own: Hub): WorkflowConductor => new WorkflowConductor({ client, hub: own, scope });
    const world = await DatabaseWorld.open(scenario, database.url, `s${index}`, conductorOf);
    try {
      for (const [step, played] of scenario.steps.entries()) {
        const seen = await playStep(scenario, world, played);
        if (played.expect !== undefined) expect({ step, ...seen }).toEqual({ step, ...played.expect });
      }
    } finally {
      await world.close();
    }
  });
});
