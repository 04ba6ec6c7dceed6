import { toStated, type Json } from './canonical.js';

/** One difference between two documents. */
export interface Difference {
  /** JSON Pointer. */
  readonly pointer: string;
  readonly before: unknown;
  readonly after: unknown;
}

const most = 200;

/** Where two documents of plain data differ, as deep as both are objects; the first 200. */
export const differences = (before: unknown, after: unknown): readonly Difference[] => {
  const found: Difference[] = [];
  collect(before, after, '', found);
  return found.slice(0, most);
};

/** Whether two documents say the same, whatever the order of their members. */
export const isSame = (left: unknown, right: unknown): boolean => textOf(left) === textOf(right);

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const collect = (before: unknown, after: unknown, pointer: string, found: Difference[]): void => {
  if (found.length >= most || isSame(before, after)) return;
  if (!isObject(before) || !isObject(after)) {
    found.push({ pointer, before: before ?? null, after: after ?? null });
    return;
  }
  for (const name of [...new Set([...Object.keys(before), ...Object.keys(after)])].sort()) {
    collect(before[name], after[name], `${pointer}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`, found);
  }
};

const textOf = (value: unknown): string => (value === undefined ? '' : toStated(withoutAbsent(value)));

/* As JSON has it: a member that is undefined is not there. */
const withoutAbsent = (value: unknown): Json => {
  if (Array.isArray(value)) return value.map(withoutAbsent);
  if (!isObject(value)) return value as Json;
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return Object.fromEntries(members.map(([name, member]) => [name, withoutAbsent(member)]));
};
