import fc from 'fast-check';
import { moves, openings, stepOf, surroundings, systemsOf, worldStrategies, type Move } from './histories.js';
import { MemoryWorld } from './memory-world.js';
import type { Scenario, Step, Value } from './scenario.js';

/* Histories of several records at once: they share their systems and their runs, and differ in what is said of them. */

type Decision = NonNullable<Step['decide']>;

/** What one run does to each record, in the order of their keys. */
export interface CrowdStep {
  readonly edits?: readonly Readonly<Record<string, Value>>[];
  readonly run?: readonly string[];
  /** Of questions that one run opened; null: not decided. */
  readonly decide?: readonly (Decision | null)[];
  /** Undefined: not overridden. */
  readonly override?: readonly (Value | undefined)[];
  readonly rollback?: number;
}

/** How a crowd's records are kept; none of it may show in what comes out. */
export interface Keeping {
  /** Records are told apart by a natural key, or matched by a number and a name. */
  readonly kind: 'reconciled' | 'mastered';
  /** Nothing was read or told before the first run of the history. */
  readonly fresh: boolean;
  /** Changes are told in chunks, however few they are. */
  readonly chunks: boolean;
}

/** So many records, and what is around them. */
export interface Crowd {
  readonly scenario: Scenario;
  readonly keeping: Keeping;
  readonly size: number;
}

export interface CrowdHistory extends Crowd {
  /** For each step, what is to happen to each record. */
  readonly moves: readonly (readonly Move[])[];
}

export const keyOf = (index: number): string => `thing-${String(index + 1)}`;

/** Moves of the kind of the first: whose own is of another kind is left alone, or takes part likewise. */
const alike = (all: readonly Move[]): readonly Move[] => {
  const [first] = all;
  if (first === undefined) return all;
  const changes = ({ kind }: Move): boolean => kind === 'run' || kind === 'edit';
  return all.map((move, index) => {
    if (move.kind === first.kind || (changes(first) && changes(move))) return move;
    if (changes(first)) return { kind: 'edit', edits: [] };
    // An override is one of some records, and so is a decision.
    return first.kind === 'override' || index % 2 === 1 ? move : first;
  });
};

/** Nothing stands in a system that is never read, before it is read for the first time to tell it: memory has no such reading. */
const beforeTelling = (scenario: Scenario, move: Move): Move => {
  const systems = systemsOf(scenario);
  const isRead = (system: number): boolean =>
    systemsOf(scenario, 'source').includes(systems[system % systems.length] ?? '');
  return 'edits' in move ? { ...move, edits: move.edits.filter(({ system }) => isRead(system)) } : move;
};

/** Histories of so many records. */
export const crowds = (kind: Keeping['kind'], size: number, maxLength: number): fc.Arbitrary<CrowdHistory> =>
  fc
    .record({
      scenario: surroundings(worldStrategies),
      fresh: fc.boolean(),
      chunks: fc.boolean(),
      first: fc.array(openings(0), { minLength: size, maxLength: size }),
      rest: fc.array(moves(size, size), { maxLength }),
    })
    .map(({ scenario, fresh, chunks, first, rest }) => ({
      // A configuration ranks systems that may speak in the order in which it names them.
      scenario: { ...scenario, priority: scenario.authority ?? scenario.priority },
      keeping: { kind, fresh, chunks },
      size,
      moves: [fresh ? first.map((move) => beforeTelling(scenario, move)) : first, ...rest.map(alike)],
    }));

/** A crowd in memory: a world for each record, which count the same runs. */
export class CrowdInMemory {
  readonly worlds: readonly MemoryWorld[];

  constructor(
    readonly scenario: Scenario,
    size: number,
  ) {
    this.worlds = Array.from({ length: size }, () => new MemoryWorld(scenario));
  }

  /** Carries out one step. */
  async play({ edits, run, decide, override, rollback }: CrowdStep): Promise<void> {
    const decided = decide?.findIndex((choice) => choice !== null) ?? -1;
    const parent = this.worlds[decided]?.asked()?.openedBy ?? null;
    for (const [index, world] of this.worlds.entries()) {
      await world.edit(edits?.[index] ?? {});
      if (run !== undefined) await world.run(run);
      const choice = decide?.[index] ?? null;
      if (decide !== undefined) await (choice === null ? world.idle(parent) : world.decide(choice));
      const value = override?.[index];
      if (override !== undefined) await (value === undefined ? world.idle(null) : world.override(value));
      if (rollback !== undefined) await world.rollback(rollback);
    }
  }

  /** What moves come to at this point of a history; null where there is nothing to decide, override or undo. */
  stepOf(moves: readonly Move[]): CrowdStep | null {
    const kind = moves[0]?.kind;
    const steps = this.worlds.map((world, index) => {
      const move = moves[index];
      return move === undefined ? null : stepOf(this.scenario, world, move);
    });
    if (kind === 'rollback') return steps[0]?.rollback === undefined ? null : { rollback: steps[0].rollback };
    if (kind === 'decide') return this.decisionOf(steps.map((step) => step?.decide ?? null));
    if (kind === 'override') {
      const override = steps.map((step) => step?.override);
      return override.every((value) => value === undefined) ? null : { override };
    }
    const read = steps[0]?.run;
    const run = read === 'all' ? systemsOf(this.scenario, 'source') : read;
    return { edits: steps.map((step) => step?.edit ?? {}), ...(run === undefined ? {} : { run }) };
  }

  /** One batch decides questions that one run opened. What is held of several records is one question. */
  private decisionOf(choices: readonly (Decision | null)[]): CrowdStep | null {
    const at = choices.findIndex((choice) => choice !== null);
    const apply = choices[at]?.apply;
    if (at < 0 || (apply !== undefined && choices.length > 1)) return null;
    const openedBy = (index: number): number | undefined => this.worlds[index]?.asked()?.openedBy;
    const isOfBatch = (choice: Decision | null, index: number): boolean =>
      choice?.apply === apply && openedBy(index) === openedBy(at);
    return { decide: choices.map((choice, index) => (isOfBatch(choice, index) ? choice : null)) };
  }
}
