import { isDeepStrictEqual } from 'node:util';
import type { CrowdInMemory, CrowdStep } from './crowd.js';
import type { Sight } from './crowd-sight.js';
import { systemsOf } from './histories.js';
import { ABSENT } from './scenario.js';

/* Where memory and PostgreSQL are known to part: what is not compared, and where a history ends before it comes to that. Nothing else is
   left out. */

/** What is held of several records is one question, which a rollback withdraws for all of them. */
export const comparesHeld = (records: number): boolean => records === 1;

/** That something is kept is told of a record or of its rows, whichever moved since. That a rolled back input came again is told of a
 *  system: the held rows tell it of a record. */
export const comparedFindings = (findings: readonly string[]): string[] =>
  [
    ...new Set(
      findings
        .filter((one) => !one.startsWith('rolled_back_input:'))
        .map((one) => (one.startsWith('kept_changed_since') ? 'kept_changed_since' : one)),
    ),
  ].sort();

/** Whether a history ends before a step. */
export const endsBefore = (memory: CrowdInMemory, step: CrowdStep): boolean =>
  isDiscard(step) && discardsUnheld(memory);

/** Of a row that we do not hold, memory makes an image of what is discarded. PostgreSQL remembers the input alone: nothing is matched that a
 *  person keeps out. That a row is gone is overruled there as well: the row speaks on; in memory it is gone. */
const discardsUnheld = ({ worlds }: CrowdInMemory): boolean =>
  worlds.some((world) => {
    const { held, images } = world.inspect();
    return Object.entries(held).some(([system, value]) => value === ABSENT || images[system]?.live !== true);
  });

/** Whether a history ends with what came of a step in memory, before PostgreSQL plays it. */
export const endsAfter = ({ worlds }: CrowdInMemory): boolean =>
  // A record in memory has one group. Where nothing is said of that, the record of PostgreSQL still has its key, and is told.
  worlds.some((world) => world.inspect().exists && world.inspect().golden.value === null);

/** Whether a history ends with what came of a step in both. */
export const endsIn = ({ rollback }: CrowdStep, stored: readonly Sight[], inMemory: readonly Sight[]): boolean =>
  // What is kept: a record that ended and came again is one in memory and two on PostgreSQL, of which an earlier run made the first.
  (rollback !== undefined &&
    [...stored, ...inMemory].some(({ findings }) => findings.includes('kept_changed_since'))) ||
  stored.some(
    (sight, index) =>
      holdsLonger(sight, inMemory[index]) || (rollback !== undefined && asksAgain(sight, inMemory[index])),
  );

/** What we hold says the same as a held row since it was told: PostgreSQL closes that question when the row is read again. */
const holdsLonger = (stored: Sight, inMemory: Sight | undefined): boolean =>
  Object.entries(stored.held).some(
    ([system, value]) => inMemory?.held[system] === undefined && stored.images[system]?.raw === value,
  );

/** A question about held rows that a run closed, for it read something else, is asked again in memory where that run is undone; on
 *  PostgreSQL by the next reading. */
const asksAgain = (stored: Sight, inMemory: Sight | undefined): boolean =>
  !isDeepStrictEqual(stored.held, inMemory?.held) &&
  isDeepStrictEqual({ ...inMemory?.held, ...stored.held }, inMemory?.held);

/** Whether a history ends once a step was compared. */
export const endsWith = (memory: CrowdInMemory, { rollback }: CrowdStep): boolean =>
  rollback !== undefined && forgetsSeen(memory);

/** What a run saw in a target that is never read, and did not write, is forgotten in memory where that run is undone. PostgreSQL still knows
 *  it, and writes over it where golden says otherwise. */
const forgetsSeen = ({ worlds, scenario }: CrowdInMemory): boolean =>
  worlds.some((world) => {
    const { images, actual } = world.inspect();
    return Object.entries(images).some(
      ([system, { live, raw }]) => live && raw !== actual[system] && !systemsOf(scenario, 'source').includes(system),
    );
  });

const isDiscard = ({ decide }: CrowdStep): boolean => decide?.some((choice) => choice?.apply === false) === true;
