import { jest } from '@jest/globals';
import { createDatabase } from '../harness/database.js';
import { DatabaseWorld, DirectConductor, directActivities } from '../merge/database-world.js';
import { playStep, readScenarios } from '../merge/scenario.js';

jest.setTimeout(120_000);

describe('merge scenarios on PostgreSQL', () => {
  let database: Awaited<ReturnType<typeof createDatabase>>;
  beforeAll(async () => {
    database = await createDatabase();
  });
  afterAll(async () => {
    await database.drop();
  });

  it.each(readScenarios().map((scenario, index) => [scenario.name, scenario, index] as const))(
    '%s',
    async (_name, scenario, index) => {
      const world = await DatabaseWorld.open(
        scenario,
        database.url,
        `s${index}`,
        (hub) => new DirectConductor(directActivities(hub)),
      );
      try {
        for (const [step, played] of scenario.steps.entries()) {
          const seen = await playStep(scenario, world, played);
          if (played.expect !== undefined) expect({ step, ...seen }).toEqual({ step, ...played.expect });
        }
      } finally {
        await world.close();
      }
    },
  );
});
