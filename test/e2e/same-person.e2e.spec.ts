import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { createHub } from '../../database/hub.js';
import type { Hub } from '../../database/hub.js';
import { createDatabase } from '../harness/database.js';
import type { TestDatabase } from '../harness/database.js';
import { PeopleWorld } from '../merge/people-world.js';
import { WorkflowConductor } from '../merge/workflow-conductor.js';
import { OwnWorkers } from '../workflows/own-workers.js';

/* Decisions whether two are the same, through everything: made as the API makes them, carried out by the review of the job and
   its child, and rolled back by a workflow. */

jest.setTimeout(240_000);

describe('who is who, end to end', () => {
  let database: TestDatabase;
  let hub: Hub;
  let workers: OwnWorkers;
  let world: PeopleWorld;

  beforeAll(async () => {
    database = await createDatabase();
    hub = createHub({ url: database.url, role: 'concord_worker', max: 8 });
    workers = await OwnWorkers.start(hub);
    const { client, scope } = workers;
    world = await PeopleWorld.open(database.url, 'who', (own) => new WorkflowConductor({ client, hub: own, scope }));
  });
  afterAll(async () => {
    await world.close();
    await workers.close();
    await hub.close();
    await database.drop();
  });

  test('the same person, twice and under one key, and everything taken back', async () => {
    const ann = { id: 'a1', number: 'n1', name: 'Ann Lee', born: '2004-02-28', org: 'choir', role: 'singer' };
    await world.put('one', ann);
    await world.put('two', { ...ann, id: 'b1', name: 'Anna Roe', born: '2004-02-29' });
    await world.sync();
    const [duplicate] = await world.questions();
    if (duplicate === undefined) throw new Error('nothing is asked');
    const apart = await world.stores();
    const united = await world.decide(duplicate, { same: true });
    expect(await world.people()).toEqual(['Ann Lee 2004-02-28 null (one/a1 two/b1)']);

    await world.put('one', { ...ann, name: 'Bob Roe', born: '2001-01-01' });
    await world.sync();
    const [identity] = await world.questions();
    if (identity === undefined) throw new Error('nothing is asked');
    const one = await world.stores();
    const parted = await world.decide(identity, { same: false });
    expect(await world.people()).toHaveLength(2);

    await world.rollback(parted);
    expect(await world.stores()).toEqual(one);
    await world.put('one', ann);
    await world.sync();
    await world.rollback(united);
    expect(await world.stores()).toEqual(apart);
  });
});
