import fc from 'fast-check';
import type { MemoryWorld } from './memory-world.js';
import { ABSENT, playStep, type Expectation, type Scenario, type Step, type Value } from './scenario.js';

/** One step of a random history before it is known what can be decided or undone at that point. Numbers point, modulo, into
 *  whatever there is to choose from. */
export type Move =
  | { readonly kind: 'run'; readonly edits: readonly Edit[]; readonly read: number | null }
  | { readonly kind: 'edit'; readonly edits: readonly Edit[] }
  | { readonly kind: 'decide'; readonly how: 'take' | 'keep' | 'value'; readonly pick: number; readonly value: Value }
  | { readonly kind: 'override'; readonly value: Value }
  | { readonly kind: 'rollback'; readonly pick: number };

interface Edit {
  readonly system: number;
  readonly value: Value;
}

/** A record's surroundings and what happens to it. */
export interface History {
  readonly scenario: Scenario;
  readonly moves: readonly Move[];
}

const names = ['sis', 'hr', 'fin', 'lms'] as const;

const present = fc.constantFrom<Value>('A', 'A', 'B', 'B', 'C', 'D', null);
const anything = fc.oneof({ weight: 6, arbitrary: present }, { weight: 1, arbitrary: fc.constant<Value>(ABSENT) });
const edits = fc.array(fc.record({ system: fc.nat(3), value: anything }), { maxLength: 3 });

const move: fc.Arbitrary<Move> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constant('run' as const),
      edits,
      read: fc.option(fc.integer({ min: 1, max: 15 }), { freq: 3, nil: null }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('edit' as const), edits }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('decide' as const),
      how: fc.constantFrom('take' as const, 'take' as const, 'keep' as const, 'value' as const),
      pick: fc.nat(3),
      value: present,
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('override' as const), value: present }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('rollback' as const), pick: fc.nat(11) }) },
);

export const moves = (minLength: number, maxLength: number): fc.Arbitrary<Move[]> =>
  fc.array(move, { minLength, maxLength });

const roles = fc.constantFrom<readonly ('source' | 'target')[]>(
  ['source'],
  ['target'],
  ['source', 'target'],
  ['source', 'target'],
);

/** 2 to 4 systems of which at least one is a source. */
export const surroundings = (strategies: readonly Scenario['strategy'][]): fc.Arbitrary<Scenario> =>
  fc
    .array(roles, { minLength: 2, maxLength: 4 })
    .filter((all) => all.some((role) => role.includes('source')))
    .chain((all) => {
      const systems = names.slice(0, all.length);
      return fc.record({
        name: fc.constant('random'),
        strategy: fc.constantFrom(...strategies),
        priority: fc.shuffledSubarray(systems, { minLength: systems.length - 1 }),
        authority: fc.option(fc.subarray(systems, { minLength: 1 }), { freq: 3, nil: null }),
        systems: fc.constant(Object.fromEntries(systems.map((name, index) => [name, all[index] ?? []] as const))),
        steps: fc.constant([]),
      });
    });

/** The first move makes the record known, so that histories do not begin with undoing nothing. */
export const openings = (fewestEdits: number): fc.Arbitrary<Move> =>
  fc.record({
    kind: fc.constant('run' as const),
    edits: fc.array(fc.record({ system: fc.nat(3), value: present }), { minLength: fewestEdits, maxLength: 4 }),
    read: fc.constant(null),
  });

export const worldStrategies = [
  'three_way',
  'three_way',
  'three_way',
  'source_priority',
  'fill_empty_only',
  'manual',
  'sticky_human',
  'most_recent',
] as const;

export const histories = (
  maxLength = 11,
  strategies: readonly Scenario['strategy'][] = worldStrategies,
): fc.Arbitrary<History> =>
  fc
    .record({ scenario: surroundings(strategies), first: openings(1), rest: fc.array(move, { maxLength }) })
    .map(({ scenario, first, rest }) => ({ scenario, moves: [first, ...rest] }));

export const systemsOf = (scenario: Scenario, role?: 'source' | 'target'): string[] =>
  Object.keys(scenario.systems).filter((name) => role === undefined || scenario.systems[name]?.includes(role));

const editsOf = (scenario: Scenario, list: readonly Edit[]): Record<string, Value> => {
  const systems = systemsOf(scenario);
  return Object.fromEntries(list.map(({ system, value }) => [systems[system % systems.length] ?? '', value]));
};

const readOf = (scenario: Scenario, read: number | null): 'all' | string[] => {
  const sources = systemsOf(scenario, 'source');
  const chosen = sources.filter((_, index) => read !== null && (read >> index) % 2 === 1);
  return chosen.length === 0 ? 'all' : chosen;
};

const decisionOf = (move: Extract<Move, { kind: 'decide' }>, world: MemoryWorld): Step | null => {
  const { question } = world.inspect();
  if (question === null) return null;
  if (question.kind === 'rolled_back_input') return { decide: { apply: move.pick % 2 === 0 } };
  if (move.how === 'keep') return { decide: { keep: true } };
  if (move.how === 'value') return { decide: { value: move.value } };
  const parties = Object.values(question.candidates).flat().sort();
  const party = parties[move.pick % parties.length];
  return party === undefined ? null : { decide: { take: party } };
};

const rollbackOf = (pick: number, world: MemoryWorld): Step | null => {
  const undoable = world.undoable();
  const run = undoable[undoable.length - 1 - (pick % Math.max(undoable.length, 1))];
  return run === undefined ? null : { rollback: run };
};

/** What a move comes to at this point of a history; null where there is nothing to decide, override or undo. */
export const stepOf = (scenario: Scenario, world: MemoryWorld, move: Move): Step | null => {
  switch (move.kind) {
    case 'run':
      return { edit: editsOf(scenario, move.edits), run: readOf(scenario, move.read) };
    case 'edit':
      return { edit: editsOf(scenario, move.edits) };
    case 'decide':
      return decisionOf(move, world);
    case 'override':
      return world.inspect().exists ? { override: move.value } : null;
    case 'rollback':
      return rollbackOf(move.pick, world);
  }
};

export const rerun: Step = { edit: {}, run: 'all' };

/** Plays moves; `after` sees each step that was really taken. */
export const playMoves = async (
  { scenario, moves }: History,
  world: MemoryWorld,
  after?: (step: Step, seen: Expectation) => void,
): Promise<Step[]> => {
  const steps: Step[] = [];
  for (const move of moves) {
    const step = stepOf(scenario, world, move);
    if (step === null) continue;
    steps.push(step);
    const seen = await playStep(scenario, world, step);
    after?.(step, seen);
  }
  return steps;
};
