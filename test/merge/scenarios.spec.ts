import { MemoryWorld } from './memory-world.js';
import { playStep, readScenarios } from './scenario.js';

describe('merge scenarios through the core', () => {
  it.each(readScenarios().map((scenario) => [scenario.name, scenario] as const))('%s', async (_name, scenario) => {
    const world = new MemoryWorld(scenario);
    for (const [index, step] of scenario.steps.entries()) {
      const seen = await playStep(scenario, world, step);
      if (step.expect !== undefined) expect({ step: index, ...seen }).toEqual({ step: index, ...step.expect });
    }
  });
});
