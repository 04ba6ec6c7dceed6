import { escapeLiteral } from 'pg';
import { encodeTextArray } from '../../platform/copy-sink.js';
import { copyOutBytes } from '../../platform/copy.js';
import type { RawRow } from '../../domain/rows.js';
import type { CopyTarget } from '../capabilities.js';
import { isRowRefusal } from './errors.js';
import type { PostgresSessions } from './sessions.js';
import { matchKey, type PlanWrites, type WritePlan } from './write-plan.js';

/** Rows by their keys, as text. */
export const readText =
  (sessions: PostgresSessions, planWrites: PlanWrites): CopyTarget['readText'] =>
  async (target, keys) =>
    await sessions.use('target', `reading "${target.entity}"`, async (client) => {
      const query = copyOf(await planWrites(client, target), keys);
      const text: Buffer[] = [];
      try {
        for await (const bytes of copyOutBytes(client, query)) text.push(bytes);
      } catch (error) {
        if (isRowRefusal(error)) return null;
        throw error;
      }
      return text;
    });

/** A COPY takes no parameters. */
const copyOf = (plan: WritePlan, keys: readonly RawRow[]): string => {
  const lists = plan.key.map(
    (_, place) => `${escapeLiteral(encodeTextArray(keys.map((key) => key[place] ?? null)))}::text[]`,
  );
  return `copy (select ${plan.columns.map(({ sql }) => `t.${sql}`).join(', ')}
     from unnest(${lists.join(', ')}) as s(${lists.map((_, place) => `k${String(place)}`).join(', ')})
     join ${plan.relation.sql} t on ${matchKey(plan)}) to stdout`;
};
