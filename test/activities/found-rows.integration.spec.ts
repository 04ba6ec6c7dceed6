import { expect, jest, test } from '@jest/globals';
import { applyConfiguration, loadConfiguration } from '../../database/configuration-store.js';
import type { Configuration } from '../../domain/job-definition.js';
import { openStores } from '../harness/stores.js';
import { DirectConductor, directActivities } from '../merge/database-world.js';

/* A target that is never read holds a row that somebody else made. */

jest.setTimeout(120_000);

const text = (name: string): Configuration['entityTypes'][number]['groups'][number] => ({
  ...{ name, attributes: [{ name, type: 'text' }], strategy: 'source_priority', priority: ['sis'] },
});

const configurationOf = (url: string): Configuration => ({
  institution: { code: 'found', name: 'Found', timeZone: 'UTC', recipientClasses: ['staff'] },
  systems: ['sis', 'hr'].map((name) => ({ name, kind: 'postgresql', settings: { url } })),
  entityTypes: [
    {
      ...{ name: 'post', kind: 'reconciled', subject: 'none', naturalKey: ['key'] },
      groups: ['key', 'title'].map(text),
    },
  ],
  codeTables: [],
  mappings: [
    {
      ...{ name: 'sis.posts', system: 'sis', entity: 'sis_posts' },
      source: {
        columns: ['id', 'title'],
        key: ['id'],
        records: [{ entityType: 'post', groups: { key: { from: 'id' }, title: { from: 'title' } } }],
      },
    },
    {
      ...{ name: 'hr.posts', system: 'hr', entity: 'hr_posts' },
      target: {
        ...{ root: 'post', recipientClass: 'staff', create: true, key: [{ column: 'id', from: 'key' }] },
        columns: [
          { column: 'id', from: 'key' },
          { column: 'title', from: 'title' },
        ],
      },
    },
  ],
  jobs: [{ name: 'all', sources: ['sis.posts'], targets: ['hr.posts'] }],
});

test('it stays there though the run that found it is undone; what that run made goes', async () => {
  const { database, hub, systems, close } = await openStores();
  try {
    await systems.query(`
      create table public.sis_posts (id text primary key, title text);
      create table public.hr_posts (id text primary key, title text);
      insert into public.sis_posts values ('0', 'Dean')`);
    const { institutionId } = await applyConfiguration(hub, configurationOf(database.url), 'test');
    const jobId = (await loadConfiguration(hub, institutionId)).jobs[0]?.id ?? 0;
    const conductor = new DirectConductor(directActivities(hub));
    await conductor.sync(institutionId, jobId);
    await systems.query(`
      insert into public.sis_posts values ('1', 'Registrar'), ('2', 'Bursar');
      insert into public.hr_posts values ('1', 'Clerk')`);
    const run = await conductor.sync(institutionId, jobId);
    await conductor.sync(institutionId, jobId);
    await conductor.rollback(institutionId, jobId, run);
    expect((await systems.query('select id from public.hr_posts order by id')).rows).toEqual([
      { id: '0' },
      { id: '1' },
    ]);
  } finally {
    await close();
  }
});
