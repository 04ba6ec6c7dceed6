import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { Hub } from '../../../database/hub.js';
import { DirectConductor, directActivities } from '../../merge/database-world.js';
import type { Activities } from '../../merge/database-world.js';
import { Campus } from '../campus.js';

/* Attempts that are broken off at a crash point and made again: what they had written by then is known to be ours, so that the
   run can be rolled back to the byte. Without workflows, so that every point can be tried. */

jest.setTimeout(120_000);

class Interruption extends Error {}

/** Activities of which one is broken off at the n-th crash point of its name, once; each that breaks off is called again. */
function interrupted(hub: Hub, name: string | null, time: number): { activities: Activities; reached: () => boolean } {
  let left = time;
  const crashPoint = (reached: string): void => {
    if (reached !== name) return;
    left -= 1;
    if (left === 0) throw new Interruption();
  };
  const once = directActivities(hub, { crashPoint });
  const again = Object.entries(once).map(([activity, call]): [string, unknown] => {
    const attempt = call as (...args: unknown[]) => Promise<unknown>;
    return [
      activity,
      async (...args: unknown[]) => {
        try {
          return await attempt(...args);
        } catch (error) {
          if (!(error instanceof Interruption)) throw error;
          return await attempt(...args);
        }
      },
    ];
  });
  return { activities: Object.fromEntries(again) as unknown as Activities, reached: () => left <= 0 };
}

/* At the first load rows are inserted in bulk, later they are compared and set one by one. */
const firstLoad = [1, 2, 3, 4, 5, 6].map((time) => ['publish', time] as const);
const later = [
  ...firstLoad,
  ...['extract', 'diff', 'guard', 'standardize', 'match', 'merge', 'apply', 'verify'].map((name) => [name, 1] as const),
  ...['rollBackTargets', 'rollBackGolden'].map((name) => [name, 1] as const),
];

/** A run, its rollback, and the rollback of that, each of them right. True where the point was passed. */
async function thereAndBack(campus: Campus, name: string | null, time: number): Promise<boolean> {
  const { institutionId } = campus;
  const { activities, reached } = interrupted(campus.hub, name, time);
  const conductor = new DirectConductor(activities);
  const before = await campus.stores();
  const run = await conductor.sync(institutionId, campus.job());
  const { wanted, found } = await campus.compare();
  expect(found).toEqual(wanted);
  const after = await campus.stores();
  const undo = await conductor.rollback(institutionId, campus.job(), run);
  expect(await campus.stores()).toEqual(before);
  await conductor.rollback(institutionId, campus.job(), undo);
  expect(await campus.stores()).toEqual(after);
  expect(await campus.stagingTables()).toEqual([]);
  return reached();
}

const few = { students: 8, employees: 4, both: 2 };

describe('the first load, broken off and taken up again', () => {
  let campus: Campus;
  beforeEach(async () => {
    campus = await Campus.open(few);
  });
  afterEach(async () => {
    await campus.close();
  });

  test.each([[null, 1] as const, ...firstLoad])('%s at its point %d', async (name, time) => {
    await thereAndBack(campus, name, time);
  });

  test('what stood in a target before it, right or wrong, stands there again after the rollback', async () => {
    const [same, other] = [...campus.students.values()];
    await campus.target.query('insert into persons select $1, $2, $3, $4, $5', [
      ...(campus.truth().get(same?.nid ?? '') ?? []),
    ]);
    await campus.target.query(`insert into persons values ($1, 'Another', 'Name', null, null)`, [other?.nid]);
    const conductor = new DirectConductor(directActivities(campus.hub));
    const before = await campus.tableRows();
    const run = await conductor.sync(campus.institutionId, campus.job());
    const { wanted, found } = await campus.compare();
    expect(found).toEqual(wanted);
    await conductor.rollback(campus.institutionId, campus.job(), run);
    expect((await campus.tableRows()).sort()).toEqual(before.sort());
  });
});

describe('a run of changes, broken off and taken up again', () => {
  let campus: Campus;
  beforeAll(async () => {
    campus = await Campus.open(few);
    await new DirectConductor(directActivities(campus.hub)).sync(campus.institutionId, campus.job());
  });
  afterAll(async () => {
    await campus.close();
  });

  test.each([[null, 1] as const, ...later])('%s at its point %d', async (name, time) => {
    await campus.change();
    const reached = await thereAndBack(campus, name, time);
    if (name !== null && time <= 4) expect(reached).toBe(true);
  });
});
