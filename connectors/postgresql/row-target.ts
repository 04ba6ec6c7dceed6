import type { ClientBase, PoolClient } from 'pg';
import { SyncError } from '../../domain/errors.js';
import type { Cell, RawRow } from '../../domain/rows.js';
import { keyOf } from '../../domain/rows.js';
import type { RowSpelling } from '../../domain/spelling.js';
import { encodeCopyBatches } from '../../platform/copy-text.js';
import { copyIn } from '../../platform/copy.js';
import type { RowOutcome, RowTarget, RowWrite, TargetEntity } from '../capabilities.js';
import { isRowRefusal, refusalOf, sqlStateOf } from './errors.js';
import { compareKey, textOf } from './expressions.js';
import { RowWrites } from './row-writes.js';
import type { PostgresSessions } from './sessions.js';
import { compileSpelling } from './spelling.js';
import { copyRows, planWrites, selectRows } from './write-plan.js';
import type { WritePlan } from './write-plan.js';

/** A deadlock or a serialization failure with other users of the target: the same transaction may well do a moment later. */
const lostAgainstOthers = /^40/;
const attempts = 3;

export const createRowTarget = (sessions: PostgresSessions): RowTarget => ({
  async readRows(target: TargetEntity, keys: readonly RawRow[]): Promise<Map<string, RawRow>> {
    return await sessions.use('target', `reading "${target.entity}"`, async (client) => {
      const plan = await planWrites(client, sessions.defaultSchema, target);
      const found = new Map<string, RawRow>();
      await readInto(
        found,
        client,
        plan,
        keys.filter((key) => keyOf(key) !== null),
      );
      return found;
    });
  },

  async writeRows(target: TargetEntity, writes: readonly RowWrite[]): Promise<RowOutcome[]> {
    if (writes.length === 0) return [];
    const once = (): Promise<RowOutcome[]> =>
      sessions.transaction('target', `writing "${target.entity}"`, async (client) => {
        const plan = await planWrites(client, sessions.defaultSchema, target);
        return await new RowWrites(client, plan).run(writes);
      });
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await once();
      } catch (error) {
        if (attempt === attempts || !lostAgainstOthers.test(stateInCause(error) ?? '')) throw error;
      }
    }
  },

  async insertRows(target: TargetEntity, rows: AsyncIterable<readonly RawRow[]>): Promise<number> {
    return await sessions.transaction('target', `inserting into "${target.entity}"`, async (client) => {
      const plan = await planWrites(client, sessions.defaultSchema, target);
      return await insertAll(client, plan, rows);
    });
  },

  async spelling(target: TargetEntity): Promise<RowSpelling> {
    return await sessions.use('target', `describing "${target.entity}"`, async (client) =>
      compileSpelling((await planWrites(client, sessions.defaultSchema, target)).columns),
    );
  },

  async digestRange(target, from, to): Promise<{ count: number; digest: string }> {
    return await sessions.use('target', `digesting "${target.entity}"`, async (client) => {
      const plan = await planWrites(client, sessions.defaultSchema, target);
      return await digest(client, plan, from, to);
    });
  },
});

const stateInCause = (error: unknown): string | null =>
  error instanceof SyncError ? (/SQLSTATE ([0-9A-Z]{5})/.exec(error.message)?.[1] ?? null) : sqlStateOf(error);

/** Reads rows by key. A key that is no value of its column's type names no row; it is found by halving. */
export const readInto = async (
  found: Map<string, RawRow>,
  client: ClientBase,
  plan: Pick<WritePlan, 'relation' | 'columns' | 'key'>,
  keys: readonly RawRow[],
): Promise<void> => {
  if (keys.length === 0) return;
  try {
    const { text, values } = selectRows(plan, keys);
    const { rows } = await client.query<Cell[]>({ text, values, rowMode: 'array' });
    for (const [place, ...cells] of rows) {
      const key = keyOf(keys[Number(place)] ?? []);
      if (key !== null) found.set(key, cells);
    }
  } catch (error) {
    if (!isRowRefusal(error)) throw error;
    if (keys.length === 1) return;
    const middle = keys.length >> 1;
    await readInto(found, client, plan, keys.slice(0, middle));
    await readInto(found, client, plan, keys.slice(middle));
  }
};

const insertAll = async (
  client: PoolClient,
  plan: WritePlan,
  rows: AsyncIterable<readonly RawRow[]>,
): Promise<number> => {
  await client.query('set constraints all immediate');
  const places = plan.writable.map(({ place }) => place);
  const isWhole = places.length === plan.columns.length;
  const projected = async function* (): AsyncGenerator<readonly RawRow[]> {
    for await (const batch of rows)
      yield isWhole ? batch : batch.map((row) => places.map((place) => row[place] ?? null));
  };
  try {
    return await copyIn(client, copyRows(plan), encodeCopyBatches(projected()));
  } catch (error) {
    if (!isRowRefusal(error)) throw error;
    throw new SyncError(
      'target_row_exists',
      `"${plan.relation.entity}" refused a row of the bulk insert (${refusalOf(error)}); nothing was written`,
    );
  }
};

/** Between cells, and for no value; neither stands in a record that a person wrote. */
const cellSeparator = `E'\\x1f'`;
const noValue = `E'\\x1e'`;

const digest = async (
  client: ClientBase,
  plan: WritePlan,
  from: RawRow | null,
  to: RawRow | null,
): Promise<{ count: number; digest: string }> => {
  const values: Cell[] = [];
  const bound = (sign: '>=' | '<', key: RawRow | null): string[] =>
    key === null
      ? []
      : [
          compareKey(
            plan.key,
            sign,
            key.map((cell) => `$${String(values.push(cell))}`),
          ),
        ];
  const conditions = [...bound('>=', from), ...bound('<', to)];
  const row = plan.columns
    .map((column) => `coalesce(${textOf(column, column.sql)}, ${noValue})`)
    .join(` || ${cellSeparator} || `);
  const where = conditions.length === 0 ? '' : ` where ${conditions.join(' and ')}`;
  const { rows } = await client.query<{ count: string; digest: string }>(
    `select count(*)::text as count, coalesce(sum(hashtextextended(${row}, 0)), 0)::text as digest from ${plan.relation.sql}${where}`,
    values,
  );
  return { count: Number(rows[0]?.count ?? 0), digest: rows[0]?.digest ?? '0' };
};
