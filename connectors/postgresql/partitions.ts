import type { ClientBase } from 'pg';
import type { Partition } from '../capabilities.js';
import { writeBound } from './cursor.js';
import { keyOrder, textOf } from './expressions.js';
import { RangeSettings } from './range-settings.js';
import { watermarkConditions, whereOf } from './read-plan.js';
import type { ReadPlan } from './read-plan.js';

/** A smaller partition costs more in overhead than it gains. */
const leastPartitionRows = 5_000;
const sampleRows = 20_000;

/** Half-open key ranges that cover everything, of about the same size, found without reading the table: the planner's estimate
 *  of rows, and bounds from a sample of its pages. Whoever cannot be sampled (a view) is read in one. Runs inside a transaction. */
export const planKeyRanges = async (client: ClientBase, plan: ReadPlan, wanted: number): Promise<Partition[]> => {
  const rows = await estimateRows(client, plan);
  const count = Math.min(wanted, Math.floor(rows / leastPartitionRows));
  // Few rows of many are read after a watermark, anywhere in the key's range: bounds of the whole would not divide them.
  const isDelta = plan.watermark !== null && plan.watermark.after !== null;
  const bounds = count < 2 || isDelta || !plan.relation.sampled ? [] : await sampleBounds(client, plan, rows, count);
  return [null, ...bounds].map((from, ordinal) => ({
    ordinal,
    from,
    to: bounds[ordinal] ?? null,
    estimatedRows: Math.ceil(rows / (bounds.length + 1)),
    keysAreUnique: plan.keyIsUnique,
  }));
};

interface ExplainedPlan {
  readonly 'QUERY PLAN': readonly { readonly Plan: { readonly 'Plan Rows': number } }[];
}

const estimateRows = async (client: ClientBase, plan: ReadPlan): Promise<number> => {
  const settings = new RangeSettings();
  const where = whereOf(watermarkConditions(plan, settings));
  await settings.apply(client);
  const { rows } = await client.query<ExplainedPlan>(`explain (format json) select from ${plan.relation.sql}${where}`);
  return rows[0]?.['QUERY PLAN'][0]?.Plan['Plan Rows'] ?? 0;
};

const sampleBounds = async (client: ClientBase, plan: ReadPlan, rows: number, count: number): Promise<string[]> => {
  const percent = Math.min(100, (100 * sampleRows) / rows);
  const order = plan.key.map((column) => keyOrder(column)).join(', ');
  const names = plan.key.map((column) => column.sql).join(', ');
  const texts = plan.key.map((column) => textOf(column, column.sql)).join(', ');
  const present = plan.key.map((column) => `${column.sql} is not null`).join(' and ');
  // Repeatable: planning the same table again gives the same ranges. Bounds are distinct keys, so no range is empty by itself.
  const { rows: found } = await client.query<{ bound: (string | null)[] }>(
    `with sample as (
       select distinct ${names} from ${plan.relation.sql} tablesample system ($1) repeatable (1) where ${present}
     ), ordered as (
       select ${names}, row_number() over (order by ${order}) - 1 as place, count(*) over () as total from sample
     )
     select array[${texts}] as bound from ordered
     where place > 0 and place * $2::int / total > (place - 1) * $2::int / total
     order by place`,
    [percent, count],
  );
  return found.map(({ bound }) => writeBound(bound));
};
