import { pipeline } from 'node:stream/promises';
import pg from 'pg';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';
import { copyOutLines } from '../platform/copy.js';
import { hash128 } from '../platform/hash.js';
import { connected } from './measure.js';
import { benchColumns } from './table.js';

/** `COPY | COPY`: every byte of a table into another of the same columns, looked at by nobody. */
export const copyThrough = async (url: string, from: string, to: string): Promise<void> => {
  const [source, sink] = [from, to].map(() => new pg.Client({ connectionString: url }));
  if (source === undefined || sink === undefined) throw new Error('no connections');
  await Promise.all([source.connect(), sink.connect()]);
  try {
    const options = { highWaterMark: 256 * 1024 };
    await pipeline(
      source.query(copyTo(`copy ${from} to stdout`, options)),
      sink.query(copyFrom(`copy ${to} from stdin`)),
    );
  } finally {
    await Promise.all([source.end(), sink.end()]);
  }
};

/** Reads a table and hashes every row of it: what finding out that nothing changed cannot do without. */
export const readAndHash = async (url: string, table: string): Promise<void> =>
  connected(url, async (client) => {
    const seen = new Set<string>();
    for await (const lines of copyOutLines(client, `copy ${table} to stdout`)) {
      for (const line of lines) {
        const hash = hash128(line);
        if (hash.startsWith('0000')) seen.add(hash);
      }
    }
  });

/** Changed rows of one table into another in one transaction, what stood there before kept: the least that can be undone. */
export const journalledUpsert = async (url: string, from: string, to: string, after: string): Promise<void> =>
  connected(url, async (client) => {
    await client.query(`create table if not exists ${to}_journal (like ${to})`);
    await client.query('begin');
    await client.query(
      `create temporary table changed on commit drop as select * from ${from} where changed_at > $1::timestamptz`,
      [after],
    );
    await client.query(`insert into ${to}_journal select t.* from ${to} t join changed c on c.id = t.id`);
    const set = benchColumns.filter((column) => column !== 'id').map((column) => `${column} = excluded.${column}`);
    await client.query(`insert into ${to} select * from changed on conflict (id) do update set ${set.join(', ')}`);
    await client.query('commit');
  });
