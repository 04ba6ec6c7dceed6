import { expect, jest, test } from '@jest/globals';
import { applyConfiguration, loadConfiguration } from '../../database/configuration-store.js';
import type { Configuration } from '../../domain/job-definition.js';
import { openStores } from '../harness/stores.js';
import { DirectConductor, directActivities } from '../merge/database-world.js';

/* A system is told one column of a row of which it says another one itself. */

jest.setTimeout(120_000);

const text = (name: string): Configuration['entityTypes'][number]['groups'][number] => ({
  ...{ name, attributes: [{ name, type: 'text' }], strategy: 'three_way' },
  ...{ fallback: 'source_priority', priority: ['fin', 'hr'], reassertion: 'reassert' },
});

const configurationOf = (url: string): Configuration => ({
  institution: { code: 'shared', name: 'Shared', timeZone: 'UTC', recipientClasses: ['staff'] },
  systems: ['fin', 'hr'].map((name) => ({ name, kind: 'postgresql', settings: { url } })),
  entityTypes: [
    {
      ...{ name: 'post', kind: 'reconciled', subject: 'none', naturalKey: ['key'] },
      groups: ['key', 'title', 'phone'].map(text),
    },
  ],
  codeTables: [],
  mappings: [
    {
      ...{ name: 'fin.posts', system: 'fin', entity: 'fin_posts' },
      source: {
        columns: ['id', 'title'],
        key: ['id'],
        records: [{ entityType: 'post', groups: { key: { from: 'id' }, title: { from: 'title' } } }],
      },
    },
    {
      ...{ name: 'hr.posts', system: 'hr', entity: 'hr_posts' },
      source: {
        columns: ['id', 'title', 'phone'],
        key: ['id'],
        records: [
          {
            entityType: 'post',
            groups: { key: { from: 'id' }, title: { from: 'title' }, phone: { from: 'phone' } },
          },
        ],
      },
      target: {
        ...{ root: 'post', recipientClass: 'staff', create: true, key: [{ column: 'id', from: 'key' }] },
        columns: [
          { column: 'id', from: 'key' },
          { column: 'title', from: 'title' },
        ],
      },
    },
  ],
  jobs: [
    { name: 'all', sources: ['fin.posts', 'hr.posts'], targets: ['hr.posts'] },
    { name: 'fin', sources: ['fin.posts'], targets: ['hr.posts'] },
  ],
});

test('what is edited beside the column that a row is told, and not read yet, is read by the next run', async () => {
  const { database, hub, systems, close } = await openStores();
  try {
    await systems.query(`
      create table public.fin_posts (id text primary key, title text);
      create table public.hr_posts (id text primary key, title text, phone text);
      insert into public.fin_posts values ('1', 'Registrar');
      insert into public.hr_posts values ('1', 'Registrar', '100')`);
    const { institutionId } = await applyConfiguration(hub, configurationOf(database.url), 'test');
    const { jobs } = await loadConfiguration(hub, institutionId);
    const idOf = (name: string): number => jobs.find(({ definition }) => definition.name === name)?.id ?? 0;
    const conductor = new DirectConductor(directActivities(hub));
    const golden = async (): Promise<unknown> =>
      (await hub.read(institutionId, (client) => client.query<object>('select values from golden_records'))).rows;
    await conductor.sync(institutionId, idOf('all'));
    await systems.query(`
      update public.fin_posts set title = 'Head Registrar';
      update public.hr_posts set phone = '200'`);
    await conductor.sync(institutionId, idOf('fin'));
    expect((await systems.query('select * from public.hr_posts')).rows).toEqual([
      { id: '1', title: 'Head Registrar', phone: '200' },
    ]);
    await conductor.sync(institutionId, idOf('all'));
    expect(await golden()).toEqual([{ values: ['"1"', '"Head Registrar"', '"200"'] }]);
  } finally {
    await close();
  }
});
