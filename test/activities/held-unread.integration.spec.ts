import { jest } from '@jest/globals';
import { applyConfiguration, loadConfiguration } from '../../database/configuration-store.js';
import type { JobDefinition } from '../../domain/job-definition.js';
import { openStores, type Stores } from '../harness/stores.js';
import { DirectConductor, directActivities } from '../merge/database-world.js';

jest.setTimeout(120_000);

/* Held rows that a later run does not read: they stand, and are still held. */

describe('rows that are held', () => {
  let stores: Stores;
  beforeAll(async () => {
    stores = await openStores();
  });
  afterAll(() => stores.close());

  /** Things of two tables, read by one job. */
  const open = async (code: string, job: Partial<JobDefinition>) => {
    const { database, hub, systems } = stores;
    const names = ['one', 'two'].map((name) => `${code}_${name}`);
    for (const name of names)
      await systems.query(
        `create table public.${name} (id text primary key, v text, seen bigint generated always as identity)`,
      );
    const { institutionId } = await applyConfiguration(
      hub,
      {
        institution: { code, name: code, timeZone: 'UTC' },
        systems: names.map((name) => ({ name, kind: 'postgresql', settings: { url: database.url } })),
        entityTypes: [
          {
            ...{ name: 'thing', kind: 'reconciled', subject: 'none', naturalKey: ['key'] },
            groups: ['key', 'v'].map((name) => ({
              ...{
                name,
                attributes: [{ name, type: 'text' as const }],
                strategy: 'three_way' as const,
                priority: names,
              },
            })),
          },
        ],
        mappings: names.map((name) => ({
          ...{ name: `${name}.${name}`, system: name, entity: name },
          source: {
            ...{ columns: ['id', 'v', 'seen'], key: ['id'], watermark: { column: 'seen' } },
            records: [{ entityType: 'thing', groups: { key: { from: 'id' }, v: { from: 'v' } } }],
          },
        })),
        codeTables: [],
        jobs: [{ name: 'all', sources: names.map((name) => `${name}.${name}`), targets: [], partitions: 1, ...job }],
      },
      'test',
    );
    const jobId = (await loadConfiguration(hub, institutionId)).jobs[0]?.id ?? 0;
    const conductor = new DirectConductor(directActivities(hub));
    return {
      say: (name: string, ...ids: readonly string[]) =>
        systems.query(
          `insert into public.${code}_${name} (id, v) select id, id from unnest($1::text[]) as t (id)
           on conflict (id) do update set seen = default`,
          [ids],
        ),
      rename: (from: string, to: string) => systems.query(`alter table public.${code}_${from} rename to ${code}_${to}`),
      sync: () => conductor.sync(institutionId, jobId),
      rollback: (run: string) => conductor.rollback(institutionId, jobId, run),
      held: () =>
        hub.read(institutionId, async (client) => {
          const { rows } = await client.query<{ key: string }>(
            `select r.source_key as key from held_rows r join held_changes h on h.id = r.held_id where h.state = 'held' order by 1`,
          );
          return rows.map(({ key }) => key);
        }),
    };
  };

  it('over a limit stand where the next read by a watermark brings others', async () => {
    const world = await open('limit', { reading: 'watermark', limits: [{ operation: 'insert', absolute: 2 }] });
    await world.say('one', 'a', 'b', 'c');
    await world.sync();
    expect(await world.held()).toEqual(['a', 'b', 'c']);
    await world.say('one', 'd');
    await world.sync();
    expect(await world.held()).toEqual(['a', 'b', 'c']);
    await world.say('one', 'e', 'f', 'g');
    await world.sync();
    expect(await world.held()).toEqual(['a', 'b', 'c', 'e', 'f', 'g']);
  });

  it('and were rolled back stand where the next read by a watermark brings others', async () => {
    const world = await open('mark', { reading: 'watermark' });
    await world.say('one', 'a');
    await world.sync();
    await world.say('one', 'b');
    await world.rollback(await world.sync());
    await world.sync();
    expect(await world.held()).toEqual(['b']);
    await world.say('one', 'c');
    await world.sync();
    expect(await world.held()).toEqual(['b']);
  });

  it('and were rolled back stand where their source cannot be read', async () => {
    const world = await open('apart', {});
    for (const name of ['one', 'two']) await world.say(name, 'a');
    await world.sync();
    await world.say('one', 'b');
    await world.say('two', 'c');
    await world.rollback(await world.sync());
    await world.sync();
    expect(await world.held()).toEqual(['b', 'c']);
    await world.rename('two', 'away');
    await world.sync();
    expect(await world.held()).toEqual(['b', 'c']);
    await world.rename('away', 'two');
    await world.sync();
    expect(await world.held()).toEqual(['b', 'c']);
  });
});
