import type { GoldenGroup, Stated, Statement } from './canonical.js';
import { commonElements } from './multi-valued.js';
import type { Strategy } from './strategy.js';

/** What a target is to hold for a group: the golden value; but while the target itself is a party to an open question, what
 *  we saw there, so that the edit that awaits a decision is not overwritten. */
export const desiredValue = (golden: GoldenGroup, stored: Statement | null): Stated | null =>
  stored?.state === 'open' ? stored.value : golden.value;

/** Whether a target must be looked at: golden is newer than what was published to it, or it was not told yet. */
export const isDue = (golden: GoldenGroup, stored: Statement | null, published: number): boolean =>
  stored?.state !== 'open' && (golden.version > published || stored === null || stored.settled === 0);

/** The statement after a successful publish (or where the target held the value already): it was told this version. Its own
 *  earlier statement of the same value stays its own; otherwise it is an echo of ours. Of a list that is the union of several
 *  systems' elements (`set_union`) its own elements stay its own, and only the others are our echo. */
export const afterTold = (
  golden: GoldenGroup,
  stored: Statement | null,
  version: number,
  strategy?: Strategy,
): Statement => {
  if (stored?.state === 'open') return stored;
  if (strategy === 'set_union') {
    return {
      value: commonElements(stored?.value ?? null, golden.value),
      state: stored?.state ?? 'echo',
      settled: version,
    };
  }
  if (stored !== null && stored.value === golden.value && stored.state === 'live')
    return { ...stored, settled: version };
  return { value: golden.value, state: 'echo', settled: version };
};

/** The statement after a publish that found the target edited: it was not told, so its edit will be concurrent. */
export const afterRefusedWrite = (stored: Statement): Statement => ({ ...stored, settled: 0 });
