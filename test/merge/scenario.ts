import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Strategy } from '../../domain/strategy.js';

/** `null`: explicitly empty; `∅`: the record does not exist. */
export type Value = string | null;
export const ABSENT = '∅';

export interface Expectation {
  readonly golden: Value;
  readonly question: { readonly kind: string; readonly candidates: Readonly<Record<string, readonly string[]>> } | null;
  readonly actual: Readonly<Record<string, Value>>;
  readonly findings: readonly string[];
}

export interface Step {
  readonly edit?: Readonly<Record<string, Value>>;
  readonly run?: 'all' | readonly string[];
  readonly decide?: { take?: string; keep?: boolean; value?: Value; apply?: boolean };
  readonly override?: Value;
  readonly rollback?: number;
  readonly expect?: Expectation;
}

export interface Scenario {
  readonly name: string;
  readonly strategy: Strategy;
  readonly priority: readonly string[];
  readonly authority: readonly string[] | null;
  readonly systems: Readonly<Record<string, readonly ('source' | 'target')[]>>;
  readonly steps: readonly Step[];
}

/** A run makes a record; a source of it deletes its row and has it again, the other deletes its own. The run between is rolled back, and
 *  then the first one. */
export const goneAndBack: Scenario = {
  ...{ name: 'gone and back', strategy: 'three_way', priority: ['fin', 'sis'], authority: null },
  systems: { sis: ['source', 'target'], fin: ['source'] },
  steps: [
    { edit: { fin: null, sis: 'A' }, run: 'all' },
    { edit: { fin: 'A', sis: ABSENT }, run: 'all' },
    { edit: { fin: ABSENT, sis: 'A' }, run: 'all' },
    { rollback: 1 },
    { rollback: 0 },
  ],
};

/** What a world that plays scenarios can do; the in-memory one and the one on PostgreSQL and Temporal both do. */
export interface ScenarioWorld {
  edit(values: Readonly<Record<string, Value>>): Promise<void>;
  run(systems: readonly string[]): Promise<void>;
  decide(decision: NonNullable<Step['decide']>): Promise<void>;
  override(value: Value): Promise<void>;
  rollback(run: number): Promise<void>;
  observe(): Promise<Expectation>;
}

/** The file that `CONCORD_SCENARIOS` names, else the project's copy. */
export const readScenarios = (): Scenario[] => {
  const own = fileURLToPath(new URL('./merge-scenarios.json', import.meta.url));
  return JSON.parse(readFileSync(process.env['CONCORD_SCENARIOS'] ?? own, 'utf8')) as Scenario[];
};

/** Plays one step and returns what there is to see after it. */
export const playStep = async (scenario: Scenario, world: ScenarioWorld, step: Step): Promise<Expectation> => {
  if (step.edit !== undefined) await world.edit(step.edit);
  const sources = Object.keys(scenario.systems).filter((name) => scenario.systems[name]?.includes('source'));
  if (step.run !== undefined) await world.run(step.run === 'all' ? sources : step.run);
  if (step.decide !== undefined) await world.decide(step.decide);
  if (step.override !== undefined) await world.override(step.override);
  if (step.rollback !== undefined) await world.rollback(step.rollback);
  return world.observe();
};
