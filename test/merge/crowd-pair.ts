import { isDeepStrictEqual } from 'node:util';
import type { Stores } from '../harness/stores.js';
import { CrowdInDatabase } from './crowd-database.js';
import { sightsInMemory, type Sight } from './crowd-sight.js';
import { CrowdInMemory, keyOf, type Crowd, type CrowdStep } from './crowd.js';
import { endsAfter, endsBefore, endsIn, endsWith } from './known-differences.js';

/** A crowd in memory and on PostgreSQL, compared after each step. */
export class CrowdPair {
  private readonly steps: CrowdStep[] = [];

  private constructor(
    private readonly crowd: Crowd,
    readonly memory: CrowdInMemory,
    private readonly stored: CrowdInDatabase,
  ) {}

  /** @param code what its institution and its tables are called by */
  static async open(crowd: Crowd, stores: Stores, code: string): Promise<CrowdPair> {
    const memory = new CrowdInMemory(crowd.scenario, crowd.size);
    return new CrowdPair(crowd, memory, await CrowdInDatabase.open(crowd, stores, code));
  }

  /** Carries out one step in both.
   *  @returns whether the history goes on: not where it comes to a known difference
   *  @throws Error where they come apart, with the whole history, so that it can be read without playing it again */
  async play(step: CrowdStep): Promise<boolean> {
    const { memory, stored, crowd } = this;
    if (endsBefore(memory, step)) return false;
    this.steps.push(step);
    await memory.play(step);
    if (endsAfter(memory)) return false;
    await stored.play(step);
    const [is, isToBe] = [await stored.look(), await sightsInMemory(memory, crowd.scenario)];
    if (endsIn(step, is, isToBe)) return false;
    if (!isDeepStrictEqual(is, isToBe)) throw this.apart(is, isToBe);
    return !endsWith(memory, step);
  }

  private apart(is: readonly Sight[], isToBe: readonly Sight[]): Error {
    const lines = isToBe.flatMap((sight, index) =>
      isDeepStrictEqual(sight, is[index])
        ? []
        : [`${keyOf(index)} in memory: ${JSON.stringify(sight)}`, `on PostgreSQL: ${JSON.stringify(is[index])}`],
    );
    return new Error([...lines, JSON.stringify({ ...this.crowd, steps: this.steps })].join('\n'));
  }
}
