import { jest } from '@jest/globals';
import type pg from 'pg';
import { applyConfiguration, loadConfiguration } from '../../database/configuration-store.js';
import type { Hub } from '../../database/hub.js';
import type { Configuration } from '../../domain/job-definition.js';
import type { TestDatabase } from '../harness/database.js';
import { openStores } from '../harness/stores.js';
import { DirectConductor, directActivities } from '../merge/database-world.js';

jest.setTimeout(120_000);

/* People of one source whose status is a code; a target writes the concept and the code of its own. */
const configurationOf = (
  url: string,
  codes: Readonly<Record<string, { sis: readonly string[]; finance: readonly string[] }>>,
): Configuration => ({
  institution: { code: 'remap', name: 'Remap', timeZone: 'UTC' },
  systems: ['sis', 'finance'].map((name) => ({ name, kind: 'postgresql', settings: { url } })),
  entityTypes: [
    {
      name: 'person',
      kind: 'mastered',
      subject: 'self',
      groups: [
        { name: 'name', attributes: [{ name: 'name', type: 'text' }], strategy: 'three_way', priority: ['sis'] },
        {
          name: 'status',
          attributes: [{ name: 'status', type: 'code', codeTable: 'status' }],
          strategy: 'three_way',
          priority: ['sis'],
        },
      ],
    },
  ],
  mappings: [
    {
      name: 'sis.people',
      system: 'sis',
      entity: 'people',
      source: {
        columns: ['id', 'name', 'status', 'seen'],
        key: ['id'],
        watermark: { column: 'seen' },
        records: [
          {
            entityType: 'person',
            groups: { name: { from: 'name' }, status: { from: 'status', steps: [{ use: 'code' }] } },
          },
        ],
      },
    },
    {
      name: 'finance.payees',
      system: 'finance',
      entity: 'payees',
      target: {
        root: 'person',
        key: [{ column: 'name', from: 'name' }],
        columns: [{ column: 'name' }, { column: 'status', from: 'status', steps: [{ use: 'code' }] }],
        recipientClass: 'finance',
        rollback: 'restore',
      },
    },
  ],
  codeTables: [
    {
      name: 'status',
      entries: Object.entries(codes).map(([concept, { sis, finance }]) => ({ concept, codes: { sis, finance } })),
    },
  ],
  jobs: [{ name: 'news', sources: ['sis.people'], targets: ['finance.payees'], partitions: 1, reading: 'watermark' }],
});

const before = { enrolled: { sis: ['E', 'L'], finance: ['1'] } };
const after = { enrolled: { sis: ['E'], finance: ['1'] }, leave: { sis: ['L'], finance: ['2'] } };

describe('a code table that changes', () => {
  let database: TestDatabase;
  let hub: Hub;
  let systems: pg.Client;
  let close: () => Promise<void>;
  let institutionId = 0;

  beforeAll(async () => {
    ({ database, hub, systems, close } = await openStores());
    await systems.query('create table public.people (id text primary key, name text, status text, seen timestamptz)');
    await systems.query('create table public.payees (name text primary key, status text)');
    await systems.query(
      `insert into public.people values ('a', 'Ann', 'E', '2026-01-01T00:00:00Z'), ('b', 'Bea', 'L', '2026-01-01T00:00:00Z')`,
    );
    institutionId = await configure(before);
  });
  afterAll(() => close());

  const configure = async (codes: Parameters<typeof configurationOf>[1]): Promise<number> =>
    (await applyConfiguration(hub, configurationOf(database.url, codes), 'test')).institutionId;
  const conductor = (): DirectConductor => new DirectConductor(directActivities(hub));
  const jobId = async (): Promise<number> => (await loadConfiguration(hub, institutionId)).jobs[0]?.id ?? 0;
  const seen = async (): Promise<{ golden: string[]; payees: string[]; rows: unknown }> => {
    const payees = await systems.query<{ line: string }>(
      `select name || ' ' || status as line from public.payees order by 1`,
    );
    return hub.read(institutionId, async (client) => {
      const golden = await client.query<{ line: string }>(
        `select values[1] || ' ' || values[2] as line from golden_records order by values[1]`,
      );
      const run = await client.query<{ rows: unknown }>(
        `select counts -> 'rows' as rows from sync_runs where kind = 'sync' order by id desc limit 1`,
      );
      return {
        golden: golden.rows.map(({ line }) => line.replaceAll('"', '')),
        payees: payees.rows.map(({ line }) => line),
        rows: run.rows[0]?.rows,
      };
    });
  };

  it('makes the images of its mappings be derived again, though their source has no news', async () => {
    await conductor().sync(institutionId, await jobId());
    expect(await seen()).toMatchObject({ golden: ['Ann enrolled', 'Bea enrolled'], payees: ['Ann 1', 'Bea 1'] });

    await configure(after);
    const run = await conductor().sync(institutionId, await jobId());
    expect(await seen()).toMatchObject({
      golden: ['Ann enrolled', 'Bea leave'],
      payees: ['Ann 1', 'Bea 2'],
      rows: { extracted: 2, changed: 1, no_effect: 1 },
    });
    await conductor().sync(institutionId, await jobId());
    expect(await seen()).toMatchObject({ rows: { extracted: 0 } });

    // Rolled back, the images are as the former table read them; the rows come again as what was rolled back.
    await conductor().rollback(institutionId, await jobId(), run);
    expect(await seen()).toMatchObject({ golden: ['Ann enrolled', 'Bea enrolled'], payees: ['Ann 1', 'Bea 1'] });
    await conductor().sync(institutionId, await jobId());
    expect(await seen()).toMatchObject({ rows: { extracted: 2, held: 2 } });
  });

  it('makes rows be written anew where only the code of the target changed', async () => {
    await configure({ ...after, enrolled: { sis: ['E'], finance: ['9'] } });
    await conductor().sync(institutionId, await jobId());
    expect((await seen()).payees).toEqual(['Ann 9', 'Bea 9']);
  });
});
