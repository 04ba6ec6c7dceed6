import { expect, jest, test } from '@jest/globals';
import { applyConfiguration, loadConfiguration } from '../../database/configuration-store.js';
import type { Configuration } from '../../domain/job-definition.js';
import { openStores } from '../harness/stores.js';
import { DirectConductor, directActivities } from '../merge/database-world.js';

/* A rollback is a run, and is rolled back like one, however often: each time the stores say what they said before it. */

jest.setTimeout(120_000);

const configurationOf = (url: string): Configuration => ({
  institution: { code: 'again', name: 'Again', timeZone: 'UTC', recipientClasses: ['internal'] },
  systems: [{ name: 'sis', kind: 'postgresql', settings: { url } }],
  entityTypes: [
    {
      ...{ name: 'person', kind: 'mastered', subject: 'self' },
      groups: [
        {
          ...{ name: 'name', attributes: [{ name: 'name', type: 'text' }], strategy: 'source_priority' },
          priority: ['sis'],
        },
      ],
    },
  ],
  codeTables: [],
  mappings: [
    {
      ...{ name: 'sis.people', system: 'sis', entity: 'people' },
      source: {
        columns: ['id', 'name'],
        key: ['id'],
        records: [{ entityType: 'person', groups: { name: { from: 'name' } } }],
      },
    },
  ],
  jobs: [{ name: 'all', sources: ['sis.people'], targets: [] }],
});

test('a rollback of a rollback of a rollback … sets back what counts as rolled back, and what may not come again', async () => {
  const { database, hub, systems, close } = await openStores();
  try {
    await systems.query(`
      create table public.people (id text primary key, name text);
      insert into public.people values ('1', 'Amara')`);
    const { institutionId } = await applyConfiguration(hub, configurationOf(database.url), 'test');
    const jobId = (await loadConfiguration(hub, institutionId)).jobs[0]?.id ?? 0;
    const conductor = new DirectConductor(directActivities(hub));
    const stores = () =>
      hub.read(institutionId, async (client) => ({
        marks: (
          await client.query<{ id: string; by: string }>(
            'select id::text, rolled_back_by::text as by from sync_runs where rolled_back_by is not null order by id',
          )
        ).rows.map(({ id, by }) => `${id} by ${by}`),
        inputs: (
          await client.query<{ key: string }>(
            'select source_key as key from rolled_back_inputs order by source_key collate "C"',
          )
        ).rows.map(({ key }) => key),
        live: (
          await client.query<{ key: string }>(
            'select source_key as key from record_images where deleted_run is null order by source_key collate "C"',
          )
        ).rows.map(({ key }) => key),
      }));
    await conductor.sync(institutionId, jobId);
    await systems.query(`insert into public.people values ('2', 'Mei'), ('3', 'Jonas')`);
    const sync = await conductor.sync(institutionId, jobId);
    const undo = async (run: string): Promise<string> => await conductor.rollback(institutionId, jobId, run);

    const first = await undo(sync);
    const taken = { marks: [`${sync} by ${first}`], inputs: ['2', '3'], live: ['1'] };
    expect(await stores()).toEqual(taken);
    const second = await undo(first);
    const stands = { marks: [`${first} by ${second}`], inputs: [], live: ['1', '2', '3'] };
    expect(await stores()).toEqual(stands);
    const third = await undo(second);
    expect(await stores()).toEqual({ ...taken, marks: [...taken.marks, `${second} by ${third}`] });
    const fourth = await undo(third);
    expect(await stores()).toEqual({ ...stands, marks: [...stands.marks, `${third} by ${fourth}`] });
    const fifth = await undo(fourth);
    const marks = [`${sync} by ${first}`, `${second} by ${third}`, `${fourth} by ${fifth}`];
    expect(await stores()).toEqual({ ...taken, marks });

    const again = await conductor.sync(institutionId, jobId);
    expect((await stores()).live).toEqual(['1']);
    const { rows } = await hub.read(institutionId, (client) =>
      client.query<object>('select cause, row_count::int as rows from held_changes where run_id = $1', [again]),
    );
    expect(rows).toEqual([{ cause: 'rolled_back_input', rows: 2 }]);
  } finally {
    await close();
  }
});
