import { SyncError } from '../../domain/errors.js';
import type { WatermarkReader } from '../capabilities.js';
import { textOf } from './expressions.js';
import { columnsOf, findRelation } from './relation.js';
import type { RelationColumn } from './relation.js';
import type { PostgresSessions } from './sessions.js';

export const createWatermarkReader = (sessions: PostgresSessions): WatermarkReader => ({
  async newestWatermark(entity: string, column: string, lagSeconds: number): Promise<string | null> {
    return await sessions.use('source', `the watermark of "${entity}"`, async (client) => {
      const relation = await findRelation(client, sessions.defaultSchema, entity, 'source');
      const [found] = columnsOf(relation, [column], 'source');
      if (found === undefined) throw new SyncError('internal', 'a column that was found is gone');
      const lagged = laggedMaximum(found, lagSeconds);
      const { rows } = await client.query<{ newest: string | null }>(
        `select ${textOf(found, 'newest')} as newest from (select ${lagged} as newest from ${relation.sql}) as found`,
        lagged.includes('$1') ? [lagSeconds] : [],
      );
      return rows[0]?.newest ?? null;
    });
  },
});

/** Rows may become visible later than their stamp says, so the last moments are left to the next read. Once the source's own
 *  clock is past them nothing is held back: the last change before a quiet night would wait for the morning else. Only a
 *  `timestamptz` can be compared with the clock; in a column of numbers there is no lag. */
const laggedMaximum = (column: RelationColumn, lagSeconds: number): string => {
  const newest = `max(${column.sql})`;
  if (lagSeconds <= 0) return newest;
  const lag = 'make_interval(secs => $1)';
  if (/^timestamp.* with time zone$/.test(column.type)) {
    // least() and greatest() pass over nulls, and without rows there is no watermark.
    return `case when ${newest} is not null then least(${newest}, greatest(${newest} - ${lag}, clock_timestamp() - ${lag})) end`;
  }
  if (/^(timestamp|date)/.test(column.type)) return `(${newest} - ${lag})::${column.plainType}`;
  return newest;
};
