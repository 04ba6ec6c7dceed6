import { jest } from '@jest/globals';
import fc from 'fast-check';
import { openStores, type Stores } from '../harness/stores.js';
import { CrowdPair } from '../merge/crowd-pair.js';
import { crowds, type Crowd, type CrowdHistory } from '../merge/crowd.js';

const { CONCORD_SEED: seed, CONCORD_CROWD_RUNS: runs } = process.env;
// The same few in each run of the suite: some hundred of a new seed find what is still to be mended (CONTRIBUTING).
const usual = seed === undefined && runs === undefined ? { seed: 103_068_504 } : {};
// A history that fails is made shorter where it is repeated by its seed.
const endOnFailure = seed === undefined;
jest.setTimeout(900_000);

const numRuns = Number(runs ?? 8);
const longest = 9;

describe('what comes out on PostgreSQL is what comes out in memory', () => {
  let stores: Stores;
  let count = 0;

  beforeAll(async () => {
    stores = await openStores();
  });
  afterAll(() => stores.close());

  const open = (crowd: Crowd): Promise<CrowdPair> => {
    count += 1;
    return CrowdPair.open(crowd, stores, `c${String(count)}`);
  };

  const play = async ({ moves, ...crowd }: CrowdHistory): Promise<void> => {
    const pair = await open(crowd);
    for (const each of moves) {
      const step = pair.memory.stepOf(each);
      if (step !== null && !(await pair.play(step))) return;
    }
  };

  it.each([
    ['reconciled', 'one record', 1],
    ['reconciled', 'several records', 4],
    ['mastered', 'one record', 1],
    ['mastered', 'several records', 4],
  ] as const)('random histories: %s, %s', async (kind, _, size) => {
    await fc.assert(fc.asyncProperty(crowds(kind, size, longest), play), { numRuns, endOnFailure, ...usual });
  });
});
