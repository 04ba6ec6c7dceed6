import { expect, jest, test } from '@jest/globals';
import { applyConfiguration, loadConfiguration } from '../../database/configuration-store.js';
import type { Configuration } from '../../domain/job-definition.js';
import { openStores } from '../harness/stores.js';
import { directActivities } from '../merge/database-world.js';

/* A run goes on without a source or a target that cannot be used; what it went without is told with it. */

jest.setTimeout(60_000);

const configurationOf = (url: string): Configuration => ({
  institution: { code: 'out', name: 'Out', timeZone: 'UTC', recipientClasses: ['internal'] },
  systems: [
    { name: 'sis', kind: 'postgresql', settings: { url } },
    { name: 'files', kind: 'csv', settings: { incoming: '/nowhere/at/all', files: { staff: { file: 'staff.csv' } } } },
  ],
  entityTypes: [
    {
      ...{ name: 'person', kind: 'mastered', subject: 'self' },
      groups: [
        {
          ...{ name: 'name', attributes: [{ name: 'name', type: 'text' }], strategy: 'source_priority' },
          priority: ['sis', 'files'],
        },
      ],
    },
  ],
  codeTables: [],
  mappings: [
    ...[
      ['sis', 'people'],
      ['files', 'staff'],
    ].map(([system = '', entity = '']) => ({
      ...{ name: `${system}.${entity}`, system, entity },
      source: {
        columns: ['id', 'name'],
        key: ['id'],
        records: [{ entityType: 'person', groups: { name: { from: 'name' } } }],
      },
    })),
    {
      ...{ name: 'sis.nowhere', system: 'sis', entity: 'nowhere' },
      target: {
        root: 'person',
        key: [{ column: 'id', from: 'name' }],
        columns: [{ column: 'id' }],
        recipientClass: 'internal',
        rollback: 'restore',
      },
    },
  ],
  jobs: [{ name: 'all', sources: ['sis.people', 'files.staff'], targets: ['sis.nowhere'] }],
});

test('sources and targets that could not be used stand with the run, each with its reason', async () => {
  const { database, hub, systems, close } = await openStores();
  try {
    await systems.query(`
      create table public.people (id text primary key, name text);
      insert into public.people values ('1', 'Amara')`);
    const { institutionId } = await applyConfiguration(hub, configurationOf(database.url), 'test');
    const jobId = (await loadConfiguration(hub, institutionId)).jobs[0]?.id ?? 0;
    const activities = directActivities(hub);
    const opened = await activities.openRun({
      ...{ institutionId, jobId, kind: 'sync', actor: 'test', asOf: '2026-01-15', workflowId: 'left-out' },
    });
    if (!('opened' in opened)) throw new Error('the job is occupied');
    const run = opened.opened;
    const plan = await activities.planExtract(run);
    for (const partition of plan.partitions) await activities.extract(run, partition);
    await activities.diff(run);
    await activities.guard(run);
    for (const type of (await activities.standardize(run)).entityTypes) {
      await activities.match(run, type);
      await activities.merge(run, type);
      await activities.apply(run, type);
    }
    const [target] = await activities.listTargets(run);
    if (target === undefined) throw new Error('there is no target');
    const failure = await activities.publish(run, target).then(
      () => null,
      (error: unknown) => error as Error & { code: string },
    );
    const delayed = { name: target.name, code: failure?.code ?? '', detail: failure?.message ?? '' };
    expect(delayed.code).toBe('target_schema_changed');
    await activities.closeRun(run, 'completed', undefined, [delayed]);

    const { rows } = await hub.read(institutionId, (client) =>
      client.query<object>(`select counts -> 'unusable' as unusable from sync_runs where id = $1`, [run.runId]),
    );
    expect(rows).toEqual([
      {
        unusable: [
          { name: 'files.staff', code: 'source_unreachable', detail: 'listing the incoming folder: ENOENT' },
          delayed,
        ],
      },
    ]);
  } finally {
    await close();
  }
});
