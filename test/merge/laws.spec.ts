import fc from 'fast-check';
import { histories, moves, playMoves, rerun, stepOf, type History, type Move } from './histories.js';
import { agreementIsAsked, overwriteWatch, statementIsLost, targetDiffers, type Breach, type Moment } from './laws.js';
import { MemoryWorld, type Inspection } from './memory-world.js';
import { ABSENT, goneAndBack, playStep, type Expectation, type Scenario, type Step } from './scenario.js';

const runs = { numRuns: Number(process.env['CONCORD_LAW_RUNS'] ?? 1000) };

const reraised = /^(rolled_back_input|update_origin_differs):/;
const toldDiffers = ({ findings }: Expectation): boolean =>
  findings.some((one) => one.startsWith('update_origin_differs'));
const kept = ({ findings }: Expectation): boolean => findings.some((one) => one.startsWith('kept_changed_since'));

/** Fails with the whole history, so that a counterexample can be read without playing it again. */
const expectSame = (steps: readonly Step[], now: unknown, former: unknown): void =>
  expect({ steps, now }).toEqual({ steps, now: former });

const refuse = (breach: Breach, steps: readonly Step[], is: unknown): void => {
  if (breach !== null) throw new Error(`${breach}: ${JSON.stringify({ steps, is }, null, 1)}`);
};

/** Plays a history under a law that holds at every moment. */
const watch = async (history: History, law: (moment: Moment) => Breach): Promise<void> => {
  const { scenario } = history;
  const world = new MemoryWorld(scenario);
  const steps: Step[] = [];
  let before = world.inspect();
  let told = 0;
  await playMoves(history, world, (step, seen) => {
    steps.push(step);
    const after = world.inspect();
    const events = world.events.slice(told);
    told = world.events.length;
    refuse(law({ scenario, step, before, after, seen, events }), steps, { seen, before, after });
    before = after;
  });
};

const replay = async (scenario: Scenario, steps: readonly Step[]): Promise<MemoryWorld> => {
  const world = new MemoryWorld(scenario);
  for (const step of steps) await playStep(scenario, world, step);
  return world;
};

/** Two histories that must go on alike: `extra` runs of the longer one stand between the common past and the common future. */
interface Twins {
  readonly scenario: Scenario;
  readonly longer: MemoryWorld;
  readonly shorter: MemoryWorld;
  readonly past: number;
  readonly extra: number;
  /** What the longer one remembers as rolled back: "held when it comes again" is all in which it may differ. */
  readonly unsayable: Inspection['rolledBackInputs'];
}

/** The same step for the twin that has fewer runs; null where it is about a run that this twin does not have. */
const forShorter = (step: Step, { past, extra }: Twins): Step | null => {
  if (step.rollback === undefined || step.rollback < past) return step;
  return step.rollback < past + extra ? null : { rollback: step.rollback - extra };
};

/** Only one of the twins remembers what the other never took in: there a system says nothing of the kind again. */
const withoutUnsayable = (step: Step, { unsayable }: Twins): Step =>
  step.edit === undefined
    ? step
    : {
        ...step,
        edit: Object.fromEntries(Object.entries(step.edit).filter(([of, value]) => !unsayable[of]?.includes(value))),
      };

const goOnAlike = async (twins: Twins, steps: readonly Step[], future: readonly Move[]): Promise<void> => {
  const { scenario, longer, shorter } = twins;
  const played: (Step | string)[] = [...steps, 'from here on alike'];
  for (const move of future) {
    const made = stepOf(scenario, longer, move);
    const step = made === null ? null : withoutUnsayable(made, twins);
    const other = step === null ? null : forShorter(step, twins);
    if (step === null || other === null) continue;
    played.push(step);
    const [seen, expected] = [await playStep(scenario, longer, step), await playStep(scenario, shorter, other)];
    const [is, isToBe] = [withoutInputs(longer.inspect()), withoutInputs(shorter.inspect())];
    expect({ played, seen, is }).toEqual({ played, seen: expected, is: isToBe });
  }
};

/** After a rollback its inputs are remembered, and held when they come again: so the systems say something new first. */
const sayAnew = async ({ scenario, longer, shorter }: Twins, back: boolean): Promise<Step> => {
  const { images, rolledBackInputs } = longer.inspect();
  const edit = Object.fromEntries(
    Object.keys(rolledBackInputs).map((system) => {
      const image = images[system];
      return [system, !back ? 'N' : image?.live === true ? image.raw : ABSENT] as const;
    }),
  );
  const step: Step = { edit, run: 'all' };
  const [seen, expected] = [await playStep(scenario, longer, step), await playStep(scenario, shorter, step)];
  const [is, isToBe] = [withoutInputs(longer.inspect()), withoutInputs(shorter.inspect())];
  expect({ step, seen, is }).toEqual({ step, seen: expected, is: isToBe });
  return step;
};

const withEdits = (before: Inspection, { edit }: Step): Inspection => ({
  ...before,
  actual: { ...before.actual, ...edit },
});
const withoutInputs = ({ rolledBackInputs: _, ...rest }: Inspection): unknown => rest;

describe('laws of any history', () => {
  it('a run after an edit-free run changes nothing', async () => {
    const law = fc.asyncProperty(histories(), fc.boolean(), async (history, direct) => {
      const world = new MemoryWorld(history.scenario);
      const steps = await playMoves(history, world);
      let last = await playStep(history.scenario, world, rerun);
      // Where a target was found edited, the run after that one tells it.
      if (!direct || toldDiffers(last)) last = await playStep(history.scenario, world, rerun);
      const before = world.inspect();
      const { findings } = await playStep(history.scenario, world, rerun);
      expectSame(steps, world.inspect(), before);
      expect(findings.filter((finding) => !reraised.test(finding))).toEqual([]);
    });
    await fc.assert(law, runs);
  });

  it('the order in which systems are read changes nothing', async () => {
    const turned =
      (by: number) =>
      (systems: readonly string[]): readonly string[] => [...systems.slice(by), ...systems.slice(0, by)];
    const reversed = (systems: readonly string[]): readonly string[] => [...systems].reverse();
    const orders = fc.constantFrom(reversed, turned(1), turned(2));
    const law = fc.asyncProperty(histories(), orders, async (history, order) => {
      const [one, other] = [new MemoryWorld(history.scenario), new MemoryWorld(history.scenario, order)];
      const seen: unknown[] = [];
      const steps = await playMoves(history, one, (_, now) => seen.push({ now, is: one.inspect() }));
      for (const [index, step] of steps.entries()) {
        const now = await playStep(history.scenario, other, step);
        expectSame(steps.slice(0, index + 1), { now, is: other.inspect() }, seen[index]);
      }
    });
    await fc.assert(law, runs);
  });

  it('agreement is no conflict', async () => {
    await fc.assert(
      fc.asyncProperty(histories(), (history) => watch(history, agreementIsAsked)),
      runs,
    );
  });

  it('no statement is lost', async () => {
    await fc.assert(
      fc.asyncProperty(histories(), (history) => watch(history, statementIsLost)),
      runs,
    );
  });

  it('no unread edit is overwritten', async () => {
    await fc.assert(
      fc.asyncProperty(histories(), (history) => watch(history, overwriteWatch())),
      runs,
    );
  });

  it('every target comes to equal the golden value', async () => {
    const law = fc.asyncProperty(histories(), async (history) => {
      const world = new MemoryWorld(history.scenario);
      const steps = await playMoves(history, world);
      for (const step of [rerun, rerun]) await playStep(history.scenario, world, step);
      refuse(targetDiffers(history.scenario, world.inspect()), steps, world.inspect());
    });
    await fc.assert(law, runs);
  });
});

describe('laws of rollback', () => {
  it('doing and undoing leaves every store as it was, and the record behaves as before', async () => {
    const law = fc.asyncProperty(
      histories(7),
      moves(1, 3),
      moves(0, 5),
      fc.boolean(),
      async (history, deeds, future, back) => {
        const { scenario } = history;
        const longer = new MemoryWorld(scenario);
        const steps = await playMoves(history, longer);
        const past = longer.runs;
        const before = longer.inspect();
        const [first, ...rest] = deeds;
        const deed = first === undefined ? null : stepOf(scenario, longer, first);
        if (deed === null) return;
        const done = [deed];
        await playStep(scenario, longer, deed);
        if (longer.runs === past) return;
        // Decisions of the question that the run opened are its children.
        for (const move of rest.filter(({ kind }) => kind === 'decide')) {
          const step = longer.asked()?.openedBy === past ? stepOf(scenario, longer, move) : null;
          if (step === null) continue;
          done.push(step);
          await playStep(scenario, longer, step);
        }
        done.push({ rollback: past });
        if (kept(await playStep(scenario, longer, { rollback: past }))) return;
        const all = [...steps, ...done];
        expectSame(all, withoutInputs(longer.inspect()), withoutInputs(withEdits(before, deed)));
        const shorter = await replay(scenario, [...steps, { edit: deed.edit ?? {} }]);
        const twins = {
          scenario,
          longer,
          shorter,
          past,
          extra: longer.runs - past,
          unsayable: longer.inspect().rolledBackInputs,
        };
        await goOnAlike(twins, [...all, await sayAnew(twins, back)], future);
      },
    );
    await fc.assert(law, runs);
  });

  it('undoing an undo leaves every store as it was, and the record behaves as before', async () => {
    const law = fc.asyncProperty(histories(9), fc.nat(9), moves(0, 5), async (history, pick, future) => {
      const { scenario } = history;
      const longer = new MemoryWorld(scenario);
      const steps = await playMoves(history, longer);
      const past = longer.runs;
      const before = longer.inspect();
      const undo = stepOf(scenario, longer, { kind: 'rollback', pick });
      if (undo === null) return;
      if (kept(await playStep(scenario, longer, undo))) return;
      if (kept(await playStep(scenario, longer, { rollback: past }))) return;
      const all = [...steps, undo, { rollback: past }];
      expectSame(all, longer.inspect(), before);
      const shorter = await replay(scenario, steps);
      await goOnAlike({ scenario, longer, shorter, past, extra: 2, unsayable: {} }, all, future);
    });
    await fc.assert(law, runs);
  });

  it('a record does not end under a source that says something else since', async () => {
    const world = await replay(goneAndBack, goneAndBack.steps.slice(0, -1));
    const before = world.inspect();
    expect(before.images['sis']).toMatchObject({ live: true, raw: 'A' });
    expect((await playStep(goneAndBack, world, { rollback: 0 })).findings).toEqual(['kept_changed_since:golden']);
    expect(world.inspect()).toEqual(before);
  });

  it('a decision after reruns is the same as without them', async () => {
    const law = fc.asyncProperty(
      histories(),
      fc.integer({ min: 1, max: 3 }),
      moves(1, 6),
      async (history, reruns, future) => {
        const { scenario } = history;
        const longer = new MemoryWorld(scenario);
        const steps = [...(await playMoves(history, longer)), rerun, rerun];
        for (const step of [rerun, rerun]) await playStep(scenario, longer, step);
        if (longer.asked() === null) return;
        const past = longer.runs;
        for (let run = 0; run < reruns; run += 1) await playStep(scenario, longer, rerun);
        const shorter = await replay(scenario, steps);
        const decision: Move = { kind: 'decide', how: 'take', pick: reruns, value: 'A' };
        const first = future[0]?.kind === 'decide' ? [] : [decision];
        await goOnAlike({ scenario, longer, shorter, past, extra: reruns, unsayable: {} }, steps, [
          ...first,
          ...future,
        ]);
      },
    );
    // Only about one history in six ends with a question.
    await fc.assert(law, { numRuns: runs.numRuns * 6 });
  });
});
