import { expect, jest, test } from '@jest/globals';
import { applyConfiguration, loadConfiguration } from '../../database/configuration-store.js';
import type { Configuration } from '../../domain/job-definition.js';
import { openStores } from '../harness/stores.js';
import { DirectConductor, directActivities } from '../merge/database-world.js';

/* Two records, perhaps one person of whom a question is open, are to be told under one key of a target. */

jest.setTimeout(60_000);

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

test('the first record gets the row and the others are refused, be their rows equal or not', async () => {
  const { database, hub, systems, close } = await openStores();
  try {
    await systems.query(`
      create table public.people (id text primary key, number text, name text);
      create table public.payees (number text primary key, name text);
      insert into public.people values ('a', '1', 'Amara'), ('b', '1', 'Amara'), ('c', '1', 'Mei'), ('d', '2', 'Jonas')`);
    const { institutionId } = await applyConfiguration(hub, configurationOf(database.url), 'test');
    const jobId = (await loadConfiguration(hub, institutionId)).jobs[0]?.id ?? 0;
    const run = async () => {
      const runId = await new DirectConductor(directActivities(hub)).sync(institutionId, jobId);
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
    const refusal = { key: '1', detail: 'another record is told under this key' };
    const images = [
      { key: '1', of: 'a' },
      { key: '2', of: 'd' },
    ];
    expect(await run()).toEqual({ refused: [refusal, refusal], images });

    // All of them change, and the one that has the row is not the first any more.
    await systems.query(`update public.people set name = 'Amara B' where id in ('a', 'b')`);
    expect(await run()).toEqual({ refused: [refusal], images });
    const { rows } = await systems.query<object>('select number, name from public.payees order by 1');
    expect(rows).toEqual([
      { number: '1', name: 'Amara B' },
      { number: '2', name: 'Jonas' },
    ]);
  } finally {
    await close();
  }
});
