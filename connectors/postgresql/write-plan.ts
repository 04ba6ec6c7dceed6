import type { ClientBase } from 'pg';
import { SyncError } from '../../domain/errors.js';
import type { Cell, RawRow } from '../../domain/rows.js';
import { encodeTextArray } from '../../platform/copy-sink.js';
import type { RowWrite, TargetEntity } from '../capabilities.js';
import { comparableColumn, comparableValue, keyOrder, textOf } from './expressions.js';
import { columnsOf, findRelation } from './relation.js';
import type { Relation, RelationColumn } from './relation.js';

/** A target entity resolved against the catalogue, and the SQL that writes to it. */
export interface WritePlan {
  readonly relation: Relation;
  readonly columns: readonly RelationColumn[];
  readonly key: readonly RelationColumn[];
  /** Columns that may be written, with their places in `columns`. */
  readonly writable: readonly { readonly column: RelationColumn; readonly place: number }[];
}

/** @throws SyncError target_schema_changed, configuration_invalid */
export const planWrites = async (
  client: ClientBase,
  defaultSchema: string,
  target: TargetEntity,
): Promise<WritePlan> => {
  const relation = await findRelation(client, defaultSchema, target.entity, 'target');
  const columns = columnsOf(relation, target.columns, 'target');
  const key = columnsOf(relation, target.key, 'target');
  if (key.length === 0) throw new SyncError('configuration_invalid', `"${target.entity}": a target needs a key`);
  const writable = columns.map((column, place) => ({ column, place })).filter(({ column }) => !column.generated);
  return { relation, columns, key, writable };
};

export type PlanWrites = (client: ClientBase, target: TargetEntity) => Promise<WritePlan>;

/** As `planWrites`, for those who go to the same target again and again: the catalogue is asked once of each. A table that changes meanwhile
 *  makes the server refuse what no longer fits it. */
export const planWritesOnce = (defaultSchema: string): PlanWrites => {
  const plans = new WeakMap<TargetEntity, WritePlan>();
  return async (client, target) => {
    const plan = plans.get(target) ?? (await planWrites(client, defaultSchema, target));
    plans.set(target, plan);
    return plan;
  };
};

/** Cells turned into one array parameter for each column, as `unnest` takes them. `n` is the place in the batch. */
class Unnested {
  readonly values: unknown[] = [];
  private readonly names: string[] = [];
  private readonly types: string[] = [];

  constructor(places: readonly number[]) {
    this.add('n', 'int', places);
  }

  /** @param values a list, or its text, which is quicker made of texts than by the driver */
  add(name: string, type: string, values: readonly unknown[] | string): void {
    this.names.push(name);
    this.types.push(type);
    this.values.push(values);
  }

  cells(prefix: string, width: number, rows: readonly (RawRow | null)[]): void {
    for (let place = 0; place < width; place += 1) {
      this.add(`${prefix}${String(place)}`, 'text', encodeTextArray(rows.map((row): Cell => row?.[place] ?? null)));
    }
  }

  /** `unnest($1::int[], $2::text[] …) as s(n, k0 …)` */
  get sql(): string {
    const parameters = this.types.map((type, index) => `$${String(index + 1)}::${type}[]`);
    return `unnest(${parameters.join(', ')}) as s(${this.names.join(', ')})`;
  }
}

export interface Statement {
  readonly text: string;
  readonly values: unknown[];
}

/** A write and its place in the batch. */
export interface PlacedWrite {
  readonly place: number;
  readonly write: RowWrite;
}

/** Keys of the target (`t`) and those that are given (`s`: k0, k1 …). */
export const matchKey = (plan: Pick<WritePlan, 'key'>): string =>
  plan.key.map((column, index) => `t.${column.sql} = s.k${String(index)}::${column.plainType}`).join(' and ');

const unnestKeys = (plan: Pick<WritePlan, 'key'>, keys: readonly RawRow[], places: readonly number[]): Unnested => {
  const given = new Unnested(places);
  given.cells('k', plan.key.length, keys);
  return given;
};

/** The rows that are there: place in the batch, then the texts of the columns. */
export const selectRows = (
  plan: Pick<WritePlan, 'relation' | 'columns' | 'key'>,
  keys: readonly RawRow[],
): Statement => {
  const given = unnestKeys(plan, keys, [...keys.keys()]);
  const texts = plan.columns.map((column) => textOf(column, `t.${column.sql}`)).join(', ');
  const text = `select s.n::text, ${texts} from ${given.sql} join ${plan.relation.sql} t on ${matchKey(plan)}`;
  return { text, values: given.values };
};

/** Locks the rows that are there, in key order, and compares them with both states, in the spelling of the target's own types:
 *  place, whether it is `before`, whether it is `after`. (Said in the list itself: a row that somebody else changed while the lock was
 *  waited for is compared as it is now.) */
export const lockAndCompare = (plan: WritePlan, writes: readonly PlacedWrite[]): Statement => {
  const given = unnestKeys(
    plan,
    writes.map(({ write }) => write.key),
    writes.map(({ place }) => place),
  );
  given.cells(
    'b',
    plan.columns.length,
    writes.map(({ write }) => write.before),
  );
  given.cells(
    'a',
    plan.columns.length,
    writes.map(({ write }) => write.after),
  );
  given.add(
    'has_before',
    'bool',
    writes.map(({ write }) => write.before !== null),
  );
  given.add(
    'has_after',
    'bool',
    writes.map(({ write }) => write.after !== null),
  );
  const same = (prefix: 'b' | 'a'): string =>
    plan.columns
      .map((column, index) => {
        const cell = comparableValue(column, `s.${prefix}${String(index)}`);
        return `${comparableColumn(column, `t.${column.sql}`)} is not distinct from ${cell}`;
      })
      .join(' and ');
  const order = plan.key.map((column) => keyOrder(column, 't.')).join(', ');
  const text = `select s.n::text, (s.has_before and ${same('b')})::int::text, (s.has_after and ${same('a')})::int::text
    from ${given.sql} join ${plan.relation.sql} t on ${matchKey(plan)} order by ${order} for update of t`;
  return { text, values: given.values };
};

/** Updates rows that are locked and were compared; gives back the places that were updated. */
export const updateRows = (plan: WritePlan, writes: readonly PlacedWrite[]): Statement => {
  const given = unnestKeys(
    plan,
    writes.map(({ write }) => write.key),
    writes.map(({ place }) => place),
  );
  given.cells(
    'a',
    plan.columns.length,
    writes.map(({ write }) => write.after),
  );
  const assigned = plan.writable
    .filter(
      ({ column, place }) =>
        !plan.key.includes(column) || writes.some(({ write }) => changesKey(plan, write, column, place)),
    )
    .map(({ column, place }) => `${column.sql} = s.a${String(place)}::${column.plainType}`);
  const text = `update ${plan.relation.sql} t set ${assigned.join(', ')} from ${given.sql} where ${matchKey(plan)} returning s.n`;
  return { text, values: given.values };
};

const changesKey = (plan: WritePlan, write: RowWrite, column: RelationColumn, place: number): boolean =>
  write.after?.[place] !== write.key[plan.key.indexOf(column)];

/** Deletes rows that are locked and were compared; gives back the places that were deleted. */
export const deleteRows = (plan: WritePlan, writes: readonly PlacedWrite[]): Statement => {
  const given = unnestKeys(
    plan,
    writes.map(({ write }) => write.key),
    writes.map(({ place }) => place),
  );
  const text = `delete from ${plan.relation.sql} t using ${given.sql} where ${matchKey(plan)} returning s.n`;
  return { text, values: given.values };
};

/** Inserts rows that were not there; a key that an identity column would give itself is written as it stands. */
export const insertRows = (plan: WritePlan, writes: readonly PlacedWrite[]): Statement => {
  const given = new Unnested(writes.map(({ place }) => place));
  given.cells(
    'a',
    plan.columns.length,
    writes.map(({ write }) => write.after),
  );
  const names = plan.writable.map(({ column }) => column.sql).join(', ');
  const cells = plan.writable.map(({ column, place }) => `s.a${String(place)}::${column.plainType}`).join(', ');
  const text = `insert into ${plan.relation.sql} (${names}) overriding system value select ${cells} from ${given.sql} order by s.n`;
  return { text, values: given.values };
};

/** `copy … from stdin` of the writable columns. */
export const copyRows = (plan: WritePlan): string =>
  `copy ${plan.relation.sql} (${plan.writable.map(({ column }) => column.sql).join(', ')}) from stdin`;
