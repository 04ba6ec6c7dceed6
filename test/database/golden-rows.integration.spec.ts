import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type pg from 'pg';
import { summarizeRecords } from '../../database/golden-rows.js';
import { openStores, type Stores } from '../harness/stores.js';

describe('who made records', () => {
  let stores: Stores;
  beforeAll(async () => {
    stores = await openStores();
    // Whoever vacuums tells the index as well.
    await stores.systems.query('alter table concord.golden_records set (autovacuum_enabled = off)');
  });
  afterAll(() => stores.close());

  /** More than a range of pages. */
  const make = (from: number): Promise<unknown> =>
    stores.systems.query(
      `insert into concord.golden_records (id, institution_id, entity_type_id, version, values, status, created_run, updated_run)
       select i, 1, 1, 1, array[repeat('x', 100)], 'active', 1, 1 from generate_series($1::integer, $1 + 19999) i`,
      [from],
    );
  /** Ranges of pages that the index has to look through; it knows them from then on. */
  const unknownRanges = async (client: pg.Client): Promise<number> => {
    const { rows } = await client.query<{ count: number }>(
      `select brin_summarize_new_values('concord.golden_records_created') as count`,
    );
    return rows[0]?.count ?? -1;
  };

  test('is told to the index, and left to a vacuum that is at work', async () => {
    const { hub, systems } = stores;
    const summarize = (): Promise<void> => hub.transaction(1, summarizeRecords);
    await make(1);
    await systems.query('begin');
    await systems.query('lock table concord.golden_records in share update exclusive mode');
    await summarize();
    await systems.query('commit');
    expect(await unknownRanges(systems)).toBeGreaterThan(0);
    await make(100_001);
    await summarize();
    expect(await unknownRanges(systems)).toBe(0);
  });
});
