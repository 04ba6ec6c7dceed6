import { expect, jest, test } from '@jest/globals';
import { applyConfiguration, loadConfiguration } from '../../database/configuration-store.js';
import type { EntityTypeDefinition } from '../../domain/entity-type.js';
import type { Configuration } from '../../domain/job-definition.js';
import { openStores } from '../harness/stores.js';
import { DirectConductor, directActivities } from '../merge/database-world.js';

/* A system that is read and written to has rows that we made, and that nobody has read before they are all that is left of a record. */

jest.setTimeout(120_000);

const text = (name: string): Configuration['entityTypes'][number]['groups'][number] => ({
  ...{ name, attributes: [{ name, type: 'text' }], strategy: 'source_priority', priority: ['sis', 'hr', 'fin'] },
});

const kinds = {
  reconciled: { kind: 'reconciled', subject: 'none', naturalKey: ['number'] },
  mastered: {
    ...{ kind: 'mastered', subject: 'self', identifiers: [{ scheme: 'number' }] },
    corroboration: { name: ['name'] },
  },
} satisfies Record<string, Partial<EntityTypeDefinition>>;

const configurationOf = (url: string, kind: keyof typeof kinds): Configuration => {
  const source: Configuration['mappings'][number]['source'] = {
    ...{ columns: ['id', 'number', 'name'], key: ['id'] },
    records: [
      {
        entityType: 'member',
        groups: { number: { from: 'number' }, name: { from: 'name' } },
        ...(kind === 'mastered' ? { identifiers: { number: { from: 'number' } } } : {}),
      },
    ],
  };
  const mapping = (system: string): Configuration['mappings'][number] => ({
    ...{ name: `${system}.members`, system, entity: `${system}_members`, source },
  });
  return {
    institution: { code: kind, name: kind, timeZone: 'UTC', recipientClasses: ['staff'] },
    systems: ['sis', 'hr', 'fin'].map((name) => ({ name, kind: 'postgresql', settings: { url } })),
    entityTypes: [{ name: 'member', groups: ['number', 'name'].map(text), ...kinds[kind] }],
    codeTables: [],
    mappings: [
      mapping('sis'),
      mapping('hr'),
      {
        ...mapping('fin'),
        target: {
          ...{ root: 'member', recipientClass: 'staff', create: true, key: [{ column: 'id', from: 'number' }] },
          columns: ['number', 'name'].map((column) => ({ column, from: column })),
        },
      },
    ],
    jobs: [{ name: 'all', sources: ['sis.members', 'hr.members', 'fin.members'], targets: ['fin.members'] }],
  };
};

test.each(['reconciled', 'mastered'] as const)(
  'a record that only a row of ours holds is known again (%s)',
  async (kind) => {
    const { database, hub, systems, close } = await openStores();
    try {
      await systems.query(`
      create table public.sis_members (id text primary key, number text, name text);
      create table public.hr_members (like public.sis_members including all);
      create table public.fin_members (like public.sis_members including all);
      insert into public.sis_members values ('s0', 'N0', 'Ada Lovelace');
      insert into public.hr_members values ('h0', 'N0', 'Ada Lovelace'), ('h1', 'N1', 'Grace Hopper')`);
      const { institutionId } = await applyConfiguration(hub, configurationOf(database.url, kind), 'test');
      const jobId = (await loadConfiguration(hub, institutionId)).jobs[0]?.id ?? 0;
      const conductor = new DirectConductor(directActivities(hub));
      const stand = (): Promise<readonly unknown[]> =>
        hub.read(institutionId, async (client) => {
          const { rows } = await client.query<{ name: string; sources: string[] }>(
            `select g.values[2] as name, array_agg(distinct p.name order by p.name) as sources from golden_records g
             join record_images i on i.golden_id = g.id and i.deleted_run is null join cross_system_mappings p on p.id = i.mapping_id
             where g.status = 'active' group by g.id order by 1`,
          );
          return rows.map(({ name, sources }): unknown[] => [JSON.parse(name), sources]);
        });
      await conductor.sync(institutionId, jobId);
      await systems.query(`delete from public.hr_members where id = 'h1'`);
      await conductor.sync(institutionId, jobId);
      expect(await stand()).toEqual([
        ['Ada Lovelace', ['fin.members', 'hr.members', 'sis.members']],
        ['Grace Hopper', ['fin.members']],
      ]);
      await systems.query(`insert into public.sis_members values ('s1', 'N1', 'Grace Hopper')`);
      await conductor.sync(institutionId, jobId);
      expect(await stand()).toEqual([
        ['Ada Lovelace', ['fin.members', 'hr.members', 'sis.members']],
        ['Grace Hopper', ['fin.members', 'sis.members']],
      ]);
    } finally {
      await close();
    }
  },
);
