import { setTimeout as pause } from 'node:timers/promises';
import type pg from 'pg';
import { benchSchema, smallJobRows, smallJobs } from './configuration.js';
import { connected } from './measure.js';
import { contentOf, createTableSql, fillTable, type Content } from './table.js';

export const sourceTable = `${benchSchema}.source`;
export const sinkTable = `${benchSchema}.sink`;
export const floorTable = `${benchSchema}.floor`;

/** The large table, made once for all jobs, and empty targets. */
export const buildStores = async (url: string, rows: number): Promise<Content> =>
  connected(url, async (client) => {
    await client.query(`drop schema if exists ${benchSchema} cascade`);
    await client.query(`create schema ${benchSchema}`);
    for (const table of [sourceTable, sinkTable, floorTable]) await client.query(createTableSql(table, { key: true }));
    await client.query(`create index on ${sourceTable} (changed_at)`);
    await fillTable(client, sourceTable, 1, rows);
    await client.query(`vacuum (analyze) ${sourceTable}`);
    return await contentOf(client, sourceTable);
  });

/** The small tables lie above all rows of the large one, each for itself: nobody stands in two of them. */
export const buildSmallStores = async (url: string): Promise<void> =>
  connected(url, async (client) => {
    for (const [index, { from, to }] of smallJobs.entries()) {
      await client.query(`drop table if exists ${benchSchema}.${from}, ${benchSchema}.${to}`);
      for (const table of [from, to]) await client.query(createTableSql(`${benchSchema}.${table}`, { key: true }));
      const first = 100_000_000 + index * 1_000;
      await fillTable(client, `${benchSchema}.${from}`, first, first + smallJobRows - 1);
    }
  });

/** Nothing is left to be flushed, and nobody tidies up what was written before: as fair to one as to the other. */
const settled = async (client: pg.Client): Promise<void> => {
  const tidying = `select 1 from pg_stat_activity where backend_type = 'autovacuum worker' limit 1`;
  while ((await client.query(tidying)).rowCount !== 0) await pause(250);
  await client.query('checkpoint');
};

/** An empty table. */
export const emptied = async (url: string, table: string): Promise<void> =>
  connected(url, async (client) => {
    await client.query(`truncate ${table}`);
    await settled(client);
  });

/** One row of a hundred gets another amount and a new moment of change; tells the moment before. */
export const changeOnePercent = async (url: string): Promise<string> =>
  connected(url, async (client) => {
    const { rows } = await client.query<{ newest: string }>(
      `select max(changed_at)::text as newest from ${sourceTable}`,
    );
    const newest = rows[0]?.newest ?? '';
    await client.query(
      `update ${sourceTable} set amount = amount + 1, changed_at = $1::timestamptz + make_interval(secs => 1 + id / 100) where id % 100 = 1`,
      [newest],
    );
    await client.query(`vacuum (analyze) ${sourceTable}`);
    await settled(client);
    return newest;
  });

/** The digest of a table, which has to be that of another. @throws where it is not */
export const sameContent = async (url: string, table: string, as: string): Promise<string> =>
  connected(url, async (client) => {
    const [found, wanted] = [await contentOf(client, table), await contentOf(client, as)];
    if (found.count !== wanted.count || found.digest !== wanted.digest)
      throw new Error(`void: ${table} holds ${JSON.stringify(found)}, not ${JSON.stringify(wanted)} as ${as} does`);
    return `${String(found.count)} rows, ${found.digest}`;
  });
