import type { PoolClient } from 'pg';
import type { RowTarget } from '../connectors/capabilities.js';
import { keySeparator, type Cell, type RawRow } from '../domain/rows.js';
import { hash128 } from '../platform/hash.js';
import type { StepCounts } from './contract.js';
import { fenced } from './lease.js';
import type { Verifying } from './verifying.js';

const pageSize = 5_000;

/** A row that the run wrote to a system that is read, too. */
interface Told {
  readonly id: string;
  readonly goldenId: string;
  readonly key: string;
  /** As we know it: the columns of the source. */
  readonly raw: RawRow | null;
  /** As it stood once it was written: the columns of the target. */
  readonly told: RawRow;
  /** The run made it. */
  readonly made: boolean;
}

/** Reads back what the run wrote to a system that is read, too: the row becomes what we know of it, so that our own write coming back is
 *  unchanged. Whatever else somebody changed there meanwhile stays unknown, for the next reading to find.
 *  @param note tells of rows that do not stand as they were written */
export const verifyShared = async (
  verifying: Verifying,
  rows: RowTarget,
  sourceColumns: readonly string[],
  note: (client: PoolClient, differing: readonly { readonly golden: string; readonly key: string }[]) => Promise<void>,
): Promise<StepCounts> => {
  const { dependencies, lease, target } = verifying;
  const counts = { verified: 0, differing: 0 };
  for (let after = '0'; ;) {
    const page = await readTold(verifying, after);
    const last = page.at(-1);
    if (last === undefined) return counts;
    after = last.goldenId;
    const there = await rows.readRows(
      { ...target, columns: sourceColumns },
      page.map(({ key }) => key.split(keySeparator)),
    );
    const judged = page.map((one) => ({
      one,
      known: knownAfter(one, there.get(one.key), sourceColumns, target.columns),
    }));
    const others = judged.filter(({ known }) => known === null);
    await fenced(dependencies.hub, lease, async (client) => {
      await remember(client, verifying, judged);
      await note(
        client,
        others.map(({ one: { goldenId, key } }) => ({ golden: goldenId, key })),
      );
    });
    counts.verified += page.length;
    counts.differing += others.length;
    dependencies.heartbeat();
  }
};

/** The next rows of those, in the order of golden ids. */
const readTold = ({ dependencies, run, mapping }: Verifying, after: string): Promise<Told[]> =>
  dependencies.hub.read(run.institutionId, async (client) => {
    const { rows } = await client.query<Omit<Told, 'raw'> & { readonly raw: string | null }>(
      `select i.id::text, i.golden_id::text as "goldenId", i.source_key as key, i.raw, e.after -> 'row' as told, i.created_run = $1 as made
       from change_set_entries e join record_images i on i.golden_id = e.row_id and i.mapping_id = e.mapping_id and i.source_key = e.after ->> 'key'
       where e.run_id = $1 and e.kind = 'target' and e.mapping_id = $2 and e.row_id > $3 and e.outcome = 'written' and e.after is not null
         and i.last_run = $1 and i.sub_key = '' and i.deleted_run is null and not i.untold order by e.row_id limit ${pageSize}`,
      [run.runId, mapping.id, after],
    );
    return rows.map((row) => ({ ...row, raw: row.raw === null ? null : (JSON.parse(row.raw) as RawRow) }));
  });

/** What we know of a row that stands as it was written; else null. Nobody but us knows one that the run made: all of it is our own. */
const knownAfter = (
  { raw, told, made }: Told,
  row: RawRow | undefined,
  sourceColumns: readonly string[],
  targetColumns: readonly string[],
): RawRow | null => {
  if (row === undefined) return null;
  const toldAt = sourceColumns.map((column) => targetColumns.indexOf(column));
  if (toldAt.some((place, index) => place >= 0 && row[index] !== told[place])) return null;
  return made || raw === null
    ? row
    : row.map((cell, index): Cell => (toldAt[index] === -1 ? (raw[index] ?? null) : cell));
};

const remember = async (
  client: PoolClient,
  { mapping }: Verifying,
  judged: readonly { readonly one: Told; readonly known: RawRow | null }[],
): Promise<void> => {
  const changed = judged.flatMap(({ one: { id, raw }, known }) => {
    const text = JSON.stringify(known);
    return known === null || text === JSON.stringify(raw) ? [] : [{ id, text }];
  });
  await client.query(
    `update record_images i set raw = r.raw, raw_hash = r.hash, mapping_version = $1 from unnest($2::bigint[], $3::text[], $4::uuid[]) as r (id, raw, hash) where i.id = r.id`,
    [
      mapping.version,
      changed.map(({ id }) => id),
      changed.map(({ text }) => text),
      changed.map(({ text }) => hash128(text)),
    ],
  );
};
