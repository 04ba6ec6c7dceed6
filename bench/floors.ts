import { pipeline } from 'node:stream/promises';
import type pg from 'pg';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';
import { copyOutLines } from '../platform/copy.js';
import { hash128 } from '../platform/hash.js';
import { connected } from './measure.js';
import { benchColumns } from './table.js';

/** `COPY | COPY`: every byte of a table into another of the same columns, looked at by nobody. */
export const copyThrough = async (url: string, from: string, to: string): Promise<void> =>
  twoConnections(url, (source, sink) => piped(source, `copy ${from} to stdout`, sink, `copy ${to} from stdin`));

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

/** Changed rows of one table into another, as whoever keeps two systems in agreement does it at the least: they come over the wire into a
 *  stage; what stood there before is kept in a journal by which it can be found again, whatever table it is of; then they are written, all
 *  in one transaction. */
export const journalledUpsert = async (url: string, from: string, to: string, after: string): Promise<void> =>
  twoConnections(url, async (source, sink) => {
    await sink.query(
      `create table if not exists ${to}_journal (run bigint, place text, id bigint, before jsonb, primary key (run, place, id))`,
    );
    await sink.query('begin');
    await sink.query(`create temporary table changed (like ${to}) on commit drop`);
    const changed = `select * from ${from} where changed_at > ${source.escapeLiteral(after)}::timestamptz`;
    await piped(source, `copy (${changed}) to stdout`, sink, 'copy changed from stdin');
    await sink.query(
      `insert into ${to}_journal select (select coalesce(max(run), 0) + 1 from ${to}_journal), $1, c.id, to_jsonb(t)
       from changed c left join ${to} t on t.id = c.id`,
      [to],
    );
    const set = benchColumns.filter((column) => column !== 'id').map((column) => `${column} = excluded.${column}`);
    await sink.query(`insert into ${to} select * from changed on conflict (id) do update set ${set.join(', ')}`);
    await sink.query('commit');
  });

const twoConnections = async (
  url: string,
  work: (source: pg.Client, sink: pg.Client) => Promise<void>,
): Promise<void> => connected(url, (source) => connected(url, (sink) => work(source, sink)));

const piped = async (source: pg.Client, out: string, sink: pg.Client, into: string): Promise<void> =>
  pipeline(source.query(copyTo(out, { highWaterMark: 256 * 1024 })), sink.query(copyFrom(into)));
