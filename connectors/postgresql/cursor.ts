import { SyncError } from '../../domain/errors.js';
import type { Cell } from '../../domain/rows.js';

/** How far a partition was read. `seen`: rows with this very key that were told already (one, where the key is unique).
 *  Rows without a whole key come last and are counted: they have no order of their own. */
export type ReadCursor = { readonly key: readonly string[]; readonly seen: number } | { readonly withoutKey: number };

export const writeCursor = (cursor: ReadCursor): string => JSON.stringify(cursor);

/** @throws SyncError internal where it is none of ours */
export const readCursor = (text: string): ReadCursor => {
  const parsed: unknown = JSON.parse(text);
  if (typeof parsed === 'object' && parsed !== null) {
    if ('withoutKey' in parsed && typeof parsed.withoutKey === 'number') return { withoutKey: parsed.withoutKey };
    if ('key' in parsed && 'seen' in parsed && isTexts(parsed.key) && typeof parsed.seen === 'number') {
      return { key: parsed.key, seen: parsed.seen };
    }
  }
  throw new SyncError('internal', 'a cursor that no reader of tables wrote');
};

/** The bound of a partition: texts of the key's first columns. */
export const writeBound = (key: readonly Cell[]): string => JSON.stringify(key);

/** @throws SyncError internal where it is none of ours */
export const readBound = (text: string): readonly string[] => {
  const parsed: unknown = JSON.parse(text);
  if (isTexts(parsed)) return parsed;
  throw new SyncError('internal', 'a partition that no planner of tables wrote');
};

const isTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'string');
