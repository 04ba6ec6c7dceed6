import { describe, expect, jest, test } from '@jest/globals';
import { applyConfiguration, loadConfiguration } from '../../database/configuration-store.js';
import type { Configuration } from '../../domain/job-definition.js';
import { openStores } from '../harness/stores.js';
import { DirectConductor, directActivities } from '../merge/database-world.js';

/* Two records, perhaps one person of whom a question is open, are to be told under one key of a target. */

jest.setTimeout(120_000);

const refusal = 'another record is told under this key';

const configurationOf = (url: string): Configuration => ({
  institution: { code: 'twice', name: 'Twice', timeZone: 'UTC', recipientClasses: ['internal'] },
  systems: ['sis', 'finance'].map((name) => ({ name, kind: 'postgresql', settings: { url } })),
  entityTypes: [
    {
      ...{ name: 'person', kind: 'mastered', subject: 'self' },
      groups: ['number', 'name'].map((name) => ({
        ...{ name, attributes: [{ name, type: 'text' }], strategy: 'source_priority', priority: ['sis'] },
      })),
    },
  ],
  codeTables: [],
  mappings: [
    {
      ...{ name: 'sis.people', system: 'sis', entity: 'people' },
      source: {
        columns: ['id', 'number', 'name'],
        key: ['id'],
        records: [{ entityType: 'person', groups: { number: { from: 'number' }, name: { from: 'name' } } }],
      },
    },
    {
      ...{ name: 'finance.payees', system: 'finance', entity: 'payees' },
      target: {
        root: 'person',
        key: [{ column: 'number', from: 'number' }],
        columns: [{ column: 'number' }, { column: 'name', from: 'name' }],
        recipientClass: 'internal',
        rollback: 'restore',
      },
    },
  ],
  jobs: [{ name: 'all', sources: ['sis.people'], targets: ['finance.payees'] }],
});

/** People of one system who are told to the payees of another by one job, once they are there.
 *  @param insert people, as SQL
 *  @param number how payees have their number */
const openPeople = async (insert: string, number = 'number text primary key') => {
  const { database, hub, systems, close } = await openStores();
  try {
    await systems.query(`
      create table public.people (id text primary key, number text, name text);
      create table public.payees (${number}, name text);
      ${insert}`);
    const { institutionId } = await applyConfiguration(hub, configurationOf(database.url), 'test');
    const jobId = (await loadConfiguration(hub, institutionId)).jobs[0]?.id ?? 0;
    return { hub, systems, institutionId, jobId, conductor: new DirectConductor(directActivities(hub)), close };
  } catch (error) {
    await close();
    throw error;
  }
};

test('the first record gets the row and the others are refused, be their rows equal or not', async () => {
  const { hub, systems, institutionId, jobId, conductor, close } = await openPeople(`
      insert into public.people values ('a', '1', 'Amara'), ('b', '1', 'Amara'), ('c', '1', 'Mei'), ('d', '2', 'Jonas')`);
  try {
    const run = async () => {
      const runId = await conductor.sync(institutionId, jobId);
      return await hub.read(institutionId, async (client) => ({
        refused: (
          await client.query<object>(
            `select source_key as key, detail from findings where run_id = $1 and kind = 'target_refused'`,
            [runId],
          )
        ).rows,
        images: (
          await client.query<object>(
            `select t.source_key as key, s.source_key as of from record_images t join cross_system_mappings m on m.id = t.mapping_id
             join record_images s on s.golden_id = t.golden_id and s.mapping_id <> t.mapping_id
             where m.name = 'finance.payees' order by 1`,
          )
        ).rows,
      }));
    };
    const ofOne = { key: '1', detail: refusal };
    const images = [
      { key: '1', of: 'a' },
      { key: '2', of: 'd' },
    ];
    expect(await run()).toEqual({ refused: [ofOne, ofOne], images });

    // Two of them change, and those that were refused are looked at again.
    await systems.query(`update public.people set name = 'Amara B' where id in ('a', 'b')`);
    expect(await run()).toEqual({ refused: [ofOne, ofOne], images });
    const { rows } = await systems.query<object>('select number, name from public.payees order by 1');
    expect(rows).toEqual([
      { number: '1', name: 'Amara B' },
      { number: '2', name: 'Jonas' },
    ]);
  } finally {
    await close();
  }
});

describe.each([
  ['with a key of its own', 'number text primary key'],
  ['without', 'number text'],
])('a target %s', (_, number) => {
  test('a row is never taken over, whatever page or run the other record comes in; it is told once it is let go of', async () => {
    // More than two pages of a target: records get their numbers in the order of these.
    const { hub, systems, institutionId, jobId, conductor, close } = await openPeople(
      `
        insert into public.people select to_char(n, 'FM0000'), n::text, 'Person ' || n from generate_series(1, 700) n;
        insert into public.people values ('0800', '1', 'Second of 1'), ('0801', '800', 'Person 801')`,
      number,
    );
    try {
      /** What a run refused, by the record that it was; and whether it failed. */
      const run = async (): Promise<string[]> => {
        const runId = await conductor.sync(institutionId, jobId);
        const { rows } = await hub.read(institutionId, (client) =>
          client.query<{ told: string }>(
            `select s.source_key || ' under ' || f.source_key || ': ' || f.detail as told from findings f
             join record_images s on s.golden_id = f.golden_id join cross_system_mappings m on m.id = s.mapping_id and m.name = 'sis.people'
             where f.run_id = $1 and f.kind in ('target_refused', 'update_origin_differs') order by 1`,
            [runId],
          ),
        );
        return rows.map(({ told }) => told);
      };
      const named = async (...numbers: string[]): Promise<string[]> => {
        const { rows } = await systems.query<{ row: string }>(
          `select number || ' ' || name as row from public.payees where number = any ($1) order by number::integer, name`,
          [numbers],
        );
        return rows.map(({ row }) => row);
      };
      expect(await run()).toEqual([`0800 under 1: ${refusal}`]);
      expect(await named('1', '800')).toEqual(['1 Person 1', '800 Person 801']);

      // A new record, and one that gets another key, in a run of few changes; what waits is looked at again.
      await systems.query(`
        insert into public.people values ('0802', '2', 'Second of 2');
        update public.people set number = '4' where id = '0003'`);
      expect(await run()).toEqual([`0003 under 4: ${refusal}`, `0800 under 1: ${refusal}`, `0802 under 2: ${refusal}`]);
      expect(await named('1', '2', '3', '4')).toEqual(['1 Person 1', '2 Person 2', '3 Person 3', '4 Person 4']);

      // Many change, which is told by chunks; the rest of the run goes on.
      await systems.query(`
        update public.people set name = name || ' B';
        update public.people set number = '650' where id = '0005'`);
      expect(await run()).toEqual([
        `0003 under 4: ${refusal}`,
        `0005 under 650: ${refusal}`,
        `0800 under 1: ${refusal}`,
        `0802 under 2: ${refusal}`,
      ]);
      expect(await named('1', '2', '4', '650', '800')).toEqual([
        '1 Person 1 B',
        '2 Person 2 B',
        '4 Person 4 B',
        '650 Person 650 B',
        '800 Person 801 B',
      ]);

      // One gets another key, and one ends: who waited for theirs gets them, at the latest in the next run.
      await systems.query(`
        update public.people set number = '2000' where id = '0001';
        update public.people set number = '3000' where id = '0006';
        update public.people set number = '6' where id = '0007';
        delete from public.people where id in ('0002', '0004', '0650')`);
      await run();
      expect(await run()).toEqual([]);
      expect(await named('1', '2', '3', '4', '5', '6', '7', '650', '2000', '3000')).toEqual([
        '1 Second of 1 B',
        '2 Second of 2 B',
        '4 Person 3 B',
        '6 Person 7 B',
        '650 Person 5 B',
        '2000 Person 1 B',
        '3000 Person 6 B',
      ]);
      const { rows } = await systems.query<object>(
        `select (select count(*)::integer from public.people) as people, count(*)::integer as payees, count(distinct number)::integer as numbers
         from public.payees`,
      );
      expect(rows).toEqual([{ people: 700, payees: 700, numbers: 700 }]);
    } finally {
      await close();
    }
  });
});

test.each([
  ['of one page', 0],
  ['of two', 2_100],
])(
  'a rollback of a run in which keys went from one record to another, %s, sets all of them back',
  async (_, between) => {
    const { hub, systems, institutionId, jobId, conductor, close } = await openPeople(`
      insert into public.people values ('a', '1', 'Amara'), ('c', '3', 'Jonas'), ('z', '2', 'Mei');
      insert into public.people select 'm' || g, 'm' || g, 'M' from generate_series(1, ${between}) g`);
    try {
      const payees = async (): Promise<readonly string[]> => {
        const { rows } = await systems.query<{ row: string }>(
          `select number || ' ' || name as row from public.payees order by 1`,
        );
        return rows.map(({ row }) => row);
      };
      await conductor.sync(institutionId, jobId);
      const before = await payees();
      await systems.query(`
      update public.people set number = '4' where id = 'a';
      update public.people set number = '1' where id = 'z';
      update public.people set name = name || '!' where id like 'm%';
      update public.people set number = '5' where id = 'c';
      insert into public.people values ('d', '3', 'Ines')`);
      const runId = await conductor.sync(institutionId, jobId);
      expect((await payees()).filter((row) => !row.endsWith('M!'))).toEqual(['1 Mei', '3 Ines', '4 Amara', '5 Jonas']);
      await conductor.rollback(institutionId, jobId, runId);
      expect(await payees()).toEqual(before);
      const images = await hub.read(institutionId, (client) =>
        client.query<object>(
          `select t.source_key as key, s.source_key as of from record_images t join cross_system_mappings m on m.id = t.mapping_id
         join record_images s on s.golden_id = t.golden_id and s.mapping_id <> t.mapping_id
         where m.name = 'finance.payees' and t.deleted_run is null and not t.untold and s.source_key not like 'm%' order by 1`,
        ),
      );
      expect(images.rows).toEqual([
        { key: '1', of: 'a' },
        { key: '2', of: 'z' },
        { key: '3', of: 'c' },
      ]);
    } finally {
      await close();
    }
  },
);

test('a rollback leaves a row where it is while somebody else stands under its former key, and tells it', async () => {
  const { hub, systems, institutionId, jobId, conductor, close } = await openPeople(`
      insert into public.people values ('a', '1', 'Amara')`);
  try {
    await conductor.sync(institutionId, jobId);
    await systems.query(`update public.people set number = '4'`);
    const runId = await conductor.sync(institutionId, jobId);
    await systems.query(`insert into public.payees values ('1', 'Zoe')`);
    await conductor.rollback(institutionId, jobId, runId);
    const payees = await systems.query<object>('select number, name from public.payees order by 1');
    expect(payees.rows).toEqual([
      { number: '1', name: 'Zoe' },
      { number: '4', name: 'Amara' },
    ]);
    const findings = await hub.read(institutionId, (client) =>
      client.query<object>(`select kind from findings where kind = 'rollback_failed'`),
    );
    expect(findings.rows).toEqual([{ kind: 'rollback_failed' }]);
  } finally {
    await close();
  }
});
