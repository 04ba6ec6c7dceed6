import type { Compensation } from './mapping-definition.js';
import type { Cell, RawRow } from './rows.js';

/** The entry that takes another one back, or why there can be none. */
export type Compensated = { readonly row: RawRow } | { readonly impossible: string };

const number = /^[+-]?\d+(?:\.\d+)?$/;

/** The same amount with the other sign; null: it is no plain number. Nothing stays nothing. */
const negated = (cell: Cell): Cell | undefined => {
  if (cell === null) return null;
  if (!number.test(cell)) return undefined;
  if (cell.startsWith('-')) return cell.slice(1);
  const plain = cell.replace(/^\+/, '');
  return /[1-9]/.test(plain) ? `-${plain}` : plain;
};

/**
 * Compiles how a posted row of a target is taken back where entries are only ever added: by an entry of its own, whose amounts have
 * the other sign. Its key is told apart by what the mapping declares and by `by`, so that an entry can be taken back, posted
 * again and taken back again.
 * @param columns of the target's rows
 */
export const compileCompensation = (
  compensation: Compensation,
  columns: readonly string[],
): ((row: RawRow, by: string) => Compensated) => {
  const { key, negate, set = {}, original } = compensation;
  const keyAt = columns.indexOf(key.column);
  const turned = new Set(negate.map((column) => columns.indexOf(column)));
  const constants = new Map(Object.entries(set).map(([column, value]) => [columns.indexOf(column), value]));
  const originalAt = original === undefined ? -1 : columns.indexOf(original);
  return (row, by) => {
    const after: Cell[] = [];
    for (const [place, cell] of row.entries()) {
      const turn = turned.has(place) ? negated(cell) : cell;
      if (turn === undefined) return { impossible: `${columns[place] ?? ''} holds no plain number` };
      after.push(constants.get(place) ?? turn);
    }
    after[keyAt] = `${row[keyAt] ?? ''}${key.suffix}${by}`;
    if (originalAt >= 0) after[originalAt] = row[keyAt] ?? null;
    return { row: after };
  };
};
