import { jest } from '@jest/globals';
import { createDatabase } from '../harness/database.js';
import { DatabaseWorld, DirectConductor, directActivities } from '../merge/database-world.js';
import { MemoryWorld } from '../merge/memory-world.js';
import { ABSENT, goneAndBack, playStep, readScenarios, type Scenario, type Step } from '../merge/scenario.js';

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

  /** A row comes again that was rolled back, and is held; its system is found to say what we tell it, and then says the row once more. */
  const saidOnceMore = (apply: boolean): Scenario => ({
    name: 'a row is held of whose system something else was seen since',
    strategy: 'three_way',
    priority: ['fin', 'sis'],
    authority: null,
    systems: { sis: ['source', 'target'], hr: ['source', 'target'], fin: ['source', 'target'] },
    steps: [
      { run: 'all' },
      { edit: { sis: 'B' }, run: 'all' },
      { rollback: 1 },
      { run: 'all' },
      { edit: { hr: 'A' } },
      { edit: { sis: 'A' }, run: ['hr', 'fin'] },
      { edit: { sis: 'B' }, run: ['fin'] },
      { decide: { apply } },
      { run: 'all' },
      ...(apply ? [{ decide: { apply: true } }] : [{ decide: { apply: false } }, { run: 'all' as const }]),
    ] satisfies Step[],
  });

  /** Plays a history here and in memory: each step is seen alike. */
  const expectAlike = async (scenario: Scenario, code: string): Promise<void> => {
    const world = await DatabaseWorld.open(
      scenario,
      database.url,
      code,
      (hub) => new DirectConductor(directActivities(hub)),
    );
    try {
      const inMemory = new MemoryWorld(scenario);
      for (const [step, played] of scenario.steps.entries())
        expect({ step, ...(await playStep(scenario, world, played)) }).toEqual({
          step,
          ...(await playStep(scenario, inMemory, played)),
        });
    } finally {
      await world.close();
    }
  };

  it.each([
    ['released', true],
    ['discarded', false],
  ])('a held row that is %s late writes over nothing that was not read', async (how, apply) => {
    await expectAlike(saidOnceMore(apply), how);
  });

  const plain: Omit<Scenario, 'steps'> = {
    ...{ name: 'found by random histories', strategy: 'three_way', priority: ['sis', 'hr'], authority: null },
    systems: { sis: ['source'], hr: ['source', 'target'] },
  };

  it('a row that we created and its people deleted is gone, and not created again', async () => {
    const steps: Step[] = [
      { edit: { sis: 'A' }, run: 'all' },
      { edit: { hr: ABSENT }, run: 'all' },
      { edit: { sis: 'B' }, run: 'all' },
    ];
    await expectAlike({ ...plain, steps }, 'deleted');
  });

  it('a row that comes again below golden is told it, though golden stays', async () => {
    const steps: Step[] = [
      { edit: { sis: 'B' }, run: 'all' },
      { edit: { hr: ABSENT }, run: 'all' },
      { edit: { hr: 'A' }, run: 'all' },
    ];
    await expectAlike({ ...plain, steps }, 'again');
  });

  it('a system that may not speak keeps what it says where golden says nothing', async () => {
    const steps: Step[] = [{ edit: { sis: 'A' }, run: 'all' }, { run: 'all' }];
    const systems: Scenario['systems'] = { sis: ['source', 'target'], hr: ['source'] };
    await expectAlike({ ...plain, priority: ['hr'], authority: ['hr'], systems, steps }, 'silent');
  });

  it('what a run told late, and a rollback took back, is told again', async () => {
    const systems: Scenario['systems'] = { sis: ['source'], hr: ['target'] };
    const steps: Step[] = [
      { edit: { sis: 'A' }, run: 'all' },
      { edit: { sis: 'B', hr: 'C' }, run: 'all' },
      { run: 'all' },
      { rollback: 2 },
      { run: 'all' },
    ];
    await expectAlike({ ...plain, systems, steps }, 'late');
  });

  it('a row that comes back is of the record that has its key now', async () => {
    const systems: Scenario['systems'] = { sis: ['source'], hr: ['source'] };
    const gone: Step[] = [
      { edit: { sis: 'A' }, run: 'all' },
      { edit: { sis: ABSENT }, run: 'all' },
    ];
    const differing: Step = { edit: { sis: 'B', hr: 'C' }, run: 'all' };
    const together: Step[] = [...gone, { edit: { sis: 'A', hr: 'A' }, run: 'all' }, differing];
    await expectAlike({ ...plain, systems, steps: together }, 'together');
    const later: Step[] = [...gone, { edit: { hr: 'A' }, run: 'all' }, { edit: { sis: 'A' }, run: 'all' }, differing];
    await expectAlike({ ...plain, systems, steps: later }, 'later');
  });

  const discarded: Step[] = [
    { edit: { sis: 'A', hr: 'A' }, run: 'all' },
    { edit: { hr: 'C' }, run: 'all' },
    { rollback: 1 },
    { run: 'all' },
    { decide: { apply: false } },
  ];

  it('what was discarded is asked about again where that is undone, and stays out where the undo is undone', async () => {
    const steps: Step[] = [...discarded, { rollback: 4 }, { run: 'all' }, { rollback: 5 }, { run: 'all' }];
    await expectAlike({ ...plain, steps }, 'discarded_undone');
  });

  it('what was discarded is a change once its system said something else', async () => {
    const steps: Step[] = [...discarded, { run: 'all' }, { edit: { hr: 'C' }, run: 'all' }];
    await expectAlike({ ...plain, steps }, 'discarded_said_again');
  });

  it('an edit of a row that nobody had to write is read, though golden moved beside it', async () => {
    const systems: Scenario['systems'] = { hr: ['source', 'target'], fin: ['source', 'target'] };
    const steps: Step[] = [
      { edit: { fin: 'A' }, run: 'all' },
      { edit: { hr: 'C', fin: 'B' }, run: 'all' },
      { edit: { hr: 'D', fin: 'C' }, run: ['fin'] },
      { run: 'all' },
    ];
    await expectAlike({ ...plain, priority: ['fin', 'hr'], systems, steps }, 'unwritten');
  });

  it('what was undone, stands again, and is undone once more is taken out of targets once more', async () => {
    const systems: Scenario['systems'] = { sis: ['source'], hr: ['target'] };
    const undone: Step[] = [{ rollback: 1 }, { rollback: 2 }, { rollback: 1 }];
    const steps: Step[] = [{ run: 'all' }, { edit: { sis: 'A' }, run: 'all' }, ...undone];
    await expectAlike({ ...plain, systems, steps }, 'undone_again');
  });

  it('a row that comes back in a target is known there again, and is told', async () => {
    const systems: Scenario['systems'] = { sis: ['source'], hr: ['target'] };
    const steps: Step[] = [
      { run: 'all' },
      { edit: { sis: 'A' }, run: 'all' },
      { edit: { sis: 'B', hr: ABSENT }, run: 'all' },
      { edit: { hr: 'C' }, run: 'all' },
      { run: 'all' },
    ];
    await expectAlike({ ...plain, systems, steps }, 'back_there');
  });

  it('a row that stood in the way unread, and is gone, is made in the next run', async () => {
    const systems: Scenario['systems'] = { sis: ['source'], hr: ['source', 'target'] };
    const steps: Step[] = [
      { run: 'all' },
      { edit: { sis: 'A', hr: 'C' }, run: ['sis'] },
      { edit: { hr: ABSENT }, run: 'all' },
      { run: 'all' },
    ];
    await expectAlike({ ...plain, systems, steps }, 'in_the_way');
  });

  it('a source that knew golden knows it again where a question and its decision are undone', async () => {
    const asked: Step[] = [{ edit: { sis: 'B', hr: 'C' }, run: 'all' }, { decide: { keep: true } }];
    const steps: Step[] = [
      { edit: { sis: 'A', hr: 'A' }, run: 'all' },
      ...asked,
      { rollback: 1 },
      { edit: { sis: 'D', hr: 'A' }, run: 'all' },
    ];
    await expectAlike({ ...plain, steps }, 'knows');
  });

  it('a record does not end under a source that says something else since', async () => {
    await expectAlike(goneAndBack, 'back');
  });
});
