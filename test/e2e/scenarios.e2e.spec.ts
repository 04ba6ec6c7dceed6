import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { createHub } from '../../database/hub.js';
import type { Hub } from '../../database/hub.js';
import { createDatabase } from '../harness/database.js';
import type { TestDatabase } from '../harness/database.js';
import { DatabaseWorld } from '../merge/database-world.js';
import { playStep, readScenarios } from '../merge/scenario.js';
import { WorkflowConductor } from '../merge/workflow-conductor.js';
import { OwnWorkers } from '../workflows/own-workers.js';

/* The histories of the merge through everything: tables as systems, workflows on a Temporal server, golden records and questions
   in PostgreSQL. All of them pass without workflows (test/activities); how many pass here, by default ten, is said by
   CONCORD_SCENARIOS_END_TO_END. */

jest.setTimeout(120_000);
const wanted = Number(process.env['CONCORD_SCENARIOS_END_TO_END'] ?? 10);

describe('merge scenarios end to end', () => {
  let database: TestDatabase;
  let hub: Hub;
  let workers: OwnWorkers;

  beforeAll(async () => {
    database = await createDatabase();
    hub = createHub({ url: database.url, role: 'concord_worker', max: 8 });
    workers = await OwnWorkers.start(hub);
  });
  afterAll(async () => {
    await workers.close();
    await hub.close();
    await database.drop();
  });

  it.each(
    readScenarios()
      .slice(0, wanted)
      .map((scenario, index) => [scenario.name, scenario, index] as const),
  )('%s', async (_name, scenario, index) => {
    const { client, scope } = workers;
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
