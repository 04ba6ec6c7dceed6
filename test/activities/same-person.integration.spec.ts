import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import type { Hub } from '../../database/hub.js';
import { createDatabase, type TestDatabase } from '../harness/database.js';
import { DirectConductor, directActivities } from '../merge/database-world.js';
import { PeopleWorld, type Asked } from '../merge/people-world.js';

jest.setTimeout(240_000);

let database: TestDatabase;
let worlds = 0;
beforeAll(async () => {
  database = await createDatabase();
});
afterAll(async () => {
  await database.drop();
});

const conductorOf = (hub: Hub): DirectConductor => {
  const conductor = new DirectConductor(directActivities(hub));
  conductor.parentOf = (institutionId, batchId) =>
    hub.read(institutionId, async (client) => {
      const { rows } = await client.query<{ id: string | null }>(
        'select parent_run_id::text as id from decision_batches where id = $1',
        [batchId],
      );
      return rows[0]?.id ?? null;
    });
  return conductor;
};

const inWorld = async (play: (world: PeopleWorld) => Promise<void>): Promise<void> => {
  worlds += 1;
  const world = await PeopleWorld.open(database.url, `p${worlds}`, conductorOf);
  try {
    await play(world);
  } finally {
    await world.close();
  }
};

const only = async (world: PeopleWorld, kind: string): Promise<Asked> => {
  const asked = (await world.questions()).filter((question) => question.kind === kind);
  expect(asked).toHaveLength(1);
  const [question] = asked;
  if (question === undefined) throw new Error('nothing is asked');
  return question;
};

const ann = { id: 'a1', number: 'n1', name: 'Ann Lee', born: '2004-02-28', phone: '1', org: 'choir', role: 'singer' };

describe('a possible duplicate', () => {
  /** The same number, another name: a question. */
  const asked = async (world: PeopleWorld): Promise<Asked> => {
    await world.put('one', ann);
    await world.put('two', { ...ann, id: 'b1', name: 'Anna Roe', born: '2004-02-29', phone: '2', hidden: 'yes' });
    await world.put('two', { id: 'b2', name: 'Cy Poe', born: '2001-01-01', org: 'choir', role: 'bass' });
    await world.sync();
    return only(world, 'duplicate');
  };

  test('that is the same becomes one record: images, identifiers, references, restrictions, target rows', async () => {
    await inWorld(async (world) => {
      const question = await asked(world);
      expect(question.suggestion).toMatchObject({ choice: { same: false }, reason: 'nothing_agrees' });
      expect(question.impact.targets.map(({ mapping, records }) => [mapping, records])).toEqual([
        [`out.${world.code}_members`, 1],
        [`out.${world.code}_people`, 1],
      ]);
      const before = await world.stores();
      expect(await world.people()).toHaveLength(3);
      const run = await world.decide(question, { same: true });
      expect(await world.people()).toEqual(['Ann Lee 2004-02-28 1 (one/a1 two/b1)', 'Cy Poe 2001-01-01 null (two/b2)']);
      const after = await world.stores();
      // The hidden one is kept from the desk, under whatever name.
      expect(after['people']).toEqual([
        { name: 'Base one', phone: null },
        { name: 'Base two', phone: null },
        { name: 'Cy Poe', phone: null },
      ]);
      expect(after['members']).toEqual([{ name: 'Cy Poe', org: 'choir', role: 'bass' }]);
      expect(after['merged']).toHaveLength(2);
      expect(await world.questions()).toEqual([]);

      // Everything that comes later is the survivor's.
      await world.put('two', { ...ann, id: 'b1', name: 'Anna Roe', born: '2004-02-29', phone: '7', hidden: 'yes' });
      const later = await world.sync();
      expect(await world.people()).toContain('Ann Lee 2004-02-28 7 (one/a1 two/b1)');
      await world.rollback(later);

      const undo = await world.rollback(run);
      expect(await world.stores()).toEqual(before);
      await world.rollback(undo);
      expect(await world.stores()).toEqual(after);
    });
  });

  test('that is not the same is not asked again, unless what they were matched by changes', async () => {
    await inWorld(async (world) => {
      const question = await asked(world);
      await world.decide(question, { same: false });
      expect(await world.people()).toHaveLength(3);
      await world.put('two', { ...ann, id: 'b1', name: 'Anna Roe', born: '2004-02-29', phone: '3' });
      await world.sync();
      expect(await world.questions()).toEqual([]);
      await world.put('two', { ...ann, id: 'b1', name: 'Anna Roe', phone: '3' });
      await world.sync();
      expect((await only(world, 'duplicate')).suggestion).toMatchObject({
        choice: { same: true },
        reason: 'birth_date_agrees',
      });
    });
  });

  test('of two rows of one system is told to whoever keeps it, and what was open stays open', async () => {
    await inWorld(async (world) => {
      await world.put('one', ann);
      await world.put('two', { ...ann, id: 'b1', org: undefined });
      await world.sync();
      // Both change the phone without knowing of each other; then the same person comes a second time.
      await world.put('one', { ...ann, phone: '8' });
      await world.put('two', { ...ann, id: 'b1', org: undefined, phone: '9' });
      await world.sync();
      await world.put('one', { ...ann, id: 'a2', phone: '5', role: 'soloist' });
      await world.sync();
      const questions = await world.questions();
      expect(questions.map(({ kind, group }) => [kind, group])).toEqual([
        ['value', 'phone'],
        ['duplicate', ''],
      ]);
      expect(questions[0]?.suggestion).toMatchObject({ choice: { take: 'one' }, reason: 'higher_ranked' });
      const duplicate = questions[1];
      if (duplicate === undefined) throw new Error('no duplicate is asked about');
      expect(duplicate.suggestion).toMatchObject({ choice: { same: true }, reason: 'name_and_birth_date_agree' });
      const before = await world.stores();
      const run = await world.decide(duplicate, { same: true });
      expect((await world.questions()).map(({ kind, group }) => [kind, group])).toEqual([['value', 'phone']]);
      expect(await world.people()).toEqual(['Ann Lee 2004-02-28 1 (one/a1 one/a2 two/b1)']);
      const twice = await world.hub.read(world.institutionId, (client) =>
        client.query<{ key: string }>(
          `select distinct source_key as key from findings where run_id = $1 and kind = 'twice_in_system' and entity_type_id =
             (select id from entity_types where name = 'person')`,
          [run],
        ),
      );
      expect(twice.rows).toEqual([{ key: 'a2' }]);
      await world.rollback(run);
      expect(await world.stores()).toEqual(before);
    });
  });

  test('that was decided goes with the run that asked, or stays where a record was changed since', async () => {
    await inWorld(async (world) => {
      const question = await asked(world);
      const run = await world.decide(question, { same: true });
      // One of the records that belong together is changed since: all of them stay.
      await world.put('one', { ...ann, phone: '6' });
      await world.sync();
      const before = await world.stores();
      const undo = await world.rollback(run);
      expect(await world.people()).toEqual(['Ann Lee 2004-02-28 6 (one/a1 two/b1)', 'Cy Poe 2001-01-01 null (two/b2)']);
      expect((await world.stores())['merged']).toEqual(before['merged']);
      const kept = await world.hub.read(world.institutionId, (client) =>
        client.query<{ count: string }>(
          `select count(distinct golden_id) from findings where run_id = $1 and kind = 'kept_changed_since' and mapping_id is null`,
          [undo],
        ),
      );
      // Two people and two memberships.
      expect(kept.rows).toEqual([{ count: '4' }]);
    });
  });
});

describe('a known key that comes with another name and birth date', () => {
  const other = { ...ann, name: 'Bob Roe', born: '2001-01-01', phone: '4', role: 'tenor' };
  const asked = async (world: PeopleWorld): Promise<Asked> => {
    await world.put('one', ann);
    await world.sync();
    await world.put('one', other);
    await world.sync();
    expect(await world.people()).toEqual(['Ann Lee 2004-02-28 1 (one/a1)']);
    return only(world, 'identity');
  };

  test('is asked about once, and no more where the source is put right', async () => {
    await inWorld(async (world) => {
      const first = await asked(world);
      expect(first.suggestion).toMatchObject({ reason: 'other_identifiers_agree' });
      await world.sync();
      expect(await only(world, 'identity')).toEqual(first);
      await world.put('one', { ...other, phone: '5' });
      await world.sync();
      expect(await only(world, 'identity')).toMatchObject({ id: first.id, version: 2 });
      await world.put('one', ann);
      await world.sync();
      expect(await world.questions()).toEqual([]);
      expect(await world.people()).toEqual(['Ann Lee 2004-02-28 1 (one/a1)']);
    });
  });

  test('is the same person: the row is applied; and taken back it is asked again', async () => {
    await inWorld(async (world) => {
      const question = await asked(world);
      const before = await world.stores();
      const run = await world.decide(question, { same: true });
      expect(await world.people()).toEqual(['Bob Roe 2001-01-01 4 (one/a1)']);
      expect(await world.questions()).toEqual([]);
      const after = await world.stores();
      await world.sync();
      expect(await world.stores()).toEqual(after);
      const undo = await world.rollback(run);
      expect(await world.stores()).toEqual(before);
      await world.sync();
      expect((await world.questions()).map(({ kind }) => kind)).toEqual(['identity']);
      await world.rollback(undo);
      expect(await world.stores()).toEqual(after);
    });
  });

  test('is another person: the key is of a new record, the old one ends; and taken back it is as it was', async () => {
    await inWorld(async (world) => {
      const question = await asked(world);
      const before = await world.stores();
      const run = await world.decide(question, { same: false });
      expect(await world.people()).toEqual(['Bob Roe 2001-01-01 4 (one/a1)']);
      const after = await world.stores();
      expect(after['people']).toEqual([
        { name: 'Base one', phone: null },
        { name: 'Base two', phone: null },
        { name: 'Bob Roe', phone: '4' },
      ]);
      expect(after['members']).toEqual([{ name: 'Bob Roe', org: 'choir', role: 'tenor' }]);
      const ids = (stores: Record<string, unknown>): unknown[] =>
        (stores['golden'] as { id: string; values: string[] }[])
          .filter(({ values }) => values[0]?.startsWith('"Base') !== true)
          .map(({ id }) => id);
      expect(ids(after).some((id) => ids(before).includes(id))).toBe(false);
      await world.sync();
      expect(await world.stores()).toEqual(after);
      await world.rollback(run);
      expect(await world.stores()).toEqual(before);
    });
  });

  test('is another person, whose former one another system knows too', async () => {
    await inWorld(async (world) => {
      await world.put('two', { ...ann, id: 'b1', phone: '9', org: undefined });
      const question = await (async () => {
        await world.put('one', ann);
        await world.sync();
        await world.put('one', { ...other, number: 'n9' });
        await world.sync();
        return only(world, 'identity');
      })();
      expect(question.suggestion).toMatchObject({ choice: { same: false }, reason: 'nothing_agrees' });
      const before = await world.stores();
      const run = await world.decide(question, { same: false });
      expect(await world.people()).toEqual(['Ann Lee 2004-02-28 9 (two/b1)', 'Bob Roe 2001-01-01 4 (one/a1)']);
      await world.rollback(run);
      expect(await world.stores()).toEqual(before);
    });
  });

  test('is another person than the one that two records were united to', async () => {
    await inWorld(async (world) => {
      await world.put('one', ann);
      await world.put('two', { ...ann, id: 'b1', name: 'Anna Roe', born: '2004-02-29' });
      await world.sync();
      await world.decide(await only(world, 'duplicate'), { same: true });
      await world.put('one', other);
      await world.sync();
      const before = await world.stores();
      const run = await world.decide(await only(world, 'identity'), { same: false });
      expect(await world.people()).toHaveLength(2);
      const undo = await world.rollback(run);
      const found = await world.hub.read(world.institutionId, (client) =>
        client.query(`select kind, golden_id, mapping_id, detail from findings where run_id = $1`, [undo]),
      );
      expect(found.rows).toEqual([]);
      expect(await world.stores()).toEqual(before);
    });
  });
});

describe('who is who, decided again and again', () => {
  test('the row of one comes under the key of the other at a target, and everything is taken back in turn', async () => {
    await inWorld(async (world) => {
      await world.put('one', ann);
      await world.put('two', { ...ann, id: 'b1', name: 'Anna Roe', born: '2004-02-29' });
      await world.sync();
      const apart = await world.stores();
      const united = await world.decide(await only(world, 'duplicate'), { same: true });
      expect((await world.stores())['members']).toEqual([{ name: 'Ann Lee', org: 'choir', role: 'singer' }]);
      const differs = await world.hub.read(world.institutionId, (client) =>
        client.query(`select 1 from findings where kind = 'update_origin_differs'`),
      );
      expect(differs.rowCount).toBe(0);

      await world.put('one', { ...ann, name: 'Bob Roe', born: '2001-01-01' });
      await world.sync();
      const one = await world.stores();
      const parted = await world.decide(await only(world, 'identity'), { same: false });
      expect(await world.people()).toHaveLength(2);
      await world.rollback(parted);
      expect(await world.stores()).toEqual(one);
      await world.put('one', ann);
      await world.sync();
      await world.rollback(united);
      expect(await world.stores()).toEqual(apart);
    });
  });
});
