import type { LimitDefinition } from './job-definition.js';

export type RowOperation = LimitDefinition['operation'];

export interface RowTotal {
  readonly operation: RowOperation;
  readonly count: number;
}

export interface HeldTotal {
  readonly operation: RowOperation;
  /** In words: how many of how many, and the limit. No personal data. */
  readonly reason: string;
}

const words: Readonly<Record<RowOperation, string>> = { insert: 'new', update: 'changed', delete: 'missing' };

const exceeded = (total: RowTotal, live: number, limit: LimitDefinition): string | null => {
  if (limit.absolute !== undefined && total.count > limit.absolute) return `limit ${limit.absolute}`;
  // A first load has nothing to be a share of.
  const share = live === 0 ? 0 : (100 * total.count) / live;
  if (limit.percent === undefined || live === 0 || share <= limit.percent) return null;
  return `${share.toFixed(1)}%, limit ${limit.percent}%`;
};

/** Judges the rows of one source by operation. What is over a limit is held as a whole; the other operations go on. */
export const judgeRows = (
  totals: readonly RowTotal[],
  live: number,
  limits: readonly LimitDefinition[],
  source: string,
): HeldTotal[] =>
  totals.flatMap((total) => {
    if (total.count === 0) return [];
    const broken = limits
      .filter(({ operation }) => operation === total.operation)
      .map((limit) => exceeded(total, live, limit))
      .find((reason) => reason !== null);
    if (broken === undefined || broken === null) return [];
    return [
      {
        operation: total.operation,
        reason: `${total.count} of ${live} rows of ${source} are ${words[total.operation]} (${broken})`,
      },
    ];
  });
