import type { LimitDefinition } from './job-definition.js';

/** How much of one part of the data a run would change. `base`: the live records (or images) of that part. */
export interface ChangeTotal {
  readonly entityType: string;
  readonly mapping?: string;
  readonly operation: LimitDefinition['operation'];
  /** The part of a declared scope (a campus); absent: all of it. */
  readonly scope?: string;
  readonly count: number;
  readonly base: number;
}

export interface HeldPart {
  readonly total: ChangeTotal;
  readonly limit: LimitDefinition;
  readonly kind: 'absolute' | 'percent';
  /** For the person who releases it: numbers, no personal data. */
  readonly reason: string;
}

const words: Readonly<Record<LimitDefinition['operation'], string>> = {
  insert: 'new records',
  update: 'changed records',
  delete: 'removed records',
};

const subjectOf = ({ entityType, mapping, operation, scope, count }: ChangeTotal): string =>
  `${String(count)} ${words[operation]} of ${entityType}` +
  (mapping === undefined ? '' : ` from ${mapping}`) +
  (scope === undefined ? '' : ` in ${scope}`);

/** Percent with one decimal, rounded up, so that what is over a limit never reads as if it were not. */
const shareOf = ({ count, base }: ChangeTotal): string => (Math.ceil((1_000 * count) / base) / 10).toFixed(1);

const concerns = (limit: LimitDefinition, total: ChangeTotal): boolean =>
  limit.operation === total.operation && (limit.entityType === undefined || limit.entityType === total.entityType);

/** What a limit says about a part; null: it lets it pass. A part without a base (a first load) has no share. */
const judgeOne = (total: ChangeTotal, limit: LimitDefinition): HeldPart | null => {
  const { count, base } = total;
  if (limit.absolute !== undefined && count > limit.absolute) {
    const reason = `${subjectOf(total)}: over the limit of ${String(limit.absolute)}`;
    return { total, limit, kind: 'absolute', reason };
  }
  if (limit.percent !== undefined && base > 0 && count * 100 > limit.percent * base) {
    const share = `${shareOf(total)}% of ${String(base)}`;
    return {
      total,
      limit,
      kind: 'percent',
      reason: `${subjectOf(total)}, ${share}: over the limit of ${String(limit.percent)}%`,
    };
  }
  return null;
};

/** Which parts of a change are held, each once, with the first limit that it breaks; the others go on. */
export const judge = (totals: readonly ChangeTotal[], limits: readonly LimitDefinition[]): HeldPart[] =>
  totals.flatMap((total) => {
    const broken = limits
      .filter((limit) => concerns(limit, total))
      .map((limit) => judgeOne(total, limit))
      .find((held) => held !== null);
    return broken === undefined ? [] : [broken];
  });
